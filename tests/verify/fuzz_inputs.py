"""What the fuzzer sends: seeds of every call, and ways to damage them. The faces' own words are in ``fuzz_tongues``."""

from __future__ import annotations

import json
import random
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared import clock

FUTURES = "USDT-FUTURES"

WORDS: list[Any] = [
    None, "", " ", "0", "-1", "1e9", "1e-9", "1E400", "NaN", "Infinity", "-0", "0x10", "1_000", "１", "1" * 300, 10**30,
    10**4000, -0.5, 1e-300, True, False, [], {}, ["a"], [[]], {"a": 1}, [{"orderId": "1"}], [{"orderId": None}], [1, None],
    "buy", "SELL", "long", "short", "open", "close", "market", "limit", "YES", "no", "crossed", "isolated", "hedge_mode",
    "one_way_mode", "pos_profit", "pos_loss", "profit_plan", "loss_plan", "moving_plan", "profit_loss", "normal_plan",
    "track_plan", "mark_price", "fill_price", "post_only", "ioc", "fok", "GTC", "cancel_both", "BTCUSDT", "ethusdt", "USDT",
    "BTC", FUTURES, "COIN-FUTURES", "SPOT", "60000", "60000.1", "59000", "61000", "0.01", "0.0001", "0.00000001", "1m",
    "1min", "\u0000", "é", "😀", "\ud800", "../", "'", "%s", "{0}", "a" * 5000, "on", "off", "spot", "usdt_futures",
]  # fmt: skip
NAMES = [
    "symbol", "productType", "marginMode", "marginCoin", "size", "side", "orderType", "price", "force", "tradeSide",
    "reduceOnly", "clientOid", "orderId", "orderIdList", "orderList", "presetStopSurplusPrice", "presetStopLossPrice",
    "presetStopSurplusExecutePrice", "presetStopLossExecutePrice", "leverage", "longLeverage", "shortLeverage", "holdSide",
    "posMode", "planType", "triggerPrice", "triggerType", "executePrice", "callbackRatio", "rangeRate", "limit",
    "idLessThan", "startTime", "endTime", "granularity", "precision", "status", "businessType", "coin", "amount", "fromType",
    "toType", "stopSurplusTriggerPrice", "stopLossTriggerPrice", "stopSurplusTriggerType", "stopSurplusSize", "newSize",
    "newPrice", "newClientOid", "newTriggerPrice", "newCallbackRatio", "stpMode", "autoMargin", "planOrderId", "kLineType",
    "pageSize", "pageNo", "planStatus", "symbolList", "posSide", "openAmount", "openPrice", "type", "requestTime",
]  # fmt: skip

#: Values with which most calls are accepted; a call reads what it knows.
USUAL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "productType": FUTURES,
    "marginMode": "isolated",
    "marginCoin": "USDT",
    "side": "buy",
    "orderType": "market",
    "size": "0.01",
}
_PLAN = {"planType": "normal_plan", "triggerPrice": "65000", "triggerType": "fill_price"}
_TPSL = {"planType": "loss_plan", "triggerPrice": "55000", "triggerType": "fill_price", "holdSide": "buy"}
_LIMIT = {"orderType": "limit", "price": "59000", "force": "gtc"}
_SPOT_PLAN = {
    "orderType": "limit",
    "triggerPrice": "65000",
    "executePrice": "65100",
    "triggerType": "fill_price",
}
#: What a call needs beyond that, by the end of its path.
EXTRA: dict[str, dict[str, Any]] = {
    "place-order": _LIMIT,
    "batch-place-order": {"orderList": [USUAL | _LIMIT, USUAL]},
    "batch-orders": {"orderList": [USUAL | _LIMIT, USUAL | {"size": "10"}]},
    "modify-order": {"orderId": "1", "newClientOid": "n", "newSize": "0.02", "newPrice": "58000"},
    "cancel-order": {"orderId": "1"},
    "cancel-replace-order": {"orderId": "1", "price": "58000"},
    "batch-cancel-orders": {"orderIdList": [{"orderId": "1"}, {"clientOid": "x"}]},
    "batch-cancel-order": {"orderList": [{"orderId": "1"}]},
    "detail": {"orderId": "1"},
    "orderInfo": {"orderId": "1"},
    "place-plan-order": _PLAN,
    "modify-plan-order": {"orderId": "1", "newTriggerPrice": "64000", "triggerPrice": "64000"},
    "cancel-plan-order": {"orderId": "1", "planType": "normal_plan", "orderIdList": [{"orderId": "1"}]},
    "place-tpsl-order": _TPSL,
    "modify-tpsl-order": {"orderId": "1", "triggerPrice": "54000"},
    "place-pos-tpsl": {"holdSide": "buy", "stopLossTriggerPrice": "55000"},
    "orders-plan-pending": {"planType": "profit_loss"},
    "orders-plan-history": {"planType": "normal_plan"},
    "plan-sub-order": {"planType": "normal_plan", "planOrderId": "1"},
    "set-leverage": {"leverage": "20"},
    "set-margin": {"holdSide": "long", "amount": "1"},
    "set-auto-margin": {"holdSide": "long", "autoMargin": "on"},
    "set-position-mode": {"posMode": "one_way_mode"},
    "max-open": {"posSide": "long", "openPrice": "60000"},
    "liq-price": {"posSide": "long", "openPrice": "60000", "openAmount": "0.01"},
    "open-count": {"openAmount": "100", "openPrice": "60000", "leverage": "10"},
    "transfer": {"fromType": "usdt_futures", "toType": "spot", "amount": "1", "coin": "USDT"},
    "trade-rate": {"businessType": "mix"},
    "candles": {"granularity": "1m"},
    "history-candles": {"granularity": "1m"},
    "history-index-candles": {"granularity": "1m"},
    "history-mark-candles": {"granularity": "1m"},
    "batch-cancel-plan-order": {"symbolList": ["BTCUSDT"]},
}


