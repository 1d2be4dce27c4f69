"""The source against a real HTTP server: conditional, per host, punctual, and silent when it should be."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest

from shared import clock
from shared.domain.notice import Notice
from tests.trader.listings import notice_site
from tests.trader.listings.notice_site import Site, page, row
from trader.listings import titles, upbit
from trader.listings.detector import Decision, Detector
from trader.listings.upbit import HostState, HostStats, UpbitSource
from trader.paper.notices import NoticeBoard


class Pages:
    """What the source handed over."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[str], int]] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, host: str, notices: list[Notice], received_ns: int) -> None:
        self.seen.append((host, [notice.key for notice in notices], received_ns))
        self.poke()

    def poke(self, *_: object) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(condition)


@asynccontextmanager
async def watching(
    *sites: Site, pages: Pages | None = None, poll_s: float = 0.03, **options: Any
) -> AsyncIterator[tuple[UpbitSource, Pages]]:
    """A running source over the sites, with short times."""
    pages = pages or Pages()
    short: dict[str, Any] = {
        "limited_s": (0.3, 0.6),
        "odd_s": 0.3,
        "failure_cap_s": 0.1,
        "timeout_s": 2.0,
        "on_state": pages.poke,
    }
    source = UpbitSource([site.url for site in sites], poll_s, pages, **(short | options))
    task = asyncio.create_task(source.run())
    try:
        yield source, pages
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as made:
        yield made


#: A busy machine may note an arrival late, which shortens the silence that follows.
SLACK_S = 0.1


def silence(site: Site) -> list[float]:
    """Seconds between one request and the next as the server noted them, with a little room for its own delays."""
    return [after - before + SLACK_S for before, after in zip(site.times, site.times[1:], strict=False)]


async def test_a_page_is_handed_over_once_and_asked_for_conditionally(site: Site) -> None:
    async with watching(site) as (source, pages), asyncio.timeout(10):
        await site.asked(6)
    assert [keys for _, keys, _ in pages.seen] == [["upbit:1"]]
    assert "If-None-Match" not in site.requests[0].headers
    assert {request.headers["If-None-Match"] for request in site.requests[1:]} == {site.etag}
    (stats,) = source.stats
    assert (stats.state, stats.pages, stats.connects) == (HostState.OK, 1, 1)
    assert stats.unchanged >= 4
    assert stats.last_success_ns >= stats.last_change_ns > 0
    assert len({request.transport for request in site.requests if request.transport}) <= 1


async def test_the_request_is_the_documented_one_and_honest(site: Site) -> None:
    async with watching(site), asyncio.timeout(10):
        await site.asked(1)
    (request, *_) = site.requests
    assert request.method == "GET"
    assert request.path_qs == "/api/v1/announcements?os=web&page=1&per_page=20&category=all"
    assert request.headers["User-Agent"].startswith("Kestrel/")
    assert "Mozilla" not in request.headers["User-Agent"]
    assert request.headers["Accept-Language"] == "ko"
    assert request.headers["Host"] == site.url.removeprefix("http://")
    assert not {"Origin", "Referer", "Cookie"} & set(request.headers)


async def test_a_change_arrives_with_its_time_of_arrival(site: Site) -> None:
    async with watching(site) as (_, pages), asyncio.timeout(10):
        await site.asked(2)
        before = clock.now_ns()
        site.body = page(row(2), row(1))
        await pages.until(lambda: len(pages.seen) == 2)
    host, keys, received_ns = pages.seen[1]
    assert (host, keys) == (site.url, ["upbit:2", "upbit:1"])
    assert before < received_ns <= clock.now_ns()


async def test_every_host_has_its_own_etag_and_connection() -> None:
    async with Site() as a, Site() as b:
        b.body = page(row(1), row(0))
        async with watching(a, b) as (_, pages), asyncio.timeout(10):
            await asyncio.gather(a.asked(3), b.asked(3))
            a.body = b.body = page(row(2), row(1))
            await pages.until(lambda: len(pages.seen) == 4)
        assert {request.headers.get("If-None-Match") for request in a.requests} & {
            request.headers.get("If-None-Match") for request in b.requests[:3]
        } == {None}
        assert {host for host, _, _ in pages.seen[2:]} == {a.url, b.url}


@pytest.mark.parametrize(
    "answer",
    [
        notice_site.body(b"<html>Just a moment...</html>"),
        notice_site.body(page(row(1))[:-30]),
        notice_site.body(b'{"success":false,"error":{"name":"oops"}}'),
        notice_site.body(b'{"success":true,"data":{"total_count":7,"notices":[]}}'),
        notice_site.body(page(row(1, first_listed_at="2026-03-02T11:00:00"))),
        notice_site.body(page(row(1)), **{"Content-Encoding": "br"}),
    ],
)
async def test_an_unreadable_page_is_no_page(site: Site, answer: notice_site.Answer) -> None:
    site.script.extend([answer, answer])
    async with watching(site) as (source, pages), asyncio.timeout(10):
        await site.asked(3)
        await pages.until(lambda: bool(pages.seen))
    assert [keys for _, keys, _ in pages.seen] == [["upbit:1"]]
    assert [request.headers.get("If-None-Match") for request in site.requests[:3]] == [None] * 3
    assert source.stats[0].unreadable == 2
    assert source.stats[0].last_error


