"""Any script of orders, faults, kills and hands on the exchange: states never go back, no entry is there twice, no
reading sends an order; and once the faults stop, one beat later our book is the exchange's."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.domain.account import AccountKind
from tests.trader.bookkeeping import COINS, KINDS, WAITS, Books, Exchange

#: Loop turns between two steps: what is on its way may or may not arrive.
TURNS = st.sampled_from([0, 3, 30, 300])
NTH = st.sampled_from([[], [1], [2], [1, 2], [1, 3]])
LOST: list[tuple[str, dict[str, Any]]] = [
    ("drop_request", {"times": 2}),
    ("drop_request", {"then": "reset", "times": 1}),
    ("answer_lost", {"times": 2}),
    ("answer_lost", {"then": "reset", "times": 1}),
    ("duplicate_answer", {"times": 2}),
    ("status", {"status": 502, "times": 3}),
    ("status", {"status": 503, "executed": True, "times": 2}),
    ("malformed_json", {"times": 2}),
    ("truncated_json", {"length": "too_large", "times": 2}),
    ("null_price", {"times": 2}),
    ("unknown_enum", {"times": 2}),
    ("not_found", {"young_ms": 150, "times": 4}),
    ("stale_snapshot", {"hold_ms": 100, "times": 3}),
    ("delay", {"before_ms": 40, "jitter_ms": 40, "times": 3}),
    ("delay", {"after_ms": 40, "jitter_ms": 40, "times": 3}),
]
PUSHES: list[tuple[str, dict[str, Any]]] = [
    ("drop_push", {"times": 4}),
    ("duplicate_push", {"copies": 2, "times": 6}),
    ("reorder_push", {"by": 2, "hold_ms": 50, "times": 6}),
    ("delay", {"before_ms": 50, "times": 6}),
    ("reset", {"times": 1}),
    ("mute_stream", {"times": 1}),
    ("malformed_json", {"times": 2}),
]

#: "This client id exists already" in the words of each dialect.
DUPLICATE = {AccountKind.CLASSIC: "40786", AccountKind.UNIFIED: "25212", AccountKind.USDM: "-4116"}


class OrderMachine(RuleBasedStateMachine):
    """One script on one fresh account. ``runner`` and ``exchange`` belong to the test."""

    runner: asyncio.Runner
    exchange: Exchange

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine"))
        self.books: Books | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    async def turns(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    @property
    def open_books(self) -> Books:
        assert self.books is not None
        return self.books

    @initialize()
    def begin(self) -> None:
        async def work() -> None:
            for symbol in COINS:
                await self.exchange.price(symbol, "2.5")
            self.books = Books(self.exchange, self.folder / "journal")
            await self.books.start()
            await self.books.arm()

        self.run(work())

    @rule(symbol=st.sampled_from(COINS), attached=st.booleans(), turns=TURNS)
    def enter(self, symbol: str, attached: bool, turns: int) -> None:
        async def work() -> None:
            if self.open_books.free(symbol):
                self.open_books.enter(symbol, attached=attached)
            await self.turns(turns)

        self.run(work())

    @rule(below=st.integers(1, 3), turns=TURNS)
    def rest(self, below: int, turns: int) -> None:
        async def work() -> None:
            self.open_books.rest(below)
            await self.turns(turns)

        self.run(work())

    @rule(below=st.integers(1, 3), size=st.sampled_from(["0.003", "0.01", "5"]), turns=TURNS)
    def fill(self, below: int, size: str, turns: int) -> None:
        async def work() -> None:
            self.open_books.trade(below, size)
            await self.turns(turns)

        self.run(work())

    @rule(number=st.integers(0, 9), turns=TURNS)
    def cancel(self, number: int, turns: int) -> None:
        async def work() -> None:
            await self.open_books.cancel(number)
            await self.turns(turns)

        self.run(work())

    @rule(symbol=st.sampled_from(COINS), price=st.sampled_from(["2.4", "2.5", "2.74", "2.9"]), turns=TURNS)
    def move(self, symbol: str, price: str, turns: int) -> None:
        async def work() -> None:
            await self.exchange.price(symbol, price)
            await self.turns(turns)

        self.run(work())

    @rule(fault=st.sampled_from(LOST), nth=NTH)
    def drop_request_or_answer(self, fault: tuple[str, dict[str, Any]], nth: list[int]) -> None:
        self.open_books.fault(fault[0], True, nth, fault[1])

    @rule(executed=st.booleans(), nth=NTH)
    def say_that_the_id_exists(self, executed: bool, nth: list[int]) -> None:
        code = DUPLICATE[self.exchange.kind]
        self.open_books.fault(
            "status", True, nth, {"status": 400, "code": code, "executed": executed, "times": 1}
        )

    @rule(fault=st.sampled_from(PUSHES), nth=NTH)
    def drop_duplicate_or_reorder_pushes(self, fault: tuple[str, dict[str, Any]], nth: list[int]) -> None:
        self.open_books.fault(fault[0], False, nth, fault[1])

    @rule(numbers=st.lists(st.integers(0, 199), min_size=1, max_size=6))
    def hear_again(self, numbers: list[int]) -> None:
        async def work() -> None:
            self.open_books.hear_again(numbers)

        self.run(work())

    @rule(turns=TURNS, everything=st.booleans())
    def by_hand(self, turns: int, everything: bool) -> None:
        async def work() -> None:
            self.open_books.cancel_by_hand()
            if everything:
                self.open_books.close_by_hand()
            await self.turns(turns)

        self.run(work())

    @rule(armed=st.booleans())
    def restart(self, armed: bool) -> None:
        async def work() -> None:
            before = {o.intent.client_id: o.state for o in self.open_books.tracker.all()}
            await self.open_books.kill()
            await self.open_books.start()
            after = {name: order.state for name in before if (order := self.open_books.tracker.get(name))}
            assert after == before
            if armed:
                self.open_books.stop_faults()
                await self.open_books.arm()

        self.run(work())

    @precondition(lambda self: self.books is not None)
    @invariant()
    def nothing_is_doubled_lost_or_taken_back(self) -> None:
        async def work() -> None:
            self.open_books.check()

        self.run(work())

    def teardown(self) -> None:
        if self.books is not None:
            self.run(self._end(self.books))
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _end(self, books: Books) -> None:
        try:
            differences = await books.one_beat()
            books.check()
            assert not differences, differences
        finally:
            books.stop_faults()
            await books.kill()


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Runner]:
    for module, name, value in WAITS:
        monkeypatch.setattr(module, name, value)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as made:
        yield made


def play(runner: asyncio.Runner, kind: str, chosen: settings) -> None:
    exchange = runner.run(Exchange(kind).open())
    machine = type(f"{kind.title()}Machine", (OrderMachine,), {"runner": runner, "exchange": exchange})
    try:
        run_state_machine_as_test(machine, settings=chosen)
    finally:
        runner.run(exchange.close())


@pytest.mark.parametrize("kind", KINDS)
def test_after_any_script_the_book_is_the_exchanges(runner: asyncio.Runner, kind: str) -> None:
    chosen = settings(
        max_examples=10,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    play(runner, kind, chosen)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_after_any_of_many_long_scripts_the_book_is_the_exchanges(runner: asyncio.Runner, kind: str) -> None:
    chosen = settings(
        max_examples=150,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    play(runner, kind, chosen)
