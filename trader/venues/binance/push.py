"""Reading the stream of an account's events.

Per fill the venue tells ``TRADE_LITE`` first, then ``ORDER_TRADE_UPDATE``, then ``ACCOUNT_UPDATE``. The first
lacks the fee, so it is a hint only; nothing that is returned points into the frame.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared.domain.order import Side
from shared.errors import ProtocolError
from trader.net.feed import Heard
from trader.venues.binance import read, wire
from trader.venues.dialect import Told
from trader.venues.model import FillReport, OrderReport
from trader.venues.numbers import negative, number, optional_price, positive, unsigned
from trader.venues.strict import decode, word


class _Order(msgspec.Struct, gc=False):
    """``o`` of ``ORDER_TRADE_UPDATE``; ``x`` is what happened, ``X`` where the order stands, ``t`` the fill or 0."""

    s: str
    c: str
    S: str
    o: str
    q: str
    x: str
    X: str
    i: int
    z: str
    T: int
    ps: str
    p: str = "0"
    ap: str = "0"
    l: str = "0"  # noqa: E741 - the venue's name: size of this fill
    L: str = "0"
    n: str | None = "0"
    N: str | None = ""
    t: int = 0
    m: bool = False
    R: bool = False
    cp: bool = False
    rp: str = "0"
    er: str | int | None = ""


class _Frame(msgspec.Struct, gc=False):
    """One event, or one wrapped as ``{"stream":"...","data":{...}}``."""

    e: str = ""
    E: int = 0
    o: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")
    rejected: msgspec.Raw = msgspec.field(name="or", default=msgspec.Raw(b""))


class _Algo(msgspec.Struct, gc=False):
    """``o`` of ``ALGO_UPDATE``; ``rm`` says why an order was refused when its trigger was reached."""

    caid: str
    aid: int
    s: str
    X: str
    rm: str | None = ""


class _Rejected(msgspec.Struct, gc=False):
    s: str
    i: int
    r: str


_FRAME = msgspec.json.Decoder(_Frame)
_ORDER = msgspec.json.Decoder(_Order)
_ALGO = msgspec.json.Decoder(_Algo)
_REJECTED = msgspec.json.Decoder(_Rejected)

#: Events that say: positions, money or settings are not what they were.
_CHANGES = frozenset({"ACCOUNT_UPDATE", "TRADE_LITE", "ACCOUNT_CONFIG_UPDATE"})
#: The venue wants the connection to be made anew, with a new listen key.
_ENDS = frozenset({"listenKeyExpired", "serverShutdown"})
#: Bots that the venue runs for its users.
_NOT_OURS = frozenset({"STRATEGY_UPDATE", "GRID_UPDATE"})
#: What happened to an order when something was traded; CALCULATED is a liquidation's.
_TRADED = frozenset({"TRADE", "CALCULATED"})


def parse_private(payload: bytes | memoryview) -> Told:
    """One frame; :class:`ProtocolError` when it is none that the venue documents."""
    frame = decode(_FRAME, payload, "a pushed message")
    if frame.data:
        frame = decode(_FRAME, frame.data, "a pushed message")
    if frame.e in _CHANGES:
        return Told(frame.e, changed=True)
    if frame.e in _ENDS:
        return Told(Heard.ENDED)
    if frame.e in _NOT_OURS:
        return Told(frame.e)
    reader = _READERS.get(frame.e)
    if reader is None:
        raise ProtocolError(f"an event that is not documented: {frame.e[:40]!r}")
    return reader(frame)


def _order(frame: _Frame) -> Told:
    return Told(frame.e, orders=(order(decode(_ORDER, frame.o, "an order")),))


def order(raw: _Order) -> OrderReport:
    side = word(wire.SIDE, raw.S, "S")
    state = word(wire.STATE, raw.X, "X")
    filled = unsigned(raw.z, "z")
    position = wire.position(raw.ps)
    expired = raw.X in wire.EXPIRED
    return OrderReport(
        symbol=wire.symbol(raw.s),
        order_id=str(raw.i),
        client_id=raw.c,
        side=side,
        position=position,
        reduce_only=read.reduces(side, position, raw.R or raw.cp),
        order_type=wire.order_type(raw.o),
        state=state,
        size=read.order_size(raw.q, filled, whole=raw.cp),
        filled_size=filled,
        price=optional_price(raw.p, "p"),
        average_price=read.average(raw.ap, filled, state, raw.s),
        take_profit=None,
        stop=None,
        forced=wire.forced(raw.c),
        cancel_reason=f"{raw.X.lower()} {raw.er or ''}".strip() if expired else "",
        created_ns=0,
        updated_ns=wire.stamp_ns(raw.T, "T"),
        fill=_fill(raw, side) if raw.x in _TRADED and raw.t else None,
    )


def _fill(raw: _Order, side: Side) -> FillReport:
    fee = number(raw.n or "0", "n")
    return FillReport(
        fill_id=str(raw.t),
        order_id=str(raw.i),
        client_id=raw.c,
        symbol=wire.symbol(raw.s),
        side=side,
        price=positive(raw.L, "L"),
        size=positive(raw.l, "l"),
        fee=negative(fee) if fee < 0 else fee,
        fee_currency=raw.N or "",
        taker=not raw.m,
        realized=number(raw.rp, "rp"),
        filled_ns=wire.stamp_ns(raw.T, "T"),
    )


def _algo(frame: _Frame) -> Told:
    """An algo order changed: what rests, and soon what is held, is another."""
    raw = decode(_ALGO, frame.o, "an algo order")
    problem = f"{raw.s}: algo order {raw.aid} was refused: {raw.rm}" if raw.X == "REJECTED" else ""
    return Told(frame.e, changed=True, problem=problem)


def _rejected(frame: _Frame) -> Told:
    raw = decode(_REJECTED, frame.rejected, "a refused trigger")
    return Told(frame.e, changed=True, problem=f"{raw.s}: order {raw.i} was refused when triggered: {raw.r}")


def _margin_call(frame: _Frame) -> Told:
    return Told(frame.e, changed=True, problem="margin call: a position is close to its liquidation")


_READERS: dict[str, Callable[[_Frame], Told]] = {
    "ORDER_TRADE_UPDATE": _order,
    "ALGO_UPDATE": _algo,
    "CONDITIONAL_ORDER_TRIGGER_REJECT": _rejected,
    "MARGIN_CALL": _margin_call,
}
