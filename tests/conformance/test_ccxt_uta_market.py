"""ccxt on a unified account: market data, spot from the same wallet, the asynchronous client, and account kinds."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.conformance import codes
from tests.conformance.clients import classic, unified
from tests.conformance.conftest import Refusals
from tests.conformance.venue import Control

BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"
SPOT_BTC, SPOT_SOL = "BTC/USDT", "SOL/USDT"


def test_markets(uta: ccxt.bitget) -> None:
    assert {BTC, ETH, SOL, SPOT_BTC, SPOT_SOL} <= set(uta.markets)
    market = uta.markets[BTC]
    assert (market["swap"], market["linear"], market["active"], market["settle"]) == (
        True,
        True,
        True,
        "USDT",
    )
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.0001)
    assert (market["taker"], market["maker"]) == (0.0006, 0.0002)
    assert (market["limits"]["leverage"]["max"], market["limits"]["cost"]["min"]) == (125, 5)
    spot = uta.markets[SPOT_BTC]
    assert (spot["spot"], spot["active"], spot["base"], spot["quote"]) == (True, True, "BTC", "USDT")


def test_tickers(uta: ccxt.bitget) -> None:
    ticker = uta.fetch_ticker(BTC)
    assert (ticker["last"], ticker["markPrice"]) == (60_000.0, 60_000.0)
    assert ticker["bid"] < ticker["ask"]
    assert {BTC, ETH, SOL} <= set(uta.fetch_tickers())
    assert uta.fetch_ticker(SPOT_BTC)["last"] == 60_000.0


@pytest.mark.parametrize("symbol", [BTC, SPOT_BTC])
def test_order_book(uta: ccxt.bitget, symbol: str) -> None:
    book = uta.fetch_order_book(symbol, 5)
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)
    ticker = uta.fetch_ticker(symbol)
    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])


@pytest.mark.parametrize("symbol", [SOL, SPOT_SOL])
def test_trades_and_candles(uta: ccxt.bitget, control: Control, symbol: str) -> None:
    control.advance(180_000)
    trades = uta.fetch_trades(symbol)
    assert len({trade["id"] for trade in trades}) == len(trades) > 0
    assert all(trade["amount"] > 0 and trade["side"] in {"buy", "sell"} for trade in trades)
    candles = uta.fetch_ohlcv(symbol, "1m")
    assert len(candles) >= 3
    for (time, opened, high, low, closed, _), (after, *_) in pairwise(candles):
        assert low <= min(opened, closed) <= max(opened, closed) <= high
        assert after - time == 60_000


def test_funding_open_interest_tiers_and_fees(uta: ccxt.bitget) -> None:
    rate = uta.fetch_funding_rate(BTC)
    assert (rate["fundingRate"], rate["interval"]) == (pytest.approx(0.0001), "8h")
    assert uta.fetch_open_interest(BTC)["openInterestAmount"] >= 0
    tiers = uta.fetch_market_leverage_tiers(BTC)
    assert (tiers[0]["minNotional"], tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == (
        0.0,
        125.0,
        0.004,
    )
    assert uta.fetch_trading_fee(BTC)["taker"] == 0.0006
    assert uta.fetch_trading_fee(SPOT_BTC)["maker"] == 0.001


def test_spot_trades_from_the_same_wallet(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    """0.01 BTC at 59000 by a resting order; the fee of 0.001 is taken in the coin that was bought."""
    placed = uta.create_order(SPOT_BTC, "limit", "buy", 0.01, 59_000)
    assert [row["id"] for row in uta.fetch_open_orders(SPOT_BTC)] == [placed["id"]]
    assert uta.fetch_balance()["USDT"]["free"] == 9_410.0
    with control.held("BTCUSDT", "58900"):
        assert uta.fetch_order(placed["id"], SPOT_BTC)["status"] == "closed"
    balance = uta.fetch_balance()
    assert (balance["USDT"]["total"], balance["BTC"]["total"]) == (9_410.0, 0.00999)
    assert {fill["fee"]["currency"] for fill in uta.fetch_my_trades(SPOT_BTC)} == {"BTC"}
    control.check_sum(unified_account, "9410")
    sold = uta.create_order(SPOT_BTC, "market", "sell", 0.00999)
    assert uta.fetch_order(sold["id"], SPOT_BTC)["filled"] == 0.00999
    assert "BTC" not in uta.fetch_balance()


def test_the_client_finds_out_the_kind_of_an_account(control: Control) -> None:
    """With ``options.uta`` unset it asks the settings: a unified key is taken for one, a classic key is not (§13)."""
    for kind, expected in (("unified", True), ("classic", False)):
        made = unified(control.ready, control.account(kind=kind))
        made["options"] = {"defaultType": "swap"}
        venue = ccxt.bitget(made)
        venue.load_markets()
        assert venue.fetch_balance()["USDT"]["total"] == 10_000.0
        assert venue.options["uta"] is expected
        venue.session.close()


def test_each_interface_refuses_the_other_kind_of_key(
    uta: ccxt.bitget, uta_refusals: Refusals, venue: ccxt.bitget, refusals: Refusals
) -> None:
    v2 = {"productType": "USDT-FUTURES"}
    assert uta_refusals.code(lambda: uta.private_mix_get_v2_mix_account_accounts(v2)) == "40085"
    uta.secret = "wrong"  # before the signature is looked at (§0)
    assert uta_refusals.code(lambda: uta.private_mix_get_v2_mix_account_accounts(v2)) == "40085"
    assert uta_refusals.code(uta.private_uta_get_v3_account_assets) in {"40009"}
    assert refusals.code(venue.private_uta_get_v3_account_assets) == "40084"
    order = {
        "category": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "side": "buy",
        "orderType": "market",
        "qty": "1",
    }
    assert refusals.code(lambda: venue.private_uta_post_v3_trade_place_order(order)) == "40084"


def test_a_unified_key_in_a_client_for_classic_accounts(control: Control) -> None:
    account = control.account(kind="unified")
    venue = ccxt.bitget(classic(control.ready, account))
    before = control.picture(account)
    with pytest.raises(ccxt.BaseError):
        venue.fetch_balance()
    assert json.loads(venue.last_http_response)["code"] == "40085"
    assert control.picture(account) == before
    venue.session.close()


@pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")
async def test_many_orders_at_once(
    uta_async: ccxt.async_support.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    venue = uta_async
    placed = await asyncio.gather(
        *(venue.create_order(BTC, "limit", "buy", 0.001, 59_000 - n) for n in range(20))
    )
    ids = {order["id"] for order in placed}
    assert {order["id"] for order in await venue.fetch_open_orders(BTC)} == ids
    await asyncio.gather(*(venue.cancel_order(number, BTC) for number in ids))
    assert await venue.fetch_open_orders(BTC) == []
    control.check_money(unified_account)
    refused: list[tuple[Any, set[str]]] = [
        (lambda: venue.create_order(BTC, "market", "buy", 50), {"25203", "25202"}),
        (lambda: venue.cancel_order("123", BTC), {"25204"}),
        (lambda: venue.close_position(BTC), {"25227"}),
        (lambda: venue.set_leverage(126, BTC), {"25223"} | codes.LEVERAGE),
    ]
    before = control.picture(unified_account)
    for do, expected in refused:
        with pytest.raises(ccxt.BaseError):
            await do()
        assert json.loads(venue.last_http_response)["code"] in expected
    assert control.picture(unified_account) == before
