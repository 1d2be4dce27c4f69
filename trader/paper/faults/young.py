"""What was created a moment ago, and is not there yet for those who ask."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from shared import clock
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine
from trader.paper.faults import bodies
from trader.paper.faults.kinds import NotFound
from trader.paper.faults.rules import FaultBoard, Rule

_MOST = 20_000
#: Lists that the venue sends as null when they are empty.
_NULL_LISTS = frozenset({"entrustedList"})


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

    def without(self, body: bytes, account: Account, kind: NotFound) -> bytes | None:
        """The answer as if young ones were not there; ``None`` when it names none of them.

        ``b""`` when the answer is about a young one alone: the caller refuses it.
        """
        message = bodies.read(body)
        if message is None or message.get("code") != "00000":
            return None
        data = message["data"]
        if isinstance(data, list):
            kept = self._kept(data, account, kind)
            message["data"] = kept
            return bodies.write(message) if len(kept) < len(data) else None
        if not isinstance(data, dict):
            return None
        if self._hides(data, account, kind):
            return b""
        hidden = 0
        for name, rows in data.items():
            if isinstance(rows, list):
                kept = self._kept(rows, account, kind)
                hidden += len(rows) - len(kept)
                data[name] = kept or (None if name in _NULL_LISTS else kept)
        return bodies.write(message) if hidden else None

    def _kept(self, rows: list[Any], account: Account, kind: NotFound) -> list[Any]:
        return [row for row in rows if not (isinstance(row, dict) and self._hides(row, account, kind))]

    def _hides(self, row: dict[str, Any], account: Account, kind: NotFound) -> bool:
        number = str(row.get("orderId") or row.get("posId") or row.get("positionId") or "")
        if number.isascii() and number.isdigit():
            return self._young(int(number), kind.young_ms)
        if "holdSide" not in row:
            return False
        return any(
            self._young(position.id, kind.young_ms)
            for position in account.positions.values()
            if position.symbol == row.get("symbol") and position.side.value == row["holdSide"]
        )
