"""Limits of pace and size: the venue's values, each of them settable."""

from __future__ import annotations

import aiohttp
import pytest

from shared import clock
from shared.errors import UsageError
from tests.trader.paper.client import FUTURES, Client, Socket
from tests.trader.paper.conftest import Exchanges
from tests.verify.fault_probes import TIME
from trader.paper.faces.bitget.limits import Paces, VenueLimits, read_limits


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns

    def after(self, seconds: float) -> None:
        self.ns += int(seconds * clock.SECOND)


async def start(exchanges: Exchanges, **limits: float) -> Client:
    venue = VenueLimits(**limits)  # type: ignore[arg-type]  # checked by the struct
    return await exchanges.client(await exchanges.start(limits=True, venue=venue))


async def alive(socket: Socket) -> None:
    await socket.raw.send_str("ping")
    assert await socket.raw.receive_str(timeout=5) == "pong"


def test_the_defaults_are_the_venues_and_those_of_an_address_are_off() -> None:
    limits = VenueLimits()
    assert (limits.ws_subscribes_per_hour, limits.ws_channels, limits.ws_messages_per_s) == (240, 1000, 10)
    assert (limits.ws_frame_bytes, limits.ws_idle_s, limits.ws_life_s) == (4096, 120, 86_400)
    assert (limits.ip_requests_per_minute, limits.ws_connects_per_5min, limits.ws_connections_per_ip) == (
        0,
        0,
        0,
    )


def test_a_full_minute_of_an_address_brings_five_minutes_of_pause() -> None:
    time, pace = Time(), Paces(3, 60, 300)
    with clock.use(monotonic=time):
        assert [pace.over("a") for _ in range(4)] == [False, False, False, True]
        assert pace.over("b") is False
        time.after(299)
        assert pace.over("a") is True
        time.after(2)
        assert pace.over("a") is False


def test_a_window_slides() -> None:
    time, pace = Time(), Paces(2, 10)
    with clock.use(monotonic=time):
        seen = []
        for _ in range(6):
            seen.append(pace.over(None))
            time.after(4)
    assert seen == [False, False, True, False, False, True]


async def test_requests_of_an_address(exchanges: Exchanges) -> None:
    client = await start(exchanges, ip_requests_per_minute=3)
    answers = [await client.send("GET", TIME) for _ in range(4)]
    assert [(answer.status, answer.code) for answer in answers] == [(200, "00000")] * 3 + [(429, "429")]
    assert "x-mbx-used-remain-limit" in {name.lower() for name in answers[0].headers}


async def test_connects_and_connections_of_an_address(exchanges: Exchanges) -> None:
    client = await start(exchanges, ws_connections_per_ip=1)
    first = await client.socket()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
        await client.socket()
    await first.raw.close()
    await alive(await client.socket())
    client = await start(exchanges, ws_connects_per_5min=2)
    for _ in range(2):
        await (await client.socket()).raw.close()
    with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
        await client.socket()


async def test_subscribe_requests_of_a_connection(exchanges: Exchanges) -> None:
    socket = await (await start(exchanges, ws_subscribes_per_hour=2)).socket()
    arg: dict[str, object] = {"instType": FUTURES, "channel": "books5", "instId": "BTCUSDT"}
    for _ in range(2):
        await socket.send("subscribe", arg)
        assert (await socket.expect(lambda message: "event" in message))["event"] == "subscribe"
        await socket.send("unsubscribe", arg)
        await socket.expect(lambda message: message.get("event") == "unsubscribe")
    await socket.send("subscribe", arg)
    assert (await socket.expect(lambda message: "event" in message))["code"] == 30007
    await alive(socket)


async def test_channels_messages_and_frames(exchanges: Exchanges) -> None:
    client = await start(exchanges, ws_channels=1, ws_frame_bytes=200, ws_messages_per_s=4)
    socket = await client.socket()
    assert (await socket.subscribe("ticker", "BTCUSDT"))["event"] == "subscribe"
    assert (await socket.subscribe("trade", "BTCUSDT"))["code"] == 30007
    await socket.raw.send_str('{"op":"subscribe","x":"' + "é" * 100 + '"}')  # 200 bytes are not 200 letters
    assert (await socket.expect(lambda message: message.get("event") == "error"))["code"] == 30016
    for _ in range(2):
        await socket.raw.send_str("ping")
    assert await socket.raw.receive_str(timeout=5) == "pong"
    assert (await socket.receive())["code"] == 30006


async def test_the_adl_channel_is_acknowledged(exchanges: Exchanges) -> None:
    client = await start(exchanges)
    socket = await client.socket("ws_private")
    await socket.login()
    arg: dict[str, object] = {"instType": FUTURES, "channel": "adl-noti"}
    await socket.send("subscribe", arg)
    assert await socket.receive() == {"event": "subscribe", "arg": arg}
    stranger = await client.socket()
    await stranger.send("subscribe", arg)
    assert (await stranger.receive())["code"] == 30004


def test_the_command_line_sets_them_by_name() -> None:
    assert read_limits([]) == VenueLimits()
    assert read_limits(["ws-idle-s=5", "ip_requests_per_minute=6000"]) == VenueLimits(
        ws_idle_s=5, ip_requests_per_minute=6000
    )
    for wrong in ("speed=1", "ws_idle_s", "ws_idle_s=soon", "ws_idle_s=-1", "ws_channels=1.5"):
        with pytest.raises(UsageError, match="--limit"):
            read_limits([wrong])
