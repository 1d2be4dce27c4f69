"""Binance USD-M perpetuals as a :class:`~trader.venues.public.PublicSide`.

Best prices come by ``<symbol>@bookTicker``, which is silent while nothing changes and never names the last
trade: that one is read by REST and moved to the nearer side of the book once the book has left it behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import count

import msgspec

from shared.domain.instrument import Venue
from shared.errors import ProtocolError
from trader.net.feed import Heard, Liveness, Subscription
from trader.venues.binance import instruments, requests, wire
from trader.venues.dialect import Ask
from trader.venues.model import Call, Contracts, Price
from trader.venues.numbers import optional_price, positive
from trader.venues.public import Quotes
from trader.venues.strict import decode

CHANNEL = "bookTicker"
#: Streams named in one frame.
PER_FRAME = 50


class _Last(wire.Wire):
    symbol: str
    price: str
    time: int


class _Top(wire.Wire):
    symbol: str
    bid_price: str
    ask_price: str
    time: int


class _Frame(msgspec.Struct, gc=False):
    """``{"e":"bookTicker","u":4,"E":1568014460893,"T":1568014460891,"s":"BNBUSDT","b":"25.3","B":"3","a":"25.4","A":"4"}``,
    or the answer to a subscription, ``{"result":null,"id":1}``."""

    e: str = ""
    s: str = ""
    b: str = ""
    a: str = ""
    T: int = 0
    id: int | str | None = None
    error: msgspec.Raw = msgspec.Raw(b"")
    code: int = 0


_LASTS = msgspec.json.Decoder(list[_Last])
_TOPS = msgspec.json.Decoder(list[_Top])
_FRAME = msgspec.json.Decoder(_Frame)


class BinanceMarket:
    venue = Venue.BINANCE
    path = "/public/ws"
    #: The venue admits 1024 streams a connection.
    per_stream = 200
    channels: Mapping[str, Liveness] = {CHANNEL: Liveness(first_s=60.0)}
    ping: bytes | None = None
    tells_leverage = False

    def __init__(self) -> None:
        self._ids = count(1)

    def request(self, call: Call, host: str) -> bytes:
        return requests.public(call, host)

    async def contracts(self, ask: Ask) -> Contracts:
        answer = await ask(requests.contracts())
        return instruments.parse_contracts(answer.body, answer.status)

    async def prices(self, ask: Ask) -> tuple[list[Price], list[str]]:
        answer = await ask(requests.book_tickers())
        tops = wire.data_of(answer.body, answer.status, _TOPS)
        answer = await ask(requests.last_prices())
        lasts = wire.data_of(answer.body, answer.status, _LASTS)
        return _prices(lasts, {top.symbol: top for top in tops})

    def subscriptions(self, symbols: Sequence[str]) -> list[Subscription]:
        names = [f"{symbol.lower()}@{CHANNEL}" for symbol in symbols]
        frames = (names[start : start + PER_FRAME] for start in range(0, len(names), PER_FRAME))
        return [
            Subscription(msgspec.json.encode({"method": "SUBSCRIBE", "params": frame, "id": next(self._ids)}))
            for frame in frames
        ]

    def parse(self, payload: bytes | memoryview, known: Mapping[str, Price]) -> Quotes:
        frame = decode(_FRAME, payload, "a pushed message")
        if frame.e == CHANNEL:
            price = _moved(known.get(frame.s), frame)
            return Quotes(CHANNEL, () if price is None else (price,))
        if frame.e:
            if frame.e == "serverShutdown":
                return Quotes(Heard.ENDED)
            raise ProtocolError(f"an event that was not asked for: {frame.e[:40]!r}")
        if frame.error or frame.code:
            return Quotes(Heard.REFUSED)
        if frame.id is None:
            raise ProtocolError("a pushed message that is neither an event nor an answer")
        return Quotes(Heard.ACKNOWLEDGED)


def _prices(lasts: list[_Last], tops: Mapping[str, _Top]) -> tuple[list[Price], list[str]]:
    prices: list[Price] = []
    problems: list[str] = []
    for last in lasts:
        top = tops.get(last.symbol)
        try:
            prices.append(
                Price(
                    symbol=wire.symbol(last.symbol),
                    last=positive(last.price, "price"),
                    bid=optional_price(top.bid_price, "bidPrice") if top else None,
                    ask=optional_price(top.ask_price, "askPrice") if top else None,
                    mark=None,
                    ns=wire.stamp_ns(max(last.time, top.time if top else 0), "time"),
                )
            )
        except ProtocolError as error:
            problems.append(f"{last.symbol[:40]}: {error}")
    return prices, problems


def _moved(before: Price | None, frame: _Frame) -> Price | None:
    """The price after a change of the book; None while no trade is known at all."""
    bid, ask = optional_price(frame.b, "the best bid"), optional_price(frame.a, "the best ask")
    if before is None:
        return None
    return Price(
        symbol=before.symbol,
        last=_within(before.last, bid, ask),
        bid=bid,
        ask=ask,
        mark=before.mark,
        ns=wire.stamp_ns(frame.T, "T"),
    )


def _within(last: Decimal, bid: Decimal | None, ask: Decimal | None) -> Decimal:
    if bid is not None and last < bid:
        return bid
    return ask if ask is not None and last > ask else last
