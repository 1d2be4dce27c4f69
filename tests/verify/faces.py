"""One trader's hands on each of the three faces, written from the venues' documents: they share no code with the server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import urllib.parse
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from shared import clock

Json = dict[str, Any]
SYMBOL = "BTCUSDT"


class Hand(ABC):
    """An account on one face. ``long`` says which way it trades; sizes are base coin, prices text."""

    kind = ""

    def __init__(self, ready: Json, account: Json) -> None:
        self.account = account
        at = ready["binance"]["rest"] if self.kind == "binance" else ready["rest"]
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(at).netloc, timeout=60)
        self.hedged, self.crossed, self.long = False, True, True
        self.guard = ""

    def close(self) -> None:
        self.http.close()

    @property
    def opening(self) -> str:
        return "buy" if self.long else "sell"

    @property
    def closing(self) -> str:
        return "sell" if self.long else "buy"

    @property
    def held_side(self) -> str:
        return "long" if self.long else "short"

    def send(self, method: str, target: str, body: str, headers: dict[str, str]) -> tuple[int, Any]:
        self.http.request(method, target, body or None, headers)
        with self.http.getresponse() as response:
            return response.status, json.loads(response.read())

    @abstractmethod
    def settle(self, *, hedged: bool, crossed: bool, long: bool, leverage: int) -> None:
        """Position mode, margin mode, direction and leverage, before anything else."""

    @abstractmethod
    def enter(self, size: str, price: str | None = None) -> str:
        """Open or add: at market, or by a limit order; the order's id."""

    @abstractmethod
    def leave(self, size: str, price: str | None = None) -> str:
        """Reduce what is held: at market, or by a limit order that can only reduce; the order's id."""

    @abstractmethod
    def protect(self, price: str) -> None:
        """A stop on the last price for all that is held."""

    @abstractmethod
    def move(self, price: str) -> None:
        """The stop goes there."""

    @abstractmethod
    def stops(self) -> list[str]:
        """Trigger prices of the stops that wait."""

    @abstractmethod
    def held(self) -> str:
        """How much is held, "0" for nothing."""

    @abstractmethod
    def pending(self) -> list[str]:
        """Ids of the orders that rest."""


class Bitget(Hand):
    """Signing and envelope, which classic and unified accounts share."""

    def call(self, method: str, path: str, **fields: object) -> Any:
        """The answer's data; a refusal raises ``AssertionError``."""
        body = json.dumps(fields) if method == "POST" else ""
        target = path
        if method == "GET" and fields:
            target += "?" + urllib.parse.urlencode(fields)
        stamp = str(clock.now_ms())
        text = f"{stamp}{method}{target}{body}".encode()
        sign = hmac.new(self.account["secret"].encode(), text, hashlib.sha256).digest()
        headers = {
            "ACCESS-KEY": self.account["key"],
            "ACCESS-SIGN": base64.b64encode(sign).decode(),
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-PASSPHRASE": self.account["passphrase"],
            "Content-Type": "application/json",
        }
        status, answer = self.send(method, target, body, headers)
        assert (status, answer["code"]) == (200, "00000"), (path, fields, answer)
        return answer["data"]


