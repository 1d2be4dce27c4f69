"""What the engine keeps: orders, fills, positions, plans, ledger entries, accounts' own settings.

Money and sizes are exact ``Decimal``, sizes in base coin, times in UTC nanoseconds of the tape's
clock. Order side is the true trade direction (closing a long is a sell) whatever a face calls it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.contract import FUTURES
from trader.paper.engine.money import ZERO, divided


class Force(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class SelfTrade(StrEnum):
    """What happens when an order would trade with a resting one of its own account."""

    NONE = "none"
    CANCEL_TAKER = "cancel_taker"
    CANCEL_MAKER = "cancel_maker"
    CANCEL_BOTH = "cancel_both"


class MarginMode(StrEnum):
    ISOLATED = "isolated"
    CROSSED = "crossed"


class PositionMode(StrEnum):
    ONE_WAY = "one_way_mode"
    HEDGE = "hedge_mode"


class State(StrEnum):
    LIVE = "live"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"


class Ended(StrEnum):
    """Why an order that is not filled has ended (``Order.cancel_reason``)."""

    CLIENT = "normal_cancel"
    UNFILLED = "unfilled"
    """Nothing is left to trade with and it must not rest."""
    NOT_MAKER = "not_maker"
    """Post-only, and it would have taken."""
    AMENDED = "amended"
    """Its new size is not above what has traded."""
    EXPIRED = "expired"
    """Its time has come."""
    COUNTDOWN = "countdown"
    SELF_TRADE = "stp_cancel"
    REDUCE_ONLY = "reduce_only"
    MARGIN = "insufficient_margin"
    POSITION_CLOSED = "position_closed"
    LIQUIDATION = "liquidation"


class PriceMatch(StrEnum):
    """A limit price that is read from the book: the opposite side's, or the own side's, n-th best price."""

    NONE = ""
    OPPONENT = "opponent"
    OPPONENT_5 = "opponent_5"
    OPPONENT_10 = "opponent_10"
    OPPONENT_20 = "opponent_20"
    QUEUE = "queue"
    QUEUE_5 = "queue_5"
    QUEUE_10 = "queue_10"
    QUEUE_20 = "queue_20"


class Source(StrEnum):
    """What made an order."""

    CLIENT = "normal"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    POSITION_TAKE_PROFIT = "pos_take_profit"
    POSITION_STOP_LOSS = "pos_stop_loss"
    TRIGGER = "trigger"
    TRAILING_ENTRY = "trailing_entry"
    TRAILING_STOP = "trailing_stop"
    CLOSE_POSITIONS = "close_positions"
    REVERSAL = "reversal"
    MODIFIED = "modified"
    LIQUIDATION = "liquidation"
    REDUCTION = "reduction"
    """A part of a position, liquidated to bring the rest into a lower tier."""


class PlanKind(StrEnum):
    """Three families: conditional orders (the first two), protection of a position, and algo orders.

    ``POS_*`` guard the whole position, the others a part of it. ``TRACK``, ``MOVING`` and ``ALGO_TRAIL`` trail.
    Algo orders (:mod:`trader.paper.engine.algos`) need no position; what became of their order is followed.
    """

    NORMAL = "normal_plan"
    TRACK = "track_plan"
    MOVING = "moving_plan"
    POS_PROFIT = "pos_profit"
    POS_LOSS = "pos_loss"
    PROFIT = "profit_plan"
    LOSS = "loss_plan"
    ALGO_STOP = "algo_stop"
    ALGO_PROFIT = "algo_profit"
    ALGO_TRAIL = "algo_trail"

    @property
    def algo(self) -> bool:
        return self in (PlanKind.ALGO_STOP, PlanKind.ALGO_PROFIT, PlanKind.ALGO_TRAIL)

    @property
    def protects(self) -> bool:
        """False for conditional and algo orders, which need no position."""
        return self not in (PlanKind.NORMAL, PlanKind.TRACK) and not self.algo

    @property
    def trails(self) -> bool:
        return self in (PlanKind.TRACK, PlanKind.MOVING, PlanKind.ALGO_TRAIL)

    @property
    def takes_profit(self) -> bool:
        return self in (PlanKind.POS_PROFIT, PlanKind.PROFIT)

    @property
    def whole(self) -> bool:
        return self in (PlanKind.POS_PROFIT, PlanKind.POS_LOSS)


class Upkeep(StrEnum):
    """By which rule a position's maintenance is reckoned (:mod:`trader.paper.engine.maths`).

    ``RATE_AND_FEE``: rate and taker fee of the entry value's tier. ``BRACKET``: rate of the tier of the
    notional at mark, less what makes it continuous from tier to tier, without the fee.
    """

    RATE_AND_FEE = "rate_and_fee"
    BRACKET = "bracket"


class AccountRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the kind of an account decides inside the engine.

    ``strict_reduce_only``: a reduce-only order is refused when it would leave an older order of the same
    side to open what the account cannot pay. ``leverage``: of a symbol for which none was set.
    ``leverage_beside_orders``: it may be changed while orders rest. ``client_id``: what a client may call
    its order, a pattern for all of it.
    """

    upkeep: Upkeep = Upkeep.RATE_AND_FEE
    strict_reduce_only: bool = False
    leverage: int = 10
    leverage_beside_orders: bool = False
    client_id: str = r"[0-9A-Za-z_:#\-+ ]{1,64}"


