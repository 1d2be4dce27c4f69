from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.cot import (
    CODES,
    GROUP_TITLES,
    GROUPS,
    MARKETS,
    OTHER_CONTRACTS,
    REPORT_TITLES,
    SPREADING,
    Group,
    Positions,
    Report,
    columns,
    identity_error,
    long_column,
    long_means,
    market_of,
    short_column,
    spread_column,
)

D = Decimal
# BITCOIN - CHICAGO MERCANTILE EXCHANGE, first rows of both reports, as published for 2018-04-10.
LEGACY = Positions(
    report=Report.LEGACY,
    code="133741",
    as_of=date(2018, 4, 10),
    market="BITCOIN - CHICAGO MERCANTILE EXCHANGE",
    values=(1702, 1077, 1315, 26, 0, 0, 599, 361),
)
# XRP - CHICAGO MERCANTILE EXCHANGE, 2026-03-31.
TFF = Positions(
    report=Report.TFF,
    code="176740",
    as_of=date(2026, 3, 31),
    market="XRP - CHICAGO MERCANTILE EXCHANGE",
    values=(7480, 4959, 936, 1341, 711, 883, 0, 325, 3531, 54, 0, 320, 0, 90, 415),
)


def changed(row: Positions, **new: int) -> Positions:
    values = [new.get(name, value) for name, value in zip(columns(row.report), row.values, strict=True)]
    return msgspec.structs.replace(row, values=tuple(values))


def test_columns_are_open_interest_then_each_group_with_its_spread_where_there_is_one() -> None:
    assert columns(Report.LEGACY) == (
        "open_interest",
        *("noncommercial_long", "noncommercial_short", "noncommercial_spread"),
        *("commercial_long", "commercial_short"),
        *("nonreportable_long", "nonreportable_short"),
    )
    assert columns(Report.TFF) == (
        "open_interest",
        *("dealer_long", "dealer_short", "dealer_spread"),
        *("asset_manager_long", "asset_manager_short", "asset_manager_spread"),
        *("leveraged_long", "leveraged_short", "leveraged_spread"),
        *("other_long", "other_short", "other_spread"),
        *("nonreportable_long", "nonreportable_short"),
    )


def test_a_value_is_found_by_its_column() -> None:
    assert LEGACY.value("open_interest") == 1702
    assert LEGACY.value("nonreportable_short") == 361
    assert TFF.value("leveraged_short") == 3531
    with pytest.raises(KeyError):
        LEGACY.value("dealer_long")


@pytest.mark.parametrize("row", [LEGACY, TFF])
def test_published_rows_pass(row: Positions) -> None:
    assert identity_error(row) is None


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (changed(LEGACY, open_interest=1703), "open interest 1703 is not the long side 1702"),
        (changed(LEGACY, commercial_short=1), "open interest 1702 is not the short side 1703"),
        (changed(TFF, asset_manager_spread=2), "open interest 7480 is not the long side 7482"),
        (changed(TFF, other_short=-320), "other_short is negative: -320"),
        (changed(LEGACY, commercial_long=-1, nonreportable_long=600), "commercial_long is negative: -1"),
        (msgspec.structs.replace(LEGACY, values=(1702, 1077)), "2 numbers instead of 8"),
    ],
)
def test_a_damaged_row_is_told_in_one_line(row: Positions, error: str) -> None:
    assert identity_error(row) == error


@st.composite
def rows(draw: st.DrawFn) -> Positions:
    """A row that keeps the identities: each side cuts up what the spreads leave of open interest."""
    report = draw(st.sampled_from(Report))
    groups = GROUPS[report]
    spreads = {group: draw(st.integers(0, 10**6)) for group in SPREADING[report]}
    outright = draw(st.integers(0, 10**7))
    values = {"open_interest": outright + sum(spreads.values())}
    values |= {spread_column(group): spread for group, spread in spreads.items()}
    for column in (long_column, short_column):
        cuts = sorted(
            draw(st.lists(st.integers(0, outright), min_size=len(groups) - 1, max_size=len(groups) - 1))
        )
        for group, low, high in zip(groups, [0, *cuts], [*cuts, outright], strict=True):
            values[column(group)] = high - low
    return Positions(
        report=report,
        code="133741",
        as_of=date(2024, 1, 2),
        market="BITCOIN",
        values=tuple(values[name] for name in columns(report)),
    )


