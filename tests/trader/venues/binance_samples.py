"""Recorded answers and events of Binance, and a venue that gives prepared answers to questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from trader.net.response import Response
from trader.venues.model import Call

DATA = Path(__file__).parent / "data"
_SAMPLES = json.loads((DATA / "binance_samples.json").read_text())
REST: dict[str, Any] = _SAMPLES["rest"]
WS: dict[str, Any] = _SAMPLES["ws"]
CODES: list[str] = json.loads((DATA / "binance_codes.json").read_text())["codes"]


def body(sample: Any) -> bytes:
    return msgspec.json.encode(sample)


def refusal(code: int, text: str = "no") -> bytes:
    return body({"code": code, "msg": text})


class Answers:
    """Says by path what a test wants: rows, or a function of the query that gives them."""

    def __init__(self, **says: Any) -> None:
        self.says: dict[str, Any | Callable[[dict[str, str]], Any]] = says
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def ask(self, call: Call) -> Response:
        path, _, query = call.path.partition("?")
        name, fields = path.rpartition("/")[2], dict(parse_qsl(query))
        self.asked.append((name, fields))
        said = self.says[name]
        return Response(200, {}, body(said(fields) if callable(said) else said))


def trade(number: int, side: str, qty: str, time: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": number,
        "symbol": "BTCUSDT",
        "orderId": 1000 + number,
        "side": side,
        "positionSide": "BOTH",
        "price": "10",
        "qty": qty,
        "commission": "0.01",
        "commissionAsset": "USDT",
        "realizedPnl": "0",
        "maker": False,
        "time": time,
    }
    return row | changes


def held(amount: str, update_time: int, **changes: Any) -> dict[str, Any]:
    row = {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "positionAmt": amount,
        "entryPrice": "10",
        "markPrice": "11",
        "unRealizedProfit": "1",
        "liquidationPrice": "5",
        "isolatedWallet": "2",
        "updateTime": update_time,
    }
    return row | changes


CONFIG = [{"symbol": "BTCUSDT", "marginType": "ISOLATED", "leverage": 5}]
