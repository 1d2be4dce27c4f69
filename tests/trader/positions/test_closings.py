"""Who made a position smaller, judged from readings and lists of orders in any order and with gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from shared.domain.order import OrderState, OrderType, PositionSide, Side, Step
from shared.errors import OutcomeUnknownError
from trader.alarms import Kind
from trader.positions import closings
from trader.positions.book import LISTING, MANUAL
from trader.positions.closings import Closings
from trader.venues.model import Forced, OrderReport

D = Decimal
OPENED = 10**18


def order(number: str, size: str = "10", **more: Any) -> OrderReport:
    fields: dict[str, Any] = {
        "symbol": "NEWUSDT",
        "order_id": number,
        "client_id": f"by hand {number}",
        "side": Side.SELL,
        "position": None,
        "reduce_only": True,
        "order_type": OrderType.MARKET,
        "state": OrderState.FILLED,
        "size": D(size),
        "filled_size": D(size),
        "price": None,
        "average_price": D("2.5"),
        "take_profit": None,
        "stop": None,
        "forced": Forced.NO,
        "cancel_reason": "",
        "created_ns": OPENED + 5,
        "updated_ns": OPENED + 5,
    }
    return OrderReport(**fields | more)


class Bench:
    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.asked = 0
        self.told: list[tuple[Kind, str, str]] = []
        self.mine: dict[str, Any] = {}
        tracker: Any = _Tracker(self.mine)
        lane: Any = SimpleNamespace(
            account=SimpleNamespace(id=1), ask=None, dialect=SimpleNamespace(recent_orders=self._orders)
        )
        self.book: Any = SimpleNamespace(remembered=[])
        self.closings = Closings(lane, tracker, self.book, on_alarm=lambda *told: self.told.append(told))

    async def _orders(self, ask: object, symbol: str, start_ms: int) -> tuple[list[OrderReport], bool]:
        self.asked += 1
        said = self.orders.pop(0) if len(self.orders) > 1 else (self.orders or [[]])[0]
        if isinstance(said, Exception):
            raise said
        return said, True

    def see(self, *sizes: str, opened: int = OPENED, target: str | None = "3", **more: Any) -> None:
        positions = tuple(
            SimpleNamespace(
                instrument=SimpleNamespace(symbol="NEWUSDT"),
                side=PositionSide.LONG,
                opened_ns=opened,
                size=D(size),
                take_profit_price=None if target is None else D(target),
                strategy_id=more.get("strategy", LISTING),
            )
            for size in sizes
        )
        snapshot: Any = SimpleNamespace(
            positions=positions, unnamed=more.get("unnamed", ()), taken_ns=OPENED + 10
        )
        self.closings.see(snapshot)

    async def done(self) -> list[tuple[Kind, str]]:
        async with asyncio.timeout(10):
            while self.closings._cases:
                await asyncio.sleep(0)
        return [(kind, key.removeprefix(f"NEWUSDT:long:{OPENED}:")) for kind, key, _ in self.told]


class _Tracker:
    def __init__(self, mine: dict[str, Any]) -> None:
        self._mine = mine

    def __contains__(self, name: str) -> bool:
        return name in self._mine

    def all(self) -> Any:
        return iter(list(self._mine.values()))

    def unfinished(self, account_id: int) -> list[Any]:
        return list(self._mine.values())


def own(name: str, **more: Any) -> Any:
    intent: dict[str, Any] = {
        "account_id": 1,
        "client_id": name,
        "reduce_only": True,
        "step": Step.TAKE_PROFIT,
        "instrument": SimpleNamespace(symbol="NEWUSDT"),
    }
    return SimpleNamespace(
        intent=SimpleNamespace(**intent | more), filled_size=D(10), filled_ns=OPENED + 20, open=False
    )


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(closings, "RETRIES_S", (0.0, 0.0, 0.0))
    made = Bench()
    task = asyncio.create_task(made.closings.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_reduced_then_closed_by_hand_is_told_once_each(bench: Bench) -> None:
    bench.orders = [[order("1", "4")]]
    bench.see("10")
    bench.see("6")
    assert await bench.done() == [(Kind.HAND, "reduced")]
    assert "6 are left, and stay protected" in bench.told[0][2]
    bench.orders = [[order("1", "4"), order("2", "6")]]
    bench.see()
    assert await bench.done() == [(Kind.HAND, "reduced"), (Kind.HAND, "closed")]
    assert "6 at 2.5" in bench.told[1][2]
    bench.see()
    assert bench.asked == 2


@pytest.mark.parametrize("forced", [each for each in Forced if each is not Forced.NO])
async def test_what_the_exchange_forced_is_told_as_such(bench: Bench, forced: Forced) -> None:
    bench.orders = [[order("1", forced=forced)]]
    bench.see("10")
    bench.see()
    assert await bench.done() == [(Kind.FORCED, forced.value)]
    assert "nothing is open any more" in bench.told[0][2]


@pytest.mark.parametrize(
    ("closing", "target", "told"),
    [
        (order("1", triggered=True, average_price=D("2.98")), "3", []),
        (order("1", triggered=True), None, []),
        (order("1", triggered=True, average_price=D("2.0")), "3", [(Kind.HAND, "closed")]),
        (order("1", average_price=D("3.1")), "3", [(Kind.HAND, "closed")]),
        (order("1", client_id="ours"), "3", []),
    ],
)
async def test_our_take_profit_is_no_news(bench: Bench, closing: Any, target: Any, told: Any) -> None:
    bench.mine["ours"] = own("ours")
    bench.mine["ours"].filled_size = D(3)
    bench.orders = [[closing]]
    bench.see("10", target=target)
    bench.see()
    assert await bench.done() == told


@pytest.mark.parametrize("filled", [True, False])
async def test_a_take_profit_that_the_exchange_renamed(bench: Bench, filled: bool) -> None:
    """Until our own is known to have ended nobody is accused."""
    mine = bench.mine["ours"] = own("ours")
    mine.open, mine.filled_size = True, D(0)
    bench.orders = [[order("1", average_price=D("3.01"))]]
    bench.see("10")
    bench.see()
    while not bench.asked:
        await asyncio.sleep(0)
    assert bench.told == []
    mine.open, mine.filled_size = False, D(10 if filled else 0)
    assert await bench.done() == ([] if filled else [(Kind.HAND, "closed")])


async def test_lists_that_lag_are_asked_again(bench: Bench) -> None:
    bench.orders = [OutcomeUnknownError("no answer"), [], [order("1")]]
    bench.see("10")
    bench.see()
    assert await bench.done() == [(Kind.HAND, "closed")]
    assert bench.asked == 3


@pytest.mark.parametrize("by_us", [False, True])
async def test_what_no_list_explains(bench: Bench, by_us: bool) -> None:
    if by_us:
        bench.mine["ours"] = own("ours")
    other_side = order("1", side=Side.BUY)
    other_position = order("2", position=PositionSide.SHORT)
    bench.orders = [[other_side, other_position, order("3", filled_size=D(0))]]
    bench.see("10")
    bench.see()
    assert await bench.done() == ([] if by_us else [(Kind.HAND, "closed")])
    if not by_us:
        assert "does not tell by which order" in bench.told[0][2]


async def test_the_users_own_positions_and_unnamed_ones_are_not_looked_at(bench: Bench) -> None:
    bench.see("10", strategy=MANUAL)
    bench.see()
    bench.see("10")
    bench.see(unnamed=("NEWUSDT/long",))
    assert await bench.done() == []
    bench.orders = [[order("1")]]
    bench.see()
    assert await bench.done() == [(Kind.HAND, "closed")]


async def test_closed_while_nobody_looked_is_told_at_the_next_start(bench: Bench) -> None:
    held = SimpleNamespace(symbol="NEWUSDT", side=PositionSide.LONG, opened_ns=OPENED)
    elsewhere = SimpleNamespace(symbol="OLDUSDT", side=PositionSide.LONG, opened_ns=OPENED)
    bench.book.remembered = [held, elsewhere]
    bench.mine["entry"] = own("entry", step=Step.ENTRY, reduce_only=False)
    bench.orders = [[order("1")]]
    bench.see()
    assert await bench.done() == [(Kind.HAND, "closed")]


async def test_closed_and_opened_again_is_another_position(bench: Bench) -> None:
    bench.orders = [[order("1")]]
    bench.see("10")
    bench.see("12", opened=OPENED + 7)
    assert await bench.done() == [(Kind.HAND, "closed")]