class Reference(StrEnum):
    """Which price a trigger watches."""

    LAST = "last"
    MARK = "mark"


class PlanState(StrEnum):
    LIVE = "live"
    EXECUTED = "executed"
    FAILED = "fail_execute"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Ended by the exchange before it was triggered."""
    TRIGGERING = "triggering"
    """Never kept: its price has come, its order is about to be placed."""
    TRIGGERED = "triggered"
    """Its order is there and has not ended."""
    FINISHED = "finished"
    """Its order has ended."""


class Kind(StrEnum):
    """Ledger entry kinds. Negative amounts leave the wallet."""

    DEPOSIT = "deposit"
    OPEN_FEE = "open_fee"
    CLOSE_FEE = "close_fee"
    REALISED_PNL = "realised_pnl"
    FUNDING = "funding"
    LIQUIDATION_FEE = "liquidation_fee"
    INSURANCE = "insurance"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    SPOT_BUY = "spot_buy"
    SPOT_SELL = "spot_sell"
    SPOT_FEE = "spot_fee"


#: The wallets of an account, as the ledger calls them. A unified account's USDT is in the first, spot or not.
FUTURES_WALLET = "futures"
SPOT_WALLET = "spot"
#: What the futures wallet holds.
QUOTE_COIN = "USDT"


class BillKind(StrEnum):
    """What an account's statement calls a movement: by position in hedge mode, by trade in one-way mode."""

    OPEN_LONG = "open_long"
    OPEN_SHORT = "open_short"
    CLOSE_LONG = "close_long"
    CLOSE_SHORT = "close_short"
    REDUCED_LONG = "reduced_long"
    REDUCED_SHORT = "reduced_short"
    LIQUIDATED_LONG = "liquidated_long"
    LIQUIDATED_SHORT = "liquidated_short"
    BUY = "buy"
    SELL = "sell"
    REDUCED_BUY = "reduced_buy"
    REDUCED_SELL = "reduced_sell"
    LIQUIDATED_BUY = "liquidated_buy"
    LIQUIDATED_SELL = "liquidated_sell"
    FUNDING = "funding"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    ADD_MARGIN = "add_margin"
    REMOVE_MARGIN = "remove_margin"
    AUTO_MARGIN = "auto_margin"


def exit_side(side: PositionSide) -> Side:
    """The trade that closes a position of that side."""
    return Side.SELL if side is PositionSide.LONG else Side.BUY


def entry_side(side: PositionSide) -> Side:
    return Side.BUY if side is PositionSide.LONG else Side.SELL


def opened_by(side: Side) -> PositionSide:
    """The position that a trade opens."""
    return PositionSide.LONG if side is Side.BUY else PositionSide.SHORT


