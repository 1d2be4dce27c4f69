"""MARGIN_CALL: an account that listens is warned when a position comes near its liquidation.

Once when maintenance reaches 80 % of the equity behind it (the isolated margin with its profit, or the cross
wallet with those of all crossed positions), and again only after it has been below that in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from trader.paper.engine import maths
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import MarginMode, Position
from trader.paper.engine.money import ZERO
from trader.paper.faces.binance import numbers, orderwords
from trader.paper.faces.binance.userevents import Event, Row, event

NEAR = Decimal("0.8")


class MarginCalls:
    """Remembers whom it has warned of which position."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._warned: dict[int, frozenset[int]] = {}

    def of(self, accounts: Iterable[int], now: int) -> Iterator[tuple[int, Event]]:
        """(account, warning) for each of these accounts that has to hear one now."""
        before, self._warned = self._warned, {}
        for number in accounts:
            account = self._engine.core.accounts[number]
            near = list(self._near(account)) if account.positions else []
            if near:
                self._warned[number] = frozenset(position.id for position in near)
                fresh = [p for p in near if p.id not in before.get(number, ())]
                if fresh:
                    yield number, self._warning(account, fresh, now)

    def _near(self, account: Account) -> Iterator[Position]:
        core = self._engine.core
        equity, needed = self._engine.crossed_margins(account, self._engine.funds(account))
        for position in account.positions.values():
            if position.margin_mode is MarginMode.CROSSED:
                if needed >= NEAR * equity:
                    yield position
                continue
            mark = core.mark(position)
            keep = maths.maintenance(core.spec(position.symbol), position, mark)
            if keep >= NEAR * (position.margin + position.unrealised(mark)):
                yield position

    def _warning(self, account: Account, positions: list[Position], now: int) -> Event:
        funds = self._engine.funds(account)
        rows = [self._row(position) for position in positions]
        return event("MARGIN_CALL", {"E": now, "cw": numbers.money(funds.wallet - funds.isolated), "p": rows})

    def _row(self, position: Position) -> Row:
        core = self._engine.core
        spec, mark = core.spec(position.symbol), core.mark(position)
        isolated = position.margin_mode is MarginMode.ISOLATED
        return {
            "s": position.symbol,
            "ps": orderwords.position_side(position.mode, position.side),
            "pa": numbers.size(spec, position.sign * position.size),
            "mt": position.margin_mode.value.upper(),
            "iw": numbers.rounded(position.margin if isolated else ZERO),
            "mp": numbers.money(mark),
            "up": numbers.rounded(position.unrealised(mark)),
            "mm": numbers.rounded(maths.maintenance(spec, position, mark)),
        }
