"""Reading the v3 private websocket, and the frames that subscribe.

Orders and fills are read; account, position and strategy orders only say that something changed, and
are asked for. Rows of spot and of other futures come on the same topics and are passed over.
"""

from __future__ import annotations

import msgspec

from shared.errors import ProtocolError
from trader.net.feed import Heard, Subscription
from trader.venues.bitget import wire as words
from trader.venues.bitget.push import LOGIN_CODES
from trader.venues.bitget.unified import read, wire
from trader.venues.dialect import Told

TOPICS = ("account", "position", "order", "fill", "strategy-order")
_CHANGED = frozenset({"account", "position", "strategy-order"})


class _Arg(words.Wire):
    topic: str = ""


class _Frame(words.Wire):
    arg: _Arg | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    event: str = ""
    code: int | str = 0
    msg: str | None = ""


class _Row(words.Wire):
    category: str


_FRAME = msgspec.json.Decoder(_Frame)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ROW = msgspec.json.Decoder(_Row)
_ORDER = msgspec.json.Decoder(wire.Order)
_FILL = msgspec.json.Decoder(wire.Fill)


def subscriptions() -> list[Subscription]:
    """One frame for all private topics; each is accepted or refused on its own."""
    arguments = [{"instType": "UTA", "topic": topic} for topic in TOPICS]
    arguments[-1]["symbol"] = "default"
    return [Subscription(msgspec.json.encode({"op": "subscribe", "args": arguments}), len(arguments))]


def parse_private(payload: bytes | memoryview) -> Told:
    """One frame; :class:`ProtocolError` when it is none that the venue documents."""
    if payload == b"pong":
        return Told(Heard.OTHER)
    frame = words.decode(_FRAME, payload, "a pushed message")
    if frame.event:
        return _control(frame)
    if frame.arg is None or not frame.data:
        raise ProtocolError("a pushed message without a topic or data")
    topic = frame.arg.topic
    if topic == "order":
        rows = [words.decode(_ORDER, row, "an order") for row in _ours(frame.data, "an order")]
        return Told(topic, orders=[read.order(row) for row in rows])
    if topic == "fill":
        fills = [words.decode(_FILL, row, "a fill") for row in _ours(frame.data, "a fill")]
        return Told(topic, fills=[read.fill(row) for row in fills])
    if topic in _CHANGED:
        return Told(topic, changed=True)
    raise ProtocolError(f"the topic has a value that is not documented: {topic[:40]!r}")


def _ours(data: msgspec.Raw, what: str) -> list[msgspec.Raw]:
    rows = words.decode(_ROWS, data, what)
    return [row for row in rows if read.ours(words.decode(_ROW, row, what).category)]


def _control(frame: _Frame) -> Told:
    code = str(frame.code)
    if frame.event == "login" and code == "0":
        return Told(Heard.LOGGED_IN)
    if frame.event in ("subscribe", "unsubscribe"):
        return Told(Heard.ACKNOWLEDGED)
    if frame.event not in ("error", "login"):
        raise ProtocolError(f"an event that is not documented: {frame.event[:40]!r}")
    heard = Heard.OTHER
    if frame.event == "login" or code in LOGIN_CODES:
        heard = Heard.LOGIN_REFUSED
    elif frame.arg is not None and frame.arg.topic:
        heard = Heard.REFUSED
    return Told(heard, problem=f"{frame.msg or 'no reason given'} (code {code})")