#: Puts parameters into a request, as a face wants them.
Writer = Callable[[random.Random, "Sent", dict[str, Any]], None]


class Seeds:
    """Every call that the samples show or that is served, with a request that is mostly accepted.

    ``usual`` is in every request, ``extra`` what a call needs beyond it, by the end of its path; ``names`` are
    those that a field may be damaged by.
    """

    def __init__(
        self,
        served: list[str],
        shown: list[str],
        usual: dict[str, Any],
        extra: dict[str, dict[str, Any]],
        names: list[str],
    ) -> None:
        self.served = served
        self.calls = sorted({*shown, *served})
        self.usual = usual
        self.extra = extra
        self.names = names

    def pick(self, dice: random.Random) -> tuple[str, dict[str, Any]]:
        call = dice.choice(self.served if dice.random() < 0.9 else self.calls)
        params = dict(self.usual) | self.extra.get(call.rpartition("/")[2], {})
        if "/spot/trade/place-plan-order" in call:
            params |= _SPOT_PLAN
        if dice.random() < 0.3 and call.endswith("place-order"):
            params |= {"orderType": "market"}
        return call, params


@dataclass
class Sent:
    """One request as it goes out. ``beyond_http`` when the HTTP library may answer it by itself."""

    call: str
    method: str
    target: str
    body: bytes
    changes: list[str] = field(default_factory=list)
    beyond_http: bool = False
    form: bool = False

    @property
    def signed_body(self) -> str:
        return self.body.decode("utf-8", "replace")

    def text(self) -> str:
        return f"{self.method} {self.target} {self.body[:600]!r} {self.changes}"

    def with_headers(self, made: dict[str, str], dice: random.Random) -> dict[str, str]:
        """Mostly signed as it should be; now and then a header is gone, garbled, or not ours at all."""
        if dice.random() < 0.88:
            return made
        name = dice.choice(list(made))
        change = dice.randrange(6)
        self.changes.append(f"header {name} {change}")
        if change == 0:
            del made[name]
        elif change == 1:
            made[name] = dice.choice(["", " ", "x", "0", "-1", "9" * 30, "ÿ", "1e12", "١٢٣", made[name] * 2])
        elif change == 2:
            made["Content-Type"] = dice.choice(["text/plain", "application/xml", "multipart/form-data", "ÿ", "a/b; charset=utf-99"])  # fmt: skip
        elif change == 3:
            self.beyond_http = True
            made["Content-Encoding"] = dice.choice(["gzip", "deflate", "br", "x"])
        elif change == 4:
            made["X-Long"] = "x" * dice.choice([10, 1000, 7000])
        else:
            made[name.lower()] = made.pop(name)
        return made


def mutated(dice: random.Random, seeds: Seeds, write: Writer) -> Sent:
    call, params = seeds.pick(dice)
    method, path = call.split(" ", 1)
    changes: list[str] = []
    for _ in range(dice.choice([0, 1, 1, 2, 3, 5])):
        change(dice, params, changes, seeds.names)
    sent = Sent(call, method, path, b"", changes)
    write(dice, sent, params)
    if dice.random() < 0.06:
        _change_line(dice, sent)
    return sent


