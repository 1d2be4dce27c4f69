"""The CFTC's public query service (Socrata): the rows of some markets since a date, page by page.

One row, shortened; every value is a string, an empty field is left away, and one name has a slip that will stay::

    {"market_and_exchange_names": "BITCOIN - CHICAGO MERCANTILE EXCHANGE",
     "report_date_as_yyyy_mm_dd": "2026-09-22T00:00:00.000", "cftc_contract_market_code": "133741",
     "open_interest_all": "22315", "noncomm_positions_long_all": "17658", "noncomm_positions_short_all": "14902",
     "noncomm_postions_spread_all": "3307", "comm_positions_long_all": "66", ..., "futonly_or_combined": "FutOnly"}

No key is needed; with one (``X-App-Token``) we do not share our address's allowance with strangers.
Rows come in no order unless one is asked for, and pages would then overlap: it always is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

import httpx
import msgspec
from pydantic import SecretStr

from flows.sources import cot_values, headings, http
from flows.sources.cot_reading import Collector, Reading, RowError, check, known_name, plain
from shared import clock
from shared.domain.cot import Positions, Report, columns
from shared.errors import SettingsError, SourceAwayError, SourceDataError, UsageError

DATASETS: Final = {Report.LEGACY: "6dca-aqww", Report.TFF: "gpe5-46if"}
"""Futures only."""
PAGE: Final = 5_000
MAX_PAGES: Final = 200
"""A million rows: thirty years of every market."""
CODE: Final = "cftc_contract_market_code"
DATE: Final = "report_date_as_yyyy_mm_dd"
MARKET: Final = "market_and_exchange_names"
KIND: Final = "futonly_or_combined"
FIELDS: Final = {
    report: {spelling.replace(" ", "_"): column for spelling, column in known.items()}
    for report, known in headings.COLUMNS.items()
}
"""Field to column; the slip (``noncomm_postions_spread_all``) and its mending are both known."""
_TRUNCATED: Final = "Input data was truncated"

_Row = dict[str, object]
_decoder: Final = msgspec.json.Decoder(list[_Row])


async def fetch(
    client: httpx.AsyncClient,
    base_url: str,
    report: Report,
    codes: Collection[str],
    since: date,
    *,
    page: int = PAGE,
    token: SecretStr | None = None,
    now_ns: int | None = None,
) -> Reading:
    """The rows of ``codes`` with an as-of date from ``since`` on.

    :param page: rows a request; the service takes up to 50,000.
    :param token: an app token; it goes into a header, never into an address.
    :param now_ns: our clock before the first request: the state of the source that the reading shows.
    :raises SourceError: see :func:`flows.sources.http.get`; a body that was cut is away, one of another shape is data.
    """
    if not codes:
        raise UsageError("no markets to ask for")
    now = clock.now_ns() if now_ns is None else now_ns
    take = _Taker(report, frozenset(codes), since, clock.utc(now).date())
    url = f"{base_url.rstrip('/')}/resource/{DATASETS[report]}.json"
    headers = _identity(token)
    for number in range(1, MAX_PAGES + 1):
        params = _query(codes, since, page, (number - 1) * page)
        answer = await http.get(client, url, params=params, headers=headers)
        rows = _rows(answer.content, report)
        if take.page(number, rows) and rows:
            raise SourceDataError(
                f"{DATASETS[report]}: page {number} is the one before it again: nothing is paged"
            )
        if len(rows) < page:
            return take.collector.reading(now, now)
    raise SourceDataError(
        f"{DATASETS[report]}: more than {MAX_PAGES} pages of {page} rows: not what was asked for"
    )


def _identity(token: SecretStr | None) -> dict[str, str]:
    text = token.get_secret_value().strip() if token is not None else ""
    if not (text.isascii() and text.isprintable()):
        raise SettingsError(
            "the Socrata app token holds signs that no token has: check KESTREL_COT__APP_TOKEN"
        )
    return {"X-App-Token": text} if text else {}


def _query(codes: Collection[str], since: date, limit: int, offset: int) -> dict[str, str]:
    """SoQL. ``:id`` makes the order complete, so that the same row cannot fall on two pages or on none."""
    quoted = ",".join("'" + code.replace("'", "''") + "'" for code in sorted(codes))
    return {
        "$where": f"{CODE} in({quoted}) AND {DATE} >= '{since.isoformat()}T00:00:00.000'",
        "$order": f"{DATE},{CODE},:id",
        "$limit": str(limit),
        "$offset": str(offset),
    }


def _rows(content: bytes, report: Report) -> list[_Row]:
    dataset = DATASETS[report]
    try:
        return _decoder.decode(content)
    except msgspec.ValidationError as error:
        raise SourceDataError(f"{dataset}: not a list of rows: {error}: {_begin(content)}") from error
    except msgspec.DecodeError as error:
        if str(error) == _TRUNCATED:
            raise SourceAwayError(
                f"{dataset}: the answer ends in the middle, after {len(content)} bytes"
            ) from error
        raise SourceDataError(f"{dataset}: not JSON: {error}: {_begin(content)}") from error


def _begin(content: bytes) -> str:
    return repr(plain(content[:240].decode("utf-8", "replace")))


class _Taker:
    """Checks rows against what was asked for and gathers the good ones."""

    def __init__(self, report: Report, codes: frozenset[str], since: date, today: date) -> None:
        self.collector = Collector(f"socrata {DATASETS[report]}", report)
        self._report = report
        self._codes = codes
        self._since = since
        self._today = today
        self._names = columns(report)

    def page(self, number: int, rows: list[_Row]) -> bool:
        """Take a page; true when every row of it was there before."""
        before = self.collector.repeated
        for place, row in enumerate(rows, start=1):
            where = f"row {place} of page {number}"
            text = plain(msgspec.json.encode(row).decode())
            try:
                positions = self._positions(row)
            except RowError as error:
                self.collector.refuse(where, str(error), text)
            else:
                self.collector.add(positions, where, text)
        return self.collector.repeated - before == len(rows)

    def _positions(self, row: _Row) -> Positions:
        if row.get(KIND) is not None:
            cot_values.futures_only(_text(row, KIND))
        code = cot_values.code(_text(row, CODE))
        if code not in self._codes:
            raise RowError(f"market {code}, which was not asked for")
        as_of = cot_values.as_of(_text(row, DATE))
        if not self._since <= as_of <= self._today:
            raise RowError(f"as of {as_of}, which was not asked for")
        positions = Positions(
            report=self._report,
            code=code,
            as_of=as_of,
            market=cot_values.name(_text(row, MARKET)) or known_name(code),
            values=self._values(row),
        )
        check(positions)
        return positions

    def _values(self, row: Mapping[str, object]) -> tuple[int, ...]:
        """A field that is absent has no value; it is not 0."""
        fields = FIELDS[self._report]
        found: dict[str, int] = {}
        for field, value in row.items():
            column = fields.get(field)
            if column is None or value is None:
                continue
            try:
                count = cot_values.json_contracts(value)
            except RowError as error:
                raise RowError(f"{field} {error}") from None
            if found.setdefault(column, count) != count:
                raise RowError(f"{field} is there twice, {found[column]} and {count}")
        missing = [column for column in self._names if column not in found]
        if missing:
            raise RowError(f"no {' and no '.join(missing[:3]).replace('_', ' ')}")
        return tuple([found[column] for column in self._names])


def _text(row: Mapping[str, object], field: str) -> str:
    value = row.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f"{field} is no text")
    return value
