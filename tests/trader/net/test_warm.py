"""A warm connection is there when it is needed, comes back when it dies, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.errors import NotSentError, OutcomeUnknownError
from trader.net.http import Backoff, Origin, Response, WarmConnection, build_get

GET = build_get("x", "/order")
PING = build_get("x", "/time")


class Delays:
    """Takes the place of chance: remembers each back-off's bounds and waits almost nothing."""

    def __init__(self) -> None:
        self.bounds: list[float] = []

    def __call__(self, low: float, high: float) -> float:
        self.bounds.append(high)
        return 0.001

    def backoff(self) -> Backoff:
        return Backoff(0.1, 0.4, self)


@pytest.fixture
def delays() -> Delays:
    return Delays()


async def test_it_is_warm_after_its_first_answer(host: Any, delays: Delays) -> None:
    changes: list[bool] = []
    heard: list[Response] = []
    warm = WarmConnection(
        host.origin,
        keepalive=lambda: PING,
        backoff=delays.backoff(),
        on_change=changes.append,
        on_keepalive=heard.append,
    )
    with pytest.raises(NotSentError):
        warm.send(GET)
    warm.start()
    warm.start()  # a second time changes nothing
    line = await host.accept()
    assert await line.request() == PING
    assert (warm.warm, warm.ready) == (False, False)
    line.answer(b"now")
    await warm.wait_warm(2.0)
    assert (warm.warm, warm.ready) == (True, True)
    assert heard[0].body == b"now"
    future = warm.send(GET, 2.0)
    assert (warm.warm, warm.ready) == (True, False)
    line.answer(b"done")
    assert (await future).body == b"done"
    task = asyncio.create_task(warm.request(GET, 2.0))
    await line.request()
    await line.request()
    line.answer(b"again")
    assert (await task).body == b"again"
    await warm.stop()
    assert changes == [True, False]
    assert not warm.connection.connected
    assert len(asyncio.all_tasks()) == 1


async def test_it_comes_back_with_growing_and_then_reset_delays(host: Any, delays: Delays) -> None:
    warm = WarmConnection(host.origin, backoff=delays.backoff(), stable_s=0.0)
    warm._stable_s = 1_000.0
    warm.start()
    for _ in range(4):
        line = await host.accept()
        await warm.wait_warm(2.0)
        line.close()
        await warm.connection.wait_closed()
    await host.accept()
    assert delays.bounds == [0.1, 0.2, 0.4, 0.4]  # it flapped: each life was too short
    await warm.wait_warm(2.0)
    warm._stable_s = 0.0
    host.lines[-1].close()
    await host.accept()
    assert delays.bounds[-1] == 0.1
    assert warm.failures == 5
    await warm.stop()


async def test_an_idle_connection_is_kept_alive(host: Any, delays: Delays) -> None:
    warm = WarmConnection(host.origin, keepalive=lambda: PING, keepalive_s=0.02, backoff=delays.backoff())
    warm.start()
    line = await host.accept()
    for _ in range(4):
        assert await line.request() == PING
        line.answer()
    assert warm.connects == 1
    await warm.stop()


async def test_a_busy_connection_is_left_alone(host: Any, delays: Delays) -> None:
    warm = WarmConnection(host.origin, keepalive=lambda: PING, keepalive_s=0.02, backoff=delays.backoff())
    warm.start()
    line = await host.accept()
    await line.request()
    line.answer()
    await warm.wait_warm(2.0)
    while not warm.ready:  # a keepalive may be in flight
        await line.request()
        line.answer()
        await asyncio.sleep(0)
    future = warm.send(GET)
    rest = line.unread().replace(PING, b"")
    await asyncio.wait([future], timeout=0.06)  # three keepalive times
    assert (rest + line.unread()) == GET
    line.answer(b"slow")
    assert (await future).body == b"slow"
    await warm.stop()


async def test_a_keepalive_without_an_answer_ends_the_connection(host: Any, delays: Delays) -> None:
    warm = WarmConnection(
        host.origin,
        keepalive=lambda: PING,
        keepalive_s=0.01,
        answer_timeout_s=0.02,
        backoff=delays.backoff(),
    )
    warm.start()
    line = await host.accept()
    await line.request()
    line.answer()
    assert await line.request() == PING
    second = await host.accept()  # it gave up and came back
    assert await second.request() == PING
    assert "no answer within" in warm.last_error
    await warm.stop()


