"""Spot orders queue, meet and consume as contracts do; money stays exact on the way."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest

from shared.domain.order import OrderType, Side
from tests.trader.paper.bench import Bench
from trader.paper.book import Book
from trader.paper.contract import SPOT, default_spec
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import AccountKind, AccountRecord, Force, SelfTrade, State
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.engine.spot_model import NewSpotOrder, SpotOrder
from trader.paper.market import MarketState

D = Decimal
SYMBOL = "XUSDT"
BIDS = [("99", "2"), ("98", "3")]
ASKS = [("101", "2"), ("102", "3"), ("110", "5")]


class Pit:
    """A spot market of one symbol whose book the test writes."""

    def __init__(self) -> None:
        self.bench = Bench()
        spec = default_spec(SYMBOL, D(100), market=SPOT, tick=D("0.01"), step=D("0.01"))
        self.state: MarketState = self.bench.hub.add(spec, D(100), book=Book(spec.tick))
        self.book(BIDS, ASKS)

    def book(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        self.state.tape_book.snapshot(bids, asks)
        self.bench.hub.feed_book(self.state, self.bench.now())

    def trade(self, price: str, size: str, taker: Literal["buy", "sell"]) -> None:
        self.bench.hub.feed_trade(self.state, D(price), D(size), taker, self.bench.now())

    def account(self) -> Account:
        number = len(self.bench.engine.accounts) + 1
        record = AccountRecord(
            id=0,
            key=f"k{number}",
            secret="s",
            passphrase="p",
            kind=AccountKind.CLASSIC,
            label="",
            created_ns=0,
        )
        return self.bench.engine.open_account(record, D(0), {"USDT": D(10_000), "X": D(100)})

    def order(
        self,
        account: Account,
        side: str,
        size: str,
        price: str | None = None,
        *,
        force: Force = Force.GTC,
        stp: SelfTrade = SelfTrade.NONE,
    ) -> SpotOrder:
        new = NewSpotOrder(
            symbol=SYMBOL,
            side=Side(side),
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            size=D(size),
            price=None if price is None else D(price),
            force=force,
            self_trade=stp,
            by_value=price is None and side == "buy",
        )
        return self.bench.engine.spot.place(account, new)

    def prices(self, account: Account, order: SpotOrder) -> list[tuple[Decimal, Decimal]]:
        found = self.bench.engine.spot.store.fills(account.id, SpotQuery(order_id=order.id))
        return [(fill.price, fill.size) for fill in reversed(found)]


@pytest.fixture
def pit() -> Pit:
    return Pit()


def test_a_resting_order_waits_for_what_stood_before_it(pit: Pit) -> None:
    account = pit.account()
    order = pit.order(account, "buy", "1", "99")
    assert (order.ahead, account.spot.locked.get("USDT", D(0))) == (D(2), D(99))
    pit.trade("99", "1.5", "sell")
    assert order.filled == 0
    pit.trade("99", "0.9", "sell")  # 0.5 were in front
    assert (order.state, order.filled) == (State.PARTIALLY_FILLED, D("0.4"))
    assert account.spot.locked.get("USDT", D(0)) == D("59.4")
    assert account.record.spot["X"] == D("100.3996")  # 0.4 less 0.1 %
    pit.trade("98.5", "0.5", "sell")
    assert order.filled == D("0.9")
    pit.book([("97", "1")], [("98.5", "9")])
    assert (order.state, account.spot.locked.get("USDT", D(0))) == (State.FILLED, D(0))
    assert pit.prices(account, order) == [(D(99), D("0.4")), (D(99), D("0.5")), (D(99), D("0.1"))]


def test_a_market_buy_meets_other_accounts_and_spends_no_more_than_it_may(pit: Pit) -> None:
    seller, buyer = pit.account(), pit.account()
    resting = pit.order(seller, "sell", "1", "100")
    order = pit.order(buyer, "buy", "250")
    assert pit.prices(buyer, order) == [(D(100), D(1)), (D(101), D("1.48"))]  # 149.48, 0.52 stay
    assert resting.state is State.FILLED
    assert buyer.record.spot == {"USDT": D("9750.52"), "X": D("102.47752")}
    assert seller.record.spot == {"USDT": D("10099.9"), "X": D(99)}


def test_what_was_taken_is_gone_for_the_next(pit: Pit) -> None:
    first, second = pit.account(), pit.account()
    pit.order(first, "sell", "1.5")
    assert pit.prices(second, pit.order(second, "sell", "1")) == [(D(99), D("0.5")), (D(98), D("0.5"))]
    fok = pit.order(first, "sell", "1", "99", force=Force.FOK)
    assert (fok.state, fok.filled) == (State.CANCELED, D(0))


@pytest.mark.parametrize(
    ("rule", "taker", "maker"),
    [
        (SelfTrade.NONE, (State.FILLED, "1.5"), (State.FILLED, "1")),
        (SelfTrade.CANCEL_TAKER, (State.CANCELED, "0"), (State.LIVE, "0")),
        (SelfTrade.CANCEL_MAKER, (State.FILLED, "1.5"), (State.CANCELED, "0")),
        (SelfTrade.CANCEL_BOTH, (State.CANCELED, "0"), (State.CANCELED, "0")),
    ],
)
def test_self_trades(pit: Pit, rule: SelfTrade, taker: tuple[State, str], maker: tuple[State, str]) -> None:
    account = pit.account()
    resting = pit.order(account, "buy", "1", "100")
    order = pit.order(account, "sell", "1.5", stp=rule)
    assert (order.state, order.filled) == (taker[0], D(taker[1]))
    assert (resting.state, resting.filled) == (maker[0], D(maker[1]))
    assert account.spot.locked.get("USDT", D(0)) == (D(100) if resting.live else 0)


def test_two_rest_in_the_order_of_their_coming_and_survive_a_restart(pit: Pit) -> None:
    one, two = pit.account(), pit.account()
    first, second = pit.order(one, "sell", "1", "101"), pit.order(two, "sell", "1", "101")
    pit.trade("101", "2.3", "buy")
    assert (first.filled, second.filled) == (D("0.3"), D(0))
    pit.trade("101.5", "1", "buy")
    assert (first.filled, second.filled) == (D(1), D("0.3"))
    stored = pit.bench.store.load().spot.orders
    assert [(order.id, order.filled) for order in stored] == [(second.id, D("0.3"))]


def test_a_trade_beyond_the_price_fills_no_more_than_its_size(pit: Pit) -> None:
    account = pit.account()
    order = pit.order(account, "sell", "0.5", "102")
    assert account.spot.frozen("X") == D("0.5")
    pit.trade("103", "0.4", "sell")
    assert (order.state, order.filled, account.spot.frozen("X")) == (
        State.PARTIALLY_FILLED,
        D("0.4"),
        D("0.1"),
    )
    pit.trade("102", "9", "sell")  # a seller at this price met the other side
    assert order.filled == D("0.4")
    pit.bench.engine.spot.cancel(account, order)
    assert account.spot.locked == {}
    assert account.record.spot == {"USDT": D("10040.7592"), "X": D("99.6")}  # 40.8 less 0.1 %


def test_the_other_side_coming_fills_what_it_holds(pit: Pit) -> None:
    order = pit.order(pit.account(), "buy", "0.5", "100")
    pit.book([("98", "5")], [("99.5", "0.1"), ("100", "0.1"), ("100.5", "5")])
    assert (order.state, order.filled) == (State.PARTIALLY_FILLED, D("0.2"))
    pit.bench.hub.feed_book(pit.state, pit.bench.now())  # the same book again gives nothing twice
    assert order.filled == D("0.2")


def test_at_one_price_the_tape_comes_first_where_it_was_first(pit: Pit) -> None:
    maker, seller = pit.order(pit.account(), "buy", "0.2", "99"), pit.account()
    taker = pit.order(seller, "sell", "2.1")
    assert pit.prices(seller, taker) == [(D(99), D(2)), (D(99), D("0.1"))]
    assert (maker.filled, maker.ahead) == (D("0.1"), D(0))


def test_time_in_force_counts_what_other_accounts_offer(pit: Pit) -> None:
    seller, buyer = pit.account(), pit.account()
    resting = pit.order(seller, "sell", "0.6", "100")
    post = pit.order(buyer, "buy", "0.1", "100", force=Force.POST_ONLY)
    fok = pit.order(buyer, "buy", "0.7", "100", force=Force.FOK)
    assert [(one.state, one.filled) for one in (post, fok)] == [
        (State.CANCELED, D(0)),
        (State.CANCELED, D(0)),
    ]
    assert pit.order(buyer, "buy", "0.5", "100", force=Force.FOK).state is State.FILLED
    ioc = pit.order(buyer, "buy", "0.5", "100", force=Force.IOC)
    assert (ioc.state, ioc.filled, ioc.cancel_reason) == (State.CANCELED, D("0.1"), "unfilled")
    assert (resting.state, seller.spot.locked, buyer.spot.locked) == (State.FILLED, {}, {})


@pytest.mark.parametrize(
    ("rule", "got", "reason", "maker"),
    [
        (SelfTrade.NONE, [("100", "1"), ("101", "1.48")], "", State.FILLED),
        (SelfTrade.CANCEL_TAKER, [], "stp_cancel", State.LIVE),
        (SelfTrade.CANCEL_MAKER, [("101", "2"), ("102", "0.47")], "", State.CANCELED),
        (SelfTrade.CANCEL_BOTH, [], "stp_cancel", State.CANCELED),
    ],
)
def test_self_trades_of_a_buy_by_value(
    pit: Pit, rule: SelfTrade, got: list[tuple[str, str]], reason: str, maker: State
) -> None:
    """250 are to be spent: 100 + 1.48 x 101 = 249.48, or 2 x 101 + 0.47 x 102 = 249.94."""
    account = pit.account()
    resting = pit.order(account, "sell", "1", "100")
    order = pit.order(account, "buy", "250", stp=rule)
    assert pit.prices(account, order) == [(D(price), D(size)) for price, size in got]
    assert (order.cancel_reason, resting.state) == (reason, maker)
    assert account.spot.locked == ({"X": D(1)} if resting.live else {})


def test_post_only_does_not_rest_across_an_own_order(pit: Pit) -> None:
    account = pit.account()
    resting = pit.order(account, "sell", "1", "100")
    order = pit.order(account, "buy", "1", "100", force=Force.POST_ONLY, stp=SelfTrade.CANCEL_TAKER)
    assert (order.state, resting.state) == (State.CANCELED, State.LIVE)


def test_the_self_trade_rule_acts_only_when_its_turn_comes(pit: Pit) -> None:
    account = pit.account()
    resting = pit.order(account, "sell", "1", "102")
    order = pit.order(account, "buy", "4", "102", stp=SelfTrade.CANCEL_TAKER)
    assert (order.state, resting.state, resting.ahead) == (State.FILLED, State.LIVE, D(1))


def waiting(pit: Pit, account: Account, price: str | None, stp: SelfTrade = SelfTrade.NONE) -> SpotOrder:
    """A sell of 1 that goes to market when the last price rises to 100.2."""
    new = NewSpotOrder(
        symbol=SYMBOL,
        side=Side.SELL,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        size=D(1),
        price=None if price is None else D(price),
        trigger=D("100.2"),
        self_trade=stp,
    )
    return pit.bench.engine.spot.place(account, new)


def test_an_order_that_waited_stands_behind_who_rested_before_it(pit: Pit) -> None:
    late, account = waiting(pit, pit.account(), "100.5"), pit.account()
    early = pit.order(account, "sell", "1", "100.5")
    pit.trade("100.2", "0.1", "buy")
    assert not late.waiting
    pit.trade("100.5", "1.4", "buy")
    assert (early.filled, late.filled) == (D(1), D("0.4"))
    pit.bench.engine.spot.cancel(pit.bench.engine.accounts[0], late)
    assert late.state is State.CANCELED


def test_a_triggered_order_that_its_own_rule_stops_is_over(pit: Pit) -> None:
    account = pit.account()
    resting = pit.order(account, "buy", "1", "100")
    order = waiting(pit, account, None, SelfTrade.CANCEL_TAKER)
    pit.trade("100.2", "0.1", "buy")
    assert (order.state, order.cancel_reason, resting.state) == (State.CANCELED, "stp_cancel", State.LIVE)
    assert account.spot.locked == {"USDT": D(100)}