def closed_by(side: Side) -> PositionSide:
    """The position that a trade closes."""
    return PositionSide.SHORT if side is Side.BUY else PositionSide.LONG


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """Protection that rides on an order; ``None`` = none. Execute price ``None`` = market.

    ``paired``: the two become one, of which the one that is executed takes the other with it.
    On a trailing entry the two values are percentages of the price at which it will trade.
    """

    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit_execute: Decimal | None = None
    stop_loss_execute: Decimal | None = None
    take_profit_reference: Reference = Reference.LAST
    stop_loss_reference: Reference = Reference.LAST
    paired: bool = False


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a face hands it in. ``hedge_close`` is ``None`` when the client did not say.

    ``strict``: a post-only order that would take and a fill-or-kill order that cannot fill are refused
    instead of cancelled. With a ``match`` the price is read from the book and none is given. ``expires_ns``
    0 = never. ``plan_id`` is the plan that it comes from; ``closes_all`` only marks it.
    """

    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    margin_mode: MarginMode
    price: Decimal | None = None
    force: Force = Force.GTC
    client_id: str = ""
    hedge_close: bool | None = None
    reduce_only: bool = False
    preset: Preset = Preset()
    point: str = "API"
    self_trade: SelfTrade = SelfTrade.NONE
    market: str = FUTURES
    source: Source = Source.CLIENT
    strict: bool = False
    match: PriceMatch = PriceMatch.NONE
    expires_ns: int = 0
    plan_id: int = 0
    closes_all: bool = False


class Amendment(msgspec.Struct, frozen=True):
    """One change of an order in place: prices and sizes before and after it; ``number`` counts from 1."""

    id: int
    number: int
    ns: int
    price: tuple[Decimal, Decimal]
    size: tuple[Decimal, Decimal]


class Order(msgspec.Struct, kw_only=True):
    """``value`` is the sum of price x size of its fills; ``locked`` the margin it reserves while resting.

    ``closing`` orders can only shrink a position (reduce-only, or a hedge-mode close) and then
    ``position_side`` is that position; for the others it is the position they would open.
    ``ahead`` is the size of the tape's book that a resting order has in front of it at its price, ``turn``
    its place among this exchange's own orders there (0: that of its id). ``amendments`` counts how often
    price or size were changed, ``amended`` holds the newest of the changes; ``expires_ns`` 0 = never.
    """

    id: int
    account: int
    symbol: str
    client_id: str
    side: Side
    position_side: PositionSide
    type: OrderType
    force: Force
    price: Decimal
    size: Decimal
    margin_mode: MarginMode
    leverage: int
    mode: PositionMode
    closing: bool
    reduce_only: bool
    source: Source
    point: str
    created_ns: int
    updated_ns: int
    preset: Preset = Preset()
    state: State = State.LIVE
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    profit: Decimal = ZERO
    locked: Decimal = ZERO
    cancel_reason: str = ""
    liquidation_price: Decimal = ZERO
    self_trade: SelfTrade = SelfTrade.NONE
    market: str = FUTURES
    ahead: Decimal = ZERO
    turn: int = 0
    amendments: int = 0
    amended: tuple[Amendment, ...] = ()
    match: PriceMatch = PriceMatch.NONE
    expires_ns: int = 0
    plan_id: int = 0
    closes_all: bool = False

    @property
    def remaining(self) -> Decimal:
        return self.size - self.filled

    @property
    def live(self) -> bool:
        return self.state is State.LIVE or self.state is State.PARTIALLY_FILLED

    @property
    def average(self) -> Decimal:
        return divided(self.value, self.filled) if self.filled else ZERO


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of one order. ``fee`` is negative when paid; ``profit`` excludes fees and funding."""

    id: int
    order_id: int
    account: int
    symbol: str
    client_id: str
    side: Side
    position_side: PositionSide
    closing: bool
    type: OrderType
    mode: PositionMode
    source: Source
    point: str
    price: Decimal
    size: Decimal
    value: Decimal
    fee: Decimal
    profit: Decimal
    taker: bool
    ns: int


