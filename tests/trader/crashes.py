"""One round of the crash matrix: many accounts, each with its own broken answers, and one trader that is killed.

A *cell* is an account: its dialect, its rule of client ids and the fault that strikes its orders, take profits and
cancellations. A round lists a coin, kills the process at a fault point, starts it again (perhaps kills it once more
while it recovers, perhaps without its journal), removes the faults and waits. Each (kill, cell) is one run.
What counts is the exchange: its ledger, its positions, its resting orders.
"""

from __future__ import annotations

import itertools
import random
import shutil
import signal
import subprocess
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from shared import vault
from shared.db import accounts, preferences, users
from shared.db.engine import engine
from shared.db.engine import session as session_of
from tests.trader.world import Person, Process, World, eventually
from trader.faultpoints import NAMES

TITLE = "코인{number}(T{number}) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
ANSWER_S = 120.0
#: A process that has not come to its fault point by then is killed where it is.
REACHED_S = 45.0
#: Between two looks at other processes: several worlds share the machine.
PAUSE_S = 0.2

DIALECTS = {
    "classic": ("bitget", "classic"),
    "unified": ("bitget", "unified"),
    "binance": ("binance", "usdm"),
}
RULES = ("pending", "always")
#: Paths of an order, a take profit order, and the cancellation of one.
PATHS = {
    "classic": (
        "/api/v2/mix/order/place-order",
        "/api/v2/mix/order/place-tpsl-order",
        "/api/v2/mix/order/cancel-plan-order",
    ),
    "unified": (
        "/api/v3/trade/place-order",
        "/api/v3/trade/place-strategy-order",
        "/api/v3/trade/cancel-strategy-order",
    ),
    "binance": ("/fapi/v1/order", "/fapi/v1/algoOrder", ""),
}
DUPLICATE = {"classic": "40786", "unified": "25212", "binance": "-4116"}
#: Faults after which nothing was executed: such an entry may be missing.
UNEXECUTED = ("5xx before", "half request")
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lost": ("answer_lost", {"then": "hang"}),
    "late": ("delay", {"after_ms": 1500}),
    "duplicate answer": ("duplicate_answer", {}),
    "5xx after": ("status", {"status": 502, "executed": True}),
    "5xx before": ("status", {"status": 502}),
    "not found yet": ("answer_lost", {"then": "close"}),
    "duplicate id": ("status", {"status": 400, "executed": True, "message": "duplicate client id"}),
    "half request": ("drop_request", {"then": "reset"}),
    "half answer": ("truncated_json", {"length": "too_large"}),
}
#: How an account trades: its take profit rides on the entry, rides on it at a price that has moved meanwhile, or is near.
SHAPES = {
    "far": {"leverage": "10", "take_profit": "100"},
    "moved": {"leverage": "8", "take_profit": "100"},
    "near": {"leverage": "50", "take_profit": "100"},
}
#: Where an entry's bytes have left by then, for every account that was reached.
ONCE = frozenset({"recorder.applied", "recorder.committed", "app.replayed", "takeover.read"})
#: Points that are passed only by a start: the first kill is another one.
RECOVERY = ("app.replayed", "takeover.read", "takeover.adopted", "reconciler.read", "settler.absent")


class Cell(msgspec.Struct, frozen=True):
    """One account of the matrix."""

    person: Person
    dialect: str
    rule: str
    fault: str
    shape: str


class Kill(msgspec.Struct, frozen=True):
    """Where the process ends, the first time and while it recovers ("" = it does not)."""

    point: str
    nth: int
    again: str = ""
    again_nth: int = 1
    without_journal: bool = False

    @property
    def stratum(self) -> str:
        """The point that this round is about: a recovery point when there is one."""
        return self.again or self.point or "elsewhere"


class Run(msgspec.Struct):
    """What one account looked like in the end."""

    kill: Kill
    cell: Cell
    executions: int
    lost: str = ""
    doubled: str = ""
    unprotected: str = ""
    differs: str = ""

    @property
    def wrong(self) -> list[str]:
        found = {
            "lost": self.lost,
            "doubled": self.doubled,
            "unprotected": self.unprotected,
            "differs": self.differs,
        }
        name = f"{self.kill.stratum} {self.cell.dialect} {self.cell.rule} {self.cell.fault} {self.cell.shape}"
        return [f"{name}: {word}: {text}" for word, text in found.items() if text]


