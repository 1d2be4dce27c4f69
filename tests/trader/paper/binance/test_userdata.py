"""User data: which events an account gets, in which order, with which numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.order import Side
from tests.trader.paper.binance.sockets import Api, Sockets, Stream, sign
from trader.paper import shortids
from trader.paper.engine.accounts import Account
from trader.paper.engine.algos import NewAlgo
from trader.paper.engine.model import MarginMode, PlanKind, PositionMode
from trader.paper.faces.binance.listenkeys import ListenKeys
from trader.paper.faults.rules import Match, NewFault
from trader.paper.server import PaperServer

D = Decimal
BTC = "BTCUSDT"
ORDER = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}


@pytest.fixture
async def api(sockets: Sockets, binance: PaperServer) -> Api:
    binance.hub.override_price(BTC, D(60_000))
    return await sockets.api()


@pytest.fixture
async def user(sockets: Sockets, api: Api) -> Stream:
    stream = await sockets.user(api)
    await stream.ask("LIST_SUBSCRIPTIONS")
    stream.seen.clear()
    return stream


async def told(stream: Stream) -> list[Any]:
    """Every event so far."""
    await stream.ask("LIST_SUBSCRIPTIONS")
    events, stream.seen = stream.seen[:-1], []
    return events


def names(events: list[Any]) -> list[str]:
    return [
        f"{event['e']} {event['o']['x']} {event['o']['X']}"
        if event["e"] == "ORDER_TRADE_UPDATE"
        else event["e"]
        for event in events
    ]


def only(events: list[Any], name: str) -> list[Any]:
    return [event for event in events if event["e"] == name]


async def test_a_trade_is_told_lite_then_in_full_then_as_money(
    api: Api, user: Stream, account: Account, binance: PaperServer
) -> None:
    placed = await api.result("order.place", **(ORDER | {"quantity": "0.002", "newClientOrderId": "mine"}))
    events = await told(user)
    assert names(events) == [
        "ORDER_TRADE_UPDATE NEW NEW",
        "TRADE_LITE",
        "ORDER_TRADE_UPDATE TRADE FILLED",
        "ACCOUNT_UPDATE",
    ]
    _, lite, trade, money = events
    order = trade["o"]
    assert lite["i"] == order["i"] == placed["orderId"]
    assert (lite["c"], lite["l"], lite["L"], lite["t"]) == ("mine", order["l"], order["L"], order["t"])
    entry = binance.engine.entries(account)[-1]
    assert D(order["n"]) == -entry.amount
    assert D(money["a"]["B"][0]["wb"]) == account.record.wallet
    assert (money["a"]["m"], money["a"]["B"][0]["bc"]) == ("ORDER", "0")
    (row,) = money["a"]["P"]
    assert (row["s"], row["pa"], row["mt"], row["ps"]) == (BTC, "0.0020", "cross", "BOTH")


async def test_a_resting_order_is_amended_and_cancelled_under_one_number(api: Api, user: Stream) -> None:
    limit = ORDER | {"type": "LIMIT", "price": "59000", "timeInForce": "GTC"}
    number = (await api.result("order.place", **limit))["orderId"]
    await api.result("order.modify", symbol=BTC, side="BUY", orderId=number, quantity="0.02", price="58000")
    await api.result("order.cancel", symbol=BTC, orderId=number)
    events = await told(user)
    assert names(events) == [
        f"ORDER_TRADE_UPDATE {how}" for how in ("NEW NEW", "AMENDMENT NEW", "CANCELED CANCELED")
    ]
    assert {event["o"]["i"] for event in events} == {number}
    assert [event["o"]["b"] for event in events] == ["590", "1160", "0"]


async def test_what_could_not_trade_at_once_expires_with_its_reason(api: Api, user: Stream) -> None:
    limit = ORDER | {"type": "LIMIT", "price": "59000", "timeInForce": "IOC"}
    await api.result("order.place", **limit)
    last = (await told(user))[-1]["o"]
    assert (last["x"], last["X"], last["er"]) == ("EXPIRED", "EXPIRED", "2")


async def test_a_resting_close_moves_no_position(api: Api, user: Stream) -> None:
    await api.result("order.place", **ORDER)
    await told(user)
    close = {"symbol": BTC, "side": "SELL", "type": "LIMIT", "price": "65000", "timeInForce": "GTC"}
    await api.result("order.place", **close, quantity="0.01", reduceOnly="true")
    assert names(await told(user)) == ["ORDER_TRADE_UPDATE NEW NEW"]


async def test_closing_tells_of_a_position_that_is_no_more(api: Api, user: Stream, account: Account) -> None:
    await api.result("order.place", **ORDER)
    await told(user)
    await api.result("order.place", symbol=BTC, side="SELL", type="MARKET", quantity="0.01", reduceOnly=True)
    events = await told(user)
    (money,) = only(events, "ACCOUNT_UPDATE")
    (row,) = money["a"]["P"]
    profit = sum(D(event["o"]["rp"]) for event in only(events, "ORDER_TRADE_UPDATE"))
    assert (row["pa"], row["ep"], D(row["cr"])) == ("0", "0", profit)
    assert not account.positions


async def test_hedge_mode_names_the_side(
    api: Api, user: Stream, binance: PaperServer, account: Account
) -> None:
    binance.engine.set_position_mode(account, PositionMode.HEDGE)
    await api.result("order.place", **ORDER, positionSide="LONG")
    await api.result("order.place", **(ORDER | {"side": "SELL"}), positionSide="SHORT")
    events = await told(user)
    assert {event["o"]["ps"] for event in only(events, "ORDER_TRADE_UPDATE")} == {"LONG", "SHORT"}
    rows = [row for event in only(events, "ACCOUNT_UPDATE") for row in event["a"]["P"]]
    assert [(row["ps"], row["pa"]) for row in rows] == [("LONG", "0.0100"), ("SHORT", "-0.0100")]


async def test_funding_tells_of_money_and_of_isolated_positions_only(
    api: Api, user: Stream, binance: PaperServer, account: Account
) -> None:
    binance.engine.set_margin_mode(account, "ETHUSDT", MarginMode.ISOLATED)
    await api.result("order.place", **ORDER)
    await api.result("order.place", **(ORDER | {"symbol": "ETHUSDT", "quantity": "0.5"}))
    await told(user)
    binance.clock.set_speed(0)
    due = binance.hub.states["futures", BTC].next_funding_ns
    binance.clock.advance((due - binance.clock.now_ns()) // 1_000_000 + 1)
    binance.hub.tick(binance.clock.now_ns())
    updates = [event["a"] for event in await told(user)]
    assert {update["m"] for update in updates} == {"FUNDING_FEE"}
    assert [[row["s"] for row in update["P"]] for update in updates] in ([[], ["ETHUSDT"]], [["ETHUSDT"], []])
    paid = [entry.amount for entry in binance.engine.entries(account) if entry.kind == "funding"]
    assert [D(update["B"][0]["bc"]) for update in updates] == paid


async def test_money_from_outside_is_a_deposit(user: Stream, binance: PaperServer, account: Account) -> None:
    binance.engine.spot.deposit(account, "futures", "USDT", D(5))
    (event,) = await told(user)
    assert (event["a"]["m"], event["a"]["P"]) == ("DEPOSIT", [])
    assert event["a"]["B"] == [
        {"a": "USDT", "wb": "10005.00000000", "cw": "10005.00000000", "bc": "5.00000000"}
    ]


async def test_settings_and_margin_are_told(
    api: Api, user: Stream, binance: PaperServer, account: Account
) -> None:
    engine = binance.engine
    engine.set_leverage(account, BTC, 7)
    engine.set_leverage(account, BTC, 7)
    engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    events = await told(user)
    assert names(events) == ["ACCOUNT_CONFIG_UPDATE", "ACCOUNT_UPDATE"]
    assert events[0]["ac"] == {"s": BTC, "l": 7}
    assert (events[1]["a"]["m"], events[1]["a"]["P"][0]["mt"]) == ("MARGIN_TYPE_CHANGE", "isolated")
    await api.result("order.place", **ORDER)
    await told(user)
    engine.adjust_margin(account, BTC, None, D(10))
    (event,) = await told(user)
    (row,), (balance,) = event["a"]["P"], event["a"]["B"]
    margin = next(account.held(BTC)).margin
    assert event["a"]["m"] == "MARGIN_TRANSFER"
    assert abs(D(row["iw"]) - margin) < D("1e-8")
    assert D(balance["cw"]) == D(balance["wb"]) - margin


async def test_a_liquidation_is_calculated_and_known_by_its_name(
    sockets: Sockets, api: Api, user: Stream, binance: PaperServer, account: Account
) -> None:
    public = await sockets.stream("/market/ws/btcusdt@forceOrder/!forceOrder@arr")
    await public.ask("LIST_SUBSCRIPTIONS")
    binance.engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    await api.result("order.place", **ORDER)
    await told(user)
    binance.hub.override_price(BTC, D(50_000))
    events = await told(user)
    orders = [event["o"] for event in only(events, "ORDER_TRADE_UPDATE")]
    assert [order["x"] for order in orders] == ["NEW", "CALCULATED"]
    assert all(order["c"].startswith("autoclose-") and order["o"] == "LIQUIDATION" for order in orders)
    assert not only(events, "TRADE_LITE")
    assert [event["a"]["m"] for event in only(events, "ACCOUNT_UPDATE")] == ["ORDER", "INSURANCE_CLEAR"]
    forced = [await public.event("forceOrder"), await public.event("forceOrder")]
    assert [event["o"]["S"] for event in forced] == ["SELL", "SELL"]
    assert forced[0]["o"]["q"] == "0.01"


async def test_an_algo_order_is_told_until_it_is_finished(
    user: Stream, binance: PaperServer, account: Account
) -> None:
    stop = NewAlgo(
        symbol=BTC,
        kind=PlanKind.ALGO_STOP,
        side=Side.BUY,
        size=D("0.01"),
        trigger=D(61_000),
        client_id="algo",
    )
    binance.engine.place_algo(account, stop)
    binance.hub.override_price(BTC, D(61_000))
    events = await told(user)
    algos = [event["o"] for event in only(events, "ALGO_UPDATE")]
    assert [row["X"] for row in algos] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert {(row["caid"], row["o"], row["S"], row["tp"]) for row in algos} == {
        ("algo", "STOP_MARKET", "BUY", "61000.0")
    }
    order = only(events, "ORDER_TRADE_UPDATE")[-1]["o"]
    assert (algos[-1]["ai"], algos[-1]["aq"], algos[-1]["act"]) == (str(order["i"]), order["z"], "MARKET")
    kinds = names(events)
    assert kinds.index("ORDER_TRADE_UPDATE NEW NEW") > kinds.index("ALGO_UPDATE", 1)
    assert kinds[-1] == "ALGO_UPDATE"


async def test_an_algo_order_that_cannot_be_placed_is_rejected(
    user: Stream, binance: PaperServer, account: Account
) -> None:
    stop = NewAlgo(
        symbol=BTC,
        kind=PlanKind.ALGO_STOP,
        side=Side.SELL,
        size=D("0.01"),
        trigger=D(59_000),
        reduce_only=True,
    )
    plan = binance.engine.place_algo(account, stop)
    binance.hub.override_price(BTC, D(59_000))
    events = await told(user)
    (rejected,) = only(events, "CONDITIONAL_ORDER_TRIGGER_REJECT")
    assert (rejected["or"]["s"], rejected["or"]["i"]) == (BTC, shortids.shown(plan.id))
    assert events[-2]["o"]["X"] == "REJECTED"
    assert events[-2]["o"]["rm"] == rejected["or"]["r"] == "ReduceOnly Order is rejected."


async def test_a_position_near_its_liquidation_is_warned_of_once(
    api: Api, user: Stream, binance: PaperServer, account: Account
) -> None:
    engine = binance.engine
    engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    await api.result("order.place", **ORDER)
    held = next(account.held(BTC))
    edge = engine.liquidation_price(account, held, engine.funds(account))
    await told(user)
    binance.hub.override_price(BTC, edge + 20)
    call = await user.event("MARGIN_CALL")
    assert (call["p"][0]["s"], call["p"][0]["mt"], call["p"][0]["pa"]) == (BTC, "ISOLATED", "0.0100")
    user.seen.clear()
    binance.hub.override_price(BTC, edge + 25)
    binance.streams._judge()
    assert await told(user) == []
    binance.hub.override_price(BTC, D(60_000))
    binance.streams._judge()
    binance.hub.override_price(BTC, edge + 25)
    binance.streams._judge()
    assert names(await told(user)) == ["MARGIN_CALL"]


# listen keys


async def test_a_key_is_heard_in_path_query_and_request_alike(
    sockets: Sockets, api: Api, binance: PaperServer
) -> None:
    ways = [
        "/ws/{}",
        "/stream?streams={}",
        "/private/ws/{}",
        "/private/stream?listenKey={}",
        "/private/ws?listenKey={}",
    ]
    streams = [await sockets.user(api, way) for way in ways]
    key = binance.binance.keys.all[0]
    asked = await sockets.stream("/private/stream")
    await asked.ask("SUBSCRIBE", key)
    wrong = [
        await sockets.user(api, "/market/ws?listenKey={}"),
        await sockets.stream("/private/ws?listenKey=" + "x" * 64),
    ]
    await api.result("order.place", **(ORDER | {"quantity": "0.002"}))
    for stream in [*streams, asked]:
        events = [event.get("data", event) for event in await told(stream) if "result" not in event]
        assert names(events)[-1] == "ACCOUNT_UPDATE"
    for stream in wrong:
        assert await stream.silent()


async def test_events_may_be_chosen(sockets: Sockets, api: Api) -> None:
    stream = await sockets.user(api, "/private/ws?listenKey={}&events=ACCOUNT_UPDATE/TRADE_LITE")
    await api.result("order.place", **(ORDER | {"quantity": "0.002"}))
    assert names(await told(stream)) == ["TRADE_LITE", "ACCOUNT_UPDATE"]


async def test_accounts_hear_of_themselves_only(sockets: Sockets, api: Api, user: Stream) -> None:
    other = await sockets.api(1)
    await other.result("order.place", **ORDER)
    assert await told(user) == []


async def test_an_expired_key_says_so_and_falls_silent(
    sockets: Sockets, api: Api, binance: PaperServer
) -> None:
    binance.binance.keys = keys = ListenKeys(0.05)
    binance.streams.keys = keys
    keys.on_end = binance.streams._ended
    stream = await sockets.user(api)
    gone = await stream.event("listenKeyExpired")
    assert len(gone["listenKey"]) == 64
    await api.result("order.place", **ORDER)
    assert await stream.silent()
    assert not binance.streams.private


async def test_a_closed_key_falls_silent(api: Api, user: Stream) -> None:
    assert (await api.raw("userDataStream.stop", {"apiKey": api.key}))["result"] == {}
    await api.result("order.place", **ORDER)
    assert await told(user) == []


async def test_no_listen_key_shows_in_the_log(
    sockets: Sockets, api: Api, user: Stream, binance: PaperServer
) -> None:
    key = binance.binance.keys.all[0]
    await user.ask("SUBSCRIBE", key)
    await sockets.stream(f"/ws/{key}")
    rows = binance.door.log.rows(after=0, limit=1000, path="", account=None, secrets=binance.door.secrets())
    assert any(row["method"] == "SUBSCRIBE" for row in rows)
    assert key not in str(rows)
    assert api.key not in str(rows)


async def test_faults_strike_user_data_and_streams(
    sockets: Sockets, api: Api, user: Stream, binance: PaperServer
) -> None:
    binance.door.faults.add(NewFault(do="drop_push", match=Match(channel="TRADE_LITE")))
    binance.door.faults.add(NewFault(do="duplicate_push", match=Match(channel="ACCOUNT_UPDATE")))
    binance.door.faults.add(NewFault(do="null_price", match=Match(channel="bookTicker"), args={"field": "b"}))
    public = await sockets.stream("/public/ws/btcusdt@bookTicker")
    await api.result("order.place", **(ORDER | {"quantity": "0.002"}))
    assert names(await told(user)) == [
        "ORDER_TRADE_UPDATE NEW NEW", "ORDER_TRADE_UPDATE TRADE FILLED", "ACCOUNT_UPDATE", "ACCOUNT_UPDATE"
    ]  # fmt: skip
    assert (await public.event("bookTicker"))["b"] is None
    binance.door.faults.add(NewFault(do="mute_stream", match=Match(channel="ORDER_TRADE_UPDATE")))
    await api.result("order.place", **ORDER)
    assert await told(user) == []


def test_the_signature_is_that_of_the_documents() -> None:
    values: dict[str, object] = {
        "symbol": BTC,
        "side": "BUY",
        "type": "MARKET",
        "quantity": 0.005,
        "timestamp": 1700000000000,
        "apiKey": "test-api-key",
    }
    wanted = "e697b0348c12c2cb9fd1c86c4064a81eb992e74365acf15f8c023c9067adec94"
    assert sign("test-secret-0123456789abcdef", values) == wanted
