"""ccxt.pro on a Binance account: market streams, the user data stream while orders run, orders over the websocket."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.pro
import pytest

from tests.conformance.streams import subscribed, until, within
from tests.conformance.venue import Control

BTC, SOL = "BTC/USDT:USDT", "SOL/USDT:USDT"

pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")


async def test_market_streams(usdm_streaming: ccxt.pro.binanceusdm, control: Control) -> None:
    venue = usdm_streaming
    ticker = await within(venue.watch_ticker(SOL))
    assert ticker["last"] == pytest.approx(150, rel=0.01)
    quotes = await within(venue.watch_bids_asks([SOL]))
    assert quotes[SOL]["bid"] < quotes[SOL]["ask"]
    mark = await within(venue.watch_mark_price(SOL))
    assert mark["markPrice"] == pytest.approx(150, rel=0.01)
    trades = asyncio.ensure_future(venue.watch_trades(SOL))
    candles = asyncio.ensure_future(venue.watch_ohlcv(SOL, "1m"))
    await asyncio.sleep(0)
    await venue.fetch_time()
    control.advance(120_000)
    found = await within(trades)
    assert (found[-1]["price"], found[-1]["symbol"]) == (pytest.approx(150, rel=0.01), SOL)
    first = (await within(candles))[-1][0]
    assert first % 60_000 == 0
    control.advance(60_000)
    later = await until(lambda: venue.watch_ohlcv(SOL, "1m"), lambda rows: rows[-1][0] > first)
    assert (later[-1][0] - first) % 60_000 == 0


async def test_all_markets_at_once(usdm_streaming: ccxt.pro.binanceusdm, control: Control) -> None:
    venue = usdm_streaming
    waiting = asyncio.ensure_future(venue.watch_tickers([BTC, SOL]))
    marks = asyncio.ensure_future(venue.watch_mark_prices())
    await asyncio.sleep(0)
    assert set(await within(waiting)) <= {BTC, SOL}
    assert BTC in await within(marks)


async def test_the_order_book_follows_a_snapshot(
    usdm_streaming: ccxt.pro.binanceusdm, control: Control
) -> None:
    """ccxt joins depth events to a snapshot by their numbers, and drops the book when one is missing (§9)."""
    venue = usdm_streaming
    book = asyncio.ensure_future(venue.watch_order_book(BTC))
    await asyncio.sleep(0)
    for step in range(1, 5):
        price = 60_000 + 10 * step
        control.price("BTCUSDT", str(price))
        seen = await within(book)
        async with asyncio.timeout(10):
            while not seen["bids"] or abs(seen["bids"][0][0] - price) >= 5:
                seen = await venue.watch_order_book(BTC)
        plain = await venue.fetch_order_book(BTC, 5)
        assert [level[:2] for level in seen["bids"][:5]] == plain["bids"]
        assert [level[:2] for level in seen["asks"][:5]] == plain["asks"]
        book = asyncio.ensure_future(venue.watch_order_book(BTC))
        await asyncio.sleep(0)
    book.cancel()


async def test_the_user_data_stream_while_orders_run(
    usdm_streaming: ccxt.pro.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    """0.005 bought at 60000 and sold at 59999.9."""
    venue = usdm_streaming
    orders, trades, positions, money = await subscribed(
        venue.watch_orders(BTC),
        venue.watch_my_trades(BTC),
        until(lambda: venue.watch_positions([BTC]), bool),  # its own first picture is empty
        venue.watch_balance(),
    )
    await connected(venue)
    placed = await venue.create_order(BTC, "market", "buy", 0.005, None, {"clientOrderId": "streamed"})
    order = (await within(orders))[-1]
    if order["status"] != "closed":
        order = (await until(lambda: venue.watch_orders(BTC), lambda rows: rows[-1]["status"] == "closed"))[
            -1
        ]
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
    assert fill["fee"] == {"cost": 0.18, "currency": "USDT"}
    held = await within(positions)
    assert (held[-1]["side"], held[-1]["contracts"], held[-1]["entryPrice"]) == ("long", 0.005, 60_000.0)
    assert (await within(money))["USDT"]["total"] == 9_999.82
    closing = asyncio.ensure_future(
        until(
            lambda: venue.watch_orders(BTC),
            lambda rows: [row["status"] for row in rows if row["id"] != placed["id"]][-1:] == ["closed"],
        )
    )
    await asyncio.sleep(0)
    await venue.create_order(BTC, "market", "sell", 0.005, None, {"reduceOnly": True})
    assert (await closing)[-1]["side"] == "sell"
    control.check_money(
        binance_account, ("open_fee", "-0.18"), ("realised_pnl", "-0.0005"), ("close_fee", "-0.1799997")
    )


async def connected(venue: ccxt.pro.binanceusdm) -> None:
    """The user data stream stands: a listen key exists and its websocket is open."""
    async with asyncio.timeout(10):
        while not any(
            "listenKey" in url and one.connection is not None for url, one in venue.clients.items()
        ):
            await asyncio.sleep(0.005)
        for url, one in list(venue.clients.items()):
            if "listenKey" in url:
                await one.connected


async def test_a_limit_order_is_seen_open_changed_and_cancelled(
    usdm_streaming: ccxt.pro.binanceusdm,
) -> None:
    venue = usdm_streaming
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await connected(venue)
    placed = await venue.create_order(BTC, "limit", "buy", 0.01, 59_000)
    seen = (await within(orders))[-1]
    assert (seen["id"], seen["status"], seen["price"]) == (placed["id"], "open", 59_000.0)
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await venue.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 58_500)
    seen = (await within(orders))[-1]
    assert (seen["id"], seen["price"], seen["amount"]) == (placed["id"], 58_500.0, 0.02)
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await venue.cancel_order(placed["id"], BTC)
    assert (await within(orders))[-1]["status"] == "canceled"


async def test_algo_orders_are_streamed(usdm_streaming: ccxt.pro.binanceusdm) -> None:
    venue = usdm_streaming
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await connected(venue)
    placed = await venue.create_order(BTC, "market", "buy", 0.01, None, {"triggerPrice": 61_000})
    seen = (await within(orders))[-1]
    assert (seen["id"], seen["triggerPrice"], seen["status"]) == (placed["id"], 61_000.0, "open")
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await venue.cancel_order(placed["id"], BTC, {"trigger": True})
    assert (await within(orders))[-1]["status"] == "canceled"


async def test_orders_over_the_websocket(
    usdm_streaming: ccxt.pro.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    venue = usdm_streaming
    placed = await within(venue.create_order_ws(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "w1"}))
    assert (placed["status"], placed["clientOrderId"], placed["price"]) == ("open", "w1", 59_000.0)
    changed = await within(venue.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.02, 58_500))
    assert (changed["id"], changed["price"], changed["amount"]) == (placed["id"], 58_500.0, 0.02)
    assert (await within(venue.fetch_order_ws(placed["id"], BTC)))["status"] == "open"
    gone = await within(venue.cancel_order_ws(placed["id"], BTC))
    assert gone["status"] == "canceled"
    control.check_money(binance_account)
    bought = await within(venue.create_order_ws(BTC, "market", "buy", 0.005))
    assert (bought["status"], bought["average"]) == ("closed", 60_000.0)
    (position,) = (row for row in await within(venue.fetch_positions_ws([BTC])) if row["contracts"])
    assert (position["side"], position["contracts"]) == ("long", 0.005)
    assert (await within(venue.fetch_balance_ws()))["USDT"]["total"] == 9_999.82
    stop = await within(venue.create_order_ws(BTC, "market", "sell", 0.005, None, {"stopLossPrice": 59_000, "reduceOnly": True}))  # fmt: skip
    assert stop["info"]["algoStatus"] == "NEW"
    await within(venue.cancel_order_ws(stop["id"], BTC, {"trigger": True}))
    control.check_money(binance_account, ("open_fee", "-0.18"))


async def test_market_data_over_the_websocket(usdm_streaming: ccxt.pro.binanceusdm) -> None:
    venue = usdm_streaming
    book = await within(venue.fetch_order_book_ws(BTC, 5))
    assert (book["bids"][0][0], book["asks"][0][0]) == (59_999.9, 60_000.0)
    ticker = await within(venue.fetch_ticker_ws(BTC, {"method": "ticker.book"}))
    assert (ticker["bid"], ticker["ask"]) == (59_999.9, 60_000.0)


async def test_refusals_over_the_websocket(
    usdm_streaming: ccxt.pro.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    venue = usdm_streaming
    before = control.picture(binance_account)
    refused: list[tuple[Any, str]] = [
        (lambda: venue.create_order_ws(BTC, "market", "buy", 10), "-2019"),
        (lambda: venue.create_order_ws(BTC, "market", "sell", 0.01, None, {"reduceOnly": True}), "-2022"),
        (lambda: venue.create_order_ws(BTC, "limit", "buy", 0.01, 60_500, {"postOnly": True}), "-5022"),
        (lambda: venue.create_order_ws(BTC, "market", "buy", 0.01, None, {"triggerPrice": 59_000}), "-2021"),
        (lambda: venue.cancel_order_ws("123", BTC), "-2011"),
        (lambda: venue.fetch_order_ws("123", BTC), "-2013"),
    ]
    for do, code in refused:
        with pytest.raises(ccxt.BaseError, match=code):
            await within(do())
    assert control.picture(binance_account) == before
