"""ccxt.pro's streams while orders run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro
import pytest

from tests.conformance.clients import classic
from tests.conformance.streams import ANSWER_S, subscribed, until, within
from tests.conformance.venue import Control, write_tape
from tests.trader.paper.process import Process, Processes

BTC, SOL, SPOT_SOL, SPOT_BTC = "BTC/USDT:USDT", "SOL/USDT:USDT", "SOL/USDT", "BTC/USDT"

pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")


@pytest.mark.parametrize("symbol", [SOL, SPOT_SOL])
async def test_market_streams(streaming: ccxt.pro.bitget, control: Control, symbol: str) -> None:
    ticker = await within(streaming.watch_ticker(symbol))
    assert ticker["symbol"] == symbol
    assert ticker["bid"] < ticker["ask"]
    book = await within(streaming.watch_order_book(symbol))
    assert len(book["bids"]) > 20
    assert book["bids"][0][0] < book["asks"][0][0]
    trades = await within(streaming.watch_trades(symbol))
    assert trades[-1]["price"] == pytest.approx(150, rel=0.01)
    candles = await within(streaming.watch_ohlcv(symbol, "1m"))
    assert candles[-1][0] % 60_000 == 0
    control.advance(60_000)
    later = await until(
        lambda: streaming.watch_ohlcv(symbol, "1m"), lambda found: found[-1][0] > candles[-1][0]
    )
    assert later[-1][0] - candles[-1][0] >= 60_000
    assert await within(streaming.watch_trades(symbol))


@pytest.mark.parametrize("levels", [1, 5, 15])
async def test_small_books(streaming: ccxt.pro.bitget, levels: int) -> None:
    book = await within(streaming.watch_order_book(BTC, levels))
    assert (len(book["bids"]), len(book["asks"])) == (levels, levels)


async def test_tickers_of_several_symbols(streaming: ccxt.pro.bitget) -> None:
    seen: set[str] = set()
    async with asyncio.timeout(ANSWER_S):
        while seen != {BTC, SOL}:
            seen |= set(await streaming.watch_tickers([BTC, SOL]))


async def test_the_order_book_follows_with_its_checksum(streaming: ccxt.pro.bitget, control: Control) -> None:
    """ccxt compares the checksum of every update and raises when it differs."""
    streaming.options["watchOrderBook"] = {"checksum": True}
    book = await within(streaming.watch_order_book(BTC))
    for step in range(1, 6):
        price = 60_000 + 10 * step
        control.price("BTCUSDT", str(price))
        async with asyncio.timeout(ANSWER_S):
            while abs(book["bids"][0][0] - price) >= 5:
                book = await streaming.watch_order_book(BTC)
        plain = await streaming.fetch_order_book(BTC, 5)
        assert [level[:2] for level in book["bids"][:5]] == plain["bids"]
        assert [level[:2] for level in book["asks"][:5]] == plain["asks"]


async def test_private_streams_while_orders_run(streaming: ccxt.pro.bitget, control: Control) -> None:
    venue = streaming
    balance = await within(venue.watch_balance())
    assert balance["USDT"]["total"] == 10_000.0
    orders, trades, positions, money = await subscribed(
        venue.watch_orders(BTC),
        venue.watch_my_trades(BTC),
        venue.watch_positions([BTC]),
        venue.watch_balance(),
    )
    # the first picture of the positions is empty: all four subscriptions stand when it has come
    assert await within(positions) == []
    (positions,) = await subscribed(venue.watch_positions([BTC]))
    placed = await venue.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "streamed"})
    order = (await within(orders))[-1]
    if order["status"] != "closed":
        order = (await until(lambda: venue.watch_orders(BTC), lambda found: found[-1]["status"] == "closed"))[
            -1
        ]
    # ccxt calls the last fill "filled"; the venue's own field is the sum
    whole = order["info"]["accBaseVolume"]
    assert (order["id"], order["clientOrderId"], whole) == (placed["id"], "streamed", "0.01")
    fills = await within(trades)
    assert {fill["order"] for fill in fills} == {placed["id"]}
    assert fills[-1]["takerOrMaker"] == "taker"
    assert fills[-1]["fee"]["cost"] == pytest.approx(fills[-1]["cost"] * 0.0006)
    held = await within(positions)
    assert (held[-1]["side"], held[-1]["contracts"]) == ("long", 0.01)
    assert (await within(money))["USDT"]["total"] < 10_000.0

    (closing,) = await subscribed(venue.watch_orders(BTC))
    await venue.close_position(BTC)
    assert (await within(closing))[-1]["status"] in {"open", "closed"}
    assert await venue.fetch_positions([BTC]) == []


async def test_a_limit_order_is_seen_open_and_cancelled(streaming: ccxt.pro.bitget) -> None:
    venue = streaming
    await within(venue.watch_balance())  # logged in
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await within(venue.watch_positions([BTC]))  # acknowledged in order: the one before stands
    placed = await venue.create_order(BTC, "limit", "buy", 0.01, 59_000)
    seen = await within(orders)
    assert (seen[-1]["id"], seen[-1]["status"]) == (placed["id"], "open")
    (orders,) = await subscribed(venue.watch_orders(BTC))
    await venue.cancel_order(placed["id"], BTC)
    assert (await within(orders))[-1]["status"] == "canceled"


async def test_trigger_orders_are_streamed(streaming: ccxt.pro.bitget) -> None:
    venue = streaming
    (plans,) = await subscribed(venue.watch_orders(BTC, None, None, {"trigger": True}))
    await within(venue.watch_positions([BTC]))
    placed = await venue.create_order(BTC, "market", "buy", 0.01, None, {"triggerPrice": 61_000})
    found = await within(plans)
    assert (found[-1]["id"], found[-1]["triggerPrice"]) == (placed["id"], 61_000.0)
    await venue.cancel_order(placed["id"], BTC, {"trigger": True})


async def test_spot_streams_while_orders_run(streaming: ccxt.pro.bitget) -> None:
    venue = streaming
    await venue.transfer("USDT", 5000, "swap", "spot")
    spot = {"type": "spot"}
    balance = await within(venue.watch_balance(spot))
    assert balance["USDT"]["free"] == 5000.0
    orders, trades = await subscribed(venue.watch_orders(SPOT_BTC), venue.watch_my_trades(SPOT_BTC))
    (money,) = await subscribed(venue.watch_balance(spot))
    placed = await venue.create_market_buy_order_with_cost(SPOT_BTC, 600)
    fills = await within(trades)
    assert fills[-1]["order"] == placed["id"]
    assert fills[-1]["fee"]["currency"] == "BTC"
    assert (await within(orders))[-1]["id"] == placed["id"]
    assert (await within(money))["USDT"]["free"] < 5000.0


@pytest.fixture
async def mortal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Process, Any]]:
    """An exchange with its state in a home, so that it can be killed and started again on its port."""
    made = Processes()
    home = str(tmp_path_factory.mktemp("home"))
    tape = write_tape(tmp_path_factory.mktemp("tape"))
    first = made.start("--tape", tape, "--home", home, "--accounts", "1")

    def again() -> Process:
        port = first.ready["rest"].rpartition(":")[2]
        return made.start("--tape", tape, "--home", home, "--accounts", "1", "--port", port)

    yield first, again
    made.stop_all()


async def test_streams_come_back_after_a_cut(mortal: tuple[Process, Any]) -> None:
    """The exchange dies and starts again: the next watch connects, logs in and hears what happens."""
    first, again = mortal
    venue = ccxt.pro.bitget(classic(first.ready, first.ready["accounts"][0]))
    try:
        Control(first.ready).price("BTCUSDT", "60000")
        await within(venue.watch_order_book(BTC))
        await within(venue.watch_balance())
        waiting = asyncio.ensure_future(venue.watch_balance())
        await asyncio.sleep(0)
        first.end(9)
        with pytest.raises(ccxt.BaseError):
            await within(waiting)
        again()
        balance = await within(venue.watch_balance())
        assert balance["USDT"]["total"] == 10_000.0
        assert (await within(venue.watch_order_book(BTC)))["bids"]
        (money,) = await subscribed(venue.watch_balance())
        await venue.create_order(BTC, "market", "buy", 0.01)
        assert (await within(money))["USDT"]["total"] < 10_000.0
    finally:
        await venue.close()


async def test_the_ticker_tells_the_open_interest(streaming: ccxt.pro.bitget, control: Control) -> None:
    await streaming.create_order(BTC, "market", "buy", 0.005)
    told = (await streaming.fetch_open_interest(BTC))["openInterestAmount"]
    assert told > 0
    ticker = await until(
        lambda: streaming.watch_ticker(BTC), lambda found: float(found["info"]["holdingAmount"]) == told
    )
    assert ticker["symbol"] == BTC
