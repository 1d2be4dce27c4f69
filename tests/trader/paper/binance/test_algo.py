"""Algo orders over the calls of the face: answers as recorded, refusals with the venue's codes, nothing changed by them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import pytest

from shared.errors import VenueRefusedError
from tests.trader.paper.bench import BTC, ETH, START_NS, Bench
from trader.paper import shortids
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import AccountKind, MarginMode, PlanKind, PlanState, PositionMode
from trader.paper.engine.refusals import Refused
from trader.paper.faces.binance import algoevents, algorows, rest
from trader.paper.faces.binance.calls import ROUTES, Call, House
from trader.paper.faces.binance.errors import from_engine
from trader.paper.faces.binance.params import Params

D = Decimal
STOP: dict[str, Any] = {
    "algoType": "CONDITIONAL",
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.1",
    "triggerPrice": "49000",
}
TRAIL = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "1"}
CLOSE = {"closePosition": "True", "quantity": None}


class Desk:
    """One account's calls, in process."""

    def __init__(self, bench: Bench, account: Account) -> None:
        self.bench = bench
        self.account = account

    def call(self, method: str, path: str, **params: Any) -> Any:
        route = ROUTES[method, f"/fapi/v1/{path}"]
        call = Call(self.bench.engine, self.bench.hub, Params(params), cast(House, None), self.account)
        try:
            return route.handler(call)
        except Refused as refused:
            raise from_engine(refused) from None

    def place(self, **changes: Any) -> dict[str, Any]:
        row: dict[str, Any] = self.call("POST", "algoOrder", **STOP | changes)
        return row

    def refused(self, do: Callable[[], object]) -> tuple[int, int]:
        """(code, HTTP status) of what must change nothing."""
        before = self.bench.picture()
        with pytest.raises(VenueRefusedError) as caught:
            do()
        assert self.bench.picture() == before
        assert "{" not in caught.value.text
        return int(caught.value.code), caught.value.status


@pytest.fixture
def desk() -> Desk:
    assert rest.HANDLERS  # importing them enters the routes
    bench = Bench()
    account = bench.account(100_000, AccountKind.BINANCE)
    bench.engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    return Desk(bench, account)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    return type(value).__name__


#: Names and JSON types of the recorded answers: text, true/false, null, else a number.
_TEXT = [
    "clientAlgoId",
    "algoType",
    "orderType",
    "symbol",
    "side",
    "positionSide",
    "timeInForce",
    "quantity",
    "algoStatus",
    "triggerPrice",
    "price",
    "selfTradePreventionMode",
    "workingType",
    "priceMatch",
]
_FLAGS = ["closePosition", "priceProtect", "reduceOnly"]
_NUMBERS = ["algoId", "createTime", "updateTime", "triggerTime", "goodTillDate"]
ROW = (
    dict.fromkeys(_TEXT, "str")
    | dict.fromkeys(_FLAGS, "bool")
    | dict.fromkeys(_NUMBERS, "int")
    | {"icebergQuantity": "NoneType"}
)
WAITING = ROW | dict.fromkeys(
    ["actualOrderId", "actualPrice", "tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice", "tpOrderType"],
    "str",
)
FOUND = WAITING | {"actualQty": "str", "actualType": "str"}
PLACED = ROW | {"activatePrice": "str", "callbackRate": "str"}


def test_answers_have_the_recorded_keys_and_types(desk: Desk) -> None:
    placed = desk.place()
    assert shape(placed) == PLACED
    assert list(placed)[-6:] == [
        "activatePrice",
        "callbackRate",
        "createTime",
        "updateTime",
        "triggerTime",
        "goodTillDate",
    ]
    assert shape(desk.call("GET", "openAlgoOrders", symbol=BTC)) == [WAITING]
    assert shape(desk.call("GET", "algoOrder", algoId=placed["algoId"])) == FOUND
    assert shape(desk.call("GET", "allAlgoOrders", symbol=BTC)) == [FOUND]
    gone = desk.call("DELETE", "algoOrder", algoId=placed["algoId"])
    assert (gone.pop("code"), gone.pop("msg")) == ("200", "success")
    assert shape(gone) == ROW
    assert desk.call("DELETE", "algoOpenOrders", symbol=BTC) == {
        "code": 200,
        "msg": "The operation of cancel all open order is done.",
    }


