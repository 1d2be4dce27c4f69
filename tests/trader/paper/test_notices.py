"""The notice board: shape, order, ETags, refusals, persistence."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.errors import NotFoundError, UsageError
from trader.paper.notices import CATEGORIES, MAX_ROWS, PATH, NoticeBoard

TITLE = "가온(GAON) 신규 거래지원 안내 (KRW, USDT 마켓)"


@pytest.fixture
def board() -> NoticeBoard:
    return NoticeBoard()


@pytest.fixture
async def url(board: NoticeBoard) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(board.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def data(body: bytes) -> dict[str, Any]:
    answer = json.loads(body)
    assert answer["success"] is True
    found: dict[str, Any] = answer["data"]
    return found


def test_a_new_board_has_a_past_and_no_news(board: NoticeBoard) -> None:
    page = data(board.page(per_page=30)[0])
    assert page["total_count"] == len(page["notices"]) == len(board.rows)
    assert 18 <= len(board.rows) <= 30
    assert [row["uuid"] for row in page["fixed_notices"]] == ["2895"]
    stamps = [datetime.fromisoformat(row["listed_at"]) for row in page["notices"]]
    assert stamps == sorted(stamps, reverse=True)
    newest = max(datetime.fromisoformat(row["first_listed_at"]) for row in page["notices"])
    assert clock.now_ns() - clock.from_datetime(newest) > 3600 * clock.SECOND
    # the first row is an old notice that was edited: reading only notices[0] is a trap
    first = page["notices"][0]
    assert first["need_update_badge"] is True
    assert first["listed_at"] > first["first_listed_at"]


def test_a_row_has_the_documented_fields(board: NoticeBoard) -> None:
    row = board.add(
        TITLE, "trade", first_listed_at="2026-08-21T10:19:25Z", listed_at="2026-08-21T21:50:05+09:00"
    )
    shown = board.public(row)
    assert list(shown) == [
        "listed_at", "first_listed_at", "id", "uuid", "title", "category", "need_new_badge", "need_update_badge",
    ]  # fmt: skip
    assert shown["listed_at"] == "2026-08-21T21:50:05+09:00"
    assert shown["first_listed_at"] == "2026-08-21T19:19:25+09:00"
    assert shown["category"] == "거래"
    assert re.fullmatch(r"\d{8,10}", row.uuid)
    assert row.uuid != str(row.id)
    assert row.id == max(board.rows)


def test_a_notice_is_published_now_unless_said(board: NoticeBoard) -> None:
    before = clock.now_ns() // clock.SECOND * clock.SECOND
    row = board.add(TITLE)
    assert before <= row.first_listed_ns == row.listed_ns <= clock.now_ns()
    assert data(board.page()[0])["notices"][0]["title"] == TITLE
    assert board.public(row)["need_new_badge"] is True


def test_an_edit_stamps_listed_at_only(board: NoticeBoard) -> None:
    row = board.add(TITLE, first_listed_at="2026-08-21T19:19:25+09:00")
    assert row.listed_ns == row.first_listed_ns
    first = row.first_listed_ns
    board.edit(row.id, title=TITLE + " (거래지원 개시 시점 변경 안내)")
    assert row.first_listed_ns == first < row.listed_ns
    top = data(board.page()[0])["notices"][0]
    assert (top["id"], top["need_new_badge"], top["need_update_badge"]) == (row.id, False, True)
    assert top["first_listed_at"] == "2026-08-21T19:19:25+09:00"
    with pytest.raises(NotFoundError):
        board.edit(1, title="x")


@pytest.mark.parametrize(
    ("title", "category", "first", "says"),
    [
        ("", "trade", None, "title"),
        ("x" * 501, "trade", None, "title"),
        (TITLE, "nonsense", None, "category"),
        (TITLE, "trade", "yesterday", "first_listed_at|listed_at"),
        (TITLE, "trade", "2026-08-21T19:19:25", "zone"),
    ],
)
def test_wrong_notices_are_refused(
    board: NoticeBoard, title: str, category: str, first: str | None, says: str
) -> None:
    before = dict(board.rows)
    with pytest.raises(UsageError, match=says):
        board.add(title, category, first_listed_at=first)
    assert board.rows == before


@given(
    st.lists(st.tuples(st.sampled_from(sorted(CATEGORIES)), st.integers(0, 50)), max_size=60),
    st.integers(1, 30),
)
def test_pages_cut_the_whole_list_in_order(made: list[tuple[str, int]], per_page: int) -> None:
    board = NoticeBoard(seed=False)
    for category, minute in made:
        board.add(f"notice {category}", category, listed_at=f"2026-08-21T10:{minute:02}:00+09:00")
    for wanted in ("all", "trade"):
        rows = [row for row in board.rows.values() if wanted in {"all", row.category}]
        expected = [row.id for row in sorted(rows, key=lambda row: (row.listed_ns, row.id), reverse=True)]
        total = data(board.page(per_page=per_page, category=wanted)[0])
        assert total["total_count"] == len(expected)
        assert total["total_pages"] == -(-len(expected) // per_page)
        seen: list[int] = []
        for page in range(1, total["total_pages"] + 2):
            shown = data(board.page(page=page, per_page=per_page, category=wanted)[0])
            seen += [row["id"] for row in shown["notices"]]
        assert seen == expected


def test_the_etag_is_weak_and_belongs_to_the_content_of_the_variant(board: NoticeBoard) -> None:
    body, etag = board.page()
    assert re.fullmatch(r'W/"[0-9a-f]+"', etag)
    assert board.page() == (body, etag)
    assert board.page(per_page=5)[1] != etag
    assert board.page(english=True)[1] != etag
    maintenance = board.page(category="maintenance")
    board.add(TITLE)
    assert board.page()[1] != etag
    assert board.page(category="maintenance") == maintenance


def test_rows_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "board" / "notices.json"
    board = NoticeBoard(path)
    row = board.add(TITLE, "trade", first_listed_at="2026-08-21T19:19:25+09:00")
    again = NoticeBoard(path)
    assert again.rows == board.rows
    assert again.rows[row.id].uuid == row.uuid
    assert data(again.page()[0])["fixed_notices"] == data(board.page()[0])["fixed_notices"]
    path.write_text("{")
    with pytest.raises(UsageError, match="not a notice board"):
        NoticeBoard(path)


def test_the_board_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader.paper.notices.MAX_ROWS", 30)
    assert MAX_ROWS == 5000
    board = NoticeBoard()
    for number in range(40):
        board.add(f"notice {number}")
    assert len(board.rows) == 30
    assert data(board.page(per_page=1)[0])["notices"][0]["title"] == "notice 39"


async def test_conditional_requests(board: NoticeBoard, url: str, session: aiohttp.ClientSession) -> None:
    params = {"os": "web", "page": "1", "per_page": "20", "category": "all"}
    async with session.get(url, params=params) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        etag = answer.headers["ETag"]
        assert await answer.read() == board.page()[0]
    for known in (etag, f'W/"other", {etag}'):
        async with session.get(url, params=params, headers={"If-None-Match": known}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == etag
    row = board.add(TITLE)
    async with session.get(url, params=params, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 200
        assert answer.headers["ETag"] != etag
        assert data(await answer.read())["notices"][0]["id"] == row.id


@pytest.mark.parametrize(
    "query",
    [
        "per_page=40",
        "per_page=100",
        "per_page=0",
        "per_page=x",
        "page=0",
        "page=-1",
        "category=nope",
        "os=tv",
    ],
)
async def test_bad_requests(url: str, session: aiohttp.ClientSession, query: str) -> None:
    async with session.get(f"{url}?{query}") as answer:
        assert answer.status == 400
        said = await answer.json()
        assert said["success"] is False
        assert said["error"]["message"] == "Bad request"


async def test_the_english_page(board: NoticeBoard, url: str, session: aiohttp.ClientSession) -> None:
    board.add(TITLE, title_en="Market Support for GAON (KRW, USDT Market)")
    board.add("번역 없는 안내", "거래")
    for params, headers in (({"language": "en"}, {}), ({}, {"Accept-Language": "en-US,en;q=0.9"})):
        async with session.get(url, params=params, headers=headers) as answer:
            rows = data(await answer.read())["notices"]
        assert {row["category"] for row in rows[:2]} == {"Trade"}
        titles = {row["title"] for row in rows[:2]}
        assert titles == {"Market Support for GAON (KRW, USDT Market)", "번역 없는 안내"}


async def test_a_notice_by_its_uuid(board: NoticeBoard, url: str, session: aiohttp.ClientSession) -> None:
    row = board.add(TITLE, body="<table></table>")
    async with session.get(f"{url}/{row.uuid}") as answer:
        shown = data(await answer.read())
        assert (shown["id"], shown["title"], shown["body"]) == (row.id, TITLE, "<table></table>")
        etag = answer.headers["ETag"]
    async with session.get(f"{url}/{row.uuid}", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    for wrong in (row.id, "nothing"):
        async with session.get(f"{url}/{wrong}") as answer:
            assert answer.status == 404


async def test_a_limit_is_answered_with_429(
    board: NoticeBoard, url: str, session: aiohttp.ClientSession
) -> None:
    board.limit_per_s = 2.0
    statuses = []
    for _ in range(5):
        async with session.get(url) as answer:
            statuses.append(answer.status)
    assert statuses[:2] == [200, 200]
    assert 429 in statuses[2:]
    moment = clock.monotonic_ns() + 10 * clock.SECOND
    with clock.use(monotonic=lambda: moment):
        async with session.get(url) as answer:
            assert answer.status == 200
