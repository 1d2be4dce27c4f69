"""What a client id may be used for again, by the account's rule: the table of docs/paper-exchange-engine.md."""

from __future__ import annotations

import pytest

from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges

PLAN: dict[str, object] = {
    "symbol": "BTCUSDT",
    "productType": FUTURES,
    "marginCoin": "USDT",
    "marginMode": "isolated",
    "planType": "normal_plan",
    "size": "0.001",
    "side": "buy",
    "orderType": "market",
    "triggerPrice": "70000",
    "triggerType": "fill_price",
}
SPOT: dict[str, object] = {
    "symbol": "BTCUSDT",
    "orderType": "limit",
    "force": "gtc",
    "side": "buy",
    "size": "0.001",
}
TRANSFER: dict[str, object] = {"fromType": "spot", "toType": "usdt_futures", "coin": "USDT", "amount": "1"}

OK = "00000"
#: rule: codes of a second use while the first is pending; after it was filled; after it was cancelled;
#: a waiting plan; a plan that was cancelled; a pending spot order; one that is over; a transfer
RULES = {
    "pending": ["40786", OK, OK, "40786", OK, "43118", OK, "43118"],
    "always": ["40786", "40786", "40786", "40786", OK, "43118", "43118", "43118"],
}


async def second_uses(client: Client) -> list[str]:
    codes: list[str] = []

    async def order(name: str, price: str | None = None) -> None:
        codes.append((await client.order("buy", "0.001", price, clientOid=name)).code)

    async def post(path: str, body: dict[str, object]) -> None:
        codes.append((await client.post(path, **body)).code)

    await order("rests", "50000")
    await order("rests", "50000")
    await order("filled")
    await order("filled")
    await order("cancelled", "50000")
    await client.post(
        "/api/v2/mix/order/cancel-order", symbol="BTCUSDT", productType=FUTURES, clientOid="cancelled"
    )
    await order("cancelled", "50000")
    plan = PLAN | {"clientOid": "plan"}
    for _ in range(2):
        await post("/api/v2/mix/order/place-plan-order", plan)
    await client.post(
        "/api/v2/mix/order/cancel-plan-order",
        symbol="BTCUSDT",
        productType=FUTURES,
        planType="normal_plan",
        orderIdList=[{"clientOid": "plan"}],
    )
    await post("/api/v2/mix/order/place-plan-order", plan)
    spot = SPOT | {"price": "59000", "clientOid": "spot"}
    for _ in range(2):
        await post("/api/v2/spot/trade/place-order", spot)
    await client.post("/api/v2/spot/trade/cancel-order", symbol="BTCUSDT", clientOid="spot")
    await post("/api/v2/spot/trade/place-order", spot)
    transfer = TRANSFER | {"clientOid": "transfer"}
    for _ in range(2):
        await post("/api/v2/spot/wallet/transfer", transfer)
    return codes


@pytest.mark.parametrize("rule", RULES)
async def test_the_rule_of_an_account_decides(exchanges: Exchanges, rule: str) -> None:
    server = await exchanges.start()
    control = await exchanges.client(server)
    account = await control.control(
        "/accounts", {"balance": "10000", "spot": {"USDT": "1000"}, "client_ids": rule}
    )
    async with Client(control.ready, account) as client:
        codes = await second_uses(client)
        shown = await client.control(f"/accounts/{account['id']}")
    firsts, seconds = (
        [codes[at] for at in (0, 2, 4, 6, 9, 12)],
        [codes[at] for at in (1, 3, 5, 7, 8, 10, 11, 13)],
    )
    assert firsts == [OK] * 6
    assert seconds == RULES[rule]
    assert shown["client_ids"] == rule
