from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instrument import Instrument, InstrumentStatus, Market, Venue
from shared.domain.notice import NoticeKind
from shared.rules import preferences
from shared.rules.listing import EntryPlan, Refusal, plan_entry, size_for, take_profit_price, wants

D = Decimal
INSTRUMENT = Instrument(
    id="bitget:perp:NEW-USDT",
    venue=Venue.BITGET,
    market=Market.PERP,
    symbol="NEWUSDT",
    base="NEW",
    quote="USDT",
    tick=D("0.001"),
    step=D("0.1"),
    min_size=D("0.1"),
    min_notional=D(5),
    max_leverage=20,
)


def chosen(**values: str) -> preferences.ListingPreferences:
    return preferences.resolve({}, {}, {f"listing.{name}": value for name, value in values.items()})


def plan(instrument: Instrument = INSTRUMENT, price: str = "2.5", **values: str) -> EntryPlan:
    result = plan_entry(chosen(**values), instrument, D(price), D("0.10"))
    assert isinstance(result, EntryPlan)
    return result


def refusal(instrument: Instrument = INSTRUMENT, price: str = "2.5", **values: str) -> Refusal:
    result = plan_entry(chosen(**values), instrument, D(price), D("0.10"))
    assert isinstance(result, Refusal)
    return result


def test_the_amount_is_margin_and_the_take_profit_a_percentage_of_it() -> None:
    entry = plan(amount="100", leverage="10", take_profit="100")
    assert entry.size == D(400)  # 100 x 10 / 2.5
    assert entry.margin == D(100)
    assert entry.take_profit == D("2.75")  # +10 % of price = +100 % of margin at 10x
    assert entry.attach


def test_leverage_is_clamped_and_the_take_profit_follows_the_effective_one() -> None:
    entry = plan(amount="100", leverage="50", take_profit="100")
    assert entry.leverage == 20
    assert entry.size == D(800)
    assert entry.take_profit == D("2.625")
    assert not entry.attach  # 5 % away: it might be refused, so it is placed on the fill


def test_no_take_profit_when_it_is_switched_off() -> None:
    entry = plan(take_profit="0")
    assert entry.take_profit is None
    assert not entry.attach


def test_the_largest_market_order_caps_the_size() -> None:
    capped = msgspec.structs.replace(INSTRUMENT, max_market_size=D("55.57"))
    entry = plan(capped, amount="100", leverage="10")
    assert entry.size == D("55.5")
    assert entry.margin == D("13.875")


@pytest.mark.parametrize(
    ("instrument", "price", "values", "rule"),
    [
        (INSTRUMENT, "1000000", {"amount": "20", "leverage": "5"}, "minimum"),
        (INSTRUMENT, "0", {}, "price"),
        (msgspec.structs.replace(INSTRUMENT, min_notional=D(1001)), "2.5", {"amount": "100"}, "minimum"),
        (msgspec.structs.replace(INSTRUMENT, status=InstrumentStatus.HALTED), "2.5", {}, "status"),
    ],
)
def test_what_cannot_be_bought_is_refused_by_rule(
    instrument: Instrument, price: str, values: dict[str, str], rule: str
) -> None:
    assert refusal(instrument, price, **values).rule == rule


@pytest.mark.parametrize(
    ("kind", "markets", "values", "rule"),
    [
        (NoticeKind.NEW_LISTING, ("KRW", "BTC"), {}, None),
        (NoticeKind.NEW_LISTING, ("BTC", "USDT"), {}, "listing.without_krw"),
        (NoticeKind.NEW_LISTING, ("BTC",), {"without_krw": "on"}, None),
        (NoticeKind.NEW_LISTING, ("KRW",), {"enabled": "off"}, "listing.enabled"),
        (NoticeKind.MARKET_ADDITION, ("KRW",), {}, "listing.market_additions"),
        (NoticeKind.MARKET_ADDITION, ("KRW",), {"market_additions": "on"}, None),
        (NoticeKind.DELISTING, ("KRW",), {"market_additions": "on"}, "kind"),
        (NoticeKind.EVENT, (), {"without_krw": "on"}, "kind"),
    ],
)
def test_which_notices_a_user_wants(
    kind: NoticeKind, markets: tuple[str, ...], values: dict[str, str], rule: str | None
) -> None:
    answer = wants(chosen(**values), kind, markets)
    assert (answer.rule if answer else None) == rule


positive = st.decimals(min_value=D("0.000001"), max_value=D(1_000_000), places=6)
steps = st.sampled_from([D("0.0001"), D("0.001"), D("0.1"), D(1), D(10), D(1000)])


@given(notional=positive, price=positive, step=steps)
def test_size_is_on_the_step_and_never_costs_more(notional: D, price: D, step: D) -> None:
    size = size_for(notional, price, step)
    assert size % step == 0
    assert size * price <= notional
    assert (size + step) * price > notional


@given(
    entry=positive,
    percent=st.integers(1, 500).map(D),
    leverage=st.integers(1, 125),
    tick=st.sampled_from([D("0.1"), D("0.0005"), D("0.000001")]),
)
def test_a_take_profit_is_on_the_tick_and_never_below_what_was_asked(
    entry: D, percent: D, leverage: int, tick: D
) -> None:
    price = take_profit_price(entry, percent, leverage, tick)
    assert price % tick == 0
    assert (price - entry) * leverage * 100 >= entry * percent * (1 - D("1e-20"))
    assert (price - tick - entry) * leverage * 100 < entry * percent