class Position(msgspec.Struct, kw_only=True):
    """``open_value`` is entry price x size of what is held; ``margin`` binds only when isolated.

    ``frozen`` is the size that resting closing orders claim. The ``opened_*`` and ``closed_*`` sums
    and the fees cover the position's whole life (for its history row). ``auto_margin`` appends free
    money at the liquidation price; ``funded_ns`` is the time of the last settlement it took part in.
    """

    id: int
    account: int
    symbol: str
    side: PositionSide
    margin_mode: MarginMode
    leverage: int
    mode: PositionMode
    created_ns: int
    updated_ns: int
    size: Decimal = ZERO
    open_value: Decimal = ZERO
    margin: Decimal = ZERO
    frozen: Decimal = ZERO
    profit: Decimal = ZERO
    funding: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_fee: Decimal = ZERO
    opened_size: Decimal = ZERO
    opened_value: Decimal = ZERO
    closed_size: Decimal = ZERO
    closed_value: Decimal = ZERO
    auto_margin: bool = False
    funded_ns: int = 0
    upkeep: Upkeep = Upkeep.RATE_AND_FEE

    @property
    def entry(self) -> Decimal:
        return divided(self.open_value, self.size) if self.size else ZERO

    @property
    def sign(self) -> int:
        return 1 if self.side is PositionSide.LONG else -1

    def unrealised(self, mark: Decimal) -> Decimal:
        """(M - E) q for a long, (E - M) q for a short."""
        return self.sign * (mark * self.size - self.open_value)

    def initial_margin(self) -> Decimal:
        """What binds: its own margin when isolated, entry value / leverage when crossed."""
        if self.margin_mode is MarginMode.ISOLATED:
            return self.margin
        return divided(self.open_value, Decimal(self.leverage))


class Plan(msgspec.Struct, kw_only=True):
    """Something that becomes an order when a price reaches ``trigger``.

    ``side`` is the position that it closes or opens. ``size`` 0 = the whole position; ``execute``
    ``None`` = at market, else the limit price. Protection needs no more than that.

    Conditional orders have ``trade`` (the true side), ``hedge_close``, ``reduce_only`` and
    ``preset``. ``rising`` tells from which side the price must come to their trigger, and to that of
    any trailing plan. ``sibling`` is the other half of a take profit and stop loss that belong together:
    when one is executed the other is cancelled. A trailing plan that has reached it is ``active``: it fires when the price turns
    ``ratio`` percent away from its ``extreme`` since then (as last stored: the index holds the live one).

    Algo orders have what their order will have (``force``, ``match``, ``expires_ns``), whether it closes all
    that is held then (``closes_all``, with ``size`` 0), and whether it may trade while last and mark price
    are far apart (``price_protect``). ``failure`` is a :class:`Reason` or :class:`Ended`.
    """

    id: int
    account: int
    symbol: str
    client_id: str
    kind: PlanKind
    side: PositionSide
    trigger: Decimal
    reference: Reference
    execute: Decimal | None
    size: Decimal
    mode: PositionMode
    margin_mode: MarginMode
    created_ns: int
    updated_ns: int
    state: PlanState = PlanState.LIVE
    execute_order_id: int = 0
    market: str = "futures"
    trade: Side | None = None
    hedge_close: bool | None = None
    reduce_only: bool = False
    preset: Preset = Preset()
    rising: bool = False
    ratio: Decimal = ZERO
    active: bool = False
    extreme: Decimal = ZERO
    executed_size: Decimal = ZERO
    failure: str = ""
    self_trade: SelfTrade = SelfTrade.NONE
    force: Force = Force.GTC
    match: PriceMatch = PriceMatch.NONE
    expires_ns: int = 0
    closes_all: bool = False
    price_protect: bool = False
    triggered_ns: int = 0
    executed_price: Decimal = ZERO
    failure_detail: str = ""
    sibling: int = 0

    @property
    def fires_above(self) -> bool:
        """Whether ``trigger`` is reached from below. Long profit and short loss are."""
        if self.kind.trails or not self.kind.protects:
            return self.rising
        return self.kind.takes_profit == (self.side is PositionSide.LONG)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger line; ``seq`` counts from 1 per account, ``balance`` is the wallet's ``coin`` after it."""

    account: int
    seq: int
    ns: int
    kind: Kind
    ref: str
    symbol: str
    amount: Decimal
    balance: Decimal
    coin: str = QUOTE_COIN
    wallet: str = FUTURES_WALLET


