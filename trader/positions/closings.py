"""Who made a position of ours smaller, when it was not us: the user's hand, the exchange, a trigger order.

Two readings of the account are compared. Where a position that one of our entries made has shrunk or is gone, the
exchange is asked for the orders of its symbol since then. Its word decides: orders of ours and our take profit are
no news here, everything else is told once per position. Nothing is traded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import msgspec
import structlog

from shared import clock
from shared.domain.order import TERMINAL, PositionSide, Side, Step
from shared.errors import KestrelError
from trader.alarms import Kind
from trader.lane import Lane
from trader.orders.tracker import Tracker
from trader.positions.book import LISTING, PositionBook
from trader.positions.rows import AccountSnapshot
from trader.venues.model import Forced, OrderReport

log = structlog.get_logger(__name__)

#: Seconds from one question to the next: lists of orders lag. Then what is not explained is told as such.
RETRIES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
MOST_ACCOUNTED = 10_000
#: The exchange's clock may be off ours by so much.
SKEW_NS = 60 * clock.SECOND
#: A trigger order that closed no further below our target than this was our take profit (slippage).
NEAR = Decimal("0.98")

_WHAT = {
    Forced.LIQUIDATED: "the exchange liquidated",
    Forced.DELEVERAGED: "the exchange closed by auto-deleveraging (ADL)",
    Forced.REDUCED: "the exchange's risk control reduced",
    Forced.DELIVERED: "the exchange settled at delivery",
}


class _Seen(msgspec.Struct, frozen=True):
    """A position of ours at the last reading."""

    symbol: str
    side: PositionSide
    opened_ns: int
    size: Decimal | None
    """None: an earlier run saw it."""
    target: Decimal | None
    read_ns: int


class _Case(msgspec.Struct):
    before: _Seen
    left: Decimal
    due: float
    tries: int = 0


class Closings:
    """One task per account. ``on_alarm`` gets kind, key and text."""

    def __init__(
        self,
        lane: Lane,
        tracker: Tracker,
        book: PositionBook,
        *,
        on_alarm: Callable[[Kind, str, str], None],
    ) -> None:
        self._lane = lane
        self._tracker = tracker
        self._book = book
        self._on_alarm = on_alarm
        self._seen: dict[tuple[str, PositionSide], _Seen] | None = None
        self._cases: dict[tuple[str, PositionSide, int], _Case] = {}
        self._accounted: dict[str, None] = {}
        """Ids of orders whose part in a position was told or needs no telling."""
        self._wake = asyncio.Event()

    def see(self, snapshot: AccountSnapshot) -> None:
        """A complete reading of the account; never waits."""
        unnamed = {tuple(each.split("/")) for each in snapshot.unnamed}
        now = {
            (each.instrument.symbol, each.side): _Seen(
                each.instrument.symbol,
                each.side,
                each.opened_ns,
                each.size,
                each.take_profit_price,
                snapshot.taken_ns,
            )
            for each in snapshot.positions
            if each.strategy_id == LISTING
        }
        before = self._of_earlier_run() if self._seen is None else self._seen
        for key, known in before.items():
            present = now.get(key)
            if present is not None and present.opened_ns == known.opened_ns:
                if known.size is not None and present.size is not None and present.size < known.size:
                    self._open(known, present.size)
            elif (known.symbol, known.side.value) in unnamed:
                now[key] = known
            else:
                self._open(known, Decimal(0))
        self._seen = now

    def _of_earlier_run(self) -> dict[tuple[str, PositionSide], _Seen]:
        ours = {
            order.intent.instrument.symbol
            for order in self._tracker.all()
            if order.intent.account_id == self._lane.account.id
            and order.intent.step is Step.ENTRY
            and order.filled_size > 0
        }
        return {
            (held.symbol, held.side): _Seen(
                held.symbol, held.side, held.opened_ns, None, None, held.opened_ns
            )
            for held in self._book.remembered
            if held.symbol in ours and held.side is PositionSide.LONG
        }

    def _open(self, before: _Seen, left: Decimal) -> None:
        due = asyncio.get_running_loop().time()
        key = before.symbol, before.side, before.opened_ns
        if (known := self._cases.get(key)) is not None:
            known.left, known.due, known.tries = left, due, 0
        else:
            self._cases[key] = _Case(before, left, due)
        self._wake.set()

    async def run(self) -> None:
        """Find out until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = min((case.due for case in self._cases.values()), default=None)
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - loop.time())):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            for key, case in list(self._cases.items()):
                if case.due <= loop.time() and await self._explained(case):
                    self._cases.pop(key, None)

    async def _explained(self, case: _Case) -> bool:
        """Ask who did it; whether nothing is left to ask."""
        before = case.before
        since_ns = max(before.opened_ns, before.read_ns - SKEW_NS)
        try:
            orders, _ = await self._lane.dialect.recent_orders(
                self._lane.ask, before.symbol, since_ns // clock.MILLISECOND
            )
        except KestrelError as error:
            log.info("closings.question_failed", account=self._lane.account.id, reason=str(error))
            orders = []
        closing = Side.SELL if before.side is PositionSide.LONG else Side.BUY
        reducing = [
            order
            for order in orders
            if order.side is closing
            and order.position in (None, before.side)
            and order.filled_size > 0
            and order.order_id not in self._accounted
        ]
        strangers = [order for order in reducing if order.client_id not in self._tracker]
        near = [order for order in strangers if order.forced is Forced.NO and _near(order, before)]
        if near and case.tries < len(RETRIES_S) and self._own_waits(before.symbol):
            self._later(case)  # our take profit may have become this order, under a name of the exchange
            return False
        taken = [
            order
            for order in strangers
            if _took_profit(order, before)
            or (order in near and self._own_since(since_ns, before.symbol, order.filled_size))
        ]
        for order in strangers:
            if order not in taken:
                self._tell(case, order)
        for order in reducing:
            if order.state in TERMINAL:
                self._accounted[order.order_id] = None
        while len(self._accounted) > MOST_ACCOUNTED:
            del self._accounted[next(iter(self._accounted))]
        if reducing or self._own_since(since_ns, before.symbol):
            return True
        if case.tries < len(RETRIES_S):
            self._later(case)
            return False
        if before.size is not None:
            self._unexplained(case)
        return True

    @staticmethod
    def _later(case: _Case) -> None:
        case.due = asyncio.get_running_loop().time() + RETRIES_S[case.tries]
        case.tries += 1

    def _own_waits(self, symbol: str) -> bool:
        """Whether a take profit of ours has not ended yet, as far as we know."""
        return any(
            order.open and order.intent.step is Step.TAKE_PROFIT and order.intent.instrument.symbol == symbol
            for order in self._tracker.unfinished(self._lane.account.id)
        )

    def _own_since(self, since_ns: int, symbol: str, size: Decimal | None = None) -> bool:
        """Whether an order of ours that reduces was filled meanwhile, with just this size if one is given."""
        return any(
            order.intent.account_id == self._lane.account.id
            and order.intent.reduce_only
            and order.intent.instrument.symbol == symbol
            and order.filled_size > 0
            and size in (None, order.filled_size)
            and order.filled_ns >= since_ns
            for order in self._tracker.all()
        )

    def _tell(self, case: _Case, order: OrderReport) -> None:
        before = case.before
        end = "nothing is open any more" if not case.left else f"{case.left} are left, and stay protected"
        what = f"the {before.symbol} {before.side.value}"
        key = f"{before.symbol}:{before.side.value}:{before.opened_ns}"
        by = f"{order.filled_size} at {order.average_price}"
        if order.forced is not Forced.NO:
            text = f"{_WHAT[order.forced]} {what} ({by}): {end}; Kestrel does not enter it again"
            self._on_alarm(Kind.FORCED, f"{key}:{order.forced.value}", text)
            return
        who = "a trigger order that is not Kestrel's" if order.triggered else "an order that is not Kestrel's"
        done = "closed" if not case.left else "reduced"
        text = f"{what} was {done} by {who} ({by}): {end}; Kestrel does not enter it again"
        self._on_alarm(Kind.HAND, f"{key}:{done}", text)

    def _unexplained(self, case: _Case) -> None:
        before = case.before
        done = "closed" if not case.left else "reduced"
        text = (
            f"the {before.symbol} {before.side.value} was {done}, and the exchange does not tell by which order: "
            "look there if it was not you; Kestrel does not enter it again"
        )
        self._on_alarm(Kind.HAND, f"{before.symbol}:{before.side.value}:{before.opened_ns}:{done}", text)


def _near(order: OrderReport, before: _Seen) -> bool:
    """Whether it closed where our take profit lay, or better; yes where that was not read."""
    if before.target is None or order.average_price is None:
        return True
    if before.side is PositionSide.LONG:
        return order.average_price >= before.target * NEAR
    return order.average_price <= before.target * (2 - NEAR)


def _took_profit(order: OrderReport, before: _Seen) -> bool:
    """The take profit that rode on our entry became an order with an id of the exchange."""
    return order.forced is Forced.NO and order.triggered and _near(order, before)