async def test_nobody_listens_for_a_while(host: Any, delays: Delays) -> None:
    host.listener.close()
    warm = WarmConnection(host.origin, backoff=delays.backoff(), name="order line")
    warm.start()
    with pytest.raises(NotSentError, match="order line: not connected"):
        await warm.wait_warm(0.05)
    assert warm.failures > 1
    assert "cannot connect" in warm.last_error
    await warm.stop()


async def test_a_mistake_in_the_keepalive_is_counted_and_survived(host: Any, delays: Delays) -> None:
    calls = 0

    def keepalive() -> bytes:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("a mistake")
        return PING

    warm = WarmConnection(host.origin, keepalive=keepalive, backoff=delays.backoff())
    warm.start()
    await host.accept()
    line = await host.accept()
    await line.request()
    line.answer()
    await warm.wait_warm(2.0)
    assert warm.failures == 1
    assert "a mistake" in warm.last_error
    await warm.stop()


async def test_stopping_makes_what_is_in_flight_unknown(host: Any, delays: Delays) -> None:
    warm = WarmConnection(host.origin, backoff=delays.backoff())
    warm.start()
    line = await host.accept()
    await warm.wait_warm(2.0)
    future = warm.send(GET)
    await line.request()
    await warm.stop()
    with pytest.raises(OutcomeUnknownError):
        await future
    with pytest.raises(NotSentError):
        warm.send(GET)


async def test_it_can_be_stopped_at_any_time(host: Any, delays: Delays) -> None:
    idle = WarmConnection(host.origin)
    await idle.stop()
    secret = WarmConnection(Origin("https", "127.0.0.1", host.port), backoff=delays.backoff())
    secret.start()
    await host.accept()  # in the middle of the handshake
    await secret.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_without_a_keepalive_it_just_stays(host: Any, delays: Delays) -> None:
    warm = WarmConnection(host.origin, keepalive_s=0.001, backoff=delays.backoff())
    warm.start()
    line = await host.accept()
    await warm.wait_ready(2.0)
    await asyncio.wait([asyncio.create_task(warm.connection.wait_closed())], timeout=0.02)
    assert warm.ready
    assert line.unread() == b""
    line.close()
    await host.accept()
    await warm.stop()


async def test_two_that_stand_in_for_each_other_are_never_kept_alive_together(
    host: Any, delays: Delays
) -> None:
    first = WarmConnection(host.origin, keepalive=lambda: PING, keepalive_s=0.02, backoff=delays.backoff())
    second = WarmConnection(
        host.origin, keepalive=lambda: PING, keepalive_s=0.02, backoff=delays.backoff(), spare=first
    )
    first.spare = second
    lines = []
    for warm in (first, second):
        warm.start()
        lines.append(await host.accept())
        await lines[-1].request()
    for line, warm in zip(lines, (first, second), strict=True):
        line.answer()
        await warm.wait_warm(2.0)
    kept_alive = {lines[0]: 0, lines[1]: 0}
    while min(kept_alive.values()) < 3:
        assert first.ready or second.ready
        for line in lines:
            if line.unread() == PING:
                await asyncio.sleep(0.03)  # the other one's time comes while this answer is missing
                assert first.ready or second.ready
                line.answer()
                kept_alive[line] += 1
        await asyncio.sleep(0.001)
    await first.stop()
    await second.stop()


async def test_waiting_until_it_is_free(host: Any, delays: Delays) -> None:
    warm = WarmConnection(host.origin, backoff=delays.backoff(), name="questions")
    warm.start()
    line = await host.accept()
    await warm.wait_ready(2.0)
    future = warm.send(GET)
    with pytest.raises(NotSentError, match="questions: busy"):
        await warm.wait_ready(0.02)
    waiting = asyncio.create_task(warm.wait_ready(2.0))
    line.answer()
    await future
    await waiting
    warm.send(GET).cancel()
    waiting = asyncio.create_task(warm.wait_ready(2.0))
    await line.request()
    await line.request()
    line.answer()
    await waiting
    assert warm.ready
    await warm.stop()