def kills(seed: int, count: int) -> list[Kill]:
    """``count`` kills; every fault point among them when there are enough."""
    chance = random.Random(seed)
    trade = [name for name in NAMES if name not in RECOVERY]
    chance.shuffle(trade)
    firsts = itertools.cycle(trade)
    # A recovery kill rides on a round whose first kill leaves it something to do.
    seconds = {
        "app.replayed": ("gateway.written", False),
        "takeover.read": ("recorder.committed", True),
        "takeover.adopted": ("recorder.committed", True),
        "reconciler.read": ("protect.written", False),
        "settler.absent": ("gateway.answered", False),
    }
    found: list[Kill] = []
    recovery = itertools.cycle(seconds)
    for number in range(count):
        if number % len(NAMES) < len(RECOVERY):
            again = next(recovery)
            first, bare = seconds[again]
            found.append(Kill(first, _nth(first, chance), again, _nth(again, chance), without_journal=bare))
        else:
            first = next(firsts)
            found.append(Kill(first, _nth(first, chance)))
    chance.shuffle(found)
    return found


def _nth(point: str, chance: random.Random) -> int:
    if point in ONCE or point in RECOVERY or point.startswith(("settler", "cancel")):
        return 1
    if point.startswith("gateway") or point == "tracker.recorded":
        return chance.randint(2, 9)
    return chance.randint(1, 2)


