"""A stream reaches ACTIVE again from every state and every fault, and notices when it goes quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

from shared import clock
from shared.errors import NotSentError, OutcomeUnknownError, ProtocolError, UsageError, VenueRefusedError
from trader.net.feed import Heard, Liveness, Subscription
from trader.net.http import Backoff
from trader.net.session import MAX_OUTBOX
from trader.net.stream import Stream, StreamState, Timing
from trader.net.tls import client_context

CONTROL = {
    b"login ok": Heard.LOGGED_IN,
    b"denied": Heard.LOGIN_REFUSED,
    b"ack": Heard.ACKNOWLEDGED,
    b"no": Heard.REFUSED,
    b"ended": Heard.ENDED,
    b"other": Heard.OTHER,
}
#: Short deadlines; what a test does not test keeps out of its way.
QUICK = Timing(pace_s=0.001)


class Owner:
    """Listens like a part of the trader would, and lets tests wait for what it was told."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        self.states: asyncio.Queue[tuple[StreamState, str]] = asyncio.Queue()
        self.malformed: list[ProtocolError] = []
        self.active = 0
        self.backfilled = asyncio.Event()

    def on_message(self, payload: memoryview, received_ns: int) -> Heard | str | None:
        text = bytes(payload)
        self.messages.put_nowait((text, received_ns))
        if text == b"malformed":
            raise ProtocolError("not documented")
        if text == b"boom":
            raise RuntimeError("a mistake")
        if text.startswith(b"data "):
            return text[5:].decode()
        return CONTROL.get(text)

    def on_state(self, state: StreamState, why: str) -> None:
        self.states.put_nowait((state, why))

    async def until(self, state: StreamState) -> str:
        """The reason with which the state was reached."""
        while True:
            found, why = await self.states.get()
            if found is state:
                return why

    async def on_active(self) -> None:
        self.active += 1
        self.backfilled.set()