class Classic(Bitget):
    """Bitget v2. In hedge mode ``side`` names the position and ``tradeSide`` what becomes of it."""

    kind = "classic"
    PRODUCT: ClassVar[Json] = {"productType": "USDT-FUTURES"}
    ID: ClassVar[Json] = {"symbol": SYMBOL, "productType": "USDT-FUTURES", "marginCoin": "USDT"}

    def settle(self, *, hedged: bool, crossed: bool, long: bool, leverage: int) -> None:
        self.hedged, self.crossed, self.long = hedged, crossed, long
        mode = "hedge_mode" if hedged else "one_way_mode"
        self.call("POST", "/api/v2/mix/account/set-position-mode", **self.PRODUCT, posMode=mode)
        margin = "crossed" if crossed else "isolated"
        self.call("POST", "/api/v2/mix/account/set-margin-mode", **self.ID, marginMode=margin)
        self.call("POST", "/api/v2/mix/account/set-leverage", **self.ID, leverage=str(leverage))

    def _order(self, size: str, price: str | None, *, closes: bool) -> str:
        order: Json = {**self.ID, "size": size, "orderType": "market" if price is None else "limit"}
        order["marginMode"] = "crossed" if self.crossed else "isolated"
        if price is not None:
            order |= {"price": price, "force": "gtc"}
        if self.hedged:
            order |= {"side": self.opening, "tradeSide": "close" if closes else "open"}
        else:
            order["side"] = self.closing if closes else self.opening
            order |= {"reduceOnly": "YES"} if closes else {}
        return str(self.call("POST", "/api/v2/mix/order/place-order", **order)["orderId"])

    def enter(self, size: str, price: str | None = None) -> str:
        return self._order(size, price, closes=False)

    def leave(self, size: str, price: str | None = None) -> str:
        return self._order(size, price, closes=True)

    def protect(self, price: str) -> None:
        side = self.held_side if self.hedged else self.opening
        sent = {**self.ID, "planType": "pos_loss", "triggerPrice": price, "triggerType": "fill_price"}
        self.guard = self.call("POST", "/api/v2/mix/order/place-tpsl-order", **sent, holdSide=side)["orderId"]

    def move(self, price: str) -> None:
        sent = {
            **self.ID,
            "orderId": self.guard,
            "triggerPrice": price,
            "triggerType": "fill_price",
            "size": "",
        }
        self.call("POST", "/api/v2/mix/order/modify-tpsl-order", **sent)

    def stops(self) -> list[str]:
        found = self.call(
            "GET", "/api/v2/mix/order/orders-plan-pending", **self.PRODUCT, planType="profit_loss"
        )
        return [row["triggerPrice"] for row in found["entrustedList"] or []]

    def held(self) -> str:
        rows = self.call("GET", "/api/v2/mix/position/single-position", **self.ID)
        return str(rows[0]["total"]) if rows else "0"

    def pending(self) -> list[str]:
        found = self.call("GET", "/api/v2/mix/order/orders-pending", **self.PRODUCT)
        return [row["orderId"] for row in found["entrustedList"] or []]


class Unified(Bitget):
    """Bitget v3. ``side`` is the true side of the trade; in hedge mode ``posSide`` names the position."""

    kind = "unified"
    ID: ClassVar[Json] = {"category": "USDT-FUTURES", "symbol": SYMBOL}

    @property
    def _margin(self) -> str:
        return "crossed" if self.crossed else "isolated"

    def settle(self, *, hedged: bool, crossed: bool, long: bool, leverage: int) -> None:
        self.hedged, self.crossed, self.long = hedged, crossed, long
        mode = "hedge_mode" if hedged else "one_way_mode"
        self.call("POST", "/api/v3/account/set-hold-mode", holdMode=mode)
        sent: Json = {**self.ID, "coin": "USDT", "leverage": str(leverage), "marginMode": self._margin}
        if hedged and not crossed:
            sent["posSide"] = self.held_side
        self.call("POST", "/api/v3/account/set-leverage", **sent)

    def _order(self, size: str, price: str | None, *, closes: bool) -> str:
        order: Json = {**self.ID, "qty": size, "orderType": "market" if price is None else "limit"}
        order |= {"side": self.closing if closes else self.opening, "marginMode": self._margin}
        if price is not None:
            order |= {"price": price, "timeInForce": "gtc"}
        if self.hedged:
            order["posSide"] = self.held_side
        elif closes:
            order["reduceOnly"] = "yes"
        return str(self.call("POST", "/api/v3/trade/place-order", **order)["orderId"])

    def enter(self, size: str, price: str | None = None) -> str:
        return self._order(size, price, closes=False)

    def leave(self, size: str, price: str | None = None) -> str:
        return self._order(size, price, closes=True)

    def protect(self, price: str) -> None:
        sent = {**self.ID, "type": "tpsl", "tpslMode": "full", "posSide": self.held_side, "stopLoss": price}
        answer = self.call("POST", "/api/v3/trade/place-strategy-order", **sent, slTriggerBy="market")
        self.guard = answer["orderId"]

    def move(self, price: str) -> None:
        self.call("POST", "/api/v3/trade/modify-strategy-order", orderId=self.guard, stopLoss=price)

    def stops(self) -> list[str]:
        query = {"category": "USDT-FUTURES", "type": "tpsl"}
        return [
            row["stopLoss"]
            for row in self.call("GET", "/api/v3/trade/unfilled-strategy-orders", **query) or []
        ]

    def held(self) -> str:
        rows = self.call("GET", "/api/v3/position/current-position", **self.ID)["list"] or []
        return str(rows[0]["total"]) if rows else "0"

    def pending(self) -> list[str]:
        found = self.call("GET", "/api/v3/trade/unfilled-orders", category="USDT-FUTURES")["list"] or []
        return [row["orderId"] for row in found]