def write_json(dice: random.Random, sent: Sent, params: dict[str, Any]) -> None:
    """Bitget: a JSON body, a list where several are meant; questions in the query."""
    if sent.method != "POST":
        sent.target += query(dice, params, sent.changes)
        return
    several = sent.call.endswith(("-batch", "batch-modify-order"))
    whole: Any = [params, params | {"clientOid": "b"}] if several else params
    sent.body = _damaged(dice, json.dumps(whole, ensure_ascii=dice.random() < 0.5), sent.changes)


def write_form(dice: random.Random, sent: Sent, params: dict[str, Any]) -> None:
    """Binance: everything in the query, or of what changes something now and then in a form."""
    if sent.method == "GET" or dice.random() < 0.7:
        sent.target += query(dice, params, sent.changes)
    else:
        sent.form = True
        sent.body = _damaged(dice, query(dice, params, sent.changes).removeprefix("?"), sent.changes)


def change(dice: random.Random, params: dict[str, Any], changes: list[str], names: list[str] = NAMES) -> None:
    """One field more, less or other."""
    name = dice.choice(list(params) or names) if dice.random() < 0.6 else dice.choice(names)
    kind = dice.random()
    if kind < 0.15:
        params.pop(name, None)
    elif kind < 0.25 and isinstance(params.get(name), list) and params[name]:
        entries = list(params[name])
        entry = dice.choice(entries)
        if isinstance(entry, dict):
            entries[entries.index(entry)] = entry | {dice.choice(names): dice.choice(WORDS)}
        params[name] = entries * dice.choice([1, 2, 30])
    else:
        params[name] = dice.choice(WORDS)
    changes.append(name)


def query(dice: random.Random, params: dict[str, Any], changes: list[str]) -> str:
    pairs = [(name, _plain(value)) for name, value in params.items() if value is not None]
    if dice.random() < 0.1 and pairs:
        pairs.append(dice.choice(pairs))
        changes.append("twice")
    text = urllib.parse.urlencode(pairs, errors="replace")
    if dice.random() < 0.08:
        text = dice.choice(
            ["%zz", "&&&", "=", "a=%ff%fe", "symbol", text + "&;=", text.replace("=", "=%00", 1), "?" + text]
        )
        changes.append("query")
    return f"?{text}"[:6000]


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:2000]


def _damaged(dice: random.Random, text: str, changes: list[str]) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    if dice.random() > 0.15:
        return data
    kind = dice.randrange(10)
    changes.append(f"body {kind}")
    at = dice.randrange(len(data) + 1)
    whole: dict[int, bytes] = {
        3: b"[" * 20_000,
        4: b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        5: b"",
        6: dice.choice([b"[]", b"null", b'"x"', b"1", b"NaN", b"{}{}", b"\xef\xbb\xbf{}", b" "]),
        7: data[:-1] + b',"symbol":"ETHUSDT","size":"0.02"}',
        8: data.replace(
            b'"0.01"', dice.choice([b"NaN", b"1e999", b"-Infinity", b"01", b"0.01e-9999999999", b"1e308"])
        ),
    }
    if kind in whole:
        return whole[kind]
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + b"\xff\xfe\xed\xa0\x80" + data[at:]
    return data + b" " * 100_000


def _change_line(dice: random.Random, sent: Sent) -> None:
    """Another method, or a path that is nearly right."""
    kind = dice.randrange(8)
    sent.changes.append(f"line {kind}")
    path, mark, query = sent.target.partition("?")
    if kind == 0:
        sent.method = dice.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    elif kind == 1:
        path += "/"
    elif kind == 2:
        path = path.replace("/", "//", dice.randint(1, 3))
    elif kind == 3:
        path = path.upper()
    elif kind == 4:
        path = re.sub("v[0-9]", dice.choice(["v1", "v2", "v3", "v02", "%762", "v2/../v2"]), path, count=1)
    elif kind == 5:
        path += dice.choice(["%00", "%ff", ";x=1", "é", "/" + "a" * 3000])
    elif kind == 6:
        path = path[: dice.randrange(1, len(path))]
    else:
        start = dice.choice(
            ["/control", "/v2/ws", "/v3/ws", "/api/mix/v1", "/ws-fapi", "/private", "/fapi", "/api"]
        )
        path = re.sub("^/f?api", start, path)
        sent.method = "GET" if sent.method == "POST" else sent.method
    sent.target = path + mark + query
    sent.beyond_http = True


CHANNELS = [
    "ticker", "books", "books1", "books5", "books15", "trade", "candle1m", "candle1H", "candle7m", "orders", "fill",
    "positions", "account", "orders-algo", "positions-history", "equity", "adl-noti", "place-order", "cancel-order", None, 5,
]  # fmt: skip
OPS: list[Any] = [
    "subscribe",
    "unsubscribe",
    "subscribe",
    "trade",
    "trade",
    "login",
    "x",
    "",
    None,
    1,
    [],
    {},
]
_ARG_NAMES = [
    "instType",
    "channel",
    "instId",
    "coin",
    "inst_type",
    "inst_id",
    "params",
    "id",
    "symbol",
    "topic",
    "apiKey",
]