def test_a_stop_from_new_to_finished(desk: Desk) -> None:
    desk.bench.order(desk.account, "buy", "0.2")
    placed = desk.place(clientAlgoId="x-a.b/c:1", reduceOnly="true")
    assert (placed["algoStatus"], placed["triggerPrice"], placed["price"], placed["quantity"]) == (
        "NEW",
        "49000.0",
        "0.0",
        "0.100",
    )
    assert (placed["createTime"], placed["positionSide"], placed["reduceOnly"]) == (
        START_NS // 10**6 + 2,
        "BOTH",
        True,
    )
    assert desk.call("GET", "openOrders") == []
    desk.bench.move(BTC, "49000")
    assert desk.call("GET", "openAlgoOrders") == []
    row = desk.call("GET", "algoOrder", clientAlgoId="x-a.b/c:1")
    assert (row["algoStatus"], row["actualQty"], row["actualPrice"], row["actualType"]) == (
        "FINISHED",
        "0.100",
        "49000.00000",
        "MARKET",
    )
    order = desk.call("GET", "order", symbol=BTC, orderId=row["actualOrderId"])
    assert (order["status"], order["executedQty"], order["reduceOnly"]) == ("FILLED", "0.100", True)
    assert row["triggerTime"] == order["time"]


def test_one_whose_order_rests_is_triggered_and_shows_what_that_has_traded(desk: Desk) -> None:
    placed = desk.place(side="BUY", type="STOP", price="50500", triggerPrice="51000", timeInForce="GTC")
    desk.bench.move(BTC, "51000")
    desk.bench.book(BTC, [("50499", "1")], [("50500", "0.04"), ("50501", "1")])
    row = desk.call("GET", "algoOrder", algoId=placed["algoId"])
    assert (row["algoStatus"], row["actualQty"], row["actualType"]) == ("TRIGGERED", "0.040", "LIMIT")
    assert desk.refused(lambda: desk.call("DELETE", "algoOrder", algoId=placed["algoId"])) == (-2011, 400)
    desk.call("DELETE", "order", symbol=BTC, orderId=row["actualOrderId"])
    (row,) = desk.call("GET", "allAlgoOrders", symbol=BTC)
    assert (row["algoStatus"], row["actualQty"]) == ("FINISHED", "0.040")


def test_what_fails_when_its_price_comes_is_rejected_with_a_reason(desk: Desk) -> None:
    desk = Desk(desk.bench, desk.bench.account(1_000, AccountKind.BINANCE))
    placed = desk.place(side="BUY", triggerPrice="51000", quantity="1")
    orphan = desk.place(reduceOnly="true", triggerPrice="49000")
    desk.bench.move(BTC, "51000")
    desk.bench.move(BTC, "49000")
    rows = {row["algoId"]: row["algoStatus"] for row in desk.call("GET", "allAlgoOrders", symbol=BTC)}
    assert rows == {placed["algoId"]: "REJECTED", orphan["algoId"]: "REJECTED"}
    failed = [
        plan for number in rows if (plan := desk.bench.engine.plan(desk.account, shortids.meant(number)))
    ]
    assert [algoevents.why(plan) for plan in failed] == [
        "Margin is insufficient.",
        "ReduceOnly Order is rejected.",
    ]


