"""Market streams: one topic per stream name, at the venue's pace.

What the venue pushes only on change goes out at once to a new subscriber too (best bid and ask, partial
books, candles), so that a market that stands still is not a silent one. The diff stream of a book does not:
its snapshot is taken over REST.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from trader.paper.engine.model import Order
from trader.paper.engine.money import text
from trader.paper.faces.binance import ids, market_data, numbers
from trader.paper.faces.binance.growing import Growing
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.streamnames import Stream
from trader.paper.faces.topics import Topic as Paced
from trader.paper.market import MarketEvent, MarketState, Traded

Row = dict[str, object]
Now = Callable[[], int]

_encode = msgspec.json.Encoder().encode


class Topic(Paced):
    """One stream of one symbol. ``now`` is the exchange's wall clock, milliseconds."""

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream)
        self.state = state
        self.now = now
        if stream.every_ms:
            self.interval_ms = stream.every_ms

    def rows(self) -> Iterable[Row]:
        """The payloads of the next push."""
        return ()

    def updates(self) -> Iterable[str]:
        return [_encode(row).decode() for row in self.rows()]

    def picture(self) -> Row | None:
        """What a new subscriber gets at once, if anything."""
        return None

    def first(self) -> str | None:
        row = self.picture()
        return None if row is None else _encode(row).decode()

    @property
    def at(self) -> int:
        """When the market last changed, milliseconds of tape time."""
        return ms(self.state.ts_ns)


# trades


class TradesTopic(Topic):
    """Every trade, one message each; an aggregate is one trade."""

    latest_only = False
    interval_ms = 20
    gathers = True

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self._fresh: list[Row] = []
        self._one = stream.kind == "trade"

    def heard(self, event: MarketEvent) -> bool:
        if not isinstance(event, Traded):
            return False
        spec = self.state.spec
        number, price, size = (
            ids.trade_number(self.state),
            numbers.price(spec, event.price),
            numbers.size(spec, event.size),
        )
        row: Row = {"e": "trade" if self._one else "aggTrade", "E": self.now()}
        if self._one:
            row |= {"T": ms(event.ts_ns), "s": event.symbol, "t": number}
            row |= {"p": price, "q": size, "X": "MARKET"}
        else:
            row |= {"s": event.symbol, "a": number, "p": price, "q": size}
            row |= {"f": number, "l": number, "T": ms(event.ts_ns)}
        row["m"] = event.side == "sell"
        self._fresh.append(row)
        return True

    def rows(self) -> Iterable[Row]:
        fresh, self._fresh = self._fresh, []
        return fresh


# prices

_MINI = {
    "c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume"
}  # fmt: skip
_TICKER = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "c": "lastPrice", "Q": "lastQty",
    "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume", "O": "openTime",
    "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
}  # fmt: skip


class MarkTopic(Topic):
    repeats = True

    def picture(self) -> Row:
        return mark_row(self.state, self.now())

    def rows(self) -> Iterable[Row]:
        yield self.picture()


def mark_row(state: MarketState, now: int) -> Row:
    return {
        "e": "markPriceUpdate",
        "E": now,
        "s": state.symbol,
        "p": numbers.money(state.mark),
        "i": numbers.money(state.index),
        "P": numbers.money(state.index),
        "r": numbers.money(state.funding_rate),
        "T": ms(state.next_funding_ns),
    }


class TickerTopic(Topic):
    """``ticker`` and ``miniTicker``: the last 24 hours, when something changed."""

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self.interval_ms = 2000 if stream.kind == "ticker" else 500
        self._row = TICKERS[stream.kind]

    def picture(self) -> Row:
        return self._row(self.state, self.now())

    def rows(self) -> Iterable[Row]:
        yield self.picture()


def mini_row(state: MarketState, now: int) -> Row:
    day = market_data.day(state)
    return {"e": "24hrMiniTicker", "E": now, "s": state.symbol} | {to: day[of] for to, of in _MINI.items()}


def ticker_row(state: MarketState, now: int) -> Row:
    day = market_data.day(state)
    return {"e": "24hrTicker", "E": now, "s": state.symbol} | {to: day[of] for to, of in _TICKER.items()}


TICKERS: dict[str, Callable[[MarketState, int], Row]] = {"ticker": ticker_row, "miniTicker": mini_row}


class KlineTopic(Topic):
    """The growing candle; the one before it once more when it is finished (``x``)."""

    latest_only = False
    interval_ms = 250

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self._stream = stream
        self._growing = Growing(state, stream.interval)

    def picture(self) -> Row:
        return self._row(self._growing.row())

    def rows(self) -> Iterable[Row]:
        return map(self._row, self._growing.moved())

    def _row(self, candle: Row) -> Row:
        symbol = self.state.symbol
        if self._stream.kind == "kline":
            return {"e": "kline", "E": self.now(), "s": symbol, "k": candle}
        inner = {name: value for name, value in candle.items() if name != "s"}
        return {"e": "continuous_kline", "E": self.now(), "ps": symbol, "ct": "PERPETUAL", "k": inner}


# liquidations: told by the engine, not by the market


class ForceTopic(Topic):
    """Liquidation orders of this exchange's accounts; of a symbol at most the newest of a second."""

    interval_ms = 1000
    latest_only = False

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self._newest: Row | None = None

    def heard(self, event: MarketEvent) -> bool:
        del event
        return False

    def take(self, order: Order) -> None:
        self._newest = force_row(order, self.now())
        self.touch()

    def rows(self) -> Iterable[Row]:
        newest, self._newest = self._newest, None
        return () if newest is None else (newest,)


def force_row(order: Order, now: int) -> Row:
    """One liquidation order, filled at once as all are here."""
    average = text(order.average)
    inner: Row = {
        "s": order.symbol,
        "S": order.side.value.upper(),
        "o": "LIMIT",
        "f": "IOC",
        "q": text(order.size),
        "p": text(order.liquidation_price) if order.liquidation_price else average,
        "ap": average,
        "X": "FILLED",
        "l": text(order.filled),
        "z": text(order.filled),
        "T": ms(order.updated_ns),
    }
    return {"e": "forceOrder", "E": now, "o": inner}