class Binance(Hand):
    """Binance USD-M. A stop is an algo order: to move it means to cancel it and to place another."""

    kind = "binance"

    def call(self, method: str, path: str, **fields: object) -> Any:
        """The answer; a refusal raises ``AssertionError``."""
        query = urllib.parse.urlencode({**fields, "timestamp": clock.now_ms()})
        sign = hmac.new(self.account["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        target = f"{path}?{query}&signature={sign}"
        status, answer = self.send(method, target, "", {"X-MBX-APIKEY": self.account["key"]})
        assert status == 200, (path, fields, answer)
        return answer

    def settle(self, *, hedged: bool, crossed: bool, long: bool, leverage: int) -> None:
        self.hedged, self.crossed, self.long = hedged, crossed, long
        if hedged:  # a mode that is there already is refused
            self.call("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        if not crossed:
            self.call("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="ISOLATED")
        self.call("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=leverage)

    @property
    def _side(self) -> Json:
        return {"positionSide": self.held_side.upper()} if self.hedged else {}

    def _order(self, size: str, price: str | None, *, closes: bool) -> str:
        order: Json = {"symbol": SYMBOL, "quantity": size, "type": "MARKET" if price is None else "LIMIT"}
        order |= {"side": (self.closing if closes else self.opening).upper()} | self._side
        if price is not None:
            order |= {"price": price, "timeInForce": "GTC"}
        if closes and not self.hedged:
            order["reduceOnly"] = "true"
        return str(self.call("POST", "/fapi/v1/order", **order)["orderId"])

    def enter(self, size: str, price: str | None = None) -> str:
        return self._order(size, price, closes=False)

    def leave(self, size: str, price: str | None = None) -> str:
        return self._order(size, price, closes=True)

    def protect(self, price: str) -> None:
        sent: Json = {
            "algoType": "CONDITIONAL",
            "symbol": SYMBOL,
            "type": "STOP_MARKET",
            "triggerPrice": price,
        }
        sent |= {"side": self.closing.upper(), "closePosition": "true", "workingType": "CONTRACT_PRICE"}
        self.guard = str(self.call("POST", "/fapi/v1/algoOrder", **sent, **self._side)["algoId"])

    def move(self, price: str) -> None:
        self.call("DELETE", "/fapi/v1/algoOrder", algoId=self.guard)
        self.protect(price)

    def stops(self) -> list[str]:
        return [row["triggerPrice"] for row in self.call("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)]

    def held(self) -> str:
        rows = self.call("GET", "/fapi/v3/positionRisk", symbol=SYMBOL)
        amounts = [row["positionAmt"].lstrip("-") for row in rows if row["positionAmt"].strip("-0.")]
        return str(amounts[0]) if amounts else "0"

    def pending(self) -> list[str]:
        return [str(row["orderId"]) for row in self.call("GET", "/fapi/v1/openOrders", symbol=SYMBOL)]


HANDS: tuple[type[Hand], ...] = (Classic, Unified, Binance)