def test_whole_positions_are_closed_without_a_quantity(desk: Desk) -> None:
    desk.bench.order(desk.account, "buy", "0.2")
    stop = desk.place(**CLOSE)
    assert (stop["closePosition"], stop["quantity"]) == (True, "0.000")
    desk.place(**CLOSE, type="TAKE_PROFIT_MARKET", triggerPrice="51000")
    assert desk.refused(lambda: desk.place(**CLOSE, triggerPrice="48000")) == (-4130, 400)
    assert desk.refused(lambda: desk.place(closePosition="true", triggerPrice="48000")) == (-4137, 400)
    assert desk.refused(lambda: desk.place(**CLOSE, reduceOnly="true")) == (-1106, 400)
    assert desk.refused(lambda: desk.place(**CLOSE, type="STOP", price="48000")) == (-4136, 400)
    assert desk.refused(lambda: desk.place(**CLOSE | TRAIL)) == (-4136, 400)
    desk.bench.move(BTC, "49000")
    states = [row["algoStatus"] for row in desk.call("GET", "allAlgoOrders", symbol=BTC)]
    assert states == ["FINISHED", "EXPIRED"]
    assert not desk.account.positions


def test_trailing_stops(desk: Desk) -> None:
    plain = desk.place(**TRAIL)
    assert (plain["activatePrice"], plain["callbackRate"], plain["price"]) == ("50000.0", "1", "0.0")
    assert desk.place(**TRAIL, activatePrice="51000")["activatePrice"] == "51000.0"
    assert desk.refused(lambda: desk.place(**TRAIL, activatePrice="50000")) == (-2021, 400)
    assert desk.refused(lambda: desk.place(**TRAIL | {"callbackRate": "10.1"})) == (-2007, 400)
    assert desk.refused(lambda: desk.place(**TRAIL | {"callbackRate": "0.05"})) == (-2007, 400)
    assert desk.refused(lambda: desk.place(**TRAIL | {"callbackRate": None})) == (-1102, 400)
    assert desk.refused(lambda: desk.place(**TRAIL | {"triggerPrice": "49000"})) == (-1106, 400)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"algoType": None}, -1102),
        ({"algoType": "VP"}, -1130),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbol": None}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": "LIMIT"}, -1116),
        ({"type": "STOP_LOSS"}, -1116),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": "GTD"}, -1102),
        ({"timeInForce": "GTD", "goodTillDate": START_NS // 10**6 + 599_000}, -5040),
        ({"quantity": None}, -1102),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "101"}, -4005),
        ({"quantity": "0.001", "type": "STOP", "triggerPrice": "4000", "price": "4000"}, -4164),
        ({"triggerPrice": None}, -1102),
        ({"triggerPrice": "49000.05"}, -4014),
        ({"triggerPrice": "49000.000001"}, -1111),
        ({"triggerPrice": "0"}, -4013),
        ({"triggerPrice": "x"}, -1102),
        ({"triggerPrice": "50000"}, -2021),
        ({"triggerPrice": "50001"}, -2021),
        ({"type": "TAKE_PROFIT_MARKET"}, -2021),
        ({"side": "BUY"}, -2021),
        ({"price": "48000"}, -1106),
        ({"callbackRate": "1"}, -1106),
        ({"activatePrice": "51000"}, -1106),
        ({"type": "STOP"}, -1102),
        ({"type": "STOP", "price": "46000"}, -4184),
        ({"type": "STOP", "side": "BUY", "triggerPrice": "51000", "price": "54000"}, -4183),
        ({"type": "STOP", "price": "48000", "priceMatch": "QUEUE"}, -1106),
        ({"priceMatch": "QUEUE"}, -5038),
        ({"type": "STOP", "priceMatch": "BEST"}, -5037),
        ({"workingType": "INDEX_PRICE"}, -1130),
        ({"priceProtect": "maybe"}, -1102),
        ({"selfTradePreventionMode": "NEVER"}, -5039),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "UP"}, -4060),
        ({"clientAlgoId": "x" * 37}, -4015),
        ({"clientAlgoId": "a b"}, -1100),
        ({"newOrderRespType": "ALL"}, -1136),
    ],
)
def test_refusals_of_new_ones(desk: Desk, changes: dict[str, Any], code: int) -> None:
    assert desk.refused(lambda: desk.place(**changes)) == (code, 400)