class Bill(msgspec.Struct, kw_only=True):
    """One line of the statement. ``amount`` and ``fee`` are signed and exclude each other.

    Together they are what the wallet gained; for moves of margin inside the wallet ``amount`` is what
    the position's margin gained, and ``side`` is that position. ``balance`` is the wallet afterwards.
    """

    id: int
    account: int
    ns: int
    kind: BillKind
    symbol: str
    amount: Decimal
    fee: Decimal
    balance: Decimal
    coin: str = "USDT"
    side: PositionSide | None = None


class ClientIds(StrEnum):
    """Among what an order's client id must be unique: documented is ``PENDING``."""

    PENDING = "pending"
    ALWAYS = "always"


class SymbolSettings(msgspec.Struct, kw_only=True):
    margin_mode: MarginMode
    long_leverage: int
    short_leverage: int
    cross_leverage: int

    def leverage(self, mode: MarginMode, side: PositionSide) -> int:
        if mode is MarginMode.CROSSED:
            return self.cross_leverage
        return self.long_leverage if side is PositionSide.LONG else self.short_leverage


class AccountKind(StrEnum):
    """Which interface an account is for. The first two are Bitget's: its old accounts, and those of since 2026."""

    CLASSIC = "classic"
    UNIFIED = "unified"
    BINANCE = "binance"


_PLAIN = AccountRules()
_RULES = {
    AccountKind.UNIFIED: AccountRules(leverage=20, client_id=r"[.A-Z:/a-z0-9_-]{1,32}"),
    AccountKind.BINANCE: AccountRules(
        upkeep=Upkeep.BRACKET,
        strict_reduce_only=True,
        leverage=20,
        leverage_beside_orders=True,
        client_id=r"[.A-Za-z:/0-9_-]{1,36}",
    ),
}


class AccountRecord(msgspec.Struct, kw_only=True):
    """What is stored of an account. The secret and the passphrase never leave the state file and the answer to their creation.

    ``wallet`` is the futures wallet, ``spot`` the coins of the spot wallet (what orders have locked
    included), ``spot_ns`` when each of them last changed. A unified account has one wallet: ``wallet`` is
    its USDT, for contracts and spot alike, and ``spot`` the other coins beside it.

    ``second_key`` is a Binance account's key for requests signed with the private half of ``public_key``
    (Ed25519, PEM), "" when it has none. ``countdowns`` are the times at which all orders of a symbol will be
    cancelled unless they are put off before.
    """

    id: int
    key: str
    secret: str
    passphrase: str
    kind: AccountKind
    label: str
    created_ns: int
    position_mode: PositionMode = PositionMode.ONE_WAY
    wallet: Decimal = ZERO
    seq: int = 0
    settings: dict[str, SymbolSettings] = {}
    client_ids: ClientIds = ClientIds.PENDING
    spot: dict[str, Decimal] = {}
    spot_ns: dict[str, int] = {}
    countdowns: dict[str, int] = {}
    second_key: str = ""
    public_key: str = ""

    @property
    def unified(self) -> bool:
        """Contracts and spot share one wallet of USDT."""
        return self.kind is AccountKind.UNIFIED

    def home(self, wallet: str, coin: str) -> str:
        """The wallet that holds the coin; ``wallet`` is the one that was named."""
        if not self.unified:
            return wallet
        return FUTURES_WALLET if coin == QUOTE_COIN else SPOT_WALLET

    @property
    def rules(self) -> AccountRules:
        return _RULES.get(self.kind, _PLAIN)

    def __repr__(self) -> str:
        return f"AccountRecord(id={self.id}, kind={self.kind!r}, label={self.label!r})"
