"""What was created a moment ago, and is not there yet for those who ask."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from shared import clock
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine
from trader.paper.faults import bodies
from trader.paper.faults.dialect import Dialect
from trader.paper.faults.kinds import NotFound
from trader.paper.faults.rules import FaultBoard, Rule

_MOST = 20_000


class Nursery:
    """Birth times (real time) of orders, plans and positions while a ``not_found`` fault stands."""

    def __init__(self, engine: Engine, board: FaultBoard) -> None:
        self._engine = engine
        self._board = board
        self._armed = False
        self._floor = 0
        self._births: OrderedDict[int, int] = OrderedDict()
        board.changed.append(self._on_change)
        engine.listen(self._on_stored)

    def _on_change(self, _: Rule) -> None:
        armed = bool(self._board.standing(NotFound))
        if armed and not self._armed:
            self._floor = self._engine.core.last_id
        elif not armed:
            self._births.clear()
        self._armed = armed

    def _on_stored(self, batches: list[Batch]) -> None:
        if not self._armed:
            return
        numbers = [step.order.id for batch in batches for step in batch.steps]
        numbers += [plan.id for batch in batches for plan in batch.plan_steps]
        numbers += [position.id for batch in batches for position in batch.positions.values()]
        now = clock.monotonic_ns()
        for number in numbers:
            if number > self._floor:
                self._births.setdefault(number, now)
        while len(self._births) > _MOST:
            self._births.popitem(last=False)

    def _young(self, number: int, young_ms: float) -> bool:
        born = self._births.get(number)
        return born is not None and clock.monotonic_ns() - born < young_ms * clock.MILLISECOND

    def without(self, body: bytes, account: Account, kind: NotFound, dialect: Dialect) -> bytes | None:
        """The answer as if young ones were not there; ``None`` when it names none of them.

        ``b""`` when the answer is about a young one alone: the caller refuses it.
        """
        message = bodies.read(body)
        content = dialect.content(message)
        if isinstance(content, list):
            kept = self._kept(content, account, kind, dialect)
            if len(kept) == len(content):
                return None
            return bodies.write(dialect.with_content(message, kept))
        if not isinstance(content, dict):
            return None
        if self._hides(content, account, kind, dialect):
            return b""
        hidden = 0
        for name, rows in content.items():
            if isinstance(rows, list):
                kept = self._kept(rows, account, kind, dialect)
                hidden += len(rows) - len(kept)
                content[name] = kept or (None if name in dialect.null_lists else kept)
        return bodies.write(message) if hidden else None

    def _kept(self, rows: list[Any], account: Account, kind: NotFound, dialect: Dialect) -> list[Any]:
        return [
            row for row in rows if not (isinstance(row, dict) and self._hides(row, account, kind, dialect))
        ]

    def _hides(self, row: dict[str, Any], account: Account, kind: NotFound, dialect: Dialect) -> bool:
        number = str(next((row[name] for name in dialect.id_fields if row.get(name)), ""))
        if number.isascii() and number.isdigit():
            return self._young(dialect.number(int(number)), kind.young_ms)
        side = dialect.position(row)
        return side is not None and any(
            self._young(position.id, kind.young_ms)
            for position in account.positions.values()
            if position.symbol == row.get("symbol") and position.side is side
        )
