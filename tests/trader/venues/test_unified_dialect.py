"""The questions that make up an answer, put to a venue that says what the test wants."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.domain.account import AccountKind
from shared.errors import ProtocolError, VenueRefusedError
from tests.trader.venues.unified_samples import (
    ASSETS,
    CLOSED_LONG,
    FILL,
    LIVE_ORDER,
    SETTINGS,
    STOP,
    TAKE_PROFIT,
    no,
    ok,
    page,
)
from trader.net.http import Response
from trader.venues.bitget import kinds
from trader.venues.bitget.unified import UNIFIED
from trader.venues.model import Call, PlanEnd, PositionMode

D = Decimal
ORDERS, HISTORY = "/api/v3/trade/unfilled-orders", "/api/v3/trade/history-orders"
FILLS, INFO = "/api/v3/trade/fills", "/api/v3/trade/order-info"
PLANS, ENDED = "/api/v3/trade/unfilled-strategy-orders", "/api/v3/trade/history-strategy-orders"
BECAME = "/api/v3/trade/strategy-sub-orders"
SETTING, MONEY = "/api/v3/account/settings", "/api/v3/account/assets"
CLASSIC = "/api/v2/mix/account/accounts"

Query = dict[str, str]
Says = bytes | Callable[[Query], bytes]


class Asked:
    """Answers by path; anything else is refused as unknown. Keeps what was asked."""

    def __init__(self, says: dict[str, Says]) -> None:
        self.says = says
        self.calls: list[tuple[str, Query]] = []

    async def __call__(self, call: Call) -> Response:
        url = urlsplit(call.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.calls.append((url.path, query))
        said = self.says.get(url.path, no("40404"))
        body = said(query) if callable(said) else said
        return Response(200 if b'"00000"' in body else 400, {}, body, 7)

    def times(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.calls)


def pages(count: int) -> Callable[[Query], bytes]:
    """So many pages of a hundred orders; the cursor is the last order's id, on the last page too."""

    def answer(query: Query) -> bytes:
        done = count * 100 - int(query.get("cursor", count * 100))
        rows = [LIVE_ORDER | {"orderId": str(count * 100 - done - n - 1)} for n in range(100)]
        rows = [row for row in rows if int(row["orderId"]) >= 0]
        return page(*rows, cursor=rows[-1]["orderId"] if rows else None)

    return answer


async def test_resting_orders_are_read_page_by_page() -> None:
    ask = Asked({ORDERS: pages(3)})
    orders, complete = await UNIFIED.resting_orders(ask)
    assert complete
    assert len({order.order_id for order in orders}) == len(orders) == 300


async def test_too_many_pages_are_told() -> None:
    orders, complete = await UNIFIED.resting_orders(Asked({ORDERS: pages(60)}), "BTCUSDT")
    assert not complete
    assert len(orders) == 5000


async def test_recent_orders_are_those_that_rest_and_those_that_ended() -> None:
    ask = Asked({ORDERS: page(LIVE_ORDER), HISTORY: page(CLOSED_LONG)})
    orders, complete = await UNIFIED.recent_orders(ask, "BTCUSDT", 5)
    assert complete
    assert {order.order_id for order in orders} == {LIVE_ORDER["orderId"], CLOSED_LONG["orderId"]}
    assert {query.get("symbol") for _, query in ask.calls} == {"BTCUSDT"}
    assert [query["startTime"] for path, query in ask.calls if path == HISTORY] == ["5"]


async def test_the_history_cannot_be_searched_by_client_id() -> None:
    ask = Asked({})
    assert await UNIFIED.ended_order(ask, "BTCUSDT", "a") is None
    assert ask.calls == []


async def test_an_order_that_is_not_there_is_a_refusal() -> None:
    with pytest.raises(VenueRefusedError) as caught:
        await UNIFIED.order(Asked({INFO: no("25204")}), "BTCUSDT", client_id="a")
    assert UNIFIED.classify(caught.value.code, caught.value.status) == "not_found"


async def test_fills_of_an_order_until_they_are_enough() -> None:
    def answer(query: Query) -> bytes:
        number = int(query.get("cursor", "9"))
        return page(FILL | {"execId": str(number)}, cursor=str(number - 1))

    ask = Asked({FILLS: answer})
    fills = await UNIFIED.order_fills(ask, "BTCUSDT", FILL["orderId"], wanted=D("0.0003"))
    assert [fill.fill_id for fill in fills] == ["9", "8", "7"]
    assert {query["orderId"] for _, query in ask.calls} == {FILL["orderId"]}


async def test_recent_fills_are_those_of_the_symbol() -> None:
    ask = Asked({FILLS: page(FILL, FILL | {"execId": "2", "symbol": "ETHUSDT"})})
    fills, complete = await UNIFIED.recent_fills(ask, "BTCUSDT", 5)
    assert complete
    assert [fill.fill_id for fill in fills] == [FILL["execId"]]


