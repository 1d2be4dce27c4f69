"""Orders over REST: what is placed, what is refused, how they are changed, found and cancelled."""

from __future__ import annotations

import json
from typing import Any

from shared import clock
from tests.trader.paper.binance.rest import BTC, Market, Rest
from tests.trader.paper.binance.test_rest_door import code
from trader.paper import shortids

ORDER, OPEN, ALL = "/fapi/v1/order", "/fapi/v1/openOrders", "/fapi/v1/allOrders"


async def test_a_market_order_is_answered_filled_or_as_it_came_in(market: Market, rest: Rest) -> None:
    filled = await rest.order("BUY", "0.005")
    assert {name: filled[name] for name in ("status", "executedQty", "cumQty", "origQty", "avgPrice")} == {
        "status": "FILLED",
        "executedQty": "0.0050",
        "cumQty": "0.0050",
        "origQty": "0.0050",
        "avgPrice": "60000.00000",
    }
    assert (filled["type"], filled["timeInForce"], filled["price"]) == ("MARKET", "GTC", "0.0")
    assert (filled["cumQuote"], filled["positionSide"], filled["reduceOnly"]) == ("300.00000", "BOTH", False)
    ack = await rest.order("SELL", "0.005", newOrderRespType="ACK")
    assert (ack["status"], ack["executedQty"], ack["avgPrice"]) == ("NEW", "0.0000", "0.00000")
    assert set(ack) == set(filled)
    found = await rest.get(ORDER, symbol=BTC, orderId=ack["orderId"])
    assert (found["status"], found["time"] <= found["updateTime"]) == ("FILLED", True)
    assert rest.ledger()[1:] == [
        ("open_fee", "-0.18"),
        ("realised_pnl", "-0.0005"),
        ("close_fee", "-0.1799997"),
    ]


async def test_a_limit_order_rests_is_amended_and_cancelled_under_one_id(market: Market, rest: Rest) -> None:
    placed = await rest.order("BUY", "0.01", 59_000, newClientOrderId="x-1.a/b:c")
    assert (placed["status"], placed["price"], placed["clientOrderId"]) == ("NEW", "59000.0", "x-1.a/b:c")
    name = {"symbol": BTC, "origClientOrderId": "x-1.a/b:c"}
    changed = await rest.put(ORDER, **name, side="BUY", quantity="0.02", price="58500")
    assert changed["orderId"] == placed["orderId"]
    assert (changed["price"], changed["origQty"], changed["status"]) == ("58500.0", "0.0200", "NEW")
    assert code(await rest.put(ORDER, symbol=BTC, orderId=7, side="BUY", quantity="0.02")) == -1102
    assert code(await rest.put(ORDER, **name, side="SELL", quantity="0.02", price="58500")) == -1130
    same = await rest.put(ORDER, **name, side="BUY", quantity="0.02", price="58500")
    assert code(same) == -5027
    (change,) = await rest.get("/fapi/v1/orderAmendment", symbol=BTC, orderId=placed["orderId"])
    assert change["amendment"] == {
        "price": {"before": "59000.0", "after": "58500.0"},
        "origQty": {"before": "0.0100", "after": "0.0200"},
        "count": 1,
    }
    assert [row["orderId"] for row in await rest.get(OPEN)] == [placed["orderId"]]
    assert (await rest.get("/fapi/v1/openOrder", **name))["origQty"] == "0.0200"
    gone = await rest.delete(ORDER, **name)
    assert (gone["status"], gone["orderId"], gone["executedQty"]) == ("CANCELED", placed["orderId"], "0.0000")
    assert await rest.get(OPEN, symbol=BTC) == []
    assert [row["status"] for row in await rest.get(ALL, symbol=BTC)] == ["CANCELED"]
    for method, path, expected in (
        ("DELETE", ORDER, -2011),
        ("GET", "/fapi/v1/openOrder", -2013),
        ("PUT", ORDER, -2013),
    ):
        answer = await rest.call(method, path, **name, side="BUY", quantity="0.02", price="58500")
        assert code(answer) == expected
        assert code(await rest.call(method, path, symbol=BTC)) == -1102


