"""ccxt's asynchronous client: the same calls, many at a time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import ccxt.async_support
import pytest

from tests.conformance import codes
from tests.conformance.venue import Control

BTC, ETH, SPOT_BTC = "BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT"

pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")


async def test_the_whole_way_of_a_trade(
    async_venue: ccxt.async_support.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue = async_venue
    assert {BTC, ETH, SPOT_BTC} <= set(await venue.load_markets(reload=True))
    await venue.set_margin_mode("isolated", BTC)
    await venue.set_leverage(15, BTC)
    params = {"marginMode": "isolated", "takeProfit": {"triggerPrice": 66_000}}
    placed = await venue.create_order(BTC, "market", "buy", 0.013, None, params)
    eth = await asyncio.gather(*(venue.create_order(ETH, "market", "sell", 0.1) for _ in range(3)))
    assert len({order["id"] for order in eth}) == 3
    assert (await venue.fetch_order(placed["id"], BTC))["status"] == "closed"
    assert {p["symbol"]: p["contracts"] for p in await venue.fetch_positions()} == {BTC: 0.013, ETH: 0.3}
    await venue.close_all_positions()
    assert await venue.fetch_positions() == []
    balance = await venue.fetch_balance()
    control.check_ledger(account, balance["info"][0]["accountEquity"])


async def test_many_orders_at_once_are_all_there(
    async_venue: ccxt.async_support.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue = async_venue
    placed = await asyncio.gather(
        *(venue.create_order(BTC, "limit", "buy", 0.001, 59_000 - n) for n in range(30))
    )
    ids = {order["id"] for order in placed}
    assert {order["id"] for order in await venue.fetch_open_orders(BTC)} == ids
    await asyncio.gather(*(venue.cancel_order(number, BTC) for number in ids))
    assert await venue.fetch_open_orders(BTC) == []
    assert {order["id"] for order in await venue.fetch_canceled_orders(BTC)} == ids
    control.check_ledger(account, "10000")


async def test_everything_else_that_is_read(async_venue: ccxt.async_support.bitget) -> None:
    venue = async_venue
    await venue.create_order(BTC, "market", "buy", 0.01)
    found = await asyncio.gather(
        venue.fetch_ticker(BTC),
        venue.fetch_order_book(BTC, 5),
        venue.fetch_ohlcv(BTC, "1m"),
        venue.fetch_trades(BTC),
        venue.fetch_my_trades(BTC),
        venue.fetch_closed_orders(BTC),
        venue.fetch_ledger("USDT"),
        venue.fetch_positions([BTC]),
        venue.fetch_leverage(BTC),
        venue.fetch_market_leverage_tiers(BTC),
        venue.fetch_funding_rate(BTC),
        venue.fetch_balance({"type": "spot"}),
    )
    assert all(item is not None for item in found)


async def test_refusals(
    async_venue: ccxt.async_support.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue = async_venue
    refused: list[tuple[Any, set[str]]] = [
        (lambda: venue.create_order(BTC, "market", "buy", 50), codes.MONEY),
        (lambda: venue.create_order(BTC, "limit", "buy", 0.01, 90_000), codes.BAND),
        (lambda: venue.cancel_order("123", BTC), codes.NO_ORDER),
        (lambda: venue.fetch_order("123", BTC), codes.NO_ORDER),
        (lambda: venue.close_position(BTC), codes.NO_POSITION),
        (lambda: venue.set_leverage(126, BTC), codes.LEVERAGE),
        (lambda: venue.transfer("USDT", 20_000, "swap", "spot"), codes.MONEY),
        (lambda: venue.edit_order("123", BTC, "limit", "buy", 0.01, 59_000), codes.NO_ORDER),
    ]
    before = control.picture(account)
    for do, expected in refused:
        with pytest.raises(ccxt.BaseError):
            await do()
        assert json.loads(venue.last_http_response)["code"] in expected
    assert control.picture(account) == before
