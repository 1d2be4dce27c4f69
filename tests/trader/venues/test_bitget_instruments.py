"""The contract list: steps, ticks, multiplier coins, states; a bad row costs only itself."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instrument import InstrumentStatus, Market, Venue
from trader.venues.bitget import base_coin, parse_contracts

CONTRACT: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "buyLimitPriceRatio": "0.05",
    "makerFeeRate": "0.0002",
    "takerFeeRate": "0.0006",
    "supportMarginCoins": ["USDT"],
    "minTradeNum": "0.001",
    "priceEndStep": "1",
    "volumePlace": "3",
    "pricePlace": "1",
    "sizeMultiplier": "0.001",
    "symbolType": "perpetual",
    "minTradeUSDT": "5",
    "maxMarketOrderQty": "220",
    "symbolStatus": "normal",
    "offTime": "-1",
    "limitOpenTime": "-1",
    "launchTime": "",
    "openTime": "",
    "maxLever": "125",
}


def parse(*rows: Any) -> Any:
    return parse_contracts(json.dumps({"code": "00000", "msg": "success", "data": list(rows)}).encode(), 200)


def one(**change: Any) -> Any:
    contracts = parse(CONTRACT | change)
    assert contracts.problems == []
    (instrument,) = contracts.instruments
    return instrument


def test_a_contract() -> None:
    btc = one(launchTime="1700000000123")
    assert (btc.id, btc.symbol, btc.base, btc.quote) == ("bitget:perp:BTC-USDT", "BTCUSDT", "BTC", "USDT")
    assert (btc.venue, btc.market) == (Venue.BITGET, Market.PERP)
    assert (btc.tick, btc.step, btc.min_size) == (Decimal("0.1"), Decimal("0.001"), Decimal("0.001"))
    assert (btc.min_notional, btc.max_market_size, btc.max_leverage) == (Decimal(5), Decimal(220), 125)
    assert (btc.maker_fee, btc.taker_fee, btc.multiplier) == (Decimal("0.0002"), Decimal("0.0006"), 1)
    assert (btc.status, btc.open_ns) == (InstrumentStatus.TRADING, 1_700_000_000_123_000_000)


@pytest.mark.parametrize(
    ("places", "end_step", "tick"),
    [
        ("1", "1", "0.1"),
        ("4", "5", "0.0005"),
        ("0", "1", "1"),
        ("0", "10", "10"),
        ("2", "25", "0.25"),
        ("9", "1", "1E-9"),
    ],
)
def test_ticks(places: str, end_step: str, tick: str) -> None:
    assert one(pricePlace=places, priceEndStep=end_step).tick == Decimal(tick)


@pytest.mark.parametrize(
    ("places", "multiplier", "step"),
    [
        ("3", "0.001", "0.001"),
        ("2", "0.001", "0.01"),
        ("0", "10", "10"),
        ("3", "0.005", "0.005"),
        ("0", "1", "1"),
    ],
)
def test_steps(places: str, multiplier: str, step: str) -> None:
    assert one(volumePlace=places, sizeMultiplier=multiplier).step == Decimal(step)


@pytest.mark.parametrize(
    ("ticker", "coin", "multiplier"),
    [
        ("BTC", "BTC", 1),
        ("1000PEPE", "PEPE", 1000),
        ("1000SATS", "SATS", 1000),
        ("10000X", "X", 10_000),
        ("100000MOG", "MOG", 100_000),
        ("1000000MOG", "MOG", 1_000_000),
        ("1MX", "X", 1_000_000),
        ("1MBABYDOGE", "BABYDOGE", 1_000_000),
        ("1000B2", "B2", 1000),
        ("1INCH", "1INCH", 1),
        ("1M", "1M", 1),
        ("1000", "1000", 1),
        ("10SET", "10SET", 1),
        ("100X", "100X", 1),
        ("1000X2Y", "X2Y", 1000),
        ("2MOON", "2MOON", 1),
        ("1MOON", "OON", 1_000_000),
    ],
)
def test_multiplier_coins(ticker: str, coin: str, multiplier: int) -> None:
    assert base_coin(ticker) == (coin, multiplier)
    instrument = one(baseCoin=ticker, symbol=f"{ticker}USDT")
    assert (instrument.base, instrument.multiplier) == (coin, multiplier)
    assert instrument.symbol == f"{ticker}USDT"


def test_states() -> None:
    states = {
        "listed": InstrumentStatus.PENDING,
        "normal": InstrumentStatus.TRADING,
        "maintain": InstrumentStatus.HALTED,
        "limit_open": InstrumentStatus.REDUCE_ONLY,
        "restrictedAPI": InstrumentStatus.HALTED,
        "off": InstrumentStatus.GONE,
    }
    for word, status in states.items():
        assert one(symbolStatus=word).status is status


def test_what_is_not_a_usdt_perpetual_is_left_out() -> None:
    contracts = parse(CONTRACT | {"symbolType": "delivery"}, CONTRACT | {"quoteCoin": "USD"}, CONTRACT)
    assert len(contracts.instruments) == 1
    assert contracts.problems == []


@pytest.mark.parametrize(
    "change",
    [
        {"symbolStatus": "new_state"},
        {"symbolType": "option"},
        {"priceEndStep": "0"},
        {"pricePlace": "-1"},
        {"pricePlace": "99"},
        {"pricePlace": "x"},
        {"sizeMultiplier": "0.003", "volumePlace": "2"},
        {"sizeMultiplier": None},
        {"minTradeNum": ""},
        {"minTradeUSDT": "-5"},
        {"takerFeeRate": "-0.1"},
        {"maxLever": "12.5"},
        {"baseCoin": ""},
        {"baseCoin": "B-TC"},
        {"symbol": ""},
        {"launchTime": "soon"},
    ],
)
def test_a_row_that_cannot_be_trusted_is_left_out_and_named(change: dict[str, Any]) -> None:
    good = CONTRACT | {"symbol": "ETHUSDT", "baseCoin": "ETH"}
    contracts = parse(CONTRACT | change, good)
    assert [instrument.symbol for instrument in contracts.instruments] == ["ETHUSDT"]
    assert len(contracts.problems) == 1


def test_two_contracts_on_one_instrument_are_told() -> None:
    contracts = parse(
        CONTRACT | {"symbol": "PEPEUSDT", "baseCoin": "PEPE"},
        CONTRACT | {"symbol": "1000PEPEUSDT", "baseCoin": "1000PEPE"},
    )
    assert [instrument.symbol for instrument in contracts.instruments] == ["PEPEUSDT"]
    assert contracts.problems == ["1000PEPEUSDT: the same instrument as PEPEUSDT"]


def test_what_may_be_missing() -> None:
    row = {
        name: value
        for name, value in CONTRACT.items()
        if name not in ("maxMarketOrderQty", "launchTime", "openTime")
    }
    (instrument,) = parse(row).instruments
    assert (instrument.max_market_size, instrument.open_ns) == (Decimal(0), 0)
    assert one(maxMarketOrderQty=None, launchTime=None, openTime=None).max_market_size == 0


@given(
    st.sampled_from(sorted(set(CONTRACT) - {"supportMarginCoins"})),
    st.one_of(
        st.none(),
        st.integers(),
        st.text(max_size=45),
        st.from_regex(r"-?[0-9]{1,31}(\.[0-9]{1,31})?(e-?[0-9]{1,3})?", fullmatch=True),
    ),
)
def test_junk_in_a_row_never_crashes_the_list(name: str, value: Any) -> None:
    good = CONTRACT | {"symbol": "ETHUSDT", "baseCoin": "ETH"}
    contracts = parse(good, CONTRACT | {name: value})
    assert contracts.instruments[0].symbol == "ETHUSDT"
    assert len(contracts.instruments) + len(contracts.problems) <= 2
