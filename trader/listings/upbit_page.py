"""The body of ``GET /api/v1/announcements``, read straight from its bytes.

::

    {"success":true,"data":{"total_pages":192,"total_count":5748,"notices":[
      {"listed_at":"2026-03-02T15:20:05+09:00","first_listed_at":"2026-03-02T11:00:00+09:00","id":6496,
       "uuid":"898944907","title":"가온(GAON) 신규 거래지원 안내 (USDT 마켓)","category":"거래",
       "need_new_badge":false,"need_update_badge":true}], "fixed_notices":[]}}

``id`` is the same on every host and after every edit, so it makes the key (``uuid`` is missing in older answers).
A body that is not exactly this in the fields used here is refused as a whole: half a page must neither teach the
detector what is old nor make it act. ``fixed_notices`` are pinned old ones and are not read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec

from shared import clock
from shared.domain.notice import Notice
from shared.errors import ProtocolError

SOURCE: Final = "upbit"
MAX_ROWS: Final = 200

_Stamp = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time without a zone is refused: read as the wrong one it would be nine hours off."""


class _Row(msgspec.Struct):
    id: int | str
    title: str
    first_listed_at: _Stamp | None
    listed_at: _Stamp | None = None
    category: str = ""


class _Data(msgspec.Struct):
    notices: list[_Row]
    total_count: int | None = None


class _Answer(msgspec.Struct):
    success: bool
    data: _Data | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def read(body: bytes, host: str, received_ns: int) -> list[Notice]:
    """The notices of a page in its order; :class:`ProtocolError` when it is not what is documented."""
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"{host}: not a page of notices: {error}") from None
    if not answer.success:
        raise ProtocolError(f"{host}: the answer says success: false")
    if answer.data is None:
        raise ProtocolError(f"{host}: the answer has no data")
    rows = answer.data.notices
    if not rows and answer.data.total_count != 0:
        raise ProtocolError(f"{host}: an empty page of a board that is not empty")
    if len(rows) > MAX_ROWS:
        raise ProtocolError(f"{host}: {len(rows)} notices on one page, {MAX_ROWS} at most were expected")
    decoded_ns = clock.now_ns()
    try:
        return [_notice(row, host, received_ns, decoded_ns) for row in rows]
    except OverflowError:
        raise ProtocolError(f"{host}: a time is out of range") from None


def _notice(row: _Row, host: str, received_ns: int, decoded_ns: int) -> Notice:
    return Notice(
        key=f"{SOURCE}:{row.id}",
        source=SOURCE,
        host=host,
        title=row.title,
        category=row.category,
        first_listed_ns=_ns(row.first_listed_at),
        listed_ns=_ns(row.listed_at),
        received_ns=received_ns,
        decoded_ns=decoded_ns,
    )


def _ns(stamp: datetime | None) -> int:
    """UTC ns; 0 for a stamp that is null or before 1970: such a notice is never fresh."""
    return 0 if stamp is None else max(clock.from_datetime(stamp), 0)
