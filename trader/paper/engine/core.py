"""The shared heart of the engine: time, ids, markets, accounts, the ledger, and the open batch."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from trader.paper import shortids
from trader.paper.contract import FUTURES, ContractSpec
from trader.paper.engine import bills
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch, StateLostError, Store
from trader.paper.engine.index import SymbolIndex
from trader.paper.engine.model import (
    FUTURES_WALLET,
    QUOTE_COIN,
    AccountRecord,
    Entry,
    Kind,
    Order,
    Plan,
    Position,
)
from trader.paper.engine.money import ZERO, negated, plus
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_floor import Floor
from trader.paper.engine.timers import Timers
from trader.paper.engine.watching import Watching
from trader.paper.market import MarketHub, MarketState

#: Bitget's order ids are snowflakes of 19 digits: milliseconds since an epoch of its own, shifted.
_EPOCH_MS = 1_420_070_400_000
_LOWEST_ID = ((10**18 >> shortids.SHIFT) + 1) << shortids.SHIFT

Listener = Callable[[list[Batch]], None]


class Core:
    """State and bookkeeping that orders, positions, protection and liquidation share."""

    def __init__(self, hub: MarketHub, store: Store) -> None:
        self.hub = hub
        self.store = store
        self.now_ns = hub.now_ns
        self.accounts: dict[int, Account] = {}
        self.by_key: dict[str, Account] = {}
        self.symbols: dict[tuple[str, str], SymbolIndex] = {}
        self.live_orders: dict[int, Order] = {}
        self.resting: set[int] = set()
        self.live_plans: dict[int, Plan] = {}
        self.watches: dict[tuple[str, str], Watching] = {}
        self.open_positions: dict[int, Position] = {}
        self.liquidation_prices: dict[int, Decimal] = {}
        self.doubtful: dict[int, bool] = {}
        self.totals: dict[tuple[Kind, str], Decimal] = {}
        self.timers = Timers()
        self.spot = Floor()
        self.listeners: list[Listener] = []
        self.last_id = 0
        store.on_stored = self._stored
        self.batch = Batch()

    # time

    def command_time(self) -> None:
        """A client acts: its time is the clock's, or the market's when a leap has outrun it."""
        if self.store.failed:
            raise StateLostError("an earlier change could not be stored: the exchange must be started again")
        self.now_ns = max(self.now_ns, self.hub.clock.now_ns(), self.hub.now_ns)

    def event_time(self) -> None:
        """The market acts: during a leap of the clock its events carry their own, earlier times."""
        self.now_ns = self.hub.now_ns

    # markets

    def state(self, symbol: str, market: str = FUTURES) -> MarketState:
        state = self.hub.states.get((market, symbol))
        if state is None:
            raise Refused(Reason.UNKNOWN_SYMBOL, symbol)
        return state

    def spec(self, symbol: str, market: str = FUTURES) -> ContractSpec:
        return self.state(symbol, market).spec

    def index(self, symbol: str, market: str = FUTURES) -> SymbolIndex:
        found = self.symbols.get((market, symbol))
        if found is None:
            found = self.symbols[market, symbol] = SymbolIndex()
        return found

    def watching(self, market: str, symbol: str) -> Watching:
        """The triggers that wait for a symbol's prices, made when first asked for."""
        found = self.watches.get((market, symbol))
        if found is None:
            found = self.watches[(market, symbol)] = Watching()
        return found

    def mark(self, position: Position) -> Decimal:
        """The mark price; a symbol that the tape does not carry stands at the entry price."""
        state = self.hub.states.get((FUTURES, position.symbol))
        return state.mark if state is not None and state.mark else position.entry

    # ids and accounts

    def next_id(self) -> int:
        """Unique, growing, 19 digits; grows with tape time but never depends on it being sane."""
        stamp = (self.now_ns // 1_000_000 - _EPOCH_MS) << shortids.SHIFT
        self.last_id = max(shortids.following(self.last_id), stamp, _LOWEST_ID)
        return self.last_id

    def adopt(self, record: AccountRecord) -> Account:
        account = self.accounts[record.id] = Account(record)
        self.by_key[record.key] = account
        if record.second_key:
            self.by_key[record.second_key] = account
        return account

    def doubt(self, account: Account) -> None:
        """Liquidation judges the account anew before the command or event ends.

        Due whenever its wallet or a position changes, whichever the symbol: a loss on one takes from
        what backs the crossed positions on others, whose marks may stand still.
        """
        account.safe.clear()
        self.doubtful[account.id] = True

    # the ledger

    def post(
        self,
        account: Account,
        kind: Kind,
        ref: int,
        symbol: str,
        amount: Decimal,
        *,
        coin: str = QUOTE_COIN,
        wallet: str = FUTURES_WALLET,
    ) -> None:
        """Book one amount: into the wallet, and out of the counter account of its kind and coin.

        The sum of a coin in all wallets and all counter accounts never changes: nothing appears or
        vanishes. Zero amounts leave no line. A unified account has one wallet, whichever is named.
        """
        if not amount:
            return
        record = account.record
        wallet = record.home(wallet, coin)
        if wallet == FUTURES_WALLET:
            record.wallet = balance = plus(record.wallet, amount)
            self.doubt(account)
            self.batch.accounts[record.id] = record
        else:
            record.spot[coin] = balance = plus(record.spot.get(coin, ZERO), amount)
            record.spot_ns[coin] = self.now_ns
            self.batch.spot.touch(record, coin)
        record.seq += 1
        key = (kind, coin)
        self.totals[key] = self.batch.totals[key] = plus(self.totals.get(key, ZERO), negated(amount))
        self.batch.entries.append(
            Entry(
                account=record.id,
                seq=record.seq,
                ns=self.now_ns,
                kind=kind,
                ref=str(ref),
                symbol=symbol,
                amount=amount,
                balance=balance,
                coin=coin,
                wallet=wallet,
            )
        )

    # the batch

    def touch(self, account: Account) -> None:
        """The account's own record changed (settings, modes, money)."""
        self.batch.accounts[account.id] = account.record

    def commit(self) -> None:
        """Hand on what changed; listeners hear when it is stored. Called at the end of every command and event."""
        if not self.batch:
            return
        bills.draw(self.batch, self.next_id)
        batch, self.batch = self.batch, Batch()
        self.store.write(batch)

    def _stored(self, batches: list[Batch]) -> None:
        for listener in self.listeners:
            listener(batches)
