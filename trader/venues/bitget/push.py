"""Reading the websocket, and the frames that subscribe.

:func:`parse_push` takes the memoryview of a frame and copies out what it needs: nothing that it returns
points into the buffer. Every event tells the stream what was heard (:attr:`heard`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from shared.errors import ProtocolError
from trader.net.feed import Heard, Subscription
from trader.venues.bitget import read, wire
from trader.venues.bitget.forms import PRODUCT
from trader.venues.model import AccountReport, BookTop, FillReport, OrderReport, PositionReport, Price
from trader.venues.numbers import optional_price, stamp_ns

#: The venue closes on longer subscribe frames.
MAX_FRAME = 4096
PRIVATE_CHANNELS = ("account", "positions", "orders")


class Ticker(msgspec.Struct, frozen=True):
    prices: list[Price]
    heard: str = "ticker"


class Book(msgspec.Struct, frozen=True):
    tops: list[BookTop]
    heard: str = "books1"


class OrderUpdate(msgspec.Struct, frozen=True):
    orders: list[OrderReport]
    heard: str = "orders"


class FillUpdate(msgspec.Struct, frozen=True):
    fills: list[FillReport]
    heard: str = "fill"


class PositionUpdate(msgspec.Struct, frozen=True):
    """The whole list: a position that is not in it is closed."""

    positions: list[PositionReport]
    heard: str = "positions"


class AccountUpdate(msgspec.Struct, frozen=True):
    accounts: list[AccountReport]
    heard: str = "account"


class Ack(msgspec.Struct, frozen=True):
    channel: str
    symbol: str
    heard: Heard = Heard.ACKNOWLEDGED


class LoginOk(msgspec.Struct, frozen=True):
    heard: Heard = Heard.LOGGED_IN


class ErrorEvent(msgspec.Struct, frozen=True):
    """A refusal. ``channel`` and ``symbol`` are "" when it names no subscription."""

    code: str
    text: str
    channel: str
    symbol: str
    heard: Heard


class Pong(msgspec.Struct, frozen=True):
    heard: Heard = Heard.OTHER


Event = (
    Ticker
    | Book
    | OrderUpdate
    | FillUpdate
    | PositionUpdate
    | AccountUpdate
    | Ack
    | LoginOk
    | ErrorEvent
    | Pong
)


class _Arg(wire.Wire, rename="camel"):
    channel: str = ""
    inst_id: str = ""
    coin: str = ""


class _Frame(wire.Wire):
    arg: _Arg | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    event: str = ""
    code: int | str = 0
    msg: str | None = ""


class _BookWire(wire.Wire):
    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]
    ts: str


_FRAME = msgspec.json.Decoder(_Frame)
_TICKERS = msgspec.json.Decoder(list[wire.TickerWire])
_BOOKS = msgspec.json.Decoder(list[_BookWire])
_ORDERS = msgspec.json.Decoder(list[wire.OrderWire])
_FILLS = msgspec.json.Decoder(list[wire.FillWire])
_POSITIONS = msgspec.json.Decoder(list[wire.PositionWire])
_ACCOUNTS = msgspec.json.Decoder(list[wire.AccountWire])

#: What a refused login is answered with.
LOGIN_CODES = frozenset({"30004", "30005", "30011", "30012", "30013", "30014", "30015"})


def parse_push(payload: bytes | memoryview) -> Event:
    """One frame as a typed event; :class:`ProtocolError` when it is none that the venue documents."""
    if payload == b"pong":
        return Pong()
    frame = wire.decode(_FRAME, payload, "a pushed message")
    if frame.event:
        return _control(frame)
    if frame.arg is None or not frame.data:
        raise ProtocolError("a pushed message without a channel or data")
    reader = wire.word(_READERS, frame.arg.channel, "the channel")
    return reader(frame.data, frame.arg.inst_id)


def _control(frame: _Frame) -> Ack | LoginOk | ErrorEvent:
    code = str(frame.code)
    arg = frame.arg or _Arg()
    if frame.event == "login" and code == "0":
        return LoginOk()
    if frame.event in ("subscribe", "unsubscribe"):
        return Ack(arg.channel, arg.inst_id or arg.coin)
    if frame.event not in ("error", "login"):
        raise ProtocolError(f"an event that is not documented: {frame.event[:40]!r}")
    heard = Heard.OTHER
    if frame.event == "login" or code in LOGIN_CODES:
        heard = Heard.LOGIN_REFUSED
    elif arg.channel:
        heard = Heard.REFUSED
    return ErrorEvent(code, frame.msg or "no reason given", arg.channel, arg.inst_id or arg.coin, heard)


def _ticker(data: msgspec.Raw, _: str) -> Ticker:
    return Ticker([read.price(row) for row in wire.decode(_TICKERS, data, "a ticker")])


def _book(data: msgspec.Raw, symbol: str) -> Book:
    return Book([_top(row, symbol) for row in wire.decode(_BOOKS, data, "a book")])


def _top(row: _BookWire, symbol: str) -> BookTop:
    if not symbol:
        raise ProtocolError("a book without a symbol")
    bid, bid_size = row.bids[0] if row.bids else ("", "")
    ask, ask_size = row.asks[0] if row.asks else ("", "")
    return BookTop(
        symbol=symbol,
        bid=optional_price(bid, "bid"),
        bid_size=optional_price(bid_size, "bid size"),
        ask=optional_price(ask, "ask"),
        ask_size=optional_price(ask_size, "ask size"),
        ns=stamp_ns(row.ts, "ts"),
    )


def _orders(data: msgspec.Raw, _: str) -> OrderUpdate:
    return OrderUpdate([read.order(row) for row in wire.decode(_ORDERS, data, "an order")])


def _fills(data: msgspec.Raw, _: str) -> FillUpdate:
    return FillUpdate([read.fill(row, pushed=True) for row in wire.decode(_FILLS, data, "a fill")])


def _positions(data: msgspec.Raw, _: str) -> PositionUpdate:
    rows = (read.position(row) for row in wire.decode(_POSITIONS, data, "a position"))
    return PositionUpdate([row for row in rows if row is not None])


def _accounts(data: msgspec.Raw, _: str) -> AccountUpdate:
    return AccountUpdate([read.account(row) for row in wire.decode(_ACCOUNTS, data, "an account")])


_READERS: dict[str, Callable[[msgspec.Raw, str], Event]] = {
    "ticker": _ticker,
    "books1": _book,
    "orders": _orders,
    "fill": _fills,
    "positions": _positions,
    "account": _accounts,
}


def subscriptions(channel: str, symbols: Iterable[str]) -> list[Subscription]:
    """Frames that subscribe a public channel to symbols, each within the venue's size limit."""
    return _frames(
        "subscribe", [{"instType": PRODUCT, "channel": channel, "instId": name} for name in symbols]
    )


def unsubscriptions(channel: str, symbols: Iterable[str]) -> list[Subscription]:
    return _frames(
        "unsubscribe", [{"instType": PRODUCT, "channel": channel, "instId": name} for name in symbols]
    )


def private_subscriptions(channels: Iterable[str] = PRIVATE_CHANNELS) -> list[Subscription]:
    """Frames that subscribe private channels of the whole account."""
    return _frames(
        "subscribe",
        [
            {"instType": PRODUCT, "channel": name, "coin" if name == "account" else "instId": "default"}
            for name in channels
        ],
    )


def _frames(op: str, arguments: list[dict[str, str]]) -> list[Subscription]:
    frames: list[Subscription] = []
    batch: list[dict[str, str]] = []
    size = 0
    for argument in arguments:
        more = len(msgspec.json.encode(argument)) + 1
        if batch and size + more > MAX_FRAME - 64:
            frames.append(Subscription(msgspec.json.encode({"op": op, "args": batch}), len(batch)))
            batch, size = [], 0
        batch.append(argument)
        size += more
    if batch:
        frames.append(Subscription(msgspec.json.encode({"op": op, "args": batch}), len(batch)))
    return frames
