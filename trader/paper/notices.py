"""An Upbit notice board: the documented pages, ETags and refusals, filled through the control API.

Rows look like the site's: times are Korean (+09:00) with whole seconds, the
order is ``listed_at`` descending, so an edited old notice comes first again; old notices have a ``uuid``
equal to their ``id``, new ones a random one of 8 to 10 digits. The board lives on wall time.

>>> board = NoticeBoard()
>>> row = board.add("가온(GAON) 신규 거래지원 안내 (KRW 마켓)", "trade")
>>> body, etag = board.page(per_page=1)
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
from aiohttp import web

from shared import clock
from shared.errors import NotFoundError, UsageError
from trader.paper.notice_seed import SEED

KST = timezone(timedelta(hours=9))
PATH = "/api/v1/announcements"

CATEGORIES = {
    "notice": ("안내", "Notice"),
    "trade": ("거래", "Trade"),
    "dtw": ("입출금", "D/W"),
    "maintenance": ("점검", "Maintenance"),
    "digital_asset": ("디지털 자산", "Digital Asset"),
    "nft": ("NFT", "NFT"),
    "staking": ("스테이킹", "Staking"),
    "event": ("이벤트", "Event"),
}
"""Query value -> name in Korean, name in English."""

MAX_PER_PAGE = 30
MAX_ROWS = 5000
MAX_TITLE = 500
_MAX_CACHED_PAGES = 256
_MAX_CLIENTS = 1024
_FIRST_RANDOM_UUID = 6413
_BADGE_NS = 86_400 * clock.SECOND


class Notice(msgspec.Struct):
    """One row. Times are UTC nanoseconds in whole seconds; ``category`` is the query value."""

    id: int
    uuid: str
    title: str
    category: str
    first_listed_ns: int
    listed_ns: int
    body: str = ""
    title_en: str = ""


class _Row(msgspec.Struct):
    """A row as it goes over the wire, fields in the site's order."""

    listed_at: str
    first_listed_at: str
    id: int
    uuid: str
    title: str
    category: str
    need_new_badge: bool
    need_update_badge: bool


class _Page(msgspec.Struct):
    total_pages: int
    total_count: int
    notices: list[_Row]
    fixed_notices: list[_Row]


class _Detail(_Row):
    body: str = ""


