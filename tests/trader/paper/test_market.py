"""The hub: states, overrides, openings, funding, statistics."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.errors import NotFoundError, UsageError
from trader.paper.book import Book
from trader.paper.contract import FUTURES, SPOT, default_spec, split_symbol, tiers_for
from trader.paper.market import (
    BookChanged,
    Funding,
    FundingDue,
    MarketEvent,
    MarketHub,
    PriceSet,
    StatusChanged,
    SymbolAdded,
    Traded,
)
from trader.paper.minutes import DAY_MINUTES, MINUTE, Minutes
from trader.paper.modelled import ModelledBook
from trader.paper.tapeclock import TapeClock

D = Decimal
START = 1_700_006_400 * clock.SECOND  # 2023-11-15 00:00 UTC
HOUR = 3600 * clock.SECOND


@pytest.fixture
def hub() -> MarketHub:
    return MarketHub(TapeClock(0.0, start_ns=START))


def listen(hub: MarketHub) -> list[MarketEvent]:
    events: list[MarketEvent] = []
    hub.subscribe(events.append)
    return events


def test_a_new_symbol_trades_at_once_around_its_price(hub: MarketHub) -> None:
    events = listen(hub)
    state = hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    assert hub.get(FUTURES, "BTCUSDT") is state
    assert state.trading
    bid, ask = state.book.best_bid, state.book.best_ask
    assert bid is not None
    assert ask is not None
    assert bid[0] < ask[0]
    assert abs(ask[0] - 60000) <= 5
    assert [type(event) for event in events] == [SymbolAdded]
    with pytest.raises(UsageError, match="exists already"):
        hub.add(default_spec("BTCUSDT", D(60000)), D(60000))


@pytest.mark.parametrize(
    ("price", "tick", "step"),
    [
        ("60000", "0.1", "0.0001"),
        ("2500", "0.01", "0.001"),
        ("3.2", "0.0001", "1"),
        ("0.0000123", "0.000000001", "1"),
    ],
)
def test_filters_that_are_guessed_from_a_price(price: str, tick: str, step: str) -> None:
    spec = default_spec("ABCUSDT", D(price))
    assert (spec.tick, spec.step) == (D(tick), D(step))
    assert "E" not in str(spec.step)


def test_symbols_are_split_by_their_quote() -> None:
    assert split_symbol("1000PEPEUSDT") == ("1000PEPE", "USDT")
    assert split_symbol("ETHBTC") == ("ETH", "BTC")
    for wrong in ("", "USDT", "btcusdt", "BTC-USDT", "X" * 50 + "USDT"):
        with pytest.raises(UsageError):
            split_symbol(wrong)


def test_tiers_join_without_gaps_and_get_stricter() -> None:
    tiers = tiers_for(125)
    assert tiers[0].start == 0
    assert tiers[0].leverage == 125
    for lower, upper in pairwise(tiers):
        assert lower.end == upper.start
        assert upper.leverage < lower.leverage
        assert upper.keep_margin_rate > lower.keep_margin_rate
    assert all(tier.keep_margin_rate < D(1) / tier.leverage for tier in tiers)


def test_an_override_holds_the_price_and_a_release_gives_it_back(hub: MarketHub) -> None:
    state = hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    hub.feed_price(state, D(60010), START + 1)
    events = listen(hub)
    hub.override_price("BTCUSDT", D("71234.56"))
    assert [type(event) for event in events] == [PriceSet, BookChanged]
    assert state.last == state.mark == state.index == D("71234.5")
    assert state.book.best_ask is not None
    assert abs(state.book.best_ask[0] - state.last) <= 5
    events.clear()
    hub.feed_price(state, D(60020), START + 2)
    hub.feed_trade(state, D(60020), D(1), "buy", START + 3)
    hub.feed_marks(state, D(60021), D(60022), START + 4)
    assert events == []
    assert state.last == state.mark == D("71234.5")
    hub.release_price("BTCUSDT")
    assert [type(event) for event in events] == [PriceSet, BookChanged]
    assert state.last == D(60020)
    assert (state.mark, state.index) == (D(60021), D(60022))
    assert state.book.best_ask is not None
    assert abs(state.book.best_ask[0] - 60020) <= 5


def test_a_book_of_the_tape_goes_on_behind_an_override(hub: MarketHub) -> None:
    book = Book(D("0.1"))
    state = hub.add(default_spec("BTCUSDT", D(60000)), D(60000), book=book)
    hub.override_price("BTCUSDT", D(50000))
    book.apply([("59999.9", "1")], [("60000.1", "1")])
    hub.feed_book(state, START + 5)
    assert state.book is not book
    hub.release_price("BTCUSDT")
    assert state.book is book
    assert state.book.best_bid == (D("59999.9"), D(1))


def test_without_a_tape_a_released_price_stays(hub: MarketHub) -> None:
    state = hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    hub.override_price("BTCUSDT", D(65000))
    hub.release_price("BTCUSDT")
    assert state.last == D(65000)
    assert state.book.best_ask is not None
    assert abs(state.book.best_ask[0] - 65000) <= 5


def test_wrong_prices_and_symbols_are_refused(hub: MarketHub) -> None:
    hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    with pytest.raises(NotFoundError, match="NOPEUSDT"):
        hub.override_price("NOPEUSDT", D(1))
    for price in ("0", "-5", "0.01", "NaN", "Infinity"):
        with pytest.raises(UsageError, match="price"):
            hub.override_price("BTCUSDT", D(price))


def test_an_override_reaches_spot_and_futures_of_the_name(hub: MarketHub) -> None:
    perp = hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    spot = hub.add(default_spec("BTCUSDT", D(60000), market=SPOT), D(60000))
    hub.override_price("BTCUSDT", D(61000))
    assert perp.last == spot.last == 61000


def test_a_symbol_with_a_later_opening_opens_then(hub: MarketHub) -> None:
    events = listen(hub)
    opens = START // clock.MILLISECOND + 60_000
    state = hub.add(default_spec("NEWUSDT", D(2), market=SPOT, open_time_ms=opens), D(2))
    assert state.status == "pre_open"
    assert state.book.depth() == ([], [])
    hub.tick(START + 59 * clock.SECOND)
    hub.feed_trade(state, D(3), D(1), "buy", START + 59 * clock.SECOND)
    traded_before = state.trading
    assert not state.trades
    hub.tick(START + 60 * clock.SECOND)
    assert (traded_before, state.trading) == (False, True)
    assert state.book.best_bid is not None
    assert [type(event) for event in events] == [SymbolAdded, StatusChanged, BookChanged]


def test_the_price_of_a_pre_open_symbol_can_be_set(hub: MarketHub) -> None:
    opens = START // clock.MILLISECOND + 1000
    state = hub.add(default_spec("NEWUSDT", D(2), open_time_ms=opens), D(2))
    hub.override_price("NEWUSDT", D(4))
    assert state.book.depth() == ([], [])
    hub.tick(START + clock.SECOND)
    assert state.book.best_ask is not None
    assert abs(state.book.best_ask[0] - 4) < D("0.1")


def test_funding_falls_due_on_the_grid_once_for_each_interval_of_a_leap(hub: MarketHub) -> None:
    state = hub.add(default_spec("BTCUSDT", D(60000), funding_interval_h=4), D(60000))
    assert state.next_funding_ns == START + 4 * HOUR
    events = listen(hub)
    hub.tick(START + 4 * HOUR - 1)
    assert events == []
    hub.tick(START + 13 * HOUR)
    due = [event for event in events if isinstance(event, FundingDue)]
    assert [event.ns for event in due] == [START + 4 * HOUR, START + 8 * HOUR, START + 12 * HOUR]
    assert {event.rate for event in due} == {D("0.0001")}
    assert {event.mark for event in due} == {D(60000)}
    assert state.next_funding_ns == START + 16 * HOUR


def test_a_funding_source_may_change_rate_and_interval(hub: MarketHub) -> None:
    state = hub.add(default_spec("LAYERUSDT", D(3)), D(3))
    plan = [Funding(START + 4 * HOUR, D("0.001"), 4), Funding(START + 5 * HOUR, D("-0.002"), 1)]
    last = Funding(START + 999 * HOUR, D(0), 8)
    hub.set_funding(state, source=lambda ns: next((item for item in plan if item.ns > ns), last))
    assert (state.funding_rate, state.funding_interval_h) == (D("0.001"), 4)
    events = listen(hub)
    hub.tick(START + 6 * HOUR)
    assert [(event.ns, event.rate) for event in events if isinstance(event, FundingDue)] == [
        (START + 4 * HOUR, D("0.001")),
        (START + 5 * HOUR, D("-0.002")),
    ]
    assert state.funding_interval_h == 8


def test_spot_pays_no_funding(hub: MarketHub) -> None:
    hub.add(default_spec("BTCUSDT", D(60000), market=SPOT), D(60000))
    events = listen(hub)
    hub.tick(START + 100 * HOUR)
    assert events == []


def test_the_mark_price_ignores_one_wild_trade_and_follows_a_lasting_move(hub: MarketHub) -> None:
    state = hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    second = clock.SECOND
    for index in range(1, 61):
        hub.feed_price(state, D(60000), START + index * second)
    hub.feed_trade(state, D(50000), D(1), "sell", START + 61 * second)
    hub.feed_book(state, START + 61 * second)
    assert state.last == 50000
    assert abs(state.mark - 60000) < 20
    for index in range(62, 300):
        hub.feed_price(state, D(63000), START + index * second)
    assert abs(state.mark - 63000) < 20
    assert abs(state.index - 63000) < 20


def test_trades_are_kept_counted_and_bounded(hub: MarketHub) -> None:
    state = hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    events = listen(hub)
    for index in range(250):
        hub.feed_trade(state, D(60000 + index), D("0.5"), "buy", START + index)
    assert len(state.trades) == 200
    assert len({trade.trade_id for trade in state.trades}) == 200
    traded = [event for event in events if isinstance(event, Traded)]
    assert len(traded) == 250
    assert (state.high_24h, state.low_24h, state.open_24h) == (D(60249), D(60000), D(60000))
    assert state.base_volume == 125
    assert state.quote_volume == sum((D(60000 + index) / 2 for index in range(250)), D(0))


def test_an_unsubscribed_listener_hears_nothing(hub: MarketHub) -> None:
    events: list[MarketEvent] = []
    hub.subscribe(events.append)
    hub.unsubscribe(events.append)
    hub.add(default_spec("BTCUSDT", D(60000)), D(60000))
    assert events == []


TRADES = st.lists(
    st.tuples(st.integers(0, 400), st.integers(90, 110), st.integers(0, 3)), min_size=1, max_size=60
)


@given(TRADES)
def test_statistics_of_the_day_equal_a_full_recount(steps: list[tuple[int, int, int]]) -> None:
    minutes = Minutes(D(100), START)
    now = START
    seen: list[tuple[int, Decimal, Decimal]] = [(START, D(100), D(0))]
    for passed, price, size in steps:
        now += passed * MINUTE // 3
        minutes.add(D(price), D(size), now)
        seen.append((now, D(price), D(size)))
    newest = now // MINUTE
    window = [item for item in seen if item[0] // MINUTE > newest - DAY_MINUTES]
    assert minutes.base_volume == sum((size for _, _, size in window), D(0))
    assert minutes.quote_volume == sum((price * size for _, price, size in window), D(0))
    # a silent minute carries the last close, which may be older than the window
    before = [price for ns, price, _ in seen if ns // MINUTE <= newest - DAY_MINUTES][-1:]
    prices = [price for _, price, _ in window]
    assert minutes.high_24h in {max(prices), max(prices + before)}
    assert minutes.low_24h in {min(prices), min(prices + before)}
    opens = [candle.open_ns for candle in minutes.candles]
    assert opens == list(range(opens[0], opens[0] + len(opens) * MINUTE, MINUTE))
    assert len(opens) <= DAY_MINUTES


@given(
    st.decimals(D("0.0001"), D("90000"), places=4),
    st.floats(0, 1e9),
    st.floats(0, 3),
    st.integers(0, 2**32),
)
def test_a_modelled_book_is_sound_and_repeats(
    price: Decimal, volume: float, volatility: float, salt: int
) -> None:
    spec = default_spec("ABCUSDT", price)
    books = [ModelledBook(spec, price, volume, volatility) for _ in range(2)]
    for book in books:
        book.move(price, salt)
    top = books[0].best_bid, books[0].best_ask
    assert books[0].depth() == books[1].depth()
    bids, asks = books[0].depth()
    assert (bids[0], asks[0]) == top
    assert bids[0][0] < asks[0][0]
    assert [level[0] for level in bids] == sorted((level[0] for level in bids), reverse=True)
    assert [level[0] for level in asks] == sorted(level[0] for level in asks)
    for level_price, size in [*bids, *asks]:
        assert level_price > 0
        assert size > 0
        assert level_price % spec.tick == 0
        assert size % spec.step == 0


def test_a_modelled_book_gets_thinner_with_volatility_and_deeper_with_volume() -> None:
    spec = default_spec("ETHUSDT", D(2500))

    def cost(volume: float, volatility: float) -> float:
        """Average price of 100 coins above the middle, as a fraction."""
        levels = ModelledBook(spec, D(2500), volume, volatility).walk("buy", D(100))
        assert sum(size for _, size in levels) == 100
        return float(sum(price * size for price, size in levels) / 100 / 2500 - 1)

    assert cost(1e6, 0.03) < cost(1e5, 0.03)
    assert cost(1e6, 0.03) < cost(1e6, 0.06)
    # the square-root law itself: what rests within x of the middle is V (x / s)^2, jitter averaged out
    asks = ModelledBook(spec, D(2500), 1e6, 0.03).asks()
    total = float(sum(size for _, size in asks))
    reach = float(asks[-1][0]) / 2500 - 1
    assert math.isclose(total, 1e6 * (reach / 0.03) ** 2, rel_tol=0.35)