async def test_an_unreadable_page_keeps_the_etag_of_the_last_good_one(site: Site) -> None:
    async with watching(site) as (_, pages), asyncio.timeout(10):
        await pages.until(lambda: bool(pages.seen))
        asked = len(site.requests)
        site.script.append(notice_site.body(b"{"))
        await site.asked(asked + 3)
    assert len(pages.seen) == 1


async def test_limited_waits_then_waits_longer(site: Site) -> None:
    site.script.extend([notice_site.status(429), notice_site.status(429), notice_site.status(429)])
    async with watching(site) as (source, pages), asyncio.timeout(10):
        await pages.until(lambda: bool(pages.seen))
    first, second, third = silence(site)[:3]
    assert first >= 0.3
    assert second >= 0.6
    assert third >= 0.6
    assert source.stats[0].limited == 3
    assert source.stats[0].state is HostState.OK


async def test_retry_after_is_obeyed_when_it_asks_for_more(site: Site) -> None:
    site.script.append(notice_site.status(429, Retry_After="1"))
    async with watching(site), asyncio.timeout(10):
        await site.asked(2)
    assert silence(site)[0] >= 1.0


async def test_a_refusal_stops_the_host_for_good_and_the_others_go_on() -> None:
    async with Site() as a, Site() as b:
        a.script.append(notice_site.status(403))
        reported: list[tuple[str, HostState]] = []
        async with watching(a, b, on_state=lambda stats: reported.append((stats.host, stats.state))) as (
            source,
            _,
        ):
            async with asyncio.timeout(10):
                await b.asked(10)
            assert len(a.requests) == 1
            assert source.stats[0].state is HostState.STOPPED
            assert "403" in source.stats[0].last_error
        assert (a.url, HostState.STOPPED) in reported


async def test_run_ends_when_every_host_has_refused(site: Site) -> None:
    site.script.append(notice_site.status(403))
    source = UpbitSource([site.url, site.url + "/"], 0.05, Pages())
    async with asyncio.timeout(10):
        await source.run()
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        notice_site.status(503),
        notice_site.status(500),
        notice_site.drop,
        notice_site.half,
        notice_site.slow(1),
    ],
)
async def test_a_failing_host_is_asked_again_later_and_recovers(
    site: Site, answer: notice_site.Answer
) -> None:
    site.script.extend([answer, answer])
    async with watching(site, timeout_s=0.2) as (source, pages), asyncio.timeout(10):
        await pages.until(lambda: bool(pages.seen))
        await pages.until(lambda: source.stats[0].state is HostState.OK)
    assert source.stats[0].failures == 2
    assert len(pages.seen) == 1


async def test_a_host_that_is_down_is_tried_until_it_is_back() -> None:
    async with Site() as gone:
        url = gone.url
    pages = Pages()
    source = UpbitSource([url], 0.02, pages, failure_cap_s=0.05, on_state=pages.poke)
    task = asyncio.create_task(source.run())
    await pages.until(lambda: source.stats[0].failures > 0)
    assert source.stats[0].state is HostState.FAILING
    assert "cannot connect" in source.stats[0].last_error
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("code", [301, 302, 307, 404, 400])
async def test_a_moved_address_is_reported_and_not_followed(site: Site, code: int) -> None:
    async with Site() as elsewhere:
        site.script.append(notice_site.status(code, Location=elsewhere.url + "/api/v1/announcements"))
        async with watching(site) as (source, pages), asyncio.timeout(10):
            await pages.until(lambda: source.stats[0].state is HostState.ODD)
            assert str(code) in source.stats[0].last_error
            await site.asked(2)
        assert elsewhere.requests == []
    assert silence(site)[0] >= 0.3


async def test_not_modified_without_our_question_is_no_success(site: Site) -> None:
    site.script.append(notice_site.status(304))
    async with watching(site) as (source, pages), asyncio.timeout(10):
        await pages.until(lambda: bool(pages.seen))
    assert source.stats[0].failures == 1
    assert source.stats[0].pages == 1


async def test_now_and_then_the_page_is_asked_for_in_full(site: Site) -> None:
    async with watching(site, full_every_s=0.2) as (_, pages), asyncio.timeout(10):
        await pages.until(lambda: len(pages.seen) == 3)