class NoticeBoard:
    """Rows, pages and the two routes.

    With ``path`` the rows are kept in that file (JSON, replaced as a whole). ``limit_per_s`` is how many
    requests a second one client address may make before it gets 429.
    """

    def __init__(self, path: Path | None = None, *, seed: bool = True, limit_per_s: float = 1000.0) -> None:
        self.limit_per_s = limit_per_s
        self.rows: dict[int, Notice] = {}
        self.fixed: list[int] = []
        self.version = 0
        self._path = path
        self._pages: dict[tuple[object, ...], tuple[bytes, str]] = {}
        self._buckets: dict[str, tuple[float, int]] = {}
        if path is not None and path.exists():
            self._load(path)
        elif seed:
            self._seed()
            self._save()

    # writing

    def add(
        self,
        title: str,
        category: str = "trade",
        first_listed_at: str | None = None,
        listed_at: str | None = None,
        *,
        title_en: str = "",
        body: str = "",
    ) -> Notice:
        """A new notice, by default published now.

        ``category`` is a query value or a name in Korean or English; times are ISO 8601 with a zone.
        ``listed_at`` alone dates both; ``UsageError`` for an unknown category, a bad time or no title.
        """
        listed = _parse_time(listed_at or first_listed_at, "listed_at")
        first = _parse_time(first_listed_at or listed_at, "first_listed_at")
        notice_id = max(self.rows, default=_FIRST_RANDOM_UUID) + 1
        row = Notice(
            id=notice_id,
            uuid=self._new_uuid(notice_id),
            title=_check_title(title),
            category=_category(category),
            first_listed_ns=first,
            listed_ns=listed,
            title_en=title_en,
            body=body,
        )
        self.rows[row.id] = row
        while len(self.rows) > MAX_ROWS:
            self.rows.pop(min(self.rows, key=lambda key: self.rows[key].listed_ns))
        self._changed()
        return row

    def edit(self, notice_id: int, title: str | None = None, listed_at: str | None = None) -> Notice:
        """Change a title as the site does: ``listed_at`` is stamped anew, ``first_listed_at`` stays."""
        row = self.rows.get(notice_id)
        if row is None:
            raise NotFoundError(f"there is no notice with id {notice_id}")
        if title is not None:
            row.title = _check_title(title)
        row.listed_ns = _parse_time(listed_at, "listed_at")
        self._changed()
        return row

    def public(self, row: Notice, *, english: bool = False) -> dict[str, object]:
        """One row as the pages show it."""
        shown: dict[str, object] = msgspec.to_builtins(self._row(row, english, clock.now_ns()))
        return shown

    # reading

    def page(
        self, *, page: int = 1, per_page: int = 20, category: str = "all", english: bool = False
    ) -> tuple[bytes, str]:
        """``(body, weak ETag)`` of one page; ``UsageError`` for what the site calls a bad request."""
        if category != "all" and category not in CATEGORIES:
            raise UsageError(f"there is no category {category!r}")
        if not 1 <= per_page <= MAX_PER_PAGE or page < 1:
            raise UsageError("Bad request")
        now = clock.now_ns()
        variant = (self.version, now // (3600 * clock.SECOND), page, per_page, category, english)
        found = self._pages.get(variant)
        if found is None:
            if len(self._pages) >= _MAX_CACHED_PAGES:
                self._pages.clear()
            found = self._pages[variant] = self._render(page, per_page, category, english, now)
        return found

    def detail(self, uuid: str, *, english: bool = False) -> tuple[bytes, str] | None:
        """``(body, weak ETag)`` of one notice by its uuid, ``None`` when there is none."""
        row = next((row for row in self.rows.values() if row.uuid == uuid), None)
        if row is None:
            return None
        shown = self._row(row, english, clock.now_ns())
        text = row.body or f"<p>{row.title}</p>"
        return _wrap(msgspec.structs.asdict(shown) | {"body": text})

    def routes(self) -> list[web.RouteDef]:
        """The two GET routes, for a server to mount."""
        return [web.get(PATH, self._serve_page), web.get(f"{PATH}/{{uuid}}", self._serve_detail)]

    # serving

    async def _serve_page(self, request: web.Request) -> web.Response:
        if refused := self._throttle(request):
            return refused
        query = request.query
        if query.get("os", "web") not in {"web", "android", "ios"}:
            return _refuse(400, "bad_request", "Bad request")
        try:
            found = self.page(
                page=int(query.get("page", "1")),
                per_page=int(query.get("per_page", "20")),
                category=query.get("category", "all"),
                english=_english(request),
            )
        except (ValueError, UsageError):
            return _refuse(400, "bad_request", "Bad request")
        return _answer(request, found)

    async def _serve_detail(self, request: web.Request) -> web.Response:
        if refused := self._throttle(request):
            return refused
        found = self.detail(request.match_info["uuid"], english=_english(request))
        return _answer(request, found) if found else _refuse(404, "not_found", "Not found")

    def _throttle(self, request: web.Request) -> web.Response | None:
        """A bucket of one second's worth of requests for each client address."""
        client, now = request.remote or "", clock.monotonic_ns()
        if len(self._buckets) >= _MAX_CLIENTS:
            self._buckets.clear()
        full = max(1.0, self.limit_per_s)
        left, since = self._buckets.get(client, (full, now))
        left = min(full, left + (now - since) / clock.SECOND * self.limit_per_s)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        return None if left >= 1 else _refuse(429, "too_many_requests", "Too many requests")

    # inside

    def _render(self, page: int, per_page: int, category: str, english: bool, now: int) -> tuple[bytes, str]:
        rows = [row for row in self.rows.values() if category in {"all", row.category}]
        rows.sort(key=lambda row: (-row.listed_ns, -row.id))
        first = (page - 1) * per_page
        return _wrap(
            _Page(
                total_pages=-(-len(rows) // per_page),
                total_count=len(rows),
                notices=[self._row(row, english, now) for row in rows[first : first + per_page]],
                fixed_notices=[
                    self._row(self.rows[key], english, now) for key in self.fixed if key in self.rows
                ],
            )
        )

    @staticmethod
    def _row(row: Notice, english: bool, now: int) -> _Row:
        edited = row.listed_ns != row.first_listed_ns
        recent = now - row.listed_ns < _BADGE_NS
        return _Row(
            listed_at=_korean(row.listed_ns),
            first_listed_at=_korean(row.first_listed_ns),
            id=row.id,
            uuid=row.uuid,
            title=(english and row.title_en) or row.title,
            category=CATEGORIES[row.category][1 if english else 0],
            need_new_badge=recent and not edited,
            need_update_badge=recent and edited,
        )

    def _new_uuid(self, notice_id: int) -> str:
        if notice_id <= _FIRST_RANDOM_UUID:
            return str(notice_id)
        taken = {row.uuid for row in self.rows.values()}
        while (made := str(10**7 + secrets.randbelow(10**10 - 10**7))) in taken:
            pass
        return made

    def _changed(self) -> None:
        self.version += 1
        self._pages.clear()
        self._save()

    def _seed(self) -> None:
        now = clock.now_ns() // clock.SECOND * clock.SECOND
        for seed in SEED:
            first = now - seed.age_s * clock.SECOND
            listed = first if seed.edited_age_s is None else now - seed.edited_age_s * clock.SECOND
            self.rows[seed.id] = Notice(
                seed.id, self._new_uuid(seed.id), seed.title, seed.category, first, listed
            )
            if seed.fixed:
                self.fixed.append(seed.id)

    def _load(self, path: Path) -> None:
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"{path} is not a notice board ({error}): move it away to start a new one"
            ) from None
        self.rows = {row.id: row for row in kept.rows}
        self.fixed = kept.fixed

    def _save(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        # not synced: a notice must not hold up the orders that follow it; a killed process loses nothing
        fresh.write_bytes(msgspec.json.encode(_Kept(list(self.rows.values()), self.fixed)))
        fresh.replace(self._path)


class _Kept(msgspec.Struct):
    """The file."""

    rows: list[Notice]
    fixed: list[int]


def _wrap(data: object) -> tuple[bytes, str]:
    body = msgspec.json.encode({"success": True, "data": data})
    return body, f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def _answer(request: web.Request, found: tuple[bytes, str]) -> web.Response:
    body, etag = found
    known = [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
    if etag in known or "*" in known:
        return web.Response(status=304, headers={"ETag": etag})
    return web.Response(body=body, headers={"ETag": etag}, content_type="application/json", charset="utf-8")


def _refuse(status: int, name: str, message: str) -> web.Response:
    body = msgspec.json.encode({"success": False, "error": {"name": name, "message": message}})
    return web.Response(status=status, body=body, content_type="application/json")


def _english(request: web.Request) -> bool:
    asked = request.query.get("language", "") or request.headers.get("Accept-Language", "")
    return asked.lower().startswith("en")


def _korean(ns: int) -> str:
    return clock.utc(ns).astimezone(KST).isoformat(timespec="seconds")


def _parse_time(text: str | None, name: str) -> int:
    """UTC nanoseconds in whole seconds; now when there is no text."""
    if text is None:
        return clock.now_ns() // clock.SECOND * clock.SECOND
    try:
        moment = clock.from_datetime(datetime.fromisoformat(text))
    except (TypeError, ValueError):
        raise UsageError(
            f"{name}: give a time with its zone, like 2026-08-21T19:19:25+09:00, not {text!r}"
        ) from None
    return moment // clock.SECOND * clock.SECOND


def _check_title(title: str) -> str:
    if not title.strip() or len(title) > MAX_TITLE:
        raise UsageError(f"title: give a text of 1 to {MAX_TITLE} characters")
    return title


def _category(name: str) -> str:
    for value, names in CATEGORIES.items():
        if name == value or name in names:
            return value
    raise UsageError(f"category: there is no {name!r}; one of {', '.join(CATEGORIES)}")