class Exchange:
    """A websocket server whose connections are scripted by the test."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.server: Server | None = None
        self.finished = asyncio.Event()

    async def handler(self, connection: ServerConnection) -> None:
        self.connections.put_nowait(connection)
        await self.finished.wait()

    async def start(self, **options: Any) -> None:
        self.server = await serve(
            self.handler, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1, **options
        )

    @property
    def port(self) -> int:
        assert self.server is not None
        port: int = next(iter(self.server.sockets)).getsockname()[1]
        return port

    async def accept(self, *steps: str | tuple[str, str]) -> ServerConnection:
        """A connection, after the given talk: a pair is (expected, answer), a text is sent."""
        connection = await self.connections.get()
        for step in steps:
            if isinstance(step, str):
                await connection.send(step)
            else:
                assert await connection.recv(decode=True) == step[0]
                await connection.send(step[1])
        return connection

    async def stop(self) -> None:
        self.finished.set()
        assert self.server is not None
        self.server.close()
        await self.server.wait_closed()


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    server = Exchange()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def owner() -> Owner:
    return Owner()


Make = Callable[..., Stream]


@pytest.fixture
async def make(exchange: Exchange, owner: Owner) -> AsyncIterator[Make]:
    """Makes started streams to the exchange and stops them at the end."""
    streams: list[Stream] = []

    def factory(**options: Any) -> Stream:
        defaults: dict[str, Any] = {
            "subscriptions": [Subscription(b"sub a"), Subscription(b"sub b")],
            "timing": QUICK,
            "backoff": Backoff(0.001, 0.002),
        }
        url = options.pop("url", f"ws://127.0.0.1:{exchange.port}/v2")
        stream = Stream(
            url,
            on_message=owner.on_message,
            on_state=owner.on_state,
            on_active=owner.on_active,
            on_malformed=owner.malformed.append,
            **(defaults | options),
        )
        stream.start()
        streams.append(stream)
        return stream

    yield factory
    for stream in streams:
        await stream.stop()
        assert stream.state is StreamState.STOPPED
    left = [task for task in asyncio.all_tasks() if task.get_name().startswith("stream ")]
    assert not left


TALK = (("sub a", "ack"), ("sub b", "ack"))
LOGIN_TALK = (("login", "login ok"), *TALK)


async def test_connect_login_subscribe_listen(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make(login=lambda: b"login", name="private")
    before = clock.now_ns()
    connection = await exchange.accept(*LOGIN_TALK, "data orders")
    assert await owner.until(StreamState.ACTIVE) == ""
    assert stream.active
    await owner.backfilled.wait()
    texts = [await owner.messages.get() for _ in range(4)]
    assert [text for text, _ in texts] == [b"login ok", b"ack", b"ack", b"data orders"]
    assert all(before <= received <= clock.now_ns() for _, received in texts)
    await stream.stop()
    with pytest.raises(ConnectionClosed):
        await connection.recv()
    assert connection.close_code == 1000
    assert owner.active == 1
    assert (stream.counters.connects, stream.counters.activations, stream.counters.drops) == (1, 1, 0)


async def test_states_come_in_order(exchange: Exchange, owner: Owner, make: Make) -> None:
    make(login=lambda: b"login")
    await exchange.accept(*LOGIN_TALK)
    seen: list[StreamState] = []
    while not seen or seen[-1] is not StreamState.ACTIVE:
        seen.append((await owner.states.get())[0])
    assert seen == [StreamState.CONNECTING, StreamState.LOGIN, StreamState.SUBSCRIBING, StreamState.ACTIVE]


async def test_without_subscriptions_it_is_active_at_once(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    make(subscriptions=[])
    await exchange.accept()
    await owner.until(StreamState.ACTIVE)


FAULTS: dict[str, tuple[dict[str, Any], tuple[Any, ...], str]] = {
    "the login is never answered": (
        {"login": lambda: b"login", "timing": Timing(login_s=0.02)},
        (),
        "the login was not answered within 0.02 s",
    ),
    "the login is refused": ({"login": lambda: b"login"}, (("login", "denied"),), "the login was refused"),
    "a subscription is never answered": (
        {"timing": Timing(subscribe_s=0.02, pace_s=0.001)},
        (("sub a", "ack"),),
        "1 subscriptions were not answered in time",
    ),
    "never a first message": (
        {"channels": {"ticker": Liveness(first_s=0.02)}},
        TALK,
        "ticker: no first message within 0.02 s",
    ),
    "silent after a first message": (
        {"channels": {"ticker": Liveness(first_s=5.0, silence_s=0.02)}},
        (*TALK, "data ticker"),
        "ticker: silent for 0.02 s",
    ),
    "not a single frame": ({"timing": Timing(frame_s=0.02, pace_s=0.001)}, TALK, "no frame for 0.02 s"),
    "no pong": (
        {"timing": Timing(ping_s=0.01, pong_s=0.02, pace_s=0.001)},
        TALK,
        "no pong within 0.02 s",
    ),
    "our handler fails": ({}, (*TALK, "boom"), "handling a message failed: RuntimeError"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_ends_the_connection_and_the_next_one_works(
    exchange: Exchange, owner: Owner, make: Make, fault: str
) -> None:
    options, talk, why = FAULTS[fault]
    make(**options)
    await exchange.accept(*talk)
    assert await owner.until(StreamState.BACKOFF) == why
    steps = LOGIN_TALK if "login" in options else TALK
    await exchange.accept(*steps)
    await owner.until(StreamState.ACTIVE)


ENDS = {
    "close frame": "closed by the server (code 4001)",
    "fin": "closed by the server",
    "rst": "closed by the server",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("steps", range(len(LOGIN_TALK) + 1))
async def test_a_drop_in_any_state(
    exchange: Exchange, owner: Owner, make: Make, end: str, steps: int
) -> None:
    stream = make(login=lambda: b"login")
    connection = await exchange.accept(*LOGIN_TALK[:steps])
    if steps == len(LOGIN_TALK):
        await owner.until(StreamState.ACTIVE)
    if end == "close frame":
        await connection.close(4001, "maintenance")
    elif end == "fin":
        connection.transport.close()
    else:
        connection.transport.abort()
    assert (await owner.until(StreamState.BACKOFF)).startswith(ENDS[end])
    await exchange.accept(*LOGIN_TALK)
    await owner.until(StreamState.ACTIVE)
    assert stream.counters.drops == 1
    await asyncio.sleep(0)
    assert owner.active == stream.counters.activations


async def test_a_mute_stream_that_still_answers_pings(exchange: Exchange, owner: Owner, make: Make) -> None:
    make(
        timing=Timing(ping_s=0.01, pong_s=1.0, pace_s=0.001),
        channels={"ticker": Liveness(first_s=1.0, silence_s=0.1)},
    )
    connection = await exchange.accept(*TALK, "data ticker")
    pings = 0

    async def answer_pings() -> None:
        nonlocal pings
        async for message in connection:
            assert message == "ping"
            pings += 1
            await connection.send("pong")

    answering = asyncio.create_task(answer_pings())
    assert await owner.until(StreamState.BACKOFF) == "ticker: silent for 0.1 s"
    assert pings > 2
    await answering


async def test_pongs_keep_a_silent_private_stream(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make(timing=Timing(ping_s=0.01, pong_s=0.5, frame_s=0.5, pace_s=0.001))
    connection = await exchange.accept(*TALK)
    for _ in range(10):
        assert await connection.recv() == "ping"
        await connection.send("pong")
    assert stream.active
    assert stream.counters.drops == 0
    assert b"pong" not in [owner.messages.get_nowait()[0] for _ in range(owner.messages.qsize())]


async def test_websocket_pings_where_the_venue_wants_those(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    stream = make(ping=None, timing=Timing(ping_s=0.01, pong_s=0.3, frame_s=0.5, pace_s=0.001))
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    await asyncio.wait([asyncio.create_task(owner.until(StreamState.BACKOFF))], timeout=0.4)
    assert stream.active  # the server's library answered every ping, else it had ended after 0.3 s


async def test_a_refused_subscription_does_not_stop_the_others(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    stream = make()
    await exchange.accept(("sub a", "no"), ("sub b", "ack"))
    await owner.until(StreamState.ACTIVE)
    assert stream.counters.refused == 1


async def test_a_malformed_message_is_set_aside(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make()
    await exchange.accept(*TALK, "malformed", "other", "data x")
    while (await owner.messages.get())[0] != b"data x":
        pass
    assert stream.active
    assert stream.counters.malformed == 1
    assert str(owner.malformed[0]) == "not documented"


async def test_subscribing_later(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make()
    connection = await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    late = Subscription(b"sub c")
    stream.subscribe(late)
    assert await connection.recv() == "sub c"
    await connection.send("ack")
    await connection.close()
    second = await exchange.accept(*TALK, ("sub c", "ack"))
    await owner.until(StreamState.ACTIVE)
    stream.unsubscribe(late, Subscription(b"unsub c"))
    assert await second.recv() == "unsub c"
    assert late not in stream.subscriptions


async def test_a_late_subscription_needs_an_answer_too(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make(timing=Timing(subscribe_s=0.02, pace_s=0.001))
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    stream.subscribe(Subscription(b"sub c"))
    assert await owner.until(StreamState.BACKOFF) == "1 subscriptions were not answered in time"


async def test_subscribing_before_there_is_a_connection(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make(subscriptions=[])
    stream.subscribe(Subscription(b"sub a"))
    await exchange.accept(("sub a", "ack"))
    await owner.until(StreamState.ACTIVE)


async def test_our_frames_keep_the_pace(exchange: Exchange, owner: Owner, make: Make) -> None:
    loop = asyncio.get_running_loop()
    make(subscriptions=[Subscription(b"%d" % number) for number in range(4)], timing=Timing(pace_s=0.03))
    connection = await exchange.accept()
    times = []
    for number in range(4):
        assert await connection.recv() == str(number)
        times.append(loop.time())
        await connection.send("ack")
    await owner.until(StreamState.ACTIVE)
    assert times[-1] - times[0] > 0.08


async def test_fragments_are_put_together(exchange: Exchange, owner: Owner, make: Make) -> None:
    make()
    connection = await exchange.accept(*TALK)
    await connection.send(["data ", "tic", "ker"])
    await connection.send(b"data binary")
    texts = [(await owner.messages.get())[0] for _ in range(4)]
    assert texts[2:] == [b"data ticker", b"data binary"]


async def test_a_message_in_fragments_is_bounded(exchange: Exchange, owner: Owner, make: Make) -> None:
    make(max_message=1_000)
    connection = await exchange.accept(*TALK)
    with suppress(ConnectionClosed):  # it may hang up in the middle
        await connection.send(["x" * 600, "x" * 600, "x"])
    assert await owner.until(StreamState.BACKOFF) == "the server sent a message that is too large"


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ([(Opcode.CONT, b"x", True, False)], "broke the order of message fragments"),
        ([(Opcode.TEXT, b"x", False, False), (Opcode.TEXT, b"y", False, False)], "broke the order"),
        ([(Opcode.TEXT, b"x", True, True)], "a compressed frame that was not agreed on"),
    ],
)
async def test_broken_framing_ends_the_connection(
    exchange: Exchange, owner: Owner, make: Make, frames: list[tuple[Opcode, bytes, bool, bool]], why: str
) -> None:
    make()
    connection = await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    for opcode, payload, fin, rsv1 in frames:
        first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
        connection.transport.write(bytes([first, len(payload)]) + payload)
    assert why in await owner.until(StreamState.BACKOFF)


async def test_the_owner_can_drop_it(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make()
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    stream.drop("a gap in the book")
    assert await owner.until(StreamState.BACKOFF) == "a gap in the book"
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)


async def test_a_backfill_that_fails_is_tried_again_by_a_new_connection(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    calls = 0

    async def backfill() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("the exchange did not answer")

    stream = make()
    stream._on_active = backfill
    await exchange.accept(*TALK)
    assert await owner.until(StreamState.BACKOFF) == "the work after a reconnect failed"
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    await asyncio.sleep(0)
    assert calls == 2
    assert stream.counters.handler_errors == 1


async def test_mistakes_of_the_owner_do_not_kill_the_stream(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    logins = iter([RuntimeError("no key"), b"login"])

    def login() -> bytes:
        found = next(logins)
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[return-value]  # narrowed by the line above

    def tell(state: StreamState, why: str) -> None:
        owner.on_state(state, why)
        raise RuntimeError("the page is broken")

    stream = make(login=login)
    stream._on_state = tell
    await exchange.accept()
    await exchange.accept(*LOGIN_TALK)
    await owner.until(StreamState.ACTIVE)
    assert stream.counters.handler_errors > 1
    assert stream.counters.drops == 1


async def test_back_off_grows_until_a_connection_was_stable(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    bounds: list[float] = []

    def uniform(_: float, high: float) -> float:
        bounds.append(high)
        return 0.001

    stream = make(backoff=Backoff(0.1, 0.4, uniform), timing=Timing(stable_s=1_000.0, pace_s=0.001))
    for _ in range(4):
        connection = await exchange.accept(*TALK)
        await owner.until(StreamState.ACTIVE)
        await connection.close()
    connection = await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    assert bounds == [0.1, 0.2, 0.4, 0.4]
    object.__setattr__(stream._plan, "timing", Timing(stable_s=0.0))
    await connection.close()
    await exchange.accept()
    assert bounds[-1] == 0.1


# The handshake, spoken by hand


async def test_nobody_listens(owner: Owner, make: Make, host: Any) -> None:
    host.listener.close()
    make(url=f"ws://127.0.0.1:{host.port}")
    assert "cannot connect" in await owner.until(StreamState.BACKOFF)


async def test_a_slow_handshake_ends_in_time(owner: Owner, make: Make, host: Any) -> None:
    make(url=f"ws://127.0.0.1:{host.port}", timing=Timing(connect_s=0.03))
    line = await host.accept()
    await line.request()
    line.send(b"HTTP/1.1 101 Switching")
    assert await owner.until(StreamState.BACKOFF) == "cannot connect: no answer in time"
    assert await line.receive() == b""
    await host.accept()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_drop_in_the_handshake(owner: Owner, make: Make, host: Any, reset: bool) -> None:
    make(url=f"ws://127.0.0.1:{host.port}")
    line = await host.accept()
    await line.request()
    if reset:
        line.reset()
    else:
        line.close()
    assert "closed by the server during the handshake" in await owner.until(StreamState.BACKOFF)
    await host.accept()


async def test_a_refused_handshake(owner: Owner, make: Make, host: Any) -> None:
    make(url=f"ws://127.0.0.1:{host.port}")
    line = await host.accept()
    await line.request()
    line.send(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
    assert "the websocket handshake failed" in await owner.until(StreamState.BACKOFF)


async def test_stopping_in_the_handshake_leaves_nothing(owner: Owner, make: Make, host: Any) -> None:
    stream = make(url=f"ws://127.0.0.1:{host.port}")
    line = await host.accept()
    await line.request()
    await stream.stop()
    assert await line.receive() == b""
    assert stream.state is StreamState.STOPPED


async def test_stopping_in_a_tls_handshake_leaves_nothing(owner: Owner, make: Make, host: Any) -> None:
    stream = make(url=f"wss://127.0.0.1:{host.port}")
    line = await host.accept()
    assert await line.receive()
    await stream.stop()
    assert await line.receive() == b""


async def test_no_callback_after_stop(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make()
    connection = await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    await connection.send("data late")
    await stream.stop()
    count, states = owner.messages.qsize(), owner.states.qsize()
    await asyncio.sleep(0)
    assert (owner.messages.qsize(), owner.states.qsize()) == (count, states)
    await stream.stop()  # a second time does nothing


async def test_over_tls(owner: Owner, make: Make, certificates: Any) -> None:
    server = Exchange()
    await server.start(ssl=certificates.server)
    make(url=f"wss://127.0.0.1:{server.port}", ssl_context=client_context(certificates.ca_file))
    await server.accept(*TALK)
    await owner.until(StreamState.ACTIVE)
    make(url=f"wss://127.0.0.1:{server.port}")  # knows the system's authorities only
    assert "cannot connect" in await owner.until(StreamState.BACKOFF)
    await server.stop()


async def test_stopping_while_the_address_is_looked_up(
    owner: Owner, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def silent(*_: Any, **__: Any) -> list[Any]:
        asked.set()
        await asyncio.get_running_loop().create_future()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    stream = make(url="ws://exchange.example:80/")
    await asked.wait()
    await stream.stop()
    assert stream.state is StreamState.STOPPED


async def test_a_mistake_in_connecting_is_counted_and_survived(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    stream = make()
    real = stream._dialer

    class Broken:
        async def open(self, _: float) -> Any:
            stream._dialer = real
            raise RuntimeError("a mistake")

    stream._dialer = Broken()  # type: ignore[assignment]  # stands in for a mistake of ours
    assert await owner.until(StreamState.BACKOFF) == "RuntimeError: a mistake"
    assert stream.counters.handler_errors == 1
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)


async def test_a_drop_in_the_handshake_by_the_owner(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make()
    await owner.until(StreamState.CONNECTING)
    stream.drop("changed its mind")
    assert await owner.until(StreamState.BACKOFF) == "changed its mind"
    await exchange.accept()
    await exchange.accept(*TALK)
    await owner.until(StreamState.ACTIVE)


async def test_what_waits_to_be_sent_is_bounded(exchange: Exchange, owner: Owner, make: Make) -> None:
    stream = make(subscriptions=[Subscription(b"sub a")], timing=Timing(pace_s=1_000.0))
    await exchange.accept(("sub a", "ack"))
    await owner.until(StreamState.ACTIVE)
    for _ in range(MAX_OUTBOX):
        stream.subscribe(Subscription(b"sub c"))
    with pytest.raises(NotSentError, match="1000 messages wait"):
        stream.subscribe(Subscription(b"sub c"))


async def test_a_mistake_in_the_handler_of_malformed_messages_ends_the_connection(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    stream = make()

    def fail(_: ProtocolError) -> None:
        raise RuntimeError("a mistake")

    object.__setattr__(stream._plan, "on_malformed", fail)
    await exchange.accept(*TALK, "malformed")
    assert await owner.until(StreamState.BACKOFF) == "handling a message failed: RuntimeError"


async def test_a_stream_may_have_no_hooks(exchange: Exchange) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def on_message(payload: memoryview, _: int) -> Heard | None:
        if bytes(payload) == b"malformed":
            raise ProtocolError("not documented")
        heard.put_nowait(bytes(payload))
        return CONTROL.get(bytes(payload))

    stream = Stream(
        f"ws://127.0.0.1:{exchange.port}/",
        on_message=on_message,
        subscriptions=[Subscription(b"sub a")],
        backoff=Backoff(0.001, 0.002),
    )
    stream.drop("there is nothing to drop")
    stream.start()
    stream.start()
    await exchange.accept(("sub a", "ack"), "malformed", "hello")
    assert [await heard.get(), await heard.get()] == [b"ack", b"hello"]
    assert stream.active
    await stream.stop()


def test_the_url_is_checked_at_once(owner: Owner) -> None:
    with pytest.raises(UsageError):
        Stream("not a url", on_message=owner.on_message)


async def test_the_address_is_asked_for_before_each_connection(
    exchange: Exchange, owner: Owner, make: Make
) -> None:
    keys = iter(["/private/ws?listenKey=one", "/private/ws?listenKey=two"])

    async def address() -> str:
        return next(keys)

    make(url=f"ws://127.0.0.1:{exchange.port}", subscriptions=[], address=address, ping=None)
    for key in ("one", "two"):
        connection = await exchange.accept()
        assert connection.request is not None
        assert connection.request.path == f"/private/ws?listenKey={key}"
        await owner.until(StreamState.ACTIVE)
        await connection.close()
        why = await owner.until(StreamState.BACKOFF)
        assert "listenKey" not in why


async def test_without_an_address_it_is_tried_again(exchange: Exchange, owner: Owner, make: Make) -> None:
    answers: list[Exception | str] = [NotSentError("not connected"), VenueRefusedError("-1003", "slow"), "/x"]

    async def address() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    stream = make(url=f"ws://127.0.0.1:{exchange.port}", subscriptions=[], address=address)
    assert "not connected" in await owner.until(StreamState.BACKOFF)
    assert "-1003" in await owner.until(StreamState.BACKOFF)
    await owner.until(StreamState.ACTIVE)
    assert stream.counters.handler_errors == 0


async def test_it_is_renewed_until_that_is_refused(exchange: Exchange, owner: Owner, make: Make) -> None:
    outcomes: list[Exception | None] = [
        None,
        OutcomeUnknownError("no answer"),
        None,
        VenueRefusedError("-1125", "This listenKey does not exist."),
    ]

    async def renew() -> None:
        if (outcome := outcomes.pop(0) if outcomes else None) is not None:
            raise outcome

    make(subscriptions=[], renew=renew, renew_s=0.005)
    await owner.until(StreamState.ACTIVE)
    assert "-1125" in await owner.until(StreamState.BACKOFF)
    assert outcomes == []
    await owner.until(StreamState.ACTIVE)


async def test_a_mistake_in_renewing_ends_the_connection(owner: Owner, make: Make) -> None:
    async def renew() -> None:
        raise RuntimeError("a mistake")

    stream = make(subscriptions=[], renew=renew, renew_s=0.005)
    assert "renewing failed" in await owner.until(StreamState.BACKOFF)
    assert stream.counters.handler_errors >= 1


async def test_a_venue_may_ask_for_a_new_connection(exchange: Exchange, owner: Owner, make: Make) -> None:
    make(subscriptions=[])
    connection = await exchange.accept("ended")
    assert "made anew" in await owner.until(StreamState.BACKOFF)
    await connection.wait_closed()
    await owner.until(StreamState.ACTIVE)