@given(rows(), st.data())
def test_every_consistent_row_passes_and_one_wrong_number_is_noticed(
    row: Positions, data: st.DataObject
) -> None:
    assert identity_error(row) is None
    name = data.draw(st.sampled_from(columns(row.report)))
    wrong = data.draw(st.integers(-(10**6), 10**8).filter(lambda value: value != row.value(name)))
    assert identity_error(changed(row, **{name: wrong})) is not None


def test_every_group_and_report_has_a_title() -> None:
    assert set(GROUP_TITLES) == set(Group)
    assert set(REPORT_TITLES) == set(Report)


def test_codes_are_unique_and_each_belongs_to_one_market() -> None:
    members = [member.code for market in MARKETS for member in market.members]
    others = [member.code for member in OTHER_CONTRACTS]
    assert len({*members, *others}) == len(members) + len(others)
    assert frozenset([*members, *others]) == CODES
    assert len({market.key for market in MARKETS}) == len(MARKETS)
    for market in MARKETS:
        assert all(market_of(member.code) is market for member in market.members)


def test_contracts_of_other_exchanges_are_stored_but_summed_into_no_market() -> None:
    assert {"133LM1", "146LM1", "176LM1", "1330E1"} <= CODES
    assert market_of("133LM1") is None
    assert market_of("088691") is None  # gold


@pytest.mark.parametrize(
    ("code", "units"),
    [  # one contract, by the CFTC's unit texts and the exchange's specifications
        ("133741", D(5)),
        ("133742", D("0.1")),
        ("146021", D(50)),
        ("146022", D("0.1")),
        ("176740", D(50_000)),
        ("176741", D(2_500)),
        ("177741", D(500)),
        ("177742", D(25)),
        ("099741", D(125_000)),
        ("097741", D(12_500_000)),
        ("096742", D(62_500)),
        ("092741", D(125_000)),
        ("090741", D(100_000)),
        ("232741", D(100_000)),
        ("112741", D(100_000)),
        ("095741", D(500_000)),
        ("102741", D(100_000)),
        ("122741", D(500_000)),
        ("098662", D(1_000)),
    ],
)
def test_contract_sizes(code: str, units: Decimal) -> None:
    market = market_of(code)
    assert market is not None
    assert next(member.units for member in market.members if member.code == code) == units


def test_the_standard_contract_comes_before_its_micro() -> None:
    for market in MARKETS:
        sizes = [member.units for member in market.members]
        assert sizes == sorted(sizes, reverse=True)


def test_a_long_future_is_short_the_pair_where_the_dollar_comes_first() -> None:
    inverted = {market.key for market in MARKETS if market.inverted}
    assert inverted == {"jpy", "chf", "cad", "mxn", "brl", "zar"}
    for market in MARKETS:
        assert market.pair.startswith("USD/") == market.inverted
    yen, euro = market_of("097741"), market_of("099741")
    assert yen is not None
    assert euro is not None
    assert long_means(yen) == "a long future is short USD/JPY"
    assert long_means(euro) == "a long future is long EUR/USD"


def test_direction_comes_from_asset_managers_in_crypto_and_from_leveraged_funds_in_forex() -> None:
    for market in MARKETS:
        if market.section == "crypto":
            assert (market.directional, market.carry) == (Group.ASSET_MANAGER, Group.LEVERAGED)
        else:
            assert (market.section, market.directional, market.carry) == ("forex", Group.LEVERAGED, None)
