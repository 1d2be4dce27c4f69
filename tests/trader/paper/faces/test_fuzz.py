"""Mutated requests and frames: always the venue's own answer, never a crash, no money moved by a refusal."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges
from trader.paper.faces.bitget.calls import ROUTES
from trader.paper.server import PaperServer

WORDS: list[Any] = [
    None, "", "0", "-1", "1e9", "1e-9", "NaN", "Infinity", "1" * 300, 10**30, -0.5, True, [], {}, ["a"], {"a": 1},
    "buy", "SELL", "long", "short", "open", "close", "market", "limit", "YES", "crossed", "isolated", "hedge_mode",
    "one_way_mode", "pos_profit", "pos_loss", "profit_plan", "profit_loss", "normal_plan", "mark_price", "BTCUSDT",
    "ethusdt", "USDT", FUTURES, "COIN-FUTURES", "60000", "60000.1", "0.01", "0.0001", "1m", "\u0000", "é", "../", "'",
]  # fmt: skip
NAMES = [
    "symbol", "productType", "marginMode", "marginCoin", "size", "side", "orderType", "price", "force", "tradeSide",
    "reduceOnly", "clientOid", "orderId", "orderIdList", "presetStopSurplusPrice", "presetStopLossPrice", "leverage",
    "holdSide", "posMode", "planType", "triggerPrice", "triggerType", "executePrice", "limit", "idLessThan", "startTime",
    "endTime", "granularity", "precision", "status", "businessType", "coin", "stopSurplusTriggerPrice", "stopLossTriggerPrice",
]  # fmt: skip
USUAL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "productType": FUTURES,
    "marginMode": "isolated",
    "marginCoin": "USDT",
    "size": "0.01",
    "side": "buy",
    "orderType": "market",
    "planType": "pos_profit",
    "posMode": "one_way_mode",
    "triggerPrice": "66000",
    "granularity": "1m",
    "businessType": "mix",
}


def mutated(dice: random.Random) -> dict[str, Any]:
    body = dict(USUAL)
    for _ in range(dice.randint(0, 5)):
        name = dice.choice(NAMES)
        if dice.random() < 0.2:
            body.pop(name, None)
        else:
            body[name] = dice.choice(WORDS)
    return body


def damaged(dice: random.Random, text: str) -> str:
    """Now and then a byte is lost, doubled or changed."""
    if dice.random() < 0.1 and text:
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(["", text[at] * 2, dice.choice('{}[]",:x\\')]) + text[at + 1 :]
    return text


async def rounds(client: Client, server: PaperServer, count: int, seed: int) -> None:
    dice = random.Random(seed)
    paths = sorted(ROUTES)
    record = server.engine.accounts[0].record  # its seq counts ledger lines
    for _ in range(count):
        method, path = dice.choice(paths)
        body = mutated(dice)
        if method == "GET":
            kept = {name: str(value) for name, value in body.items() if value is not None}
            path += "?" + "&".join(f"{n}={v}" for n, v in kept.items() if v.isalnum())
            text = ""
        else:
            text = damaged(dice, json.dumps(body))
        before = record.seq
        answer = await client.send(method, path, text, client.headers(method, path, text))
        assert answer.status in {200, 400}, (method, path, text, answer)
        assert (answer.code == "00000") == (answer.status == 200)
        if answer.code != "00000":
            assert record.seq == before, (method, path, text, answer)
    assert server.status()["failures"] == 0


async def test_mutated_requests(client: Client, server: PaperServer) -> None:
    await rounds(client, server, 1500, 1)


async def test_mutated_frames(client: Client, server: PaperServer) -> None:
    dice = random.Random(2)
    socket = await client.socket("ws_private")
    await socket.login()
    for _ in range(1500):
        arg = {
            name: dice.choice([*WORDS, "default"])
            for name in dice.sample(["instType", "channel", "instId", "coin", "inst_id"], 3)
        }
        arg["channel"] = dice.choice(
            ["ticker", "books", "orders", "account", "positions", "candle1m", None, 5]
        )
        frame = {"op": dice.choice(["subscribe", "unsubscribe", "subscribe", "x", None]), "args": [arg]}
        await socket.raw.send_str(damaged(dice, json.dumps(frame)))
        await socket.raw.send_str("ping")
        while await socket.raw.receive_str(timeout=5) != "pong":
            pass
    assert server.status()["failures"] == 0


@pytest.mark.soak
async def test_mutated_requests_for_long(exchanges: Exchanges) -> None:
    server = await exchanges.start()
    await rounds(await exchanges.client(server), server, 30_000, 3)
