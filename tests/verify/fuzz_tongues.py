"""The three faces as the fuzzer speaks them: calls, words, signatures, what a good answer looks like, and frames."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import trader.paper.faces.bitget.rest as served
from shared import clock
from tests.conformance.wire import headers
from tests.verify import fuzz_inputs
from tests.verify.fuzz_inputs import EXTRA, NAMES, USUAL, Seeds, Sent, Writer, change, write_form, write_json
from tests.verify.fuzz_sockets import Reply, talk, talk_plainly
from trader.paper.faces.binance import rest as served_binance
from trader.paper.faces.binance.calls import ROUTES as BINANCE_ROUTES
from trader.paper.faces.bitget.calls import ROUTES as BITGET_ROUTES

assert served.HANDLERS  # importing them enters their routes
assert served_binance.__name__

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "conformance" / "wire_shapes.json").read_text()
)
Frame = str | bytes | list[str]

NAMES_V3 = [
    *NAMES, "category", "qty", "timeInForce", "posSide", "takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy",
    "tpOrderType", "slOrderType", "tpLimitPrice", "slLimitPrice", "type", "tpslMode", "triggerBy", "triggerOrderType",
    "triggerOrderPrice", "triggerQty", "cursor", "interval", "holdMode", "operation", "baseCoin", "countdown",
]  # fmt: skip
USUAL_V3: dict[str, Any] = {
    "category": "USDT-FUTURES",
    "symbol": "BTCUSDT",
    "side": "buy",
    "orderType": "market",
    "qty": "0.01",
}
_LIMIT_V3 = {"orderType": "limit", "price": "59000", "timeInForce": "gtc"}
EXTRA_V3: dict[str, dict[str, Any]] = {
    "place-order": _LIMIT_V3,
    "place-batch": _LIMIT_V3,
    "modify-order": {"clientOid": "rests", "price": "58000", "qty": "0.02"},
    "batch-modify-order": {"clientOid": "rests", "price": "58500"},
    "cancel-order": {"clientOid": "rests"},
    "cancel-batch": {"clientOid": "rests"},
    "order-info": {"clientOid": "rests"},
    "candles": {"interval": "1m"},
    "history-candles": {"interval": "1m"},
    "set-leverage": {"leverage": "20"},
    "set-hold-mode": {"holdMode": "one_way_mode"},
    "set-margin": {"posSide": "long", "operation": "add", "amount": "1"},
    "countdown-cancel-all": {"countdown": "60"},
    "max-open-available": {"price": "60000"},
    "place-strategy-order": {
        "type": "trigger",
        "triggerBy": "market",
        "triggerPrice": "65000",
        "triggerOrderType": "market",
    },
    "modify-strategy-order": {"clientOid": "waits", "qty": "0.02", "triggerPrice": "64000"},
    "cancel-strategy-order": {"clientOid": "waits"},
    "unfilled-strategy-orders": {"type": "trigger"},
    "history-strategy-orders": {"type": "trigger"},
}

NAMES_BINANCE = [
    "symbol", "pair", "side", "positionSide", "type", "timeInForce", "quantity", "price", "reduceOnly", "newClientOrderId",
    "stopPrice", "closePosition", "activatePrice", "callbackRate", "workingType", "priceProtect", "newOrderRespType",
    "priceMatch", "selfTradePreventionMode", "goodTillDate", "recvWindow", "timestamp", "orderId", "origClientOrderId",
    "orderIdList", "origClientOrderIdList", "batchOrders", "countdownTime", "algoType", "algoId", "clientAlgoId",
    "triggerPrice", "leverage", "marginType", "amount", "dualSidePosition", "multiAssetsMargin", "incomeType", "startTime",
    "endTime", "fromId", "limit", "interval", "contractType", "symbols", "page", "signature", "autoCloseType",
]  # fmt: skip
_ORDER: dict[str, Any] = {
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}
EXTRA_BINANCE: dict[str, dict[str, Any]] = {
    "order": _ORDER | {"origClientOrderId": "rests"},
    "test": _ORDER,
    "openOrder": {"origClientOrderId": "rests"},
    "orderAmendment": {"origClientOrderId": "rests"},
    "batchOrders": {
        "batchOrders": json.dumps([{"symbol": "BTCUSDT", **_ORDER}] * 2),
        "origClientOrderIdList": '["rests"]',
    },
    "algoOrder": {
        "algoType": "CONDITIONAL",
        "side": "BUY",
        "type": "STOP_MARKET",
        "quantity": "0.01",
        "triggerPrice": "65000",
    },
    "countdownCancelAll": {"countdownTime": "60000"},
    "leverage": {"leverage": "20"},
    "marginType": {"marginType": "ISOLATED"},
    "positionMargin": {"amount": "1", "type": "1"},
    "dual": {"dualSidePosition": "true"},
    "multiAssetsMargin": {"multiAssetsMargin": "false"},
    "klines": {"interval": "1m"},
    "markPriceKlines": {"interval": "1m"},
    "indexPriceKlines": {"interval": "1m", "pair": "BTCUSDT"},
    "continuousKlines": {"interval": "1m", "pair": "BTCUSDT", "contractType": "PERPETUAL"},
}


class Tongue(ABC):
    """A face as a client speaks it."""

    kind = ""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.seeds = self.made_seeds()

    @abstractmethod
    def made_seeds(self) -> Seeds: ...

    @property
    @abstractmethod
    def write(self) -> Writer:
        """How parameters are put into a request."""

    @abstractmethod
    def sign(self, account: dict[str, Any], sent: Sent, dice: random.Random) -> dict[str, str]:
        """Headers; what is signed in the target is put there."""

    @abstractmethod
    def verdict(self, reply: Reply) -> tuple[bool, str]:
        """Whether it was accepted, and the code; "" when the answer is none of the venue's."""

    @abstractmethod
    def steps(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Method, path and fields of what an account starts with: something resting, held and waiting."""

    @abstractmethod
    def frame(self, dice: random.Random, account: dict[str, Any]) -> Frame: ...

    @abstractmethod
    async def talk(
        self, dice: random.Random, account: dict[str, Any], batch: list[Frame]
    ) -> list[Any] | None:
        """Sends frames on one connection; what came of them, ``None`` when the exchange hung up."""

    @abstractmethod
    def may_have_acted(self, answers: list[Any]) -> bool:
        """Whether one of the frames was accepted."""


class BitgetTongue(Tongue):
    @property
    def write(self) -> Writer:
        return write_json

    def sign(self, account: dict[str, Any], sent: Sent, dice: random.Random) -> dict[str, str]:
        return sent.with_headers(headers(account, sent.method, sent.target, sent.signed_body), dice)

    def verdict(self, reply: Reply) -> tuple[bool, str]:
        return reply.code == "00000", reply.code

    def may_have_acted(self, answers: list[Any]) -> bool:
        return any(answer.get("event") == "trade" and not int(answer.get("code", 0)) for answer in answers)


class ClassicTongue(BitgetTongue):
    kind = "classic"

    def made_seeds(self) -> Seeds:
        served = sorted(f"{method} {path}" for method, path in BITGET_ROUTES if "/v3/" not in path)
        return Seeds(served, [*TABLE["rest"], *TABLE["refused"]], USUAL, EXTRA, NAMES)

    def steps(self) -> list[tuple[str, str, dict[str, Any]]]:
        common = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT"}
        order = common | {"marginMode": "isolated", "size": "0.01", "side": "buy", "orderType": "market"}
        plan = {"planType": "normal_plan", "triggerPrice": "65000", "triggerType": "fill_price"}
        purse = {"fromType": "usdt_futures", "toType": "spot", "amount": "2000", "coin": "USDT"}
        return [
            ("POST", "/api/v2/mix/order/place-order", order | {"presetStopSurplusPrice": "66000"}),
            ("POST", "/api/v2/mix/order/place-order", order | {"orderType": "limit", "price": "59000"}),
            ("POST", "/api/v2/mix/order/place-plan-order", order | plan),
            ("POST", "/api/v2/spot/wallet/transfer", purse),
        ]

    def frame(self, dice: random.Random, account: dict[str, Any]) -> Frame:
        return fuzz_inputs.frame(dice, account)

    async def talk(
        self, dice: random.Random, account: dict[str, Any], batch: list[Frame]
    ) -> list[Any] | None:
        return await talk(dice, self.ready["ws_private"], account, batch)


class UnifiedTongue(BitgetTongue):
    kind = "unified"
    _TOPICS = (
        "place-order", "modify-order", "cancel-order", "batch-place", "batch-modify", "batch-cancel", "order", "account",
        "position", "fill", "fast-fill", "strategy-order", "ticker", "books", "books1", "kline", "publicTrade", "x", None, 5,
    )  # fmt: skip

    def made_seeds(self) -> Seeds:
        served = sorted(f"{method} {path}" for method, path in BITGET_ROUTES if "/v3/" in path)
        shown = [*TABLE["v3"], *(call for call in TABLE["refused"] if "/v3/" in call)]
        return Seeds(served, shown, USUAL_V3, EXTRA_V3, NAMES_V3)

    def steps(self) -> list[tuple[str, str, dict[str, Any]]]:
        trigger = USUAL_V3 | EXTRA_V3["place-strategy-order"] | {"clientOid": "waits"}
        trigger.pop("orderType")
        return [
            ("POST", "/api/v3/trade/place-order", USUAL_V3 | {"takeProfit": "66000"}),
            ("POST", "/api/v3/trade/place-order", USUAL_V3 | _LIMIT_V3 | {"clientOid": "rests"}),
            ("POST", "/api/v3/trade/place-strategy-order", trigger),
            (
                "POST",
                "/api/v3/trade/place-order",
                {**USUAL_V3, **_LIMIT_V3, "category": "SPOT", "qty": "0.001"},
            ),
        ]

    def frame(self, dice: random.Random, account: dict[str, Any]) -> Frame:
        """The classic frames with the words of v3, as they are or damaged."""
        if dice.random() < 0.3:
            return fuzz_inputs.frame(dice, account)
        topic = dice.choice(self._TOPICS)
        params = dict(USUAL_V3) | dice.choice([{}, _LIMIT_V3, {"clientOid": "rests"}])
        for _ in range(dice.randint(0, 3)):
            change(dice, params, [], NAMES_V3)
        if dice.random() < 0.5:
            arg = {
                "instType": _any(dice, "UTA", "usdt-futures", "spot", None),
                "topic": topic,
                "symbol": "BTCUSDT",
            }
            message: dict[str, Any] = {"op": dice.choice(["subscribe", "unsubscribe"]), "args": [arg]}
        else:
            message = {"op": "trade", "id": _any(dice, "1", "a" * 65, 5, None), "topic": topic}
            message |= {"category": _any(dice, "usdt-futures", "spot", "x", None), "args": [params]}
        return garbled(dice, message)

    async def talk(
        self, dice: random.Random, account: dict[str, Any], batch: list[Frame]
    ) -> list[Any] | None:
        return await talk(dice, self.ready["ws_v3_private"], account, batch)


class BinanceTongue(Tongue):
    kind = "binance"
    _METHODS = (
        "order.place", "order.modify", "order.cancel", "order.status", "algoOrder.place", "algoOrder.cancel",
        "account.balance", "v2/account.balance", "account.status", "v2/account.status", "account.position",
        "v2/account.position", "userDataStream.start", "userDataStream.ping", "userDataStream.stop", "depth", "ticker.price",
        "ticker.book", "session.logon", "session.status", "session.logout", "x", "", None, 5,
    )  # fmt: skip
    _STREAMS = (
        "btcusdt@aggTrade", "btcusdt@depth", "btcusdt@depth5@100ms", "btcusdt@kline_1m", "btcusdt@markPrice@1s",
        "!ticker@arr", "!miniTicker@arr", "btcusdt@bookTicker", "nosuch@trade", "x", "", "@", "btcusdt@kline_7m", 5, None,
    )  # fmt: skip

    def made_seeds(self) -> Seeds:
        served = sorted(f"{method} {path}" for method, path in BINANCE_ROUTES)
        shown = [*TABLE["binance"], *TABLE["refused_binance"]]
        return Seeds(served, shown, {"symbol": "BTCUSDT"}, EXTRA_BINANCE, NAMES_BINANCE)

    @property
    def write(self) -> Writer:
        return write_form

    def sign(self, account: dict[str, Any], sent: Sent, dice: random.Random) -> dict[str, str]:
        path, _, text = sent.target.partition("?")
        if "timestamp=" not in text and b"timestamp=" not in sent.body:
            text = "&".join(filter(None, (text, f"timestamp={clock.now_ms()}")))
        signed = text.encode("utf-8", "replace") + sent.body
        made = hmac.new(account["secret"].encode(), signed, hashlib.sha256).hexdigest()
        sent.target = f"{path}?{text}&signature={made}"
        fields = {"X-MBX-APIKEY": account["key"]}
        if sent.form:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        return sent.with_headers(fields, dice)

    def verdict(self, reply: Reply) -> tuple[bool, str]:
        found = reply.json
        if isinstance(found, dict) and isinstance(found.get("code"), int) and found["code"] < 0:
            return False, str(found["code"]) if set(found) == {"code", "msg"} else ""
        return reply.status == 200 and found is not None, "0" if reply.status == 200 else ""

    def steps(self) -> list[tuple[str, str, dict[str, Any]]]:
        order = {"symbol": "BTCUSDT", **_ORDER}
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        algo = {"symbol": "BTCUSDT", **EXTRA_BINANCE["algoOrder"], "clientAlgoId": "waits"}
        return [
            ("POST", "/fapi/v1/order", market),
            ("POST", "/fapi/v1/order", order | {"newClientOrderId": "rests"}),
            ("POST", "/fapi/v1/algoOrder", algo),
        ]

    def frame(self, dice: random.Random, account: dict[str, Any]) -> Frame:
        if dice.random() < 0.3:
            names = [dice.choice(self._STREAMS) for _ in range(dice.choice([0, 1, 2, 20]))]
            method = dice.choice(
                ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "x", None]
            )
            return garbled(dice, {"method": method, "params": names, "id": _any(dice, 1, "a", -1, None)})
        params: dict[str, Any] = {"symbol": "BTCUSDT"} | dice.choice([{}, _ORDER, EXTRA_BINANCE["algoOrder"]])
        for _ in range(dice.randint(0, 3)):
            change(dice, params, [], NAMES_BINANCE)
        params |= {"apiKey": account["key"], "timestamp": clock.now_ms()}
        if dice.random() < 0.85:
            text = "&".join(f"{name}={params[name]}" for name in sorted(params))
            signed = text.encode("utf-8", "replace")
            params["signature"] = hmac.new(account["secret"].encode(), signed, hashlib.sha256).hexdigest()
        method = _any(dice, *self._METHODS)
        return garbled(dice, {"id": _any(dice, "1", 5, None, "x" * 50), "method": method, "params": params})

    async def talk(
        self, dice: random.Random, account: dict[str, Any], batch: list[Frame]
    ) -> list[Any] | None:
        streams = self.ready["binance"]["streams"]
        where = ("/ws", "/stream", "/market/ws", "/public/stream", "/private/ws?listenKey=x")
        url = streams + dice.choice(where) if dice.random() < 0.3 else self.ready["binance"]["ws_api"]
        return await talk_plainly(url, batch)

    def may_have_acted(self, answers: list[Any]) -> bool:
        return any(answer.get("status") == 200 for answer in answers)


def _any(dice: random.Random, *choices: Any) -> Any:
    """One of things of several types."""
    return dice.choice(choices)


def garbled(dice: random.Random, message: dict[str, Any]) -> Frame:
    """The text of it, whole, with a letter wrong, or in two fragments; now and then no such thing at all."""
    if dice.random() < 0.05:
        found: Frame = _any(dice, "", "ping", "null", "[]", "{}", "x" * 4097, "[" * 4000, b"\xff\xfe", b"")
        return found
    text = json.dumps(message, default=str)
    if dice.random() < 0.1:
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(["", text[at] * 2, dice.choice('{}[]",:x\\')]) + text[at + 1 :]
    if dice.random() < 0.05:
        at = dice.randrange(1, len(text))
        return [text[:at], text[at:]]
    return text


TONGUES: tuple[type[Tongue], ...] = (ClassicTongue, UnifiedTongue, BinanceTongue)