async def test_resting_protection_of_one_symbol() -> None:
    ask = Asked({PLANS: ok([TAKE_PROFIT, STOP | {"symbol": "ETHUSDT"}])})
    assert [plan.symbol for plan in await UNIFIED.resting_protection(ask)] == ["BTCUSDT", "ETHUSDT"]
    assert [plan.order_id for plan in await UNIFIED.resting_protection(ask, "BTCUSDT")] == ["77"]


def executed(query: Query) -> bytes:
    del query
    other = TAKE_PROFIT | {"orderId": "78", "clientOid": "other", "status": "cancelled"}
    return page(other, TAKE_PROFIT | {"status": "success", "updatedTime": "1751020520440"})


async def test_a_take_profit_that_was_executed_names_its_order() -> None:
    ask = Asked({ENDED: executed, BECAME: page({"subOrderId": "123", "status": "filled"})})
    end = await UNIFIED.ended_protection(ask, "BTCUSDT", "aB3dTake")
    assert end is not None
    assert (end.end, end.order_id, end.executed_as, end.status) == (
        PlanEnd.EXECUTED,
        "77",
        "123",
        "success",
    )
    assert ask.times(HISTORY) == 0


@pytest.mark.parametrize("told", [no("40404"), no("25597"), page(), ok({"list": None})])
async def test_without_a_named_order_the_history_is_searched(told: bytes) -> None:
    became = CLOSED_LONG | {"delegateType": "position_stop_profit_market"}
    ask = Asked({ENDED: executed, BECAME: told, HISTORY: page(became)})
    end = await UNIFIED.ended_protection(ask, "BTCUSDT", "aB3dTake")
    assert end is not None
    assert end.executed_as == became["orderId"]
    ask = Asked({ENDED: executed, BECAME: told, HISTORY: page()})
    end = await UNIFIED.ended_protection(ask, "BTCUSDT", "aB3dTake")
    assert end is not None
    assert (end.end, end.executed_as) == (PlanEnd.EXECUTED, "")


async def test_a_question_that_failed_says_nothing_about_protection() -> None:
    with pytest.raises(VenueRefusedError):
        await UNIFIED.ended_protection(Asked({ENDED: no("25000")}), "BTCUSDT", "aB3dTake")
    with pytest.raises(VenueRefusedError):
        await UNIFIED.ended_protection(Asked({ENDED: executed, BECAME: no("429")}), "BTCUSDT", "aB3dTake")


async def test_how_protection_ended_otherwise() -> None:
    ask = Asked({ENDED: executed})
    end = await UNIFIED.ended_protection(ask, "BTCUSDT", "other")
    assert end is not None
    assert (end.end, end.executed_as) == (PlanEnd.CANCELED, "")
    assert await UNIFIED.ended_protection(ask, "BTCUSDT", "unknown") is None
    assert ask.times(BECAME) == 0
    waiting = Asked({ENDED: page(TAKE_PROFIT)})
    assert await UNIFIED.ended_protection(waiting, "BTCUSDT", "aB3dTake") is None


async def test_a_history_that_is_too_long_proves_nothing() -> None:
    def endless(query: Query) -> bytes:
        number = int(query.get("cursor", "0"))
        return page(TAKE_PROFIT | {"orderId": str(number), "clientOid": "x"}, cursor=number + 1)

    with pytest.raises(ProtocolError):
        await UNIFIED.ended_protection(Asked({ENDED: endless}), "BTCUSDT", "aB3dTake")


async def test_the_account_is_its_settings_and_its_money() -> None:
    ask = Asked({SETTING: ok(SETTINGS), MONEY: ok(ASSETS)})
    account = await UNIFIED.account(ask, "BGBUSDT")
    assert (account.position_mode, account.long_leverage) == (PositionMode.ONE_WAY, 20)
    assert (account.equity, account.available) == (D("11.13921165"), D("6.1"))
    assert ask.times(SETTING) == ask.times(MONEY) == 1


@pytest.mark.parametrize(
    ("v3", "v2", "kind"),
    [
        (ok(SETTINGS), no("40085"), AccountKind.UNIFIED),
        (no("40084"), ok([]), AccountKind.CLASSIC),
        (no("25245"), no("40014"), AccountKind.CLASSIC),
        (no("40014"), no("40085"), AccountKind.UNIFIED),
        (no("40014"), ok([]), AccountKind.CLASSIC),
    ],
)
async def test_the_kind_of_a_key(v3: bytes, v2: bytes, kind: AccountKind) -> None:
    ask = Asked({SETTING: v3, CLASSIC: v2})
    assert await kinds.probe(ask) is kind


@pytest.mark.parametrize("code", ["40006", "40012", "40018", "45001", "429"])
async def test_a_key_that_neither_side_takes_has_no_kind(code: str) -> None:
    with pytest.raises(VenueRefusedError) as caught:
        await kinds.probe(Asked({SETTING: no(code), CLASSIC: no(code)}))
    assert caught.value.code == code


async def test_what_is_no_answer_tells_no_kind() -> None:
    with pytest.raises(ProtocolError):
        await kinds.probe(Asked({SETTING: b""}))
