"""What an account has at stake, in the venue's terms: initial and maintenance margin per position and in all."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from shared.domain.order import PositionSide, Side
from trader.paper.contract import ContractSpec
from trader.paper.engine import maths
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import MarginMode, Position, PositionMode
from trader.paper.engine.money import ZERO, divided
from trader.paper.faces.binance.orderwords import position_side

Key = tuple[str, str]
"""Symbol and ``positionSide``."""


class Stake(msgspec.Struct, kw_only=True):
    """One position or place for one. ``notional`` and ``amount`` are negative for a short.

    ``initial`` is notional at mark / leverage, ``wallet`` the isolated margin without unrealised profit,
    ``bids`` and ``asks`` the value of resting orders, ``reserved`` the margin that they lock.
    """

    spec: ContractSpec
    side: str
    position: Position | None
    leverage: int
    margin_mode: MarginMode
    mark: Decimal
    amount: Decimal = ZERO
    notional: Decimal = ZERO
    unrealised: Decimal = ZERO
    initial: Decimal = ZERO
    maintenance: Decimal = ZERO
    wallet: Decimal = ZERO
    bids: Decimal = ZERO
    asks: Decimal = ZERO
    reserved: Decimal = ZERO

    @property
    def isolated(self) -> bool:
        return self.margin_mode is MarginMode.ISOLATED

    @property
    def busy(self) -> bool:
        return self.position is not None or bool(self.bids or self.asks)


class Exposure(msgspec.Struct):
    """Everything at one moment; ``stakes`` of what was asked for, the sums of all."""

    funds: Funds
    stakes: list[Stake]
    initial: Decimal = ZERO
    maintenance: Decimal = ZERO

    @property
    def unrealised(self) -> Decimal:
        return self.funds.isolated_unrealised + self.funds.crossed_unrealised

    @property
    def cross_wallet(self) -> Decimal:
        """The wallet without what binds to isolated positions."""
        return self.funds.wallet - self.funds.isolated

    @property
    def free(self) -> Decimal:
        return max(ZERO, self.funds.free)


def measure(engine: Engine, account: Account, specs: list[ContractSpec] | None = None) -> Exposure:
    """The stakes of ``specs`` (idle ones too), or of all symbols with a position or an order."""
    stakes = {key: _stake(engine, account, key) for key in _busy(account)}
    whole = Exposure(engine.funds(account), [])
    _count_orders(account, stakes)
    for stake in stakes.values():
        whole.initial += stake.initial
        whole.maintenance += stake.maintenance
    if specs is None:
        whole.stakes = list(stakes.values())
    else:
        whole.stakes = [
            stakes.get((spec.symbol, side)) or _stake(engine, account, (spec.symbol, side))
            for spec in specs
            for side in _places(account)
        ]
    return whole


def _places(account: Account) -> tuple[str, ...]:
    return ("BOTH",) if account.record.position_mode is PositionMode.ONE_WAY else ("LONG", "SHORT")


def _busy(account: Account) -> Iterator[Key]:
    mode = account.record.position_mode
    seen: set[Key] = set()
    found = [(position.symbol, position.side) for position in account.positions.values()]
    found += [(order.symbol, order.position_side) for order in account.orders.values()]
    for symbol, side in found:
        key = (symbol, position_side(mode, side))
        if key not in seen:
            seen.add(key)
            yield key


def _stake(engine: Engine, account: Account, key: Key) -> Stake:
    symbol, word = key
    state = engine.core.state(symbol)
    position = (
        account.netted(symbol)
        if word == "BOTH"
        else account.positions.get((symbol, PositionSide(word.lower())))
    )
    settings = account.settings(state.spec)
    mode = position.margin_mode if position else settings.margin_mode
    side = position.side if position else PositionSide.SHORT if word == "SHORT" else PositionSide.LONG
    stake = Stake(
        spec=state.spec,
        side=word,
        position=position,
        leverage=position.leverage if position else settings.leverage(mode, side),
        margin_mode=mode,
        mark=state.mark,
    )
    if position is not None:
        stake.amount = position.sign * position.size
        stake.notional = stake.amount * stake.mark
        stake.unrealised = position.unrealised(stake.mark)
        stake.initial = divided(abs(stake.notional), Decimal(stake.leverage))
        stake.maintenance = maths.maintenance(state.spec, position, stake.mark)
        stake.wallet = position.margin if stake.isolated else ZERO
    return stake


def _count_orders(account: Account, stakes: dict[Key, Stake]) -> None:
    mode = account.record.position_mode
    for order in account.orders.values():
        stake = stakes[order.symbol, position_side(mode, order.position_side)]
        value = order.price * order.remaining
        if order.side is Side.BUY:
            stake.bids += value
        else:
            stake.asks += value
        stake.reserved += order.locked
