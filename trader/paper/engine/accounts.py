"""One account in memory: its live orders, positions and plans, and what it can spend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from shared.domain.order import PositionSide
from trader.paper.contract import ContractSpec
from trader.paper.engine.model import (
    QUOTE_COIN,
    AccountRecord,
    MarginMode,
    Order,
    Plan,
    PlanKind,
    Position,
    SymbolSettings,
)
from trader.paper.engine.money import ZERO
from trader.paper.engine.spot_model import SpotHoldings


class Funds(msgspec.Struct, frozen=True):
    """Where the money of an account is, in quote currency.

    ``wallet`` is the sum of the ledger; ``locked`` is reserved by resting orders (of a unified account
    by those of the spot market too); ``isolated`` and
    ``crossed`` are the initial margins of the positions, the ``*_unrealised`` their profits at mark.
    """

    wallet: Decimal
    locked: Decimal
    isolated: Decimal
    crossed: Decimal
    isolated_unrealised: Decimal
    crossed_unrealised: Decimal

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.isolated_unrealised + self.crossed_unrealised

    @property
    def available(self) -> Decimal:
        """The wallet without isolated margins and locked orders."""
        return self.wallet - self.isolated - self.locked

    @property
    def free(self) -> Decimal:
        """What a new position may use. Unrealised losses of crossed positions count, profits do not."""
        return self.available - self.crossed + min(ZERO, self.crossed_unrealised)


class Account:
    """The mutable side of an account. Only live orders and live plans are kept in memory.

    ``safe`` holds, per symbol with a crossed position, the marks between which no liquidation is
    possible as long as the wallet and the positions stay as they are (``Core.doubt`` empties it).
    ``fired`` are the algo orders whose order has not ended yet.
    """

    __slots__ = (
        "clients",
        "fired",
        "locked",
        "orders",
        "plan_clients",
        "plans",
        "positions",
        "record",
        "safe",
        "spot",
    )

    def __init__(self, record: AccountRecord) -> None:
        self.record = record
        self.orders: dict[int, Order] = {}
        self.clients: dict[str, int] = {}
        self.plans: dict[int, Plan] = {}
        self.plan_clients: dict[str, int] = {}
        self.fired: dict[int, Plan] = {}
        self.positions: dict[tuple[str, PositionSide], Position] = {}
        self.locked = ZERO
        self.safe: dict[str, tuple[Decimal, Decimal]] = {}
        self.spot = SpotHoldings(record)

    @property
    def id(self) -> int:
        return self.record.id

    def settings(self, spec: ContractSpec) -> SymbolSettings:
        """The symbol's settings; what was never set is crossed margin at the leverage of the account's kind."""
        found = self.record.settings.get(spec.symbol)
        if found is None:
            leverage = min(self.record.rules.leverage, spec.max_leverage)
            found = SymbolSettings(
                margin_mode=MarginMode.CROSSED,
                long_leverage=leverage,
                short_leverage=leverage,
                cross_leverage=leverage,
            )
        return found

    def held(self, symbol: str) -> Iterator[Position]:
        """The positions of a symbol: none, one, or two in hedge mode."""
        for side in PositionSide:
            position = self.positions.get((symbol, side))
            if position is not None:
                yield position

    def netted(self, symbol: str) -> Position | None:
        """The one position of a symbol in one-way mode."""
        return next(self.held(symbol), None)

    def pending(self, symbol: str) -> Iterator[Order]:
        return (order for order in self.orders.values() if order.symbol == symbol)

    def busy(self, symbol: str) -> bool:
        """True while the symbol has a position or a resting order."""
        return next(self.held(symbol), None) is not None or next(self.pending(symbol), None) is not None

    def protection(self, position: Position, kind: PlanKind) -> Plan | None:
        """The plan of that kind which guards the position."""
        for plan in self.guards(position):
            if plan.kind is kind:
                return plan
        return None

    def guards(self, position: Position) -> Iterator[Plan]:
        """The protection of a position; conditional orders are not."""
        for plan in self.plans.values():
            if plan.symbol == position.symbol and plan.side is position.side and plan.kind.protects:
                yield plan

    def closers(self, position: Position) -> Iterator[Plan]:
        """The algo orders that would close all of a position."""
        for plan in self.plans.values():
            if plan.closes_all and plan.symbol == position.symbol and plan.side is position.side:
                yield plan

    def funds(self, mark: Callable[[Position], Decimal]) -> Funds:
        isolated = crossed = isolated_unrealised = crossed_unrealised = ZERO
        for position in self.positions.values():
            unrealised = position.unrealised(mark(position))
            if position.margin_mode is MarginMode.ISOLATED:
                isolated += position.margin
                isolated_unrealised += unrealised
            else:
                crossed += position.initial_margin()
                crossed_unrealised += unrealised
        record, locked = self.record, self.locked
        if record.unified:
            locked += self.spot.frozen(QUOTE_COIN)
        return Funds(record.wallet, locked, isolated, crossed, isolated_unrealised, crossed_unrealised)
