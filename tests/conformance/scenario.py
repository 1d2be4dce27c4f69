"""Everything that the samples show, done once on a running exchange: every answer and push is kept.

Each chapter has accounts of its own and stands for itself; a step that is refused ends its chapter, and
the calls behind it have no answers: their tests then say what was refused.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES, RefusedError, Rest, Socket

MIX, SPOT, ORDER = "/api/v2/mix", "/api/v2/spot", "/api/v2/mix/order"
TRADE = "/api/v2/spot/trade"
PRODUCT: dict[str, Any] = {"productType": FUTURES}
ID: dict[str, Any] = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}
SOL: dict[str, Any] = {"symbol": "SOLUSDT", "productType": FUTURES}
PRIVATE = ("orders", "fill", "positions", "account", "orders-algo", "positions-history", "equity")
PUBLIC = ("ticker", "books", "books5", "trade", "candle1m")


def oid() -> str:
    return uuid.uuid4().hex


class Answers:
    """What was heard: ``data`` per call, rows per channel, and the refusals that nobody wanted."""

    def __init__(self) -> None:
        self.data: dict[str, list[Any]] = defaultdict(list)
        self.rows: dict[str, list[Any]] = defaultdict(list)
        self.refusals: list[str] = []

    def keep(self, call: str, data: Any) -> None:
        self.data[call].append(data)

    def keep_pushes(self, socket: Socket) -> None:
        for message in socket.seen:
            if "action" not in message:
                continue
            channel = str(message["arg"]["channel"])
            for prefix in ("candle", "books"):
                channel = prefix if channel.startswith(prefix) else channel
            self.rows[f"{message['arg']['instType']} {channel}"].extend(message["data"])


class Scenario:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.answers = Answers()
        self.opened: list[Rest | Socket] = []

    def play(self) -> Answers:
        chapters: tuple[Callable[[], None], ...] = (
            self.market_data,
            self.public_streams,
            self.settings,
            self.orders,
            self.positions,
            self.presets,
            self.plans,
            self.protection,
            self.batches,
            self.reversal,
            self.funding,
            self.transfers,
            self.spot_orders,
            self.spot_batches,
            self.spot_plans,
        )
        for chapter in chapters:
            with self.forgiving(chapter.__name__):
                chapter()
        for socket in self.opened:
            if isinstance(socket, Socket):
                socket.settle()
                self.answers.keep_pushes(socket)
            socket.close()
        return self.answers

    @contextlib.contextmanager
    def forgiving(self, name: str) -> Iterator[None]:
        """A refusal ends the chapter, not the story."""
        try:
            yield
        except (RefusedError, TimeoutError) as error:
            self.answers.refusals.append(f"{name}: {error}")

    def trader(self, *, streams: bool = False, kind: str = FUTURES) -> Rest:
        account = self.control.account()
        rest = Rest(self.control.ready["rest"], account, self.answers.keep)
        self.opened.append(rest)
        if streams:
            socket = Socket(self.control.ready["ws_private"])
            self.opened.append(socket)
            socket.login(account)
            for channel in PRIVATE if kind == FUTURES else ("orders", "fill", "account", "orders-algo"):
                socket.subscribe(channel, kind=kind)
        return rest

    def each(self, *steps: Callable[[], Any]) -> None:
        """Steps that do not need each other."""
        for step in steps:
            with self.forgiving("step"):
                step()

    # unsigned

    def market_data(self) -> None:
        self.control.advance(60_000)
        rest = self.trader()
        get, market, spot = rest.get, f"{MIX}/market", f"{SPOT}/market"
        minute = {"granularity": "1m", "limit": 5}
        pair = {"symbol": "SOLUSDT"}
        self.each(
            lambda: get("/api/v2/public/time"),
            lambda: get(f"{market}/contracts", **PRODUCT),
            lambda: get(f"{market}/ticker", **SOL),
            lambda: get(f"{market}/tickers", **PRODUCT),
            lambda: get(f"{market}/merge-depth", **SOL, limit=5),
            lambda: get(f"{market}/candles", **SOL, **minute),
            lambda: get(f"{market}/history-candles", **SOL, **minute),
            lambda: get(f"{market}/history-index-candles", **SOL, **minute),
            lambda: get(f"{market}/history-mark-candles", **SOL, **minute),
            lambda: get(f"{market}/fills", **SOL, limit=5),
            lambda: get(f"{market}/fills-history", **SOL, limit=5),
            lambda: get(f"{market}/current-fund-rate", **SOL),
            lambda: get(f"{market}/funding-time", **SOL),
            lambda: get(f"{market}/query-position-lever", **SOL),
            lambda: get(f"{market}/open-interest", **SOL),
            lambda: get(f"{market}/symbol-price", **SOL),
            lambda: get(f"{market}/vip-fee-rate"),
            lambda: get(f"{SPOT}/public/coins", coin="SOL"),
            lambda: get(f"{SPOT}/public/symbols"),
            lambda: get(f"{spot}/tickers", **pair),
            lambda: get(f"{spot}/orderbook", **pair, type="step0", limit=5),
            lambda: get(f"{spot}/candles", **pair, granularity="1min", limit=5),
            lambda: get(f"{spot}/history-candles", **pair, granularity="1min", limit=5, endTime=4 * 10**12),
            lambda: get(f"{spot}/fills", **pair, limit=5),
            lambda: get(f"{spot}/fills-history", **pair, limit=5),
            lambda: get(f"{spot}/vip-fee-rate"),
            lambda: get("/api/v2/common/trade-rate", symbol="BTCUSDT", businessType="mix"),
            lambda: get("/api/v2/common/trade-rate", symbol="SOLUSDT", businessType="spot"),
            lambda: get(f"{SPOT}/account/info"),
        )

    def public_streams(self) -> None:
        socket = Socket(self.control.ready["ws_public"])
        self.opened.append(socket)
        for kind in (FUTURES, "SPOT"):
            for channel in PUBLIC:
                socket.subscribe(channel, "SOLUSDT", kind)
        self.control.advance(61_000)

    # futures

    def settings(self) -> None:
        rest = self.trader()
        account = f"{MIX}/account"
        self.each(
            lambda: rest.post(f"{account}/set-position-mode", **PRODUCT, posMode="one_way_mode"),
            lambda: rest.post(f"{account}/set-margin-mode", **ID, marginMode="isolated"),
            lambda: rest.post(f"{account}/set-leverage", **ID, leverage="20"),
            lambda: rest.get(f"{account}/account", **ID),
            lambda: rest.get(
                f"{account}/max-open", **ID, posSide="long", orderType="limit", openPrice="60000"
            ),
            lambda: rest.get(
                f"{account}/open-count", **ID, openAmount="1000", openPrice="60000", leverage="20"
            ),
            lambda: rest.get(
                f"{account}/liq-price",
                **ID,
                posSide="long",
                orderType="limit",
                openPrice="60000",
                openAmount="0.01",
            ),
        )

    def place(self, rest: Rest, **changes: object) -> dict[str, Any]:
        body = {**ID, "marginMode": "isolated", "size": "0.01", "side": "buy", "orderType": "market"}
        placed: dict[str, Any] = rest.post(f"{ORDER}/place-order", **(body | changes))
        return placed

    def orders(self) -> None:
        rest = self.trader(streams=True)
        limit = {"orderType": "limit", "price": "59000", "force": "gtc"}
        presets = {"presetStopSurplusPrice": "66000", "presetStopLossPrice": "55000"}
        first = self.place(rest, **limit, **presets, clientOid=oid())
        rest.get(f"{ORDER}/orders-pending", **PRODUCT)
        rest.get(f"{MIX}/account/accounts", **PRODUCT)
        rest.get(f"{ORDER}/detail", symbol="BTCUSDT", **PRODUCT, orderId=first["orderId"])
        rest.post(f"{ORDER}/cancel-order", **ID, orderId=first["orderId"])
        bought = self.place(rest, clientOid=oid())
        rest.get(f"{ORDER}/detail", symbol="BTCUSDT", **PRODUCT, orderId=bought["orderId"])
        rest.get(f"{ORDER}/orders-history", **PRODUCT)
        rest.get(f"{ORDER}/fills", **PRODUCT)
        rest.get(f"{ORDER}/fill-history", **PRODUCT)
        self.place(rest, **limit)
        rest.post(f"{ORDER}/cancel-all-orders", **PRODUCT)
        moved = self.place(rest, **limit)
        rest.post(
            f"{ORDER}/modify-order",
            **ID,
            orderId=moved["orderId"],
            newClientOid=oid(),
            newSize="0.02",
            newPrice="58000",
        )

    def positions(self) -> None:
        rest = self.trader(streams=True)
        self.place(rest)
        hold = {**ID, "holdSide": "long"}
        presets = {"stopSurplusTriggerPrice": "66000", "stopLossTriggerPrice": "55000"}
        rest.post(f"{ORDER}/place-pos-tpsl", **ID, holdSide="buy", **presets)
        rest.get(f"{MIX}/position/all-position", **PRODUCT, marginCoin="USDT")
        rest.get(f"{MIX}/position/single-position", **ID)
        rest.get(f"{MIX}/account/accounts", **PRODUCT)
        rest.get(f"{MIX}/account/account", **ID)
        rest.post(f"{ORDER}/close-positions", symbol="BTCUSDT", **PRODUCT)
        rest.get(f"{MIX}/position/history-position", **PRODUCT)
        self.place(rest)
        self.each(
            lambda: rest.get(f"{MIX}/position/adlRank", **PRODUCT),
            lambda: rest.post(f"{MIX}/account/set-margin", **hold, amount="10"),
        )

    def presets(self) -> None:
        rest = self.trader(streams=True)
        self.place(rest, presetStopSurplusPrice="66000", presetStopLossPrice="55000")
        rest.get(f"{ORDER}/orders-plan-pending", **PRODUCT, planType="profit_loss")

    def plans(self) -> None:
        rest = self.trader(streams=True)
        plan = {
            **ID,
            "planType": "normal_plan",
            "marginMode": "isolated",
            "size": "0.01",
            "triggerPrice": "60500",
            "triggerType": "fill_price",
            "side": "buy",
            "orderType": "market",
            "clientOid": oid(),
        }
        protected = {
            "stopSurplusTriggerPrice": "66000",
            "stopSurplusTriggerType": "fill_price",
            "stopLossTriggerPrice": "55000",
            "stopLossTriggerType": "fill_price",
        }
        placed = rest.post(f"{ORDER}/place-plan-order", **plan, **protected)
        rest.get(f"{ORDER}/orders-plan-pending", **PRODUCT, planType="normal_plan")
        changes = {"newTriggerPrice": "60400", "newTriggerType": "fill_price", "newSize": "0.02"}
        rest.post(f"{ORDER}/modify-plan-order", orderId=placed["orderId"], **PRODUCT, **changes)
        with self.control.held("BTCUSDT", "60400"):
            rest.get(f"{ORDER}/orders-plan-history", **PRODUCT, planType="normal_plan")
            rest.get(
                f"{ORDER}/plan-sub-order",
                **PRODUCT,
                planType="normal_plan",
                planOrderId=placed["orderId"],
            )

    def protection(self) -> None:
        rest = self.trader(streams=True)
        self.place(rest)
        profit = {**ID, "planType": "profit_plan", "holdSide": "buy", "triggerType": "fill_price"}
        placed = rest.post(f"{ORDER}/place-tpsl-order", **profit, triggerPrice="66000", size="0.005")
        self.each(
            lambda: rest.post(
                f"{ORDER}/modify-tpsl-order",
                **ID,
                orderId=placed["orderId"],
                triggerPrice="67000",
                triggerType="fill_price",
                size="0.004",
            )
        )
        rest.post(
            f"{ORDER}/cancel-plan-order",
            **ID,
            planType="profit_plan",
            orderIdList=[{"orderId": placed["orderId"]}, {"orderId": "1"}],
        )

    def batches(self) -> None:
        rest = self.trader(streams=True)
        limit = {"size": "0.01", "side": "buy", "orderType": "limit", "price": "59000", "force": "gtc"}
        good, bad = {**limit, "clientOid": oid()}, {**limit, "clientOid": oid(), "size": "0.00001"}
        placed = rest.post(
            f"{ORDER}/batch-place-order",
            **ID,
            marginMode="isolated",
            orderList=[good, {**limit, "clientOid": oid()}, bad],
        )
        first = placed["successList"][0]
        rest.post(
            f"{ORDER}/batch-cancel-orders",
            **ID,
            orderIdList=[{"orderId": first["orderId"]}, {"orderId": "1"}],
        )

    def reversal(self) -> None:
        rest = self.trader(streams=True)
        self.place(rest)
        rest.post(f"{ORDER}/click-backhand", **ID, size="0.01", side="buy", tradeSide="open", clientOid=oid())

    def funding(self) -> None:
        rest = self.trader(streams=True)
        self.place(rest, marginMode="crossed")
        self.control.advance(8 * 3_600_000)
        self.each(
            lambda: rest.get(f"{MIX}/account/bill", **PRODUCT),
            lambda: rest.get(f"{MIX}/market/history-fund-rate", **SOL),
            lambda: rest.get(f"{MIX}/position/all-position", **PRODUCT, marginCoin="USDT"),
        )

    # spot

    def transfers(self) -> None:
        rest = self.trader(streams=True, kind="SPOT")
        there = {"fromType": "usdt_futures", "toType": "spot", "amount": "1000", "coin": "USDT"}
        rest.post(f"{SPOT}/wallet/transfer", **there, clientOid=oid())
        self.each(
            lambda: rest.get(f"{SPOT}/account/assets"),
            lambda: rest.get("/api/v2/account/all-account-balance"),
            lambda: rest.get("/api/v2/account/funding-assets"),
            lambda: rest.get(f"{SPOT}/account/deduct-info"),
            lambda: rest.get(f"{SPOT}/account/bills"),
            lambda: rest.get(f"{SPOT}/account/transferRecords", coin="USDT", fromType="usdt_futures"),
            lambda: rest.get(f"{SPOT}/wallet/transfer-coin-info", fromType="spot", toType="usdt_futures"),
            lambda: rest.get(f"{MIX}/account/bill", **PRODUCT),
        )

    def spot_trader(self) -> Rest:
        rest = self.trader(streams=True, kind="SPOT")
        there = {"fromType": "usdt_futures", "toType": "spot", "amount": "5000", "coin": "USDT"}
        rest.post(f"{SPOT}/wallet/transfer", **there)
        return rest

    def spot_orders(self) -> None:
        rest = self.spot_trader()
        limit = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "price": "59000", "force": "gtc"}
        market = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc"}
        bought = rest.post(f"{TRADE}/place-order", **market, size="600", clientOid=oid())
        rest.get(f"{TRADE}/orderInfo", orderId=bought["orderId"])
        rest.get(f"{TRADE}/history-orders", symbol="BTCUSDT")
        rest.get(f"{TRADE}/fills", symbol="BTCUSDT")
        placed = rest.post(f"{TRADE}/place-order", **limit, size="0.01", clientOid=oid())
        rest.get(f"{TRADE}/unfilled-orders", symbol="BTCUSDT")
        replaced = rest.post(
            f"{TRADE}/cancel-replace-order",
            symbol="BTCUSDT",
            price="58000",
            size="0.01",
            orderId=placed["orderId"],
            newClientOid=oid(),
        )
        rest.post(f"{TRADE}/cancel-order", symbol="BTCUSDT", orderId=replaced["orderId"])
        rest.post(f"{TRADE}/place-order", **limit, size="0.01")
        rest.post(f"{TRADE}/cancel-symbol-order", symbol="BTCUSDT")

    def spot_batches(self) -> None:
        rest = self.spot_trader()
        limit = {"side": "buy", "orderType": "limit", "price": "59000", "force": "gtc", "size": "0.01"}
        placed = rest.post(
            f"{TRADE}/batch-orders",
            symbol="BTCUSDT",
            orderList=[
                {**limit, "clientOid": oid()},
                {**limit, "clientOid": oid()},
                {**limit, "size": "0.000000001", "clientOid": oid()},
            ],
        )
        first, second = (order["orderId"] for order in placed["successList"])
        rest.post(
            f"{TRADE}/batch-cancel-order",
            symbol="BTCUSDT",
            orderList=[{"orderId": first}, {"orderId": "1"}],
        )
        rest.post(
            f"{TRADE}/batch-cancel-replace-order",
            orderList=[
                {
                    "symbol": "BTCUSDT",
                    "price": "58000",
                    "size": "0.01",
                    "orderId": second,
                    "newClientOid": oid(),
                },
                {"symbol": "BTCUSDT", "price": "58000", "size": "0.01", "orderId": "1"},
            ],
        )

    def spot_plans(self) -> None:
        rest = self.spot_trader()
        plan = {
            "symbol": "BTCUSDT",
            "side": "buy",
            "orderType": "limit",
            "triggerPrice": "60500",
            "executePrice": "60600",
            "size": "0.01",
            "triggerType": "fill_price",
            "planType": "amount",
        }
        first = rest.post(f"{TRADE}/place-plan-order", **plan, clientOid=oid())
        second = rest.post(f"{TRADE}/place-plan-order", **plan, clientOid=oid())
        rest.get(f"{TRADE}/current-plan-order", symbol="BTCUSDT")
        rest.post(
            f"{TRADE}/modify-plan-order",
            orderId=first["orderId"],
            triggerPrice="60400",
            executePrice="60600",
            size="0.01",
            orderType="limit",
        )
        rest.post(f"{TRADE}/cancel-plan-order", orderId=second["orderId"])
        with self.control.held("BTCUSDT", "60400"):
            rest.get(f"{TRADE}/history-plan-order", symbol="BTCUSDT", startTime=1, endTime=4 * 10**12)
            rest.get(f"{TRADE}/plan-sub-order", planOrderId=first["orderId"])
        rest.post(f"{TRADE}/place-plan-order", **(plan | {"triggerPrice": "61000", "executePrice": "61100"}))
        rest.post(f"{TRADE}/batch-cancel-plan-order", symbolList=["BTCUSDT"])
