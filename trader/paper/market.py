"""The market as the paper exchange sees it: one state per symbol, one hub that all read.

Tapes write through the hub's ``feed`` methods, the control API overrides prices and adds symbols, the
engine and the faces read states and listen to events. Listeners are called synchronously, in the order
they subscribed, after the state has changed. All times are tape time, UTC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from shared.errors import NotFoundError, UsageError
from trader.paper.book import Book
from trader.paper.contract import FUTURES, SPOT, ContractSpec, Side, to_step
from trader.paper.events import (
    BookChanged,
    FundingDue,
    MarketEvent,
    PriceSet,
    StatusChanged,
    SymbolAdded,
    Traded,
)
from trader.paper.marketstate import (
    DEFAULT_FUNDING_RATE,
    MAX_CANDLES,
    MAX_TRADES,
    Funding,
    FundingSource,
    MarketState,
    PublicTrade,
    Status,
)
from trader.paper.modelled import ModelledBook
from trader.paper.tapeclock import TapeClock

__all__ = [
    "DEFAULT_FUNDING_RATE",
    "MAX_CANDLES",
    "MAX_SYMBOLS",
    "MAX_TRADES",
    "BookChanged",
    "Funding",
    "FundingDue",
    "FundingSource",
    "Listener",
    "MarketEvent",
    "MarketHub",
    "MarketState",
    "PriceSet",
    "PublicTrade",
    "Status",
    "StatusChanged",
    "SymbolAdded",
    "Traded",
]

MAX_SYMBOLS = 3000
DEFAULT_DAILY_VALUE = 500_000_000.0
"""Quote units traded a day, assumed for the modelled book of a symbol without a tape."""
DEFAULT_VOLATILITY = 0.04

_HOUR = 3_600_000_000_000
_MS = 1_000_000
_MARK_EVERY_NS = 250 * _MS
_NEVER = 1 << 62

Listener = Callable[[MarketEvent], None]


class MarketHub:
    """All symbols; the one place that tapes write and everybody reads."""

    def __init__(self, clock: TapeClock) -> None:
        self.clock = clock
        self.states: dict[tuple[str, str], MarketState] = {}
        self.now_ns = clock.now_ns()
        """Time of the last applied event: the engine's "now" while a leap is played."""
        self._listeners: list[Listener] = []
        self._market_due = _NEVER
        self._alarm_ns = _NEVER
        self._ring: Callable[[], None] = lambda: None
        self._next_due = _NEVER
        self._changed: dict[tuple[str, str], BookChanged] = {}

    # reading

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    def get(self, market: str, symbol: str) -> MarketState | None:
        return self.states.get((market, symbol))

    def find(self, symbol: str) -> list[MarketState]:
        """The states of ``symbol`` on every market, futures first; ``NotFoundError`` when none."""
        found = [self.states[key] for key in ((FUTURES, symbol), (SPOT, symbol)) if key in self.states]
        if not found:
            raise NotFoundError(
                f"there is no symbol {symbol!r} on this exchange: add it with /control/symbols"
            )
        return found

    @property
    def next_due_ns(self) -> int:
        """When the next opening, funding settlement or alarm falls due."""
        return self._next_due

    def set_alarm(self, ns: int, ring: Callable[[], None]) -> None:
        """Call ``ring`` when time comes to ``ns``, in its turn among the events; there is one alarm. 0 = never.

        ``ring`` sets the next one: an alarm that is not set anew after its time does not ring again.
        """
        ns = ns or _NEVER
        self._ring = ring
        if ns == self._alarm_ns:
            return
        self._alarm_ns = ns
        before, self._next_due = self._next_due, min(self._market_due, self._alarm_ns)
        if self._next_due < before:
            self.clock.nudge()

    # control

    def add(
        self,
        spec: ContractSpec,
        price: Decimal,
        *,
        daily_volume: float | None = None,
        volatility: float = DEFAULT_VOLATILITY,
        book: Book | None = None,
    ) -> MarketState:
        """A new symbol at ``price``; with ``open_time_ms`` ahead of the clock it is pre-open until then.

        ``daily_volume`` (base coin) and ``volatility`` (fraction a day) shape the modelled book;
        ``book`` replaces it. ``UsageError`` when the symbol exists already or the price is no price.
        """
        key = (spec.market, spec.symbol)
        if key in self.states:
            raise UsageError(f"{spec.symbol} exists already on the {spec.market} market")
        if len(self.states) >= MAX_SYMBOLS:
            raise UsageError(f"the exchange holds {MAX_SYMBOLS} symbols, more are not taken")
        self._check_price(spec, price)
        now = max(self.clock.now_ns(), self.now_ns)
        volume = DEFAULT_DAILY_VALUE / float(price) if daily_volume is None else daily_volume
        state = MarketState(spec, price, now, volume, volatility)
        if book is not None:
            state.tape_book = state.book = book
        if spec.open_time_ms * _MS > now:
            state.status = "pre_open"
            state.book = Book(spec.tick)
        self.states[key] = state
        self._changed[key] = BookChanged(state)
        if spec.market == FUTURES:
            self.set_funding(state)
        self._plan()
        self._emit(SymbolAdded(state))
        return state

    def override_price(self, symbol: str, price: Decimal, mark: Decimal | None = None) -> None:
        """Hold ``symbol`` (on every market) at ``price`` with a modelled book; the tape is not heard.

        ``mark`` holds the mark price apart from it; without one the mark follows the price.
        """
        found = self.find(symbol)
        for state in found:
            self._check_price(state.spec, price)
            if mark is not None:
                self._check_price(state.spec, mark)
        for state in found:
            state.overridden = True
            state.held_mark = mark
            held = to_step(price, state.spec.tick)
            book = ModelledBook(state.spec, held, state.daily_volume, state.volatility)
            self._hold(state, held, book, released=False)

    def release_price(self, symbol: str) -> None:
        """Give ``symbol`` back to the tape; without one (manual, control symbols) the price stays."""
        for state in self.find(symbol):
            if not state.overridden:
                continue
            state.overridden = False
            state.held_mark = None
            price = state.last if state.tape_last is None else state.tape_last
            if state.tape_last is None and isinstance(state.tape_book, ModelledBook):
                state.tape_book.move(price)
            self._hold(state, price, state.tape_book, released=True)

    def set_status(self, state: MarketState, status: Status) -> None:
        before = state.status
        if status == before:
            return
        state.status = status
        if status == "pre_open":
            state.book = Book(state.spec.tick)
        self._plan()
        if before == "pre_open":
            state.book = state.tape_book
        self._emit(StatusChanged(state, before))
        if before == "pre_open":
            self._book_changed(state, self.now_ns)

    def respecify(self, state: MarketState, spec: ContractSpec) -> None:
        """Other tiers, fees or opening of a symbol; tick and step stay what they are."""
        state.spec = spec
        self._plan()

    def set_funding(
        self,
        state: MarketState,
        *,
        rate: Decimal | None = None,
        interval_h: int | None = None,
        next_ns: int | None = None,
        source: FundingSource | None = None,
    ) -> None:
        """Change rate, interval, next settlement or where they come from; what is ``None`` stays.

        Without a source settlements fall on whole multiples of the interval since 1970 (UTC).
        """
        if source is not None:
            state.funding_source = source
        if rate is not None:
            state.funding_rate = rate
        if interval_h is not None:
            state.funding_interval_h = interval_h
        if next_ns is not None:
            state.next_funding_ns = next_ns
        elif source is not None or interval_h is not None or not state.next_funding_ns:
            self._next_funding(state, max(self.now_ns, state.ts_ns))
        self._plan()

    def tick(self, ns: int) -> None:
        """Let time come to ``ns``: what falls due, each in its own turn; at one time the alarm comes last."""
        while self._next_due <= ns:
            due = self._next_due
            self.now_ns = max(self.now_ns, due)
            if self._market_due > due:
                self._alarm_ns, self._next_due = _NEVER, self._market_due
                self._ring()
                continue
            for state in list(self.states.values()):
                if state.status == "pre_open" and state.spec.open_time_ms * _MS <= due:
                    self.set_status(state, "open")
                if state.next_funding_ns and state.next_funding_ns <= due:
                    self._settle(state)
            self._plan()
        self.now_ns = max(self.now_ns, ns)

    # feeding: tapes only

    def feed_price(self, state: MarketState, price: Decimal, ns: int, salt: int = 0) -> None:
        """A price without a trade: the modelled book moves there."""
        self._arrive(state, price, ns)
        if isinstance(state.tape_book, ModelledBook):
            state.tape_book.move(price, salt)
        if not state.overridden:
            state.last = price
            state.minutes.add(price, Decimal(0), ns)
            self.feed_book(state, ns)

    def feed_trade(
        self, state: MarketState, price: Decimal, size: Decimal, side: Side, ns: int, *, trade_id: str = ""
    ) -> None:
        """A public trade; the book is left as it is. Without an id it gets the next number."""
        self._arrive(state, price, ns)
        if state.overridden or state.status == "pre_open":
            return
        state.last = price
        state.ts_ns = ns
        state.trade_count += 1
        trade = PublicTrade(price, size, side, trade_id or str(10**12 + state.trade_count), ns)
        state.trades.append(trade)
        state.minutes.add(price, size, ns, bought=side == "buy")
        self._emit(Traded(state, price, size, side, trade.trade_id, ns))

    def feed_book(self, state: MarketState, ns: int) -> None:
        """``state.tape_book`` has been changed by the tape."""
        if ns >= self._next_due:
            self.tick(ns)
        self.now_ns = max(self.now_ns, ns)
        if not state.overridden and state.status != "pre_open":
            self._book_changed(state, ns)

    def feed_marks(self, state: MarketState, mark: Decimal, index: Decimal, ns: int) -> None:
        """Mark and index price as the tape brings them: from now on nothing is modelled."""
        state.tape_marks = (mark, index)
        if not state.overridden:
            state.mark, state.index = mark, index
            self.feed_book(state, ns)

    def feed_mark_once(self, state: MarketState, mark: Decimal, ns: int) -> None:
        """A recorded mark price for this moment; the model goes on from it."""
        self.tick(ns)
        if not state.overridden:
            state.mark = mark
            state.marked_ns = ns

    def attach_book(self, state: MarketState, book: Book) -> None:
        """Let the tape's own book be what is traded against (not while overridden or pre-open)."""
        shown = state.book is state.tape_book
        state.tape_book = book
        if shown:
            state.book = book

    # inside

    def _arrive(self, state: MarketState, price: Decimal, ns: int) -> None:
        if ns >= self._next_due:
            self.tick(ns)
        self.now_ns = max(self.now_ns, ns)
        state.tape_last = price

    def _book_changed(self, state: MarketState, ns: int) -> None:
        state.seq += 1
        state.ts_ns = ns
        if ns - state.marked_ns >= _MARK_EVERY_NS:
            self._model_marks(state, ns)
        self._emit(self._changed[state.market, state.symbol])

    def _model_marks(self, state: MarketState, ns: int) -> None:
        state.marked_ns = ns
        state.minutes.roll(ns)
        if state.market != FUTURES:
            state.mark = state.index = state.last
        elif state.held_mark is not None:
            state.mark = state.held_mark
        elif state.tape_marks is None or state.overridden:
            bid, ask = state.book.best_bid, state.book.best_ask
            last = float(state.last)
            mid = (float(bid[0]) + float(ask[0])) / 2 if bid and ask else last
            left = (state.next_funding_ns - ns) / (state.funding_interval_h * _HOUR)
            mark, index = state.marks.update(mid, last, float(state.funding_rate) * left, ns)
            tick = state.spec.tick
            state.mark = max(1, round(mark / float(tick))) * tick
            state.index = max(1, round(index / float(tick))) * tick

    def _hold(self, state: MarketState, price: Decimal, book: Book, *, released: bool) -> None:
        now = max(self.clock.now_ns(), self.now_ns)
        self.tick(now)
        state.last = price
        state.mark, state.index = (state.held_mark or price, price)
        if released and state.tape_marks is not None:
            state.mark, state.index = state.tape_marks
        state.marks.reset(float(price), now)
        state.marked_ns = now
        if state.status != "pre_open":
            state.book = book
        elif not released:
            state.tape_book = book  # what it will open with
            state.overridden = False
        state.minutes.add(price, Decimal(0), now)
        self._emit(PriceSet(state, price, released))
        self._book_changed(state, now)

    def _settle(self, state: MarketState) -> None:
        due = state.next_funding_ns
        if not state.settled or state.settled[-1].ns < due:
            state.settled.append(Funding(due, state.funding_rate, state.funding_interval_h, state.mark))
        self._emit(FundingDue(state, state.funding_rate, state.mark, due))
        if state.next_funding_ns == due:
            self._next_funding(state, due)

    def _next_funding(self, state: MarketState, ns: int) -> None:
        if state.funding_source is not None:
            coming = state.funding_source(ns)
            state.next_funding_ns, state.funding_rate = coming.ns, coming.rate
            state.funding_interval_h = coming.interval_h
        else:
            interval = state.funding_interval_h * _HOUR
            state.next_funding_ns = (ns // interval + 1) * interval

    def _plan(self) -> None:
        due = _NEVER
        for state in self.states.values():
            if state.status == "pre_open":
                due = min(due, state.spec.open_time_ms * _MS)
            if state.next_funding_ns:
                due = min(due, state.next_funding_ns)
        self._market_due = due
        self._next_due = min(due, self._alarm_ns)

    def _emit(self, event: MarketEvent) -> None:
        for listener in self._listeners:
            listener(event)

    @staticmethod
    def _check_price(spec: ContractSpec, price: Decimal) -> None:
        if not price.is_finite() or price < spec.tick:
            raise UsageError(f"{spec.symbol}: the price must be at least one tick ({spec.tick}), not {price}")