async def test_a_page_whose_handling_failed_is_fetched_again(site: Site) -> None:
    pages = Pages()
    raised: list[int] = []

    def fail_once(host: str, notices: list[Notice], received_ns: int) -> None:
        if not raised:
            raised.append(1)
            raise ZeroDivisionError
        pages(host, notices, received_ns)

    source = UpbitSource([site.url], 0.03, fail_once, failure_cap_s=0.05)
    task = asyncio.create_task(source.run())
    await pages.until(lambda: bool(pages.seen))
    assert source.stats[0].faults == 1
    assert "If-None-Match" not in site.requests[1].headers
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_failing_alarm_does_not_stop_the_watch(site: Site) -> None:
    def fail(stats: HostStats) -> None:
        raise ZeroDivisionError

    async with watching(site, on_state=fail) as (source, _), asyncio.timeout(10):
        await site.asked(5)
    assert source.stats[0].faults == 1


async def test_polls_keep_their_beat_and_missed_ones_are_not_caught_up(site: Site) -> None:
    site.script.extend([site.serve, notice_site.slow(0.5)])
    async with watching(site, poll_s=0.2) as _, asyncio.timeout(10):
        await site.asked(7)
    assert silence(site)[1] >= 0.5
    beats = (site.times[-1] - site.times[0]) / 0.2
    assert len(site.times) - 1 <= beats + 0.5, "missed polls were caught up"


async def test_hosts_take_turns_within_the_interval() -> None:
    async with Site() as a, Site() as b:
        async with watching(a, b, poll_s=0.4), asyncio.timeout(10):
            await asyncio.gather(a.asked(7), b.asked(7))
        offsets = [(there - here) % 0.4 for here, there in zip(a.times, b.times, strict=False)]
        assert 0.1 < statistics.median(offsets) < 0.3


async def test_a_hostile_etag_is_never_sent_back(site: Site) -> None:
    site.script.append(notice_site.body(site.body, ETag="no-quotes"))
    async with watching(site), asyncio.timeout(10):
        await site.asked(2)
    assert "If-None-Match" not in site.requests[1].headers


def test_the_documented_silences_are_the_defaults() -> None:
    assert (upbit.LIMITED_S, upbit.LIMITED_AGAIN_S) == (30.0, 600.0)
    assert upbit.FULL_EVERY_S >= 60


class Trader:
    """Source, parser and detector as the trader wires them."""

    def __init__(self, pages: Pages) -> None:
        self.detector = Detector(max_age_ns=5 * clock.SECOND)
        self.decisions: list[Decision] = []
        self.pages = pages

    def __call__(self, host: str, notices: list[Notice], received_ns: int) -> None:
        items = [(notice, titles.parse_cached(notice.title)) for notice in notices]
        self.decisions += self.detector.page("upbit", host, items, clock.now_ns())
        self.pages(host, notices, received_ns)

    @property
    def acted(self) -> list[str]:
        return [coin.symbol for decision in self.decisions for coin in decision.to_trade]


async def test_a_listing_on_the_notice_board_acts_once_over_two_hosts_edits_and_a_restart() -> None:
    board = NoticeBoard()
    board.add("마루(MARU) 신규 거래지원 안내 (KRW, BTC 마켓)")

    async def serve(request: Any) -> Any:
        return await board._serve_page(request)

    async with AsyncExitStack() as stack:
        a, b = await stack.enter_async_context(Site()), await stack.enter_async_context(Site())
        a.serve = b.serve = serve  # type: ignore[method-assign]  # both hosts show one board
        pages = Pages()
        trader = Trader(pages)
        source = UpbitSource([a.url, b.url], 0.05, trader)
        task = asyncio.create_task(source.run())
        await pages.until(lambda: len(pages.seen) == 2)
        assert trader.acted == []
        made = board.add("가온(GAON), 나래(NRE) 신규 거래지원 안내 (KRW 마켓)")
        await pages.until(lambda: len(pages.seen) == 4)
        assert trader.acted == ["GAON", "NRE"]
        lags = [
            d.arrival.lag_ns for d in trader.decisions if d.arrival and d.notice.key == f"upbit:{made.id}"
        ]
        assert len(lags) == 2
        assert lags[0] == 0 < lags[1]
        board.edit(made.id, made.title + " (거래지원 개시 시점 변경 안내)")
        await pages.until(lambda: len(pages.seen) == 6)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert trader.acted == ["GAON", "NRE"]

        again = Trader(pages := Pages())
        task = asyncio.create_task(UpbitSource([a.url, b.url], 0.05, again).run())
        again.pages = pages
        await pages.until(lambda: len(pages.seen) == 2)
        board.add("다솜(DSM) 신규 거래지원 안내 (BTC 마켓)")
        await pages.until(lambda: len(pages.seen) == 4)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert again.acted == ["DSM"]
