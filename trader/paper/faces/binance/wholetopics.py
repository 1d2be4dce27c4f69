"""Streams of all symbols together: lists (``@arr``), or one message for each symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from trader.paper.contract import FUTURES
from trader.paper.engine.model import Order
from trader.paper.faces.binance import symbols
from trader.paper.faces.binance.booktopics import book_ticker_row
from trader.paper.faces.binance.streamnames import Stream
from trader.paper.faces.binance.topics import TICKERS, Now, Row, force_row, mark_row
from trader.paper.faces.topics import Topic as Paced
from trader.paper.market import MarketEvent, MarketHub, MarketState, StatusChanged, SymbolAdded

_encode = msgspec.json.Encoder().encode


class WholeTopic(Paced):
    """One stream of all contracts. What changed since the last push is kept by symbol."""

    gathers = True
    interval_ms = 1000

    def __init__(self, stream: Stream, hub: MarketHub, now: Now) -> None:
        super().__init__(stream)
        self.hub = hub
        self.now = now
        self.kind = stream.kind
        self.changed: dict[str, MarketState] = {}
        if stream.every_ms:
            self.interval_ms = stream.every_ms

    def heard(self, event: MarketEvent) -> bool:
        self.changed[event.symbol] = event.state
        return True

    def states(self) -> list[MarketState]:
        return [state for state in self.hub.states.values() if state.market == FUTURES]

    def taken(self) -> list[MarketState]:
        """What has changed, once."""
        taken, self.changed = list(self.changed.values()), {}
        return taken


def _written(rows: Iterable[Row]) -> str:
    return _encode(list(rows)).decode()


class MarkWhole(WholeTopic):
    """Every mark price, every interval."""

    repeats = True
    gathers = False

    def heard(self, event: MarketEvent) -> bool:
        del event
        return False

    def first(self) -> str:
        return _written(mark_row(state, self.now()) for state in self.states())

    def updates(self) -> Iterable[str]:
        return (self.first(),)


class TickerWhole(WholeTopic):
    """The tickers that changed."""

    latest_only = False

    def first(self) -> str:
        return self._list(self.states())

    def updates(self) -> Iterable[str]:
        return (self._list(self.taken()),)

    def _list(self, states: list[MarketState]) -> str:
        return _written(TICKERS[self.kind](state, self.now()) for state in states)


class BookTickerWhole(WholeTopic):
    """The best bid and ask of the symbols that changed, a message each."""

    latest_only = False
    interval_ms = 5000

    def updates(self) -> Iterable[str]:
        return [_encode(book_ticker_row(state, self.now())).decode() for state in self.taken()]


class ForceWhole(WholeTopic):
    """Liquidation orders, the newest of each symbol in a second."""

    latest_only = False

    def __init__(self, stream: Stream, hub: MarketHub, now: Now) -> None:
        super().__init__(stream, hub, now)
        self._newest: dict[str, Row] = {}

    def heard(self, event: MarketEvent) -> bool:
        del event
        return False

    def take(self, order: Order) -> None:
        self._newest[order.symbol] = force_row(order, self.now())
        self.touch()

    def updates(self) -> Iterable[str]:
        newest, self._newest = self._newest, {}
        return [_encode(row).decode() for row in newest.values()]


class ContractTopic(WholeTopic):
    """Symbols that appear, and those whose status changes."""

    latest_only = False
    interval_ms = 10

    def heard(self, event: MarketEvent) -> bool:
        return isinstance(event, SymbolAdded | StatusChanged) and super().heard(event)

    def updates(self) -> Iterable[str]:
        return [_encode(contract_row(state, self.now())).decode() for state in self.taken()]


def contract_row(state: MarketState, now: int) -> Row:
    found = symbols.row(state)
    return {
        "e": "contractInfo",
        "E": now,
        "s": found["symbol"],
        "ps": found["pair"],
        "ct": found["contractType"],
        "dt": found["deliveryDate"],
        "ot": found["onboardDate"],
        "cs": found["status"],
    }


_WHOLE: dict[str, Callable[[Stream, MarketHub, Now], WholeTopic]] = {
    "markPrice": MarkWhole,
    "ticker": TickerWhole,
    "miniTicker": TickerWhole,
    "bookTicker": BookTickerWhole,
    "forceOrder": ForceWhole,
    "contractInfo": ContractTopic,
}


def make_whole(stream: Stream, hub: MarketHub, now: Now) -> WholeTopic | None:
    """``None`` for a stream that is silent here."""
    made = _WHOLE.get(stream.kind)
    return None if made is None else made(stream, hub, now)
