"""ccxt.pro on a unified account: its streams while orders run."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.pro
import pytest

from tests.conformance.streams import subscribed, until, within
from tests.conformance.venue import Control

BTC, SOL, SPOT_BTC = "BTC/USDT:USDT", "SOL/USDT:USDT", "BTC/USDT"

pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")

UTA = {"uta": True}


async def test_market_streams(uta_streaming: ccxt.pro.bitget, control: Control) -> None:
    venue = uta_streaming
    ticker = await within(venue.watch_ticker(SOL, UTA))
    assert ticker["symbol"] == SOL
    assert ticker["bid"] < ticker["ask"]
    assert ticker["last"] == pytest.approx(150, rel=0.01)
    book = await within(venue.watch_order_book(SOL, None, UTA))
    assert len(book["bids"]) > 20
    assert book["bids"][0][0] < book["asks"][0][0]
    trades = await within(venue.watch_trades(SOL, None, None, UTA))
    assert trades[-1]["price"] == pytest.approx(150, rel=0.01)
    candles = await within(venue.watch_ohlcv(SOL, "1m", None, None, UTA))
    assert candles[-1][0] % 60_000 == 0
    control.advance(60_000)
    later = await until(
        lambda: venue.watch_ohlcv(SOL, "1m", None, None, UTA), lambda found: found[-1][0] > candles[-1][0]
    )
    assert later[-1][0] - candles[-1][0] >= 60_000
    quotes = await within(venue.watch_bids_asks([BTC], UTA))
    assert quotes[BTC]["bid"] < quotes[BTC]["ask"]


@pytest.mark.parametrize("levels", [1, 5])
async def test_small_books(uta_streaming: ccxt.pro.bitget, levels: int) -> None:
    book = await within(uta_streaming.watch_order_book(BTC, levels, UTA))
    assert (len(book["bids"]), len(book["asks"])) == (levels, levels)


async def test_the_order_book_follows(uta_streaming: ccxt.pro.bitget, control: Control) -> None:
    venue = uta_streaming
    book = await within(venue.watch_order_book(BTC, None, UTA))
    for step in range(1, 4):
        price = 60_000 + 10 * step
        control.price("BTCUSDT", str(price))
        async with asyncio.timeout(10):
            while abs(book["bids"][0][0] - price) >= 5:
                book = await venue.watch_order_book(BTC, None, UTA)
        plain = await venue.fetch_order_book(BTC, 5)
        assert [level[:2] for level in book["bids"][:5]] == plain["bids"]
        assert [level[:2] for level in book["asks"][:5]] == plain["asks"]


async def test_private_streams_while_orders_run(
    uta_streaming: ccxt.pro.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    """0.005 bought at 60000 and sold at 59999.9."""
    venue = uta_streaming
    balance = await within(venue.watch_balance(UTA))
    assert balance["USDT"]["total"] == 10_000.0
    orders, trades, positions, money = await subscribed(
        venue.watch_orders(BTC, None, None, UTA),
        venue.watch_my_trades(BTC, None, None, UTA),
        venue.watch_positions([BTC], None, None, UTA),
        venue.watch_balance(UTA),
    )
    # the first picture of the positions is empty: all four subscriptions stand when it has come
    assert await within(positions) == []
    (positions,) = await subscribed(venue.watch_positions([BTC], None, None, UTA))
    placed = await venue.create_order(BTC, "market", "buy", 0.005, None, {"clientOrderId": "streamed"})
    order = (await within(orders))[-1]
    if order["status"] != "closed":
        order = (
            await until(lambda: venue.watch_orders(BTC, None, None, UTA), lambda rows: rows[-1]["status"] == "closed")
        )[-1]  # fmt: skip
    assert (order["id"], order["clientOrderId"], order["filled"], order["average"]) == (
        placed["id"],
        "streamed",
        0.005,
        60_000.0,
    )
    (fill,) = await within(trades)
    assert (fill["order"], fill["price"], fill["amount"], fill["takerOrMaker"]) == (
        placed["id"],
        60_000.0,
        0.005,
        "taker",
    )
    assert fill["fee"]["cost"] == 0.18
    held = await within(positions)
    assert (held[-1]["side"], held[-1]["contracts"]) == ("long", 0.005)
    assert (await within(money))["USDT"]["total"] == 9_999.82
    closing = asyncio.ensure_future(
        until(
            lambda: venue.watch_orders(BTC, None, None, UTA),
            lambda rows: [row["status"] for row in rows if row["id"] != placed["id"]][-1:] == ["closed"],
        )
    )
    await asyncio.sleep(0)
    await venue.close_position(BTC)
    assert (await closing)[-1]["side"] == "sell"
    control.check_money(
        unified_account, ("open_fee", "-0.18"), ("realised_pnl", "-0.0005"), ("close_fee", "-0.1799997")
    )


async def test_a_limit_order_is_seen_open_and_cancelled(uta_streaming: ccxt.pro.bitget) -> None:
    venue = uta_streaming
    await within(venue.watch_balance(UTA))
    (orders,) = await subscribed(venue.watch_orders(BTC, None, None, UTA))
    await within(venue.watch_trades(BTC, None, None, UTA))
    placed = await venue.create_order(BTC, "limit", "buy", 0.01, 59_000)
    seen = await within(orders)
    assert (seen[-1]["id"], seen[-1]["status"], seen[-1]["price"]) == (placed["id"], "open", 59_000.0)
    (orders,) = await subscribed(venue.watch_orders(BTC, None, None, UTA))
    await venue.cancel_order(placed["id"], BTC)
    assert (await within(orders))[-1]["status"] == "canceled"


async def test_spot_orders_come_over_the_same_streams(uta_streaming: ccxt.pro.bitget) -> None:
    venue = uta_streaming
    await within(venue.watch_balance(UTA))
    orders, money = await subscribed(venue.watch_orders(SPOT_BTC, None, None, UTA), venue.watch_balance(UTA))
    await venue.fetch_balance()
    placed = await venue.create_order(SPOT_BTC, "limit", "buy", 0.001, 59_000)
    seen = await within(orders)
    assert (seen[-1]["id"], seen[-1]["status"]) == (placed["id"], "open")
    assert (await within(money))["USDT"]["free"] == 9_941.0
    await venue.cancel_order(placed["id"], SPOT_BTC)