LIMIT = {"side": "BUY", "quantity": "0.01", "price": "59000"}
MARKET = {"side": "BUY", "quantity": "0.01"}
REFUSALS = [
    (MARKET | {"symbol": "NOSUCHUSDT"}, -1121),
    (MARKET | {"side": "UP"}, -1117),
    (MARKET | {"side": "buy"}, -1117),
    (MARKET | {"type": "STOP_MARKET"}, -4120),
    (MARKET | {"type": "TRAILING_STOP_MARKET"}, -4120),
    (MARKET | {"type": "MAGIC"}, -1116),
    (MARKET | {"closePosition": "True"}, -4136),
    (MARKET | {"timeInForce": "GTC"}, -1106),
    (MARKET | {"stopPrice": "1"}, -1106),
    (MARKET | {"quantity": ""}, -1102),
    (MARKET | {"quantity": "0"}, -4003),
    (MARKET | {"quantity": "-1"}, -4003),
    (MARKET | {"quantity": "0.00001"}, -1111),
    (MARKET | {"quantity": "9999999"}, -4005),
    (MARKET | {"quantity": "5"}, -2019),
    (MARKET | {"positionSide": "LONG"}, -4061),
    (MARKET | {"positionSide": "UP"}, -4060),
    (MARKET | {"reduceOnly": "true"}, -2022),
    (MARKET | {"reduceOnly": "perhaps"}, -1102),
    (MARKET | {"newOrderRespType": "NONE"}, -1136),
    (MARKET | {"selfTradePreventionMode": "ALL"}, -5039),
    (MARKET | {"priceMatch": "QUEUE"}, -5038),
    (MARKET | {"newClientOrderId": "a b"}, -1100),
    (LIMIT | {"timeInForce": "DAY"}, -1115),
    (LIMIT | {"timeInForce": ""}, -1102),
    (LIMIT | {"price": "59000.01"}, -4014),
    (LIMIT | {"price": "59000.001"}, -1111),
    (LIMIT | {"price": "0"}, -4013),
    (LIMIT | {"price": "63000.1"}, -4016),
    (LIMIT | {"side": "SELL", "price": "56999.9"}, -4024),
    (LIMIT | {"price": "99999999"}, -4002),
    (LIMIT | {"quantity": "0.0001", "price": "49000"}, -4164),
    (LIMIT | {"price": "60000", "timeInForce": "GTX"}, -5022),
    (LIMIT | {"timeInForce": "FOK"}, -5021),
    (LIMIT | {"timeInForce": "GTD"}, -1102),
    (LIMIT | {"timeInForce": "GTD", "goodTillDate": "1000"}, -5040),
    (LIMIT | {"goodTillDate": "1000"}, -1106),
    (LIMIT | {"priceMatch": "QUEUE"}, -1106),
    (LIMIT | {"priceMatch": "BEST"}, -5037),
]


async def test_refusals_change_nothing(market: Market, rest: Rest) -> None:
    kept = await rest.order("SELL", "0.01", 61_000, newClientOrderId="mine")
    before = (rest.ledger(), list(rest.account.orders), rest.account.locked)
    for params, expected in [*REFUSALS, (LIMIT | {"newClientOrderId": "mine"}, -4116)]:
        given: dict[str, Any] = {"price": None, **params}
        answer = await rest.order(**given)
        assert (params, code(answer), rest.status) == (params, expected, 400)
        sent = {"symbol": BTC, "type": "LIMIT" if "price" in params else "MARKET", **params}
        sent = ({"timeInForce": "GTC"} if "price" in params else {}) | sent
        assert code(await rest.post("/fapi/v1/order/test", **sent)) == expected
    assert (rest.ledger(), list(rest.account.orders), rest.account.locked) == before
    assert before[1] == [shortids.meant(kept["orderId"])]


async def test_what_nothing_is_left_to_trade_with_expires(market: Market, rest: Rest) -> None:
    market.thin([("60000", "0.004"), ("60900", "0.001")])
    partly = await rest.order("BUY", "0.01")
    assert (partly["status"], partly["executedQty"], partly["avgPrice"]) == (
        "EXPIRED",
        "0.0050",
        "60180.00000",
    )
    missed = await rest.order("BUY", "0.01", 59_000, timeInForce="IOC", newOrderRespType="RESULT")
    assert (missed["status"], missed["timeInForce"]) == ("EXPIRED", "IOC")
    market.thin([])
    assert code(await rest.order("BUY", "0.01")) == -4131
    market.thin([("63100", "1")])
    assert code(await rest.order("BUY", "0.01")) == -4131


