"""The events of the user data stream, one builder each.

Amounts are text; a position's amount is signed, a commission that was paid is positive.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from trader.paper import shortids
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import OrderStep
from trader.paper.engine.core import Core
from trader.paper.engine.maths import break_even
from trader.paper.engine.model import MarginMode, Position, PositionMode, State
from trader.paper.engine.money import ZERO, text
from trader.paper.faces.binance import numbers, orderwords, words
from trader.paper.faces.binance.numbers import ms

Row = dict[str, object]

COIN = "USDT"
_encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True):
    """``name`` is what filters and faults know it by."""

    name: str
    text: str


def event(name: str, body: Row) -> Event:
    return Event(name, _encode({"e": name} | body).decode())


def listen_key_expired(key: str, now: int) -> Event:
    return event("listenKeyExpired", {"E": now, "listenKey": key})


# orders


def of_step(core: Core, account: Account, step: OrderStep, now: int) -> Iterable[Event]:
    """One change of an order: TRADE_LITE first when it is a trade, then ORDER_TRADE_UPDATE."""
    order, fill = step.order, step.fill
    done = execution(step)
    if fill is not None and done == "TRADE":
        spec = core.spec(order.symbol)
        yield event(
            "TRADE_LITE",
            {
                "E": now,
                "T": ms(fill.ns),
                "s": order.symbol,
                "q": numbers.size(spec, order.size),
                "p": numbers.price(spec, order.price),
                "m": not fill.taker,
                "c": orderwords.client_id(order),
                "S": order.side.value.upper(),
                "L": numbers.price(spec, fill.price),
                "l": numbers.size(spec, fill.size),
                "t": shortids.shown(fill.id),
                "i": shortids.shown(order.id),
            },
        )
    body: Row = {"E": now, "T": ms(order.updated_ns), "o": order_row(core, account, step, done)}
    yield event("ORDER_TRADE_UPDATE", body)


def execution(step: OrderStep) -> str:
    """``x``: what has happened to the order."""
    order = step.order
    if step.fill is not None:
        return "CALCULATED" if order.source in orderwords.LIQUIDATIONS else "TRADE"
    if step.amended:
        return "AMENDMENT"
    if order.state is State.CANCELED:
        return "CANCELED" if orderwords.status(order) == "CANCELED" else "EXPIRED"
    return "NEW"


def order_row(core: Core, account: Account, step: OrderStep, done: str) -> Row:
    order, fill, spec = step.order, step.fill, core.spec(step.order.symbol)
    bids, asks = _notionals(account, order.symbol)
    kind = orderwords.kind(order)
    row: Row = {
        "s": order.symbol,
        "c": orderwords.client_id(order),
        "S": order.side.value.upper(),
        "o": kind,
        "f": orderwords.time_in_force(order),
        "q": numbers.size(spec, order.size),
        "p": numbers.price(spec, order.price),
        "ap": numbers.average(spec, order.average) if order.filled else "0",
        "sp": "0",
        "x": done,
        "X": orderwords.status(order),
        "i": shortids.shown(order.id),
        "l": numbers.size(spec, fill.size) if fill else "0",
        "z": numbers.size(spec, order.filled),
        "L": numbers.price(spec, fill.price) if fill else "0",
        "N": COIN,
        "n": text(-fill.fee) if fill else "0",
        "T": ms(order.updated_ns),
        "t": shortids.shown(fill.id) if fill else 0,
        "b": bids,
        "a": asks,
        "m": not fill.taker if fill else False,
        "R": order.closing,
        "wt": "CONTRACT_PRICE",
        "ot": kind,
        "ps": orderwords.position_side(order.mode, order.position_side),
        "cp": order.closes_all,
        "rp": text(fill.profit) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": orderwords.SELF_TRADES[order.self_trade],
        "pm": orderwords.price_match(order),
        "gtd": ms(order.expires_ns),
    }
    if done == "EXPIRED":
        row["er"] = orderwords.expiry_reason(order)
    return row


def _notionals(account: Account, symbol: str) -> tuple[str, str]:
    """What the account's resting orders of the symbol are worth: (to buy, to sell)."""
    totals = {"buy": ZERO, "sell": ZERO}
    for order in account.pending(symbol):
        totals[order.side.value] += order.price * order.remaining
    return text(totals["buy"]), text(totals["sell"])


# account


class Leg(msgspec.Struct, frozen=True):
    """What an ACCOUNT_UPDATE tells of one position; of none, the amount is zero."""

    symbol: str
    side: str
    amount: Decimal
    entry: Decimal
    wallet: Decimal
    mode: MarginMode
    profit: Decimal


def leg_key(position: Position) -> tuple[str, str]:
    return position.symbol, orderwords.position_side(position.mode, position.side)


def leg(position: Position) -> Leg:
    isolated = position.margin_mode is MarginMode.ISOLATED
    return Leg(
        position.symbol,
        orderwords.position_side(position.mode, position.side),
        position.sign * position.size,
        position.entry,
        position.margin if isolated else ZERO,
        position.margin_mode,
        position.profit,
    )


def leg_row(core: Core, found: Leg, position: Position | None) -> Row:
    """``position`` is ``None`` when it is closed."""
    spec = core.spec(found.symbol)
    return {
        "s": found.symbol,
        "pa": numbers.size(spec, found.amount) if found.amount else "0",
        "ep": numbers.average(spec, found.entry) if position else "0",
        "bep": numbers.average(spec, break_even(spec, position)) if position else "0",
        "cr": numbers.money(found.profit),
        "up": numbers.rounded(position.unrealised(core.mark(position))) if position else "0",
        "mt": words.MARGIN_WORDS[found.mode],
        "iw": numbers.rounded(found.wallet) if found.wallet else "0",
        "ps": found.side,
    }


def empty_leg(account: Account, symbol: str, mode: MarginMode) -> Row:
    """Of a symbol without a position."""
    side = "BOTH" if account.record.position_mode is PositionMode.ONE_WAY else "LONG"
    nothing: Row = dict.fromkeys(("pa", "ep", "bep", "cr", "up", "iw"), "0")
    return {"s": symbol, **nothing, "mt": words.MARGIN_WORDS[mode], "ps": side}


def account_update(reason: str, now: int, ns: int, balances: list[Row], legs: list[Row]) -> Event:
    body: Row = {"E": now, "T": ms(ns), "a": {"m": reason, "B": balances, "P": legs}}
    return event("ACCOUNT_UPDATE", body)


def balance_row(wallet: Decimal, crossed: Decimal, change: Decimal) -> Row:
    """``change`` leaves out profits and fees of trades."""
    return {
        "a": COIN,
        "wb": numbers.money(wallet),
        "cw": numbers.money(crossed),
        "bc": numbers.money(change) if change else "0",
    }


def leverage_update(now: int, ns: int, symbol: str, leverage: int) -> Event:
    return event("ACCOUNT_CONFIG_UPDATE", {"E": now, "T": ms(ns), "ac": {"s": symbol, "l": leverage}})