class Matrix:
    """A world with one account per cell; :meth:`round` as often as you like."""

    def __init__(self, world: World, seed: int, part: int = 0, parts: int = 1) -> None:
        self.world = world
        self.hits: Counter[str] = Counter()
        self.rounds = 0
        self.chance = random.Random(seed)
        combined = list(itertools.product(DIALECTS, RULES, FAULTS))
        self.cells = self._people([each for at, each in enumerate(combined) if at % parts == part % parts])

    def _people(self, wanted: list[tuple[str, str, str]]) -> list[Cell]:
        world, cells = self.world, []
        shapes = list(SHAPES)
        source = engine(world.database_url, pooled=False)
        with session_of(source) as session:
            for number, (dialect, rule, fault) in enumerate(wanted):
                name = f"user{number}"
                shape = shapes[(number + self.chance.randint(0, 2)) % 3]
                venue, kind = DIALECTS[dialect]
                made = world.control(
                    "POST", "accounts", kind=dialect, balance="100000", label=name, client_ids=rule
                )
                users.add(session, name, actor="test")
                account = accounts.add(
                    session,
                    name,
                    venue=venue,
                    kind=kind,
                    mode="paper",
                    label="main",
                    credentials=vault.Credentials(made["key"], made["secret"], made.get("passphrase", "")),
                    public_key=vault.public_key(world.home),
                    actor="test",
                )
                for key, value in SHAPES[shape].items():
                    preferences.set_value(
                        session, "account", name, account.id, f"listing.{key}", value, actor="test"
                    )
                person = Person(name, account.id, str(made["id"]))
                world.people.append(person)
                cells.append(Cell(person, dialect, rule, fault, shape))
        source.dispose()
        return cells

    # One round

    def round(self, kill: Kill) -> list[Run]:
        self.rounds += 1
        world, number = self.world, self.rounds
        symbol = f"T{number}USDT"
        world.symbol(symbol, "2.5")
        self._start(TRADER_FAULT_POINT=f"{kill.point}:{kill.nth}")
        self._armed()
        self._break()
        world.control("DELETE", "requests")
        world.notice(TITLE.format(number=number))
        first = world.trader
        assert first is not None
        eventually(lambda: not first.alive or self._traded(symbol), ANSWER_S, f"{kill}: something happens")
        world.price(symbol, "2.51")
        kill = msgspec.structs.replace(kill, point=self._killed(first, kill.point))
        if kill.without_journal:
            shutil.rmtree(world.home / "journal")
        if kill.again:
            second = self._start(TRADER_FAULT_POINT=f"{kill.again}:{kill.again_nth}")
            kill = msgspec.structs.replace(kill, again=self._killed(second, kill.again))
        self._start()
        world.control("DELETE", "faults")
        runs: list[Run] = []

        def fine() -> bool:
            nonlocal runs
            runs = self._judge(kill, symbol)
            return not any(run.wrong for run in runs)

        try:
            world.settled(ANSWER_S, PAUSE_S)
            eventually(fine, 40, "every account is right", PAUSE_S)
        except AssertionError as error:
            runs = self._judge(kill, symbol)
            if not any(run.wrong for run in runs):
                runs[0].differs = f"not settled: {error}"
        assert world.trader is not None
        world.trader.end(signal.SIGKILL)
        return runs

    def _start(self, **environment: str) -> Process:
        return self.world.start_trader(
            KESTREL_TRADER__ORDER_TIMEOUT_S="1",
            KESTREL_TRADER__POSITIONS_S="2",
            KESTREL_TRADER__INSTRUMENTS_S="5",
            **environment,
        )

    def _armed(self) -> None:
        """Armed, and each account prepared for whatever it does not hold."""
        held = {str(c.person.account_id): self.rounds - 1 for c in self.cells}

        def ready() -> bool:
            world = self.world
            assert world.trader is not None
            assert world.trader.alive, "\n".join(world.trader.lines[-30:])
            health = world.health()
            if health.get("state") != "armed" or health["ready"] < len(self.cells):
                return False
            done = health["prepared_count"]
            return all(done.get(name, 0) + rounds >= 2 + self.rounds for name, rounds in held.items())

        eventually(ready, ANSWER_S, f"armed: {self.world.health()}", PAUSE_S)

    def _break(self) -> None:
        """Each account's own fault, once on each of its paths."""
        for cell in self.cells:
            do, args = FAULTS[cell.fault]
            if cell.fault == "duplicate id":
                args = args | {"code": DUPLICATE[cell.dialect]}
            account = int(cell.person.paper_id)
            place, *others = PATHS[cell.dialect]
            if cell.shape == "moved":  # the market moves while the order is on its way
                self._fault(place, account, "delay", before_ms=400, times=1)
            paths = [place, *filter(None, others)]
            if cell.fault in UNEXECUTED:  # without an entry nothing else would ever be struck
                paths = paths[:1] if (self.rounds + account) % 2 else paths[1:]
            for path in paths:
                self._fault(path, account, do, times=1, **args)
            if cell.fault == "not found yet":
                self._fault("*", account, "not_found", young_ms=2500)

    def _fault(self, path: str, account: int, do: str, **args: Any) -> None:
        self.world.control("POST", "faults", match={"path": path, "account": account}, do=do, args=args)

    def _traded(self, symbol: str) -> bool:
        probe = next(cell for cell in reversed(self.cells) if cell.shape != "moved")
        return bool(self.world.ledger(probe.person, "open_fee", symbol))

    def _killed(self, process: Process, point: str) -> str:
        """The point at which it died; "" when it never came there and was killed wherever it was."""
        try:
            assert process.wait(REACHED_S) == -signal.SIGKILL, "\n".join(process.lines[-30:])
        except subprocess.TimeoutExpired:
            process.end(signal.SIGKILL)
            return ""
        told = next(line for line in reversed(process.lines) if line.startswith("fault points passed: "))
        for word in told.partition(": ")[2].split():
            name, _, count = word.partition("=")
            self.hits[name] += int(count)
        return point

    # Judged by the exchange

    def _judge(self, kill: Kill, symbol: str) -> list[Run]:
        world = self.world
        stored = {
            row[0]: row[1:]
            for row in world.rows(
                "select o.account_id, o.state, o.filled_size, coalesce(sum(f.size), 0), o.protected"
                " from orders o join intents i using (client_id) left join fills f using (client_id)"
                f" where i.step = 'entry' and i.cause like '%:{symbol[:-4]}' group by 1, 2, 3, 5"
            )
        }
        return [self._run(kill, cell, symbol, stored.get(cell.person.account_id)) for cell in self.cells]

    def _run(self, kill: Kill, cell: Cell, symbol: str, stored: tuple[Any, ...] | None) -> Run:
        world = self.world
        executions = world.entries(cell.person, symbol)
        run = Run(kill, cell, executions)
        shown = world.account(cell.person)
        held = sum(
            (Decimal(p["total"]) for p in shown["positions"] if p["symbol"] == symbol), start=Decimal(0)
        )
        plans = [plan for plan in shown["plans"] if plan["symbol"] == symbol]
        if executions > 1:
            run.doubled = f"{executions} executions"
        elif len(plans) > 1:
            run.doubled = f"{len(plans)} take profits"
        if held and not plans:
            run.unprotected = f"{held} without a take profit"
        if executions and (stored is None or stored[0] != "filled"):
            run.lost = f"executed, and stored as {stored}"
        elif executions and not (stored and stored[1] == stored[2] == held):
            run.differs = f"the exchange holds {held}, stored {stored}"
        elif not executions and stored and stored[0] not in ("denied", "rejected"):
            run.differs = f"never executed, and stored as {stored}"
        elif not executions and cell.fault not in UNEXECUTED and self._arrived(cell):
            run.lost = f"it arrived and was not executed: {stored}"
        return run

    def _arrived(self, cell: Cell) -> bool:
        rows = self.world.control(
            "GET", f"requests?path={PATHS[cell.dialect][0]}&account={cell.person.paper_id}"
        )
        return any(row["method"] == "POST" for row in rows)