async def test_who_meets_himself_expires_in_the_match(market: Market, rest: Rest) -> None:
    async def status(placed: dict[str, Any]) -> str:
        found: str = (await rest.get(ORDER, symbol=BTC, orderId=placed["orderId"]))["status"]
        return found

    market.thin([("60500", "1")])
    maker = await rest.order("SELL", "0.01", 60_050)
    taker = await rest.order("BUY", "0.01", 60_100, selfTradePreventionMode="EXPIRE_TAKER")
    assert (await status(taker), await status(maker)) == ("EXPIRED_IN_MATCH", "NEW")
    taker = await rest.order("BUY", "0.01", 60_100)
    assert taker["selfTradePreventionMode"] == "EXPIRE_MAKER"
    assert (await status(taker), await status(maker)) == ("NEW", "EXPIRED_IN_MATCH")


async def test_a_reduce_only_order_ends_with_its_position(market: Market, rest: Rest) -> None:
    await rest.order("BUY", "0.01")
    rests = await rest.order("SELL", "0.01", 61_000, reduceOnly="true")
    assert rests["reduceOnly"] is True
    await rest.order("SELL", "0.01")
    found = await rest.get(ORDER, symbol=BTC, orderId=rests["orderId"])
    assert (found["status"], found["executedQty"]) == ("EXPIRED", "0.0000")


async def test_an_order_test_is_judged_and_forgotten(market: Market, rest: Rest) -> None:
    sent = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    tried = await rest.post("/fapi/v1/order/test", **sent, price="59000")
    placed = await rest.post(ORDER, **sent, price="59000")
    assert set(tried) == set(placed)
    assert len(rest.account.orders) == 1