def frame(dice: random.Random, account: dict[str, Any]) -> str | bytes | list[str]:
    """A text frame, bytes, or the fragments of one."""
    kind = dice.random()
    if kind < 0.05:
        return dice.choice(["", "ping", "pong", "PING", "null", "[]", "{}", '{"op":"subscribe"}', '{"op":"subscribe","args":[]}', "x" * 4097, "[" * 4000])  # fmt: skip
    if kind < 0.08:
        return bytes(dice.randrange(256) for _ in range(dice.choice([0, 1, 100])))
    text = json.dumps({"op": dice.choice(OPS), "args": _args(dice, account)})
    if dice.random() < 0.1 and text:
        at = dice.randrange(len(text))
        text = text[:at] + dice.choice(["", text[at] * 2, dice.choice('{}[]",:x\\')]) + text[at + 1 :]
    if dice.random() < 0.05:
        at = dice.randrange(1, len(text)) if len(text) > 1 else 0
        return [text[:at], text[at:]]
    return text


def _args(dice: random.Random, account: dict[str, Any]) -> Any:
    if dice.random() < 0.04:
        return dice.choice([None, {}, "x", [1], [None], [[]], 5])
    return [_arg(dice, account) for _ in range(dice.choice([1, 1, 1, 2, 20]))]


def _arg(dice: random.Random, account: dict[str, Any]) -> dict[str, Any]:
    arg: dict[str, Any] = {
        "instType": dice.choice([FUTURES, "SPOT", "usdt-futures", "MARGIN", None]),
        "channel": dice.choice(CHANNELS),
        "instId": dice.choice(["BTCUSDT", "ETHUSDT", "default", "btcusdt", "", "NOSUCH"]),
    }
    if dice.random() < 0.4:
        params = dict(USUAL) | dice.choice([{}, _LIMIT])
        for _ in range(dice.randint(0, 3)):
            change(dice, params, [])
        arg |= {"id": dice.choice(["1", "a" * 41, 5, None]), "params": params}
    if dice.random() < 0.05:
        arg |= {"apiKey": account["key"], "passphrase": "x", "timestamp": clock.now_ms(), "sign": "x"}
    for _ in range(dice.choice([0, 0, 1, 2])):
        name = dice.choice(_ARG_NAMES)
        if dice.random() < 0.3:
            arg.pop(name, None)
        else:
            word = dice.choice(WORDS)
            arg[name] = "\ufffd" if word == "\ud800" or (isinstance(word, int) and word > 10**100) else word
    return arg


def garbage(dice: random.Random, host: str) -> bytes:
    """Bytes that are no request, half a request, or several at once."""
    get = f"GET /api/v2/public/time HTTP/1.1\r\nHost: {host}\r\n".encode()
    place = dice.choice(["/api/v2/mix/order/place-order", "/api/v3/trade/place-order", "/fapi/v1/order"])
    post = f"POST {place} HTTP/1.1\r\nHost: {host}\r\n".encode()
    where = dice.choice(
        ["/v2/ws/public", "/v3/ws/private", "/ws-fapi/v1", "/market/ws", "/private/stream?listenKey=x"]
    )
    upgrade = (
        f"GET {where} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".encode()
    )
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    noise = bytes(dice.randrange(256) for _ in range(dice.choice([1, 20, 2000])))
    data = dice.choice(
        [
            noise,
            b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"get /api/v2/public/time http/1.1\r\nHost: x\r\n\r\n",
            b"GET " + b"/" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            get,
            get + b"\r\n",
            (get + b"\r\n") * 5,
            get + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
            get + b"X\x00Y: z\r\n\r\n",
            get + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            get + b"Content-Length: -1\r\n\r\n",
            get + b"Content-Length: 10\r\n\r\nhalf",
            post + b"Content-Length: 99999999999\r\n\r\n{}",
            post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
            post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            post + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
            post + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
            upgrade + b"\r\n",
            upgrade + key + noise,
            upgrade + key + b"\x81\xfe\xff\xff" + noise,
            upgrade + key + b"\xc1\x80\x00\x00\x00\x00",
            upgrade + key + b"\x81\x05hello",
            upgrade + key + b"\x88\x82\x00\x00\x00\x00\x03\xe8",
            upgrade + key + b"\x81\x82\x00\x00\x00\x00\xff\xfe",
            upgrade + key + b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ]
    )
    if dice.random() < 0.3 and data:
        at = dice.randrange(len(data))
        data = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
    return data
