"""Rows of Bitget v3 as the venue's pages and its live answers show them."""

from __future__ import annotations

import json
from typing import Any

Row = dict[str, Any]

#: A live answer: what is not set is null here, "" elsewhere.
LIVE_ORDER: Row = {
    "orderId": "1320244799629316096",
    "clientOid": "1320244799633510400",
    "category": "USDT-FUTURES",
    "symbol": "BTCUSDT",
    "orderType": "limit",
    "side": "buy",
    "price": "50000",
    "qty": "0.001",
    "amount": "0",
    "cumExecQty": "0",
    "cumExecValue": "0",
    "avgPrice": "0",
    "timeInForce": "gtc",
    "orderStatus": "live",
    "posSide": "long",
    "holdMode": "hedge_mode",
    "reduceOnly": "NO",
    "feeDetail": [{"feeCoin": "", "fee": ""}],
    "createdTime": "1750496809871",
    "updatedTime": "1750496809886",
    "cancelReason": "",
    "execType": "normal",
    "stpMode": "none",
    "tpTriggerBy": None,
    "slTriggerBy": None,
    "takeProfit": None,
    "stopLoss": None,
    "tpOrderType": None,
    "slOrderType": None,
    "tpLimitPrice": None,
    "slLimitPrice": None,
}
#: A long that was closed at market.
CLOSED_LONG: Row = LIVE_ORDER | {
    "orderId": "1322441400976261120",
    "clientOid": "1322441400976261121",
    "orderType": "market",
    "side": "sell",
    "price": "0",
    "qty": "0.0001",
    "cumExecQty": "0.0001",
    "cumExecValue": "10.7005",
    "avgPrice": "107005.4",
    "orderStatus": "filled",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.00642032"}],
    "createdTime": "1751020520442",
    "updatedTime": "1751020520457",
}
PUSHED_ORDER: Row = {
    "category": "usdt-futures",
    "symbol": "BTCUSDT",
    "orderId": "1",
    "clientOid": "aB3dEntry",
    "price": "",
    "qty": "0.001",
    "amount": "1000",
    "holdMode": "hedge_mode",
    "holdSide": "long",
    "delegateType": "normal",
    "tradeSide": "open",
    "orderType": "market",
    "timeInForce": "gtc",
    "side": "buy",
    "marginMode": "crossed",
    "marginCoin": "USDT",
    "reduceOnly": "no",
    "cumExecQty": "0.001",
    "cumExecValue": "83.1315",
    "avgPrice": "83131.5",
    "totalProfit": "0",
    "orderStatus": "filled",
    "cancelReason": "",
    "leverage": "20",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.0332526"}],
    "createdTime": "1742367838101",
    "updatedTime": "1742367838115",
    "stpMode": "none",
}
FILL: Row = {
    "execId": "1322441401010528257",
    "orderId": "1322441400976261120",
    "category": "USDT-FUTURES",
    "symbol": "BTCUSDT",
    "orderType": "market",
    "side": "sell",
    "execPrice": "107005.4",
    "execQty": "0.0001",
    "execValue": "10.7005",
    "tradeScope": "taker",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.00642032"}],
    "createdTime": "1751020520451",
    "updatedTime": "1751020520458",
    "execPnl": "0.00017",
}
PUSHED_FILL: Row = {
    "symbol": "BTCUSDT",
    "orderType": "market",
    "updatedTime": "1736378720623",
    "side": "buy",
    "orderId": "1288888888888888888",
    "execPnl": "0",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.569958"}],
    "execTime": "1736378720623",
    "tradeScope": "taker",
    "tradeSide": "open",
    "execId": "1288888888888888888",
    "execLinkId": "1288888888888888888",
    "execPrice": "94993",
    "holdSide": "long",
    "execValue": "949.93",
    "category": "usdt-futures",
    "execQty": "0.01",
    "clientOid": "aB3dEntry",
    "isRPI": "no",
}
#: A live answer from before ``status`` was told.
STOP: Row = {
    "orderId": "1330984742276198400",
    "clientOid": "1330984742276198400",
    "symbol": "BTCUSDT",
    "category": "USDT-FUTURES",
    "qty": "0.001",
    "posSide": "long",
    "tpTriggerBy": "market",
    "slTriggerBy": "mark",
    "takeProfit": "",
    "stopLoss": "114000",
    "tpOrderType": "market",
    "slOrderType": "limit",
    "tpLimitPrice": "",
    "slLimitPrice": "113000",
    "createdTime": "1753057411736",
    "updatedTime": "1753057411747",
}
TAKE_PROFIT: Row = STOP | {
    "orderId": "77",
    "clientOid": "aB3dTake",
    "qty": "",
    "status": "pending",
    "takeProfit": "120000",
    "stopLoss": "",
    "tpslMode": "full",
}
POSITION: Row = {
    "category": "USDT-FUTURES",
    "symbol": "BTCUSDT",
    "marginCoin": "USDT",
    "holdMode": "hedge_mode",
    "posSide": "long",
    "marginMode": "crossed",
    "positionBalance": "5.435199",
    "available": "0.001",
    "frozen": "0",
    "total": "0.001",
    "leverage": "20",
    "curRealisedPnl": "0",
    "avgPrice": "107410.3",
    "positionStatus": "normal",
    "unrealisedPnl": "0.0047",
    "liquidationPrice": "0",
    "mmr": "0.004",
    "profitRate": "0.0008647337475591",
    "markPrice": "107415.3",
    "breakEvenPrice": "107539.2",
    "totalFunding": "0",
    "openFeeTotal": "-0.06444618",
    "closeFeeTotal": "0",
    "createdTime": "1750495670699",
    "updatedTime": "1750929883465",
}
ENDED_POSITION: Row = {
    "positionId": "1322441328637100049",
    "category": "USDT-FUTURES",
    "symbol": "BTCUSDT",
    "marginCoin": "USDT",
    "holdMode": "hedge_mode",
    "posSide": "long",
    "marginMode": "crossed",
    "openPriceAvg": "107003.7",
    "closePriceAvg": "107005.4",
    "openTotalPos": "0.0001",
    "closeTotalPos": "0.0001",
    "cumRealisedPnl": "0.00017",
    "netProfit": "-0.01267055",
    "totalFunding": "0",
    "openFeeTotal": "-0.00642022",
    "closeFeeTotal": "-0.00642032",
    "createdTime": "1751020503195",
    "updatedTime": "1751020520458",
}
ASSETS: Row = {
    "accountEquity": "11.13919278",
    "usdtEquity": "11.13921165",
    "btcEquity": "0.00011256",
    "unrealisedPnl": "0",
    "usdtUnrealisedPnl": "0",
    "effEquity": "6.19299777",
    "mmr": "0",
    "imr": "0",
    "mgnRatio": "0",
    "assets": [
        {
            "coin": "USDT",
            "equity": "6.19300826",
            "usdValue": "6.19299777",
            "balance": "6.19300826",
            "available": "6.1",
            "debt": "0",
            "locked": "0",
        },
        {
            "coin": "BGB",
            "equity": "1.15582129",
            "usdValue": "4.94618029",
            "balance": "1.15582129",
            "available": "1.15582129",
            "debt": "0",
            "locked": "0",
        },
    ],
}
SETTINGS: Row = {
    "uid": "1111111111",
    "accountMode": "hybrid",
    "assetMode": "multi_assets",
    "accountLevel": "advanced",
    "holdMode": "one_way_mode",
    "stpMode": "none",
    "symbolConfigList": [
        {"category": "USDT-FUTURES", "symbol": "BGBUSDT", "marginMode": "isolated", "leverage": "20"},
        {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "marginMode": "crossed", "leverage": "3"},
    ],
    "coinConfigList": [{"coin": "USDT", "leverage": "6"}],
}


def ok(data: Any) -> bytes:
    """A success with this data."""
    return json.dumps(
        {"code": "00000", "msg": "success", "requestTime": 1_750_496_858_333, "data": data}
    ).encode()


def page(*rows: Row, cursor: Any = None) -> bytes:
    return ok({"list": list(rows), "cursor": cursor})


def no(code: str) -> bytes:
    return json.dumps({"code": code, "msg": "no", "requestTime": 1_750_496_858_333, "data": None}).encode()


def push(topic: str, *rows: Row) -> bytes:
    arg = {"instType": "UTA", "topic": topic}
    return json.dumps(
        {"action": "snapshot", "arg": arg, "data": list(rows), "ts": 1_742_367_838_124}
    ).encode()