async def test_a_price_from_the_book(market: Market, rest: Rest) -> None:
    sent = {"symbol": BTC, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    queued = await rest.post(ORDER, **sent, side="BUY", priceMatch="QUEUE_5")
    state = market.state
    assert queued["price"] == str(state.book.bids(5)[-1][0])
    assert queued["priceMatch"] == "QUEUE_5"
    took = await rest.post(ORDER, **sent, side="BUY", priceMatch="OPPONENT", newOrderRespType="RESULT")
    assert (took["price"], took["status"]) == (
        str(state.book.best_ask[0]) if state.book.best_ask else "",
        "FILLED",
    )


async def test_good_till_a_date_is_on_the_tapes_clock(market: Market, rest: Rest) -> None:
    until = (market.clock.now_ns() // clock.SECOND + 700) * 1000 + 999
    placed = await rest.order("BUY", "0.01", 59_000, timeInForce="GTD", goodTillDate=until)
    assert (placed["timeInForce"], placed["goodTillDate"]) == ("GTD", until - 999)
    await market.wait(701_000)
    assert (await rest.get(ORDER, symbol=BTC, orderId=placed["orderId"]))["status"] == "EXPIRED"


async def test_the_countdown_cancels_everything_of_its_symbol(market: Market, rest: Rest) -> None:
    path = "/fapi/v1/countdownCancelAll"
    placed = await rest.order("BUY", "0.01", 59_000)
    answer = await rest.post(path, symbol=BTC, countdownTime=120_000)
    assert answer == {"symbol": BTC, "countdownTime": "120000"}
    await market.wait(119_000)
    assert len(rest.account.orders) == 1
    await market.wait(2_000)
    assert (await rest.get(ORDER, symbol=BTC, orderId=placed["orderId"]))["status"] == "CANCELED"
    for wrong in ("-1", "x", "99999999999999"):
        assert code(await rest.post(path, symbol=BTC, countdownTime=wrong)) in (-1102, -1130)


async def test_hedge_mode_tells_the_position_by_its_side(market: Market, rest: Rest) -> None:
    await rest.post("/fapi/v1/positionSide/dual", dualSidePosition="TRUE")
    assert code(await rest.order("BUY", "0.01")) == -4061
    assert code(await rest.order("SELL", "0.01", positionSide="LONG")) == -2022
    assert code(await rest.order("BUY", "0.01", positionSide="LONG", reduceOnly="false")) == -1106
    opened = [
        await rest.order("BUY", "0.01", positionSide="LONG"),
        await rest.order("SELL", "0.02", positionSide="SHORT"),
    ]
    assert [(row["positionSide"], row["status"], row["reduceOnly"]) for row in opened] == [
        ("LONG", "FILLED", False),
        ("SHORT", "FILLED", False),
    ]
    rows = await rest.get("/fapi/v3/positionRisk")
    assert {row["positionSide"]: row["positionAmt"] for row in rows} == {"LONG": "0.0100", "SHORT": "-0.0200"}
    closed = [
        await rest.order("SELL", "0.01", positionSide="LONG"),
        await rest.order("BUY", "0.02", positionSide="SHORT"),
    ]
    assert [(row["positionSide"], row["reduceOnly"]) for row in closed] == [("LONG", True), ("SHORT", True)]
    assert await rest.get("/fapi/v3/positionRisk") == []
    trades = await rest.get("/fapi/v1/userTrades", symbol=BTC)
    assert [row["positionSide"] for row in trades] == ["LONG", "SHORT", "LONG", "SHORT"]


async def test_batches_succeed_and_fail_one_by_one(market: Market, rest: Rest) -> None:
    path = "/fapi/v1/batchOrders"
    limit = {"symbol": BTC, "type": "LIMIT", "timeInForce": "GTC", **LIMIT}
    many = [limit, limit | {"price": "59000.01"}, "x", limit | {"price": "58000"}]
    first, tick, bad, second = await rest.post(path, batchOrders=json.dumps(many))
    assert (code(tick), code(bad)) == (-4014, -1102)
    numbers = [first["orderId"], second["orderId"]]
    change = [
        {"symbol": BTC, "side": "BUY", "orderId": numbers[0], "quantity": "0.03", "price": "58900"},
        {"symbol": BTC, "side": "BUY", "orderId": 7, "quantity": "0.03", "price": "58900"},
    ]
    changed, unknown = await rest.put(path, batchOrders=json.dumps(change))
    assert (changed["origQty"], code(unknown)) == ("0.0300", -2013)
    for name in ("orderIdList", "orderidlist"):
        rows = await rest.delete(path, symbol=BTC, **{name: json.dumps(numbers)})
        assert [row.get("status", row.get("code")) for row in rows] in (["CANCELED"] * 2, [-2011] * 2)
    assert not rest.account.orders
    assert code(await rest.post(path, batchOrders=json.dumps([limit] * 6))) == -4082
    for wrong in ("[]", "{}", "x"):
        assert code(await rest.post(path, batchOrders=wrong)) == -1102
    await rest.post(path, batchOrders=json.dumps([limit] * 2))
    assert (await rest.delete("/fapi/v1/allOpenOrders", symbol=BTC))["code"] == 200
    assert not rest.account.orders


async def test_history_goes_both_ways(market: Market, rest: Rest) -> None:
    numbers = [(await rest.order("BUY", "0.001", 59_000 - at))["orderId"] for at in range(4)]
    await rest.delete(ORDER, symbol=BTC, orderId=numbers[1])
    await rest.delete(ORDER, symbol=BTC, orderId=numbers[3])

    async def listed(**params: object) -> list[int]:
        return [row["orderId"] for row in await rest.get(ALL, symbol=BTC, **params)]

    assert await listed() == numbers
    assert await listed(limit=2) == numbers[2:]
    assert await listed(limit=2, orderId=numbers[1]) == numbers[1:3]
    now = market.clock.now_ns() // 10**6
    assert await listed(startTime=now - 60_000, limit=1) == numbers[:1]
    assert await listed(endTime=now - 60_000) == []
    week = 7 * 86_400_000
    assert code(await rest.get(ALL, symbol=BTC, startTime=now - week - 1, endTime=now)) == -4165
    assert code(await rest.get(ALL, symbol=BTC, startTime=now, endTime=now - 1)) == -1130

    await rest.order("BUY", "0.001")
    await rest.order("SELL", "0.001")
    trades = await rest.get("/fapi/v1/userTrades", symbol=BTC)
    assert [(row["side"], row["buyer"], row["maker"]) for row in trades] == [
        ("BUY", True, False),
        ("SELL", False, False),
    ]
    assert (trades[0]["commission"], trades[1]["realizedPnl"]) == ("0.03600000", "-0.00010000")
    later = await rest.get("/fapi/v1/userTrades", symbol=BTC, fromId=trades[1]["id"])
    assert later == trades[1:]
    of_order = await rest.get("/fapi/v1/userTrades", symbol=BTC, orderId=trades[0]["orderId"])
    assert of_order == trades[:1]
    assert code(await rest.get("/fapi/v1/userTrades", symbol=BTC, fromId=1, startTime=now)) == -1128