def test_hedge_mode_names_the_side(desk: Desk) -> None:
    desk.bench.engine.set_position_mode(desk.account, PositionMode.HEDGE)
    assert desk.refused(desk.place) == (-4061, 400)
    assert desk.refused(lambda: desk.place(positionSide="LONG", reduceOnly="true")) == (-1106, 400)
    assert desk.refused(lambda: desk.place(**CLOSE, positionSide="SHORT")) == (-4136, 400)
    closing = desk.place(**CLOSE, positionSide="LONG")
    opening = desk.place(positionSide="SHORT")
    assert [(row["positionSide"], row["closePosition"]) for row in (closing, opening)] == [
        ("LONG", True),
        ("SHORT", False),
    ]


def test_ids_are_of_their_own_namespace_and_free_again_afterwards(desk: Desk) -> None:
    desk.call("POST", "order", symbol=BTC, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="49000", newClientOrderId="x")  # fmt: skip
    placed = desk.place(clientAlgoId="x")
    assert desk.refused(lambda: desk.place(clientAlgoId="x")) == (-4116, 400)
    assert desk.refused(lambda: desk.call("DELETE", "order", symbol=BTC, orderId=placed["algoId"])) == (
        -2011,
        400,
    )
    gone = desk.call("DELETE", "algoOrder", clientAlgoId="x")
    assert (gone["algoId"], gone["algoStatus"]) == (placed["algoId"], "CANCELED")
    assert len(desk.call("GET", "openOrders", symbol=BTC)) == 1
    desk.place(clientAlgoId="x")


def test_unknown_ones(desk: Desk) -> None:
    assert desk.refused(lambda: desk.call("GET", "algoOrder", algoId=1)) == (-2013, 400)
    assert desk.refused(lambda: desk.call("GET", "algoOrder", clientAlgoId="no")) == (-2013, 400)
    assert desk.refused(lambda: desk.call("GET", "algoOrder")) == (-1102, 400)
    assert desk.refused(lambda: desk.call("DELETE", "algoOrder", algoId=1)) == (-2011, 400)
    assert desk.refused(lambda: desk.call("DELETE", "algoOrder")) == (-1102, 400)
    assert desk.refused(lambda: desk.call("DELETE", "algoOpenOrders")) == (-1102, 400)
    assert desk.refused(lambda: desk.call("GET", "allAlgoOrders", symbol="NOPEUSDT")) == (-1121, 400)
    assert desk.refused(lambda: desk.call("GET", "openAlgoOrders", symbol="NOPEUSDT")) == (-1121, 400)


def test_so_many_wait_and_all_of_a_symbol_are_cancelled_at_once(desk: Desk) -> None:
    kept = desk.place(symbol=ETH, triggerPrice="1900", quantity="1")
    for _ in range(100):
        desk.place()
    assert desk.refused(desk.place) == (-4045, 400)
    assert len(desk.call("GET", "openAlgoOrders", symbol=BTC)) == 100
    desk.call("DELETE", "algoOpenOrders", symbol=BTC)
    assert [row["algoId"] for row in desk.call("GET", "openAlgoOrders")] == [kept["algoId"]]


def test_pages_of_the_past(desk: Desk) -> None:
    numbers = [desk.place(triggerPrice=str(49_000 - at))["algoId"] for at in range(6)]
    for number in numbers[:4]:
        desk.call("DELETE", "algoOrder", algoId=number)

    def page(**params: object) -> list[int]:
        return [row["algoId"] for row in desk.call("GET", "allAlgoOrders", symbol=BTC, **params)]

    assert page() == numbers
    assert page(limit=2) == numbers[-2:]
    assert page(limit=2, page=1) == numbers[2:4]
    assert page(algoId=numbers[1], limit=3) == numbers[1:4]
    assert page(startTime=START_NS // 10**6, limit=2) == numbers[:2]
    assert page(startTime=1, endTime=2) == []
    assert desk.refused(lambda: page(startTime=2, endTime=1)) == (-1130, 400)


def test_the_states_of_all_plans_have_words() -> None:
    assert {kind for kind in PlanKind if kind.algo} == set(algorows._TYPES)
    assert set(PlanState) - {PlanState.EXECUTED} == set(algorows._STATES)
