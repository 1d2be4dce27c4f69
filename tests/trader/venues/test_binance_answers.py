"""Answers and events, by the recorded samples and by rows of their shape."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.domain.instrument import InstrumentStatus
from shared.domain.order import OrderState, OrderType, PositionSide, Side
from shared.errors import ProtocolError, VenueRefusedError
from tests.trader.venues.binance_samples import CONFIG, REST, WS, Answers, body, held, refusal, trade
from trader.net.feed import Heard
from trader.net.response import Response
from trader.venues.binance import instruments, wire
from trader.venues.binance.ended import spans_of
from trader.venues.binance.market import BinanceMarket
from trader.venues.binance.spans import WEEK_MS
from trader.venues.binance.usdm import Usdm
from trader.venues.model import Call, Forced, MarginMode, PlanEnd, PositionMode, Price, Protection

D = Decimal
S = "BTCUSDT"
MS = clock.MILLISECOND
NOW = 1_790_000_000_000


@pytest.fixture
def usdm(monkeypatch: pytest.MonkeyPatch) -> Usdm:
    monkeypatch.setattr(clock, "now_ms", lambda: NOW)
    return Usdm()


# acknowledgements


def test_acknowledgements_of_both_namespaces() -> None:
    usdm = Usdm()
    ack = usdm.parse_ack(body(REST["POST /fapi/v1/order"]), 200, "testOrder")
    assert ack.order_id == "22542179"
    ack = usdm.parse_ack(body(REST["POST /fapi/v1/algoOrder"]), 200, "6B2I9XVcJpCjqPAJ4YoFX7")
    assert ack.order_id == "2146760"


@pytest.mark.parametrize(
    "answer", [b"{}", b"[]", b"null", b"", b'{"orderId":1}', b'{"orderId":1,"clientOrderId":"x"}']
)
def test_an_answer_that_names_not_this_order_says_nothing(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        Usdm().parse_ack(answer, 200, "mine")


def test_settings_are_done_or_refused() -> None:
    usdm = Usdm()
    usdm.check(body(REST["POST /fapi/v1/marginType"]), 200)
    usdm.check(body(REST["POST /fapi/v1/leverage"]), 200)
    usdm.check(body(REST["DELETE /fapi/v1/algoOrder"]), 200)
    usdm.check(body(REST["PUT /fapi/v1/listenKey"]), 200)
    with pytest.raises(VenueRefusedError) as caught:
        usdm.check(refusal(-4046), 400)
    assert caught.value.code == "-4046"
    with pytest.raises(ProtocolError):
        usdm.check(b"<html>", 200)


# orders


async def test_orders_of_the_samples(usdm: Usdm) -> None:
    answers = Answers(order=REST["GET /fapi/v1/order"], openOrders=REST["GET /fapi/v1/openOrders"])
    report, _ = await usdm.order(answers.ask, S, client_id="abc")
    assert answers.asked == [("order", {"symbol": S, "origClientOrderId": "abc"})]
    assert (report.order_id, report.client_id, report.state) == ("1917641", "abc", OrderState.LIVE)
    assert (report.side, report.position, report.reduce_only) == (Side.BUY, PositionSide.SHORT, True)
    assert (report.size, report.filled_size, report.average_price) == (D("0.40"), D(0), None)
    assert report.created_ns == 1579276756075 * MS
    (resting,), complete = await usdm.resting_orders(answers.ask)
    assert (resting, complete) == (report, True)


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [
        ("NEW", OrderState.LIVE, ""),
        ("PARTIALLY_FILLED", OrderState.PARTIALLY_FILLED, ""),
        ("FILLED", OrderState.FILLED, ""),
        ("CANCELED", OrderState.CANCELED, ""),
        ("EXPIRED", OrderState.CANCELED, "expired"),
        ("EXPIRED_IN_MATCH", OrderState.CANCELED, "expired_in_match"),
        ("REJECTED", OrderState.REJECTED, ""),
    ],
)
async def test_states(usdm: Usdm, status: str, state: OrderState, why: str) -> None:
    row = REST["GET /fapi/v1/order"] | {"status": status, "executedQty": "0.4", "avgPrice": "9"}
    report, _ = await usdm.order(Answers(order=row).ask, S, order_id="1")
    assert (report.state, report.cancel_reason, report.average_price) == (state, why, D(9))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "ODD"},
        {"side": "HOLD"},
        {"positionSide": "UP"},
        {"type": "ICEBERG"},
        {"status": "FILLED"},
        {"executedQty": "0.1", "avgPrice": "0"},
        {"executedQty": ""},
        {"origQty": "0"},
        {"orderId": "x"},
        {"symbol": ""},
        {"updateTime": 12},
    ],
)
async def test_what_is_not_documented_is_not_read(usdm: Usdm, changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        await usdm.order(Answers(order=REST["GET /fapi/v1/order"] | changes).ask, S, order_id="1")


@pytest.mark.parametrize(
    ("client_id", "forced"),
    [
        ("autoclose-1596107620040000020", Forced.LIQUIDATED),
        ("adl_autoclose", Forced.DELEVERAGED),
        ("settlement_autoclose-1", Forced.DELIVERED),
        ("abcd", Forced.NO),
    ],
)
async def test_who_made_an_order(usdm: Usdm, client_id: str, forced: Forced) -> None:
    row = REST["GET /fapi/v1/order"] | {"clientOrderId": client_id}
    report, _ = await usdm.order(Answers(order=row).ask, S, order_id="1")
    assert report.forced is forced


# lists that are told upwards


def paged(rows: list[dict[str, Any]], number: str, key: str) -> Any:
    """What the venue says: a span of at most seven days, or from an id on; oldest first, 1000 rows a page."""

    def say(fields: dict[str, str]) -> list[dict[str, Any]]:
        if key in fields:
            return [row for row in rows if row[number] >= int(fields[key])][:1000]
        start, end = int(fields["startTime"]), int(fields["endTime"])
        assert 0 < end - start < WEEK_MS
        return [row for row in rows if start <= row["time"] <= end][:1000]

    return say


@given(
    st.lists(st.integers(0, 4 * WEEK_MS), max_size=30),
    st.integers(0, 4 * WEEK_MS),
    st.sampled_from([1, 60]),
)
async def test_all_fills_are_read_once_however_many(ages: list[int], start_age: int, copies: int) -> None:
    times = sorted(NOW - age for age in ages for _ in range(copies))
    rows = [trade(number, "BUY", "1", time) for number, time in enumerate(times, 1)]
    answers = Answers(userTrades=paged(rows, "id", "fromId"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now_ms", lambda: NOW)
        fills, complete = await Usdm().recent_fills(answers.ask, S, NOW - start_age)
    assert complete
    assert [fill.fill_id for fill in fills] == [
        str(row["id"]) for row in rows if row["time"] >= NOW - start_age
    ]


async def test_recent_orders_are_the_resting_ones_and_those_since(usdm: Usdm) -> None:
    plain = REST["GET /fapi/v1/order"] | {"status": "CANCELED"}
    rows = [
        plain | {"orderId": 10 + number, "time": NOW - 10 * 86_400_000 + number} for number in range(1500)
    ]
    answers = Answers(allOrders=paged(rows, "orderId", "orderId"), openOrders=[plain | {"orderId": 1}])
    orders, complete = await usdm.recent_orders(answers.ask, S, NOW - 10 * 86_400_000)
    assert complete
    assert {order.order_id for order in orders} == {"1", *(str(row["orderId"]) for row in rows)}


async def test_a_page_that_repeats_itself_is_not_all(usdm: Usdm) -> None:
    rows = [trade(number, "BUY", "1", NOW) for number in range(1, 1001)]
    _, complete = await usdm.recent_fills(Answers(userTrades=rows).ask, S, NOW)
    assert not complete


async def test_fills_of_one_order(usdm: Usdm) -> None:
    sample = REST["GET /fapi/v1/userTrades"]
    (fill,) = await usdm.order_fills(Answers(userTrades=sample).ask, S, "25851813")
    assert (fill.fill_id, fill.fee, fill.fee_currency, fill.taker) == (
        "698759",
        D("0.07819010"),
        "USDT",
        True,
    )
    assert (fill.side, fill.realized) == (Side.SELL, D("-0.91539999"))
    assert await usdm.order_fills(Answers(userTrades=sample).ask, S, "2") == []


async def test_the_history_is_not_searched_by_client_id(usdm: Usdm) -> None:
    assert await usdm.ended_order(Answers().ask, S, "abc") is None


# positions


async def test_a_position_of_the_sample(usdm: Usdm) -> None:
    rows = REST["GET /fapi/v3/positionRisk"]
    answers = Answers(positionRisk=rows, symbolConfig=REST["GET /fapi/v1/symbolConfig"], userTrades=[])
    (position,) = await usdm.positions(answers.ask)
    assert (position.side, position.size, position.average_price) == (
        PositionSide.LONG,
        D("0.001"),
        D("22185.2"),
    )
    assert (position.position_mode, position.margin_mode) == (PositionMode.HEDGE, MarginMode.CROSSED)
    assert (position.leverage, position.mark_price) == (21, D("21123.05052574"))
    assert position.liquidation_price == D("19731.45529116")
    assert position.created_ns == 1655217461579 * MS  # no trace of its beginning: when it changed last
    assert len([name for name, _ in answers.asked if name == "userTrades"]) == 13


def asker(amount: str, trades: list[dict[str, Any]], updated: int = NOW - 20_000) -> Answers:
    return Answers(
        positionRisk=[held(amount, updated)] if amount else [],
        symbolConfig=CONFIG,
        userTrades=paged(trades, "id", "fromId"),
    )


async def test_a_position_began_with_the_fill_that_opened_it(usdm: Usdm) -> None:
    trades = [
        trade(1, "BUY", "5", NOW - 900_000),
        trade(2, "SELL", "5", NOW - 800_000),
        trade(3, "BUY", "2", NOW - 700_000),
        trade(4, "BUY", "2", NOW - 600_000),
        trade(5, "SELL", "1", NOW - 500_000),
    ]
    (position,) = await usdm.positions(asker("3", trades).ask, S)
    assert position.created_ns == (NOW - 700_000) * MS
    assert (position.side, position.margin, position.position_mode) == (
        PositionSide.LONG,
        D(2),
        PositionMode.ONE_WAY,
    )


async def test_a_flip_begins_the_other_side(usdm: Usdm) -> None:
    trades = [trade(1, "BUY", "5", NOW - 900_000), trade(2, "SELL", "8", NOW - 800_000)]
    (position,) = await usdm.positions(asker("-3", trades).ask, S)
    assert (position.side, position.size) == (PositionSide.SHORT, D(3))
    assert position.created_ns == (NOW - 800_000) * MS


async def test_what_is_known_of_a_beginning_is_not_asked_again(usdm: Usdm) -> None:
    old = trade(1, "BUY", "3", NOW - 9 * WEEK_MS)
    first = asker("3", [old])
    (position,) = await usdm.positions(first.ask, S)
    assert position.created_ns == old["time"] * MS
    again = asker("3", [])
    assert [each.created_ns for each in await usdm.positions(again.ask, S)] == [position.created_ns]
    assert [name for name, _ in again.asked] == ["positionRisk", "symbolConfig"]
    more = asker("4", [old, trade(2, "BUY", "1", NOW - 10_000)], updated=NOW - 10_000)
    assert [each.created_ns for each in await usdm.positions(more.ask, S)] == [position.created_ns]
    assert [name for name, _ in more.asked].count("userTrades") == 1
    anew = [old, trade(3, "SELL", "4", NOW - 9_000), trade(4, "BUY", "4", NOW - 8_000)]
    changed = asker("4", anew, updated=NOW - 8_000)
    assert [each.created_ns for each in await usdm.positions(changed.ask, S)] == [(NOW - 8_000) * MS]
    await usdm.positions(asker("", []).ask, S)
    last = asker("1", [trade(5, "BUY", "1", NOW - 100_000)])
    assert [each.created_ns for each in await usdm.positions(last.ask, S)] == [(NOW - 100_000) * MS]


async def test_fills_that_lag_behind_their_position_are_waited_for(usdm: Usdm) -> None:
    with pytest.raises(ProtocolError, match="not told yet"):
        await usdm.positions(asker("3", [], updated=NOW - 100).ask, S)
    assert await usdm.positions(asker("0", []).ask, S) == []


@pytest.mark.parametrize("row", [held("1", NOW, positionSide="SHORT"), held("-1", NOW, positionSide="LONG")])
async def test_a_side_that_contradicts_the_size_is_not_read(usdm: Usdm, row: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        await usdm.positions(Answers(positionRisk=[row], symbolConfig=CONFIG).ask, S)


# positions that ended


async def test_an_ended_position_is_made_of_fills_and_bills(usdm: Usdm) -> None:
    t = NOW - 1_000_000
    trades = [
        trade(1, "BUY", "2", t),
        trade(2, "BUY", "2", t + 1_000),
        trade(3, "SELL", "1", t + 2_000, price="12", realizedPnl="2", commission="-0.02"),
        trade(4, "SELL", "3", t + 3_000, price="13", realizedPnl="9"),
        trade(5, "SELL", "3", t + 9_000),
    ]

    def bill(kind: str, income: str, after: int) -> dict[str, Any]:
        return {
            "symbol": S,
            "incomeType": kind,
            "income": income,
            "asset": "USDT",
            "time": t + after,
            "tranId": after,
        }

    bills = [
        bill("FUNDING_FEE", "-0.5", 2_500),
        bill("FUNDING_FEE", "-7", 4_000),
        bill("COMMISSION", "-0.01", 1_000),
        bill("REALIZED_PNL", "2", 2_000),
        bill("INSURANCE_CLEAR", "-0.25", 3_000),
    ]
    answers = Answers(userTrades=paged(trades, "id", "fromId"), income=bills)
    (ended,) = await usdm.ended_positions(answers.ask, S, t - 1_000)
    assert (ended.side, ended.close_price) == (PositionSide.LONG, D("12.75"))
    assert ended.net == D("11") - D("0.05") - D("0.75")
    assert (ended.created_ns, ended.closed_ns) == (t * MS, (t + 3_000) * MS)


def told(rows: list[dict[str, Any]]) -> list[wire.TradeWire]:
    return msgspec.convert(rows, list[wire.TradeWire])


def test_a_flip_ends_one_position_and_begins_the_other() -> None:
    rows = [
        trade(1, "BUY", "2", NOW),
        trade(2, "SELL", "8", NOW + 1, realizedPnl="4", commission="0.08"),
        trade(3, "BUY", "6", NOW + 2, realizedPnl="1"),
    ]
    long, short = spans_of(told(rows))
    assert (long.side, long.ended_ms, long.net) == (PositionSide.LONG, NOW + 1, D("3.97"))
    assert (short.side, short.began_ms, short.ended_ms, short.net) == (
        PositionSide.SHORT,
        NOW + 1,
        NOW + 2,
        D("0.93"),
    )


def test_the_rest_of_an_older_hedge_position_is_passed_over() -> None:
    rows = [
        trade(1, "SELL", "5", NOW, positionSide="LONG"),
        trade(2, "BUY", "1", NOW + 1, positionSide="LONG"),
        trade(3, "SELL", "4", NOW + 2, positionSide="LONG"),
        trade(4, "BUY", "1", NOW + 3, positionSide="LONG"),
    ]
    first, second = spans_of(told(rows))
    assert (first.began_ms, first.closed, second.began_ms, second.ended_ms) == (NOW + 1, D(1), NOW + 3, 0)


@given(st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=40))
def test_positions_add_up_to_their_fills(changes: list[int]) -> None:
    rows = [
        trade(number, "BUY" if change > 0 else "SELL", str(abs(change)), NOW + number, realizedPnl="1")
        for number, change in enumerate(changes, 1)
    ]
    found = spans_of(told(rows))
    assert sum(span.rest for span in found) == sum(changes)
    fees = sum((span.net for span in found), D(0)) - len(
        [1 for number in range(len(changes)) if sum(changes[:number]) * changes[number] < 0]
    )
    assert abs(fees + D("0.01") * len(changes)) < D("1e-20")
    assert all(span.ended_ms for span in found[:-1])
    assert bool(found[-1].ended_ms) == (sum(changes) == 0)


# protection


async def test_algo_orders_of_the_samples(usdm: Usdm) -> None:
    answers = Answers(
        openAlgoOrders=REST["GET /fapi/v1/openAlgoOrders"], algoOrder=REST["GET /fapi/v1/algoOrder"]
    )
    (plan,) = await usdm.resting_protection(answers.ask, "BNBUSDT")
    assert (plan.client_id, plan.order_id, plan.plan) == ("MRumok0dkhrP4kCm12AHaB", "2148627", "TAKE_PROFIT")
    assert (plan.protects, plan.size, plan.trigger_price) == (None, D("0.01"), D(750))
    client_id = REST["GET /fapi/v1/algoOrder"]["clientAlgoId"]
    ended = await usdm.ended_protection(answers.ask, S, client_id)
    assert answers.asked[-1] == ("algoOrder", {"clientAlgoId": client_id})
    assert ended is not None
    assert (ended.end, ended.executed_as, ended.status) == (PlanEnd.EXECUTED, "974828356187", "FINISHED")


def algo(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = REST["GET /fapi/v1/openAlgoOrders"][0]
    return row | {"orderType": "TAKE_PROFIT_MARKET", "closePosition": True, "quantity": "0"} | changes


@pytest.mark.parametrize(
    ("changes", "protects", "position"),
    [
        ({}, Protection.TAKE_PROFIT, PositionSide.LONG),
        ({"side": "BUY"}, Protection.TAKE_PROFIT, PositionSide.SHORT),
        (
            {"orderType": "STOP_MARKET", "positionSide": "SHORT", "side": "BUY"},
            Protection.STOP,
            PositionSide.SHORT,
        ),
        ({"closePosition": False, "quantity": "1"}, None, None),
        ({"algoStatus": "TRIGGERING"}, Protection.TAKE_PROFIT, PositionSide.LONG),
    ],
)
async def test_what_an_algo_order_protects(
    usdm: Usdm, changes: dict[str, Any], protects: Protection | None, position: PositionSide | None
) -> None:
    (plan,) = await usdm.resting_protection(Answers(openAlgoOrders=[algo(**changes)]).ask)
    assert (plan.protects, plan.position) == (protects, position)
    assert usdm.cancel_protection(plan).path == "/fapi/v1/algoOrder?algoId=2148627"
    assert usdm.cancel_protection(plan).method == "DELETE"


@pytest.mark.parametrize(
    ("status", "order_id", "end"),
    [
        ("FINISHED", "7", PlanEnd.EXECUTED),
        ("TRIGGERED", 7, PlanEnd.EXECUTED),
        ("EXPIRED", "7", PlanEnd.EXECUTED),
        ("EXPIRED", "", PlanEnd.CANCELED),
        ("CANCELED", None, PlanEnd.CANCELED),
        ("REJECTED", "", PlanEnd.FAILED),
        ("FINISHED", "", PlanEnd.FAILED),
        ("TRIGGERED", "0", PlanEnd.EXECUTED),
        ("NEW", "", None),
    ],
)
async def test_how_algo_orders_end(usdm: Usdm, status: str, order_id: Any, end: PlanEnd | None) -> None:
    row = algo(algoStatus=status, actualOrderId=order_id, clientAlgoId="mine")
    found = await usdm.ended_protection(Answers(algoOrder=row).ask, S, "mine")
    assert (None if found is None else found.end) is end
    assert found is None or found.executed_as == ("7" if str(order_id) == "7" else "")


async def test_an_unknown_algo_order_has_not_ended(usdm: Usdm) -> None:
    async def unknown(_: Call) -> Response:
        return Response(400, {}, refusal(-2013, "Order does not exist."))

    assert await usdm.ended_protection(unknown, S, "mine") is None
    with pytest.raises(ProtocolError):
        await usdm.ended_protection(Answers(algoOrder=algo(algoStatus="CANCELED")).ask, S, "mine")


# account


async def test_the_account(usdm: Usdm) -> None:
    answers = Answers(
        account=REST["GET /fapi/v3/account"],
        accountConfig=REST["GET /fapi/v1/accountConfig"],
        symbolConfig=REST["GET /fapi/v1/symbolConfig"],
    )
    report = await usdm.account(answers.ask, S)
    assert (report.coin, report.equity, report.available) == ("USDT", D("23.72469206"), D("23.72469206"))
    assert (report.position_mode, report.margin_mode, report.long_leverage) == (
        PositionMode.HEDGE,
        MarginMode.CROSSED,
        21,
    )
    with pytest.raises(ProtocolError, match="no USDT"):
        await usdm.money(Answers(account={"assets": []}).ask)
    with pytest.raises(ProtocolError, match="margin mode"):
        await usdm.account(Answers(**answers.says | {"symbolConfig": []}).ask, S)


# instruments and prices


def test_contracts_of_the_sample() -> None:
    found = instruments.parse_contracts(body(REST["GET /fapi/v1/exchangeInfo"]), 200)
    assert found.problems == []
    (blz,) = found.instruments
    assert (blz.id, blz.symbol, blz.status) == ("binance:perp:BLZ-USDT", "BLZUSDT", InstrumentStatus.TRADING)
    assert (blz.tick, blz.step, blz.min_size, blz.min_notional) == (D("0.0001"), D(1), D(1), D(5))
    assert (blz.max_market_size, blz.open_ns) == (D(590119), 1598252400000 * MS)


def contracts(**changes: Any) -> tuple[list[str], list[str]]:
    sample = REST["GET /fapi/v1/exchangeInfo"]
    found = instruments.parse_contracts(body(sample | {"symbols": [sample["symbols"][0] | changes]}), 200)
    return [
        f"{each.base} {each.multiplier} {each.status.value}" for each in found.instruments
    ], found.problems


def test_contracts_that_are_traded_here() -> None:
    assert contracts(baseAsset="1000PEPE") == (["PEPE 1000 trading"], [])
    assert contracts(status="PENDING_TRADING") == (["BLZ 1 pending"], [])
    assert contracts(baseAsset="币安人生", symbol="币安人生USDT")[0] == ["币安人生 1 trading"]
    for changes in (
        {"contractType": "TRADIFI_PERPETUAL"},
        {"contractType": "CURRENT_QUARTER"},
        {"quoteAsset": "USDC"},
    ):
        assert contracts(**changes) == ([], [])
    wrong: list[dict[str, Any]] = [
        {"status": "NAPPING"},
        {"filters": []},
        {"baseAsset": ""},
        {"onboardDate": -1},
    ]
    for bad in wrong:
        names, problems = contracts(**bad)
        assert (names, len(problems)) == ([], 1)


async def test_leverage_limits(usdm: Usdm) -> None:
    answers = Answers(leverageBracket=REST["GET /fapi/v1/leverageBracket"])
    assert await usdm.leverage_limits(answers.ask) == {"ETHUSDT": 75}


async def test_prices_are_read_of_two_lists_and_follow_the_book() -> None:
    market = BinanceMarket()
    top = REST["GET /fapi/v1/ticker/bookTicker"]
    last = REST["GET /fapi/v2/ticker/price"]
    bad = last | {"symbol": "BAD", "price": "0"}
    prices, problems = await market.prices(Answers(bookTicker=[top], price=[last, bad]).ask)
    assert len(problems) == 1
    (price,) = prices
    assert (price.last, price.bid, price.ask) == (D("6000.01"), D("4.00000000"), D("4.00000200"))
    known = {"BNBUSDT": Price(symbol="BNBUSDT", last=D(25), bid=None, ask=None, mark=None, ns=1)}
    quotes = market.parse(body(WS["bookTicker"]), known)
    (moved,) = quotes.prices
    assert (moved.last, moved.bid, moved.ask) == (D("25.35190000"), D("25.35190000"), D("25.36520000"))
    assert moved.ns == 1568014460891 * MS
    assert market.parse(body(WS["bookTicker"]), {}).prices == ()


def test_control_frames_of_the_price_stream() -> None:
    market = BinanceMarket()
    assert market.parse(b'{"result":null,"id":1}', {}).heard is Heard.ACKNOWLEDGED
    assert market.parse(b'{"error":{"code":2,"msg":"x"},"id":1}', {}).heard is Heard.REFUSED
    assert market.parse(b'{"e":"serverShutdown","E":1}', {}).heard is Heard.ENDED
    for odd in (b"{}", b"pong", b'{"e":"trade"}'):
        with pytest.raises(ProtocolError):
            market.parse(odd, {})
    first, second = market.subscriptions([f"A{number}USDT" for number in range(60)])
    assert msgspec.json.decode(first.message)["params"][0] == "a0usdt@bookTicker"
    assert len(msgspec.json.decode(second.message)["params"]) == 10


# events


def event(kind: str, **changes: Any) -> bytes:
    sample = WS[kind]
    return body(sample | {"o": sample["o"] | changes} if changes else sample)


def test_an_order_event_of_the_sample() -> None:
    found = Usdm().parse_private(event("ORDER_TRADE_UPDATE"))
    (report,) = found.orders
    assert (found.heard, report.order_id, report.client_id) == ("ORDER_TRADE_UPDATE", "8886774", "TEST")
    assert (report.state, report.order_type, report.position) == (
        OrderState.LIVE,
        OrderType.MARKET,
        PositionSide.LONG,
    )
    assert (report.reduce_only, report.fill) == (True, None)


def test_a_fill_event() -> None:
    filled = {"x": "TRADE", "X": "FILLED", "z": "0.001", "ap": "7000", "l": "0.001", "L": "7000", "n": "0.0035",
              "t": 77, "rp": "1.5", "m": True, "ps": "BOTH", "R": True}  # fmt: skip
    (report,) = Usdm().parse_private(event("ORDER_TRADE_UPDATE", **filled)).orders
    assert (report.state, report.position, report.reduce_only) == (OrderState.FILLED, None, True)
    assert report.fill is not None
    assert (report.fill.fill_id, report.fill.size, report.fill.fee) == ("77", D("0.001"), D("0.0035"))
    assert (report.fill.taker, report.fill.realized, report.fill.filled_ns) == (
        False,
        D("1.5"),
        1568879465650 * MS,
    )


def test_wrapped_events_are_read_too() -> None:
    wrapped = body({"stream": "key", "data": WS["ORDER_TRADE_UPDATE"]})
    assert Usdm().parse_private(wrapped) == Usdm().parse_private(event("ORDER_TRADE_UPDATE"))


@pytest.mark.parametrize(
    ("kind", "changed", "problem"),
    [
        ("ACCOUNT_UPDATE", True, False),
        ("TRADE_LITE", True, False),
        ("ACCOUNT_CONFIG_UPDATE", True, False),
        ("ALGO_UPDATE", True, False),
        ("MARGIN_CALL", True, True),
        ("CONDITIONAL_ORDER_TRIGGER_REJECT", True, True),
        ("STRATEGY_UPDATE", False, False),
        ("GRID_UPDATE", False, False),
    ],
)
def test_other_events(kind: str, changed: bool, problem: bool) -> None:
    found = Usdm().parse_private(event(kind))
    assert (found.heard, found.changed, bool(found.problem), found.orders) == (kind, changed, problem, ())


def test_a_refused_algo_order_is_complained_of() -> None:
    found = Usdm().parse_private(event("ALGO_UPDATE", X="REJECTED", rm="no counterparty"))
    assert "no counterparty" in found.problem


@pytest.mark.parametrize("kind", ["listenKeyExpired", "serverShutdown"])
def test_events_that_end_the_connection(kind: str) -> None:
    assert Usdm().parse_private(body({"e": kind, "E": NOW})).heard is Heard.ENDED


@pytest.mark.parametrize(
    "frame",
    [b"", b"[]", b"{}", b'{"e":"NEWS"}', b'{"e":"ORDER_TRADE_UPDATE"}', b'{"e":"ALGO_UPDATE","o":{}}'],
)
def test_frames_that_are_not_documented_are_set_aside(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        Usdm().parse_private(frame)


@given(
    st.sampled_from(sorted(WS["ORDER_TRADE_UPDATE"]["o"])),
    st.none() | st.text(max_size=4) | st.integers() | st.booleans(),
)
def test_whatever_comes_is_read_or_set_aside(name: str, value: object) -> None:
    with suppress(ProtocolError):
        Usdm().parse_private(event("ORDER_TRADE_UPDATE", **{name: value}))


# the listen key


async def test_the_listen_key_is_part_of_the_address_and_renewed(usdm: Usdm) -> None:
    answers = Answers(listenKey=REST["POST /fapi/v1/listenKey"])
    stream = usdm.private_stream(None, answers.ask)  # type: ignore[arg-type]
    assert stream.address is not None
    assert stream.renew is not None
    assert await stream.address() == f"/private/ws?listenKey={REST['POST /fapi/v1/listenKey']['listenKey']}"
    answers.says["listenKey"] = {}
    await stream.renew()
    assert (stream.login, stream.ping, stream.renew_s) == (None, None, 1800.0)
    answers.says["listenKey"] = {"listenKey": "a/../b"}
    with pytest.raises(ProtocolError):
        await stream.address()
