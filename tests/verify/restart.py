"""Shows that an exchange killed by SIGKILL goes on where it was.

    python -m tests.verify.restart

Open orders with their place in the queue and their locks, plans of every kind, isolated, crossed and hedged
positions, spot orders and plans, a held price, funding that was paid, the rule of client ids. All of it is
equal after the restart, and then each order and plan still does what it is there for. Ends non-zero otherwise.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from decimal import Decimal
from typing import Any

from shared import clock
from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.process import Process
from tests.verify.shown import Show

BTC = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}
ETH = BTC | {"symbol": "ETHUSDT"}
SPOT = "/api/v2/spot/trade"
MIX = "/api/v2/mix"
NAMES = ("main", "hedge", "queue", "taker", "spot")
LISTS = (
    f"{MIX}/order/orders-pending?productType={FUTURES}",
    f"{MIX}/order/orders-history?productType={FUTURES}",
    f"{MIX}/order/fills?productType={FUTURES}",
    f"{MIX}/order/orders-plan-pending?productType={FUTURES}&planType=profit_loss",
    f"{MIX}/order/orders-plan-pending?productType={FUTURES}&planType=normal_plan",
    f"{MIX}/order/orders-plan-pending?productType={FUTURES}&planType=track_plan",
    f"{MIX}/position/all-position?productType={FUTURES}",
    f"{MIX}/account/bill?productType={FUTURES}",
    f"{MIX}/market/history-fund-rate?productType={FUTURES}&symbol=BTCUSDT",
    "/api/v2/spot/account/assets",
    "/api/v2/spot/account/bills",
    f"{SPOT}/unfilled-orders",
    f"{SPOT}/unfilled-orders?tpslType=tpsl",
    f"{SPOT}/current-plan-order?symbol=BTCUSDT",
)

Accounts = dict[str, dict[str, Any]]


class Cast:
    """One client per account, on one started exchange."""

    def __init__(self, ready: dict[str, Any], accounts: Accounts) -> None:
        self.clients = {name: Client(ready, account) for name, account in accounts.items()}
        self.control = Client(ready)

    async def __aenter__(self) -> Cast:
        for client in (self.control, *self.clients.values()):
            await client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        for client in (self.control, *self.clients.values()):
            await client.__aexit__(None, None, None)

    async def post(self, name: str, path: str, **body: object) -> Any:
        return (await self.clients[name].post(path, **body)).data

    async def get(self, name: str, path: str) -> Any:
        return (await self.clients[name].get(path)).data

    async def price(self, symbol: str, price: str) -> None:
        await self.control.control("/price", {"symbol": symbol, "price": price, "mark": price})

    async def held(self, name: str, symbol: str = "BTCUSDT") -> list[str]:
        """Sizes of the positions, ``long 0.1``."""
        rows = await self.get(name, f"{MIX}/position/all-position?productType={FUTURES}")
        return sorted(f"{row['holdSide']} {row['total']}" for row in rows if row["symbol"] == symbol)

    async def plans(self, name: str, symbol: str, kind: str = "profit_loss") -> list[str]:
        path = f"{MIX}/order/orders-plan-pending?productType={FUTURES}&planType={kind}&symbol={symbol}"
        rows = (await self.get(name, path))["entrustedList"] or []
        return sorted(row["planType"] for row in rows)

    async def picture(self) -> dict[str, Any]:
        """Everything that clients and the control API tell, without the time of the answer."""
        found: dict[str, Any] = {"hash": await self.control.control("/ledger/hash")}
        for symbol in ("BTCUSDT", "ETHUSDT"):
            found[symbol] = await self.control.control(f"/symbols/{symbol}?market=futures")
            del found[symbol]["next_ms"]  # of the running tape
        for name, client in self.clients.items():
            found[name] = await self.control.control(f"/accounts/{client.account['id']}")
            found[f"{name} ledger"] = await client.ledger()
            for path in LISTS:
                found[f"{name} {path}"] = await self.get(name, path)
        return found


async def prepare(ready: dict[str, Any]) -> tuple[Accounts, dict[str, Any], Decimal]:
    """Fill an exchange with everything there is; (accounts, picture, size of the best bid)."""
    async with Client(ready) as control:
        accounts: Accounts = {
            name: await control.control("/accounts", {"balance": "1000000", "label": name}) for name in NAMES
        }
        number = accounts["spot"]["id"]
        for coin, amount in (("USDT", "10000"), ("BTC", "1")):
            await control.control(f"/accounts/{number}/deposit", {"coin": coin, "amount": amount})
        await control.control(f"/accounts/{accounts['taker']['id']}", {"client_ids": "always"})
    async with Cast(ready, accounts) as cast:
        await cast.price("BTCUSDT", "50000")
        await cast.price("ETHUSDT", "3000")
        await cast.control.control("/funding", {"symbol": "BTCUSDT", "rate": "0.0001", "interval_h": 8})
        main, hedge = cast.clients["main"], cast.clients["hedge"]
        await main.order("buy", "0.1")
        await main.order("sell", "2", symbol="ETHUSDT", marginMode="crossed")
        await cast.post(
            "hedge", f"{MIX}/account/set-position-mode", productType=FUTURES, posMode="hedge_mode"
        )
        for side in ("buy", "sell"):
            assert (await hedge.order(side, "0.05", tradeSide="open", marginMode="crossed")).code == "00000"
        await cast.control.control("/clock", {"advance_ms": 9 * 3_600_000})  # over a settlement
        await plans(cast)
        await spot(cast)
        bid = await queue(cast)
        return accounts, await cast.picture(), bid


async def plans(cast: Cast) -> None:
    def tpsl(name: str, kind: str, trigger: str, **more: object) -> Any:
        body = BTC | {"planType": kind, "triggerPrice": trigger, "triggerType": "fill_price"} | more
        return cast.post(name, f"{MIX}/order/place-tpsl-order", **body)

    await tpsl("main", "profit_plan", "51000", size="0.02", holdSide="buy")
    await tpsl("main", "loss_plan", "49000", size="0.02", holdSide="buy")
    await tpsl("main", "moving_plan", "50500", size="0.03", rangeRate="1", holdSide="buy")
    await tpsl("main", "pos_profit", "52000", holdSide="buy")
    await tpsl("main", "pos_loss", "48000", holdSide="buy")
    trigger = ETH | {"size": "1", "side": "buy", "marginMode": "crossed", "orderType": "market"}
    path = f"{MIX}/order/place-plan-order"
    await cast.post(
        "main", path, **trigger, planType="normal_plan", triggerPrice="2950", triggerType="mark_price"
    )
    await cast.post(
        "main",
        path,
        **trigger,
        planType="track_plan",
        triggerPrice="2900",
        triggerType="fill_price",
        callbackRatio="1",
    )
    await tpsl("hedge", "pos_profit", "48500", holdSide="short")
    close = await cast.clients["hedge"].order("buy", "0.05", "50550", tradeSide="close", marginMode="crossed")
    assert close.code == "00000", close
    reduce = {"symbol": "ETHUSDT", "marginMode": "crossed", "reduceOnly": "YES"}
    assert (await cast.clients["main"].order("buy", "0.5", "2802", **reduce)).code == "00000"


async def spot(cast: Cast) -> None:
    limit = {"symbol": "BTCUSDT", "orderType": "limit", "force": "gtc", "size": "0.01"}
    await cast.post("spot", f"{SPOT}/place-order", **limit, side="buy", price="49500")
    await cast.post(
        "spot",
        f"{SPOT}/place-order",
        **limit,
        side="sell",
        price="50900",
        tpslType="tpsl",
        triggerPrice="50950",
    )
    await cast.post(
        "spot",
        f"{SPOT}/place-plan-order",
        symbol="BTCUSDT",
        side="sell",
        size="0.02",
        orderType="market",
        triggerPrice="50600",
        triggerType="fill_price",
    )


async def queue(cast: Cast) -> Decimal:
    """An order behind the best bid, half of which is gone when the exchange is killed."""
    book = await cast.get("queue", f"{MIX}/market/merge-depth?productType={FUTURES}&symbol=BTCUSDT")
    price, size = (str(part) for part in book["bids"][0])
    bid = Decimal(size)
    assert (await cast.clients["queue"].order("buy", "0.001", price)).code == "00000"
    assert (await cast.clients["taker"].order("sell", part(bid, 2), clientOid="once")).code == "00000"
    return bid


def part(size: Decimal, parts: int) -> str:
    return str((size / parts).quantize(Decimal("0.0001")))


async def go_on(show: Show, cast: Cast, bid: Decimal) -> None:
    """Everything does what it is there for; sizes worked out by hand."""
    taker = cast.clients["taker"]
    again = await taker.order("sell", "0.01", clientOid="once")
    show.same("a client id of before, rule always", again.code, "40786")

    async def pending() -> int:
        rows = await cast.get("queue", f"{MIX}/order/orders-pending?productType={FUTURES}")
        return len(rows["entrustedList"] or [])

    await taker.order("sell", part(bid, 4))
    show.same("in the queue: orders pending after a quarter more was sold", await pending(), 1)
    await taker.order("sell", part(bid, 2))
    show.same("and after another half", await pending(), 0)
    show.same("its position", await cast.held("queue"), ["long 0.001"])

    await cast.price("BTCUSDT", "50600")
    show.same("50600: hedge, the limit close of the long filled", await cast.held("hedge"), ["short 0.05"])
    show.same("main, the trailing stop only began to trail", await cast.held("main"), ["long 0.1"])
    show.same("spot, the plan sold 0.02", await coin(cast, "BTC"), "0.98")
    await cast.price("BTCUSDT", "50050")
    show.same(
        "50050 (1 % below 50600): the trailing stop closed 0.03", await cast.held("main"), ["long 0.07"]
    )
    await cast.price("BTCUSDT", "51000")
    show.same("51000: the partial take profit closed 0.02", await cast.held("main"), ["long 0.05"])
    show.same("spot, the waiting order sold 0.01", await coin(cast, "BTC"), "0.97")
    await cast.price("BTCUSDT", "49000")
    show.same("49000: the partial stop closed 0.02", await cast.held("main"), ["long 0.03"])
    show.same("spot, the resting order bought 0.01 less its fee", await coin(cast, "BTC"), "0.97999")
    left = await cast.plans("main", "BTCUSDT")
    show.same("plans that are left", left, ["pos_loss", "pos_profit"])
    await cast.price("BTCUSDT", "48400")
    show.same("48400: hedge, the take profit of the short", await cast.held("hedge"), [])
    await cast.price("BTCUSDT", "48000")
    show.same("48000: the stop of the whole position", await cast.held("main"), [])
    show.same("and the take profit went with it", await cast.plans("main", "BTCUSDT"), [])
    await cast.price("ETHUSDT", "2950")
    show.same("ETH 2950: the trigger order bought 1", await cast.held("main", "ETHUSDT"), ["short 1"])
    await cast.price("ETHUSDT", "2900")
    show.same("2900: the trailing entry began to trail", await cast.held("main", "ETHUSDT"), ["short 1"])
    await cast.price("ETHUSDT", "2800")
    show.same("2800: the reduce-only order bought 0.5", await cast.held("main", "ETHUSDT"), ["short 0.5"])
    await cast.price("ETHUSDT", "2829")
    show.same(
        "2829 (1 % above 2800): the trailing entry bought 1", await cast.held("main", "ETHUSDT"), ["long 0.5"]
    )


async def coin(cast: Cast, name: str) -> str:
    rows = await cast.get("spot", f"/api/v2/spot/account/assets?coin={name}")
    return str(Decimal(rows[0]["available"]) + Decimal(rows[0]["frozen"]))


async def compare(show: Show, cast: Cast, before: dict[str, Any]) -> None:
    after = await cast.picture()
    different = [key for key in before if before[key] != after[key]]
    for key in different:
        print(f"    {key}\n      before {before[key]}\n      after  {after[key]}")
    show.same(f"pictures that differ, of {len(before)}", len(different), 0)
    show.same("ledger hash", after["hash"]["sha256"], before["hash"]["sha256"])
    kinds = {row["kind"] for name in NAMES for row in after[f"{name} ledger"]}
    show.same("funding was paid before", "funding" in kinds, True)
    state = await cast.control.control("/state")
    held = {row["symbol"]: row["overridden"] for row in state["symbols"] if row["market"] == "futures"}
    show.same("held prices", [held["BTCUSDT"], held["ETHUSDT"]], [True, True])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="kestrel-restart-") as home:
        # the second one starts at wall time: the first begins before it, as it is moved on by nine hours
        began = clock.iso(clock.now_ns() - 36_000 * clock.SECOND)
        first = Process("--home", home, "--start", began)
        try:
            accounts, before, bid = asyncio.run(prepare(first.ready))
        finally:
            first.end(signal.SIGKILL)
        print("killed by SIGKILL and started again")
        second = Process("--home", home)

        async def after() -> int:
            async with Cast(second.ready, accounts) as cast:
                show = Show(cast.control)
                await compare(show, cast, before)
                await go_on(show, cast, bid)
                return show.wrong

        try:
            wrong = asyncio.run(after())
        finally:
            second.end(signal.SIGTERM)
    print("holds" if not wrong else f"DOES NOT HOLD: {wrong} figures differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
