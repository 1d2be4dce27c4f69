"""Pushed messages become typed events that own their bytes; subscriptions keep the venue's limits."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.order import OrderState, PositionSide, Side
from shared.errors import ProtocolError
from trader.net.feed import Heard
from trader.venues import bitget
from trader.venues.bitget.push import MAX_FRAME
from trader.venues.model import MarginMode, PositionMode

MS = 1_000_000
TICKER: dict[str, Any] = {
    "instId": "BTCUSDT",
    "lastPr": "27000.5",
    "bidPr": "27000",
    "askPr": "27000.5",
    "bidSz": "2.71",
    "askSz": "8.76",
    "markPrice": "27000.0",
    "fundingRate": "0.000010",
    "symbolType": 1,
    "symbol": "BTCUSDT",
    "ts": "1695715383021",
}
ORDER: dict[str, Any] = {
    "accBaseVolume": "0.01",
    "cTime": "1695718781129",
    "clientOid": "aB3dEntry",
    "feeDetail": [{"feeCoin": "USDT", "fee": "-0.162003"}],
    "fillFee": "-0.162003",
    "fillFeeCoin": "USDT",
    "fillPrice": "27000.5",
    "baseVolume": "0.004",
    "fillTime": "1695718781146",
    "instId": "BTCUSDT",
    "leverage": "20",
    "marginMode": "crossed",
    "orderId": "7",
    "orderType": "market",
    "pnl": "0",
    "posMode": "hedge_mode",
    "posSide": "long",
    "price": "0",
    "priceAvg": "27000.5",
    "reduceOnly": "no",
    "side": "buy",
    "size": "0.01",
    "status": "filled",
    "tradeScope": "T",
    "tradeId": "1111111111",
    "tradeSide": "open",
    "uTime": "1695718781147",
}
POSITION: dict[str, Any] = {
    "posId": "1",
    "instId": "ETHUSDT",
    "marginCoin": "USDT",
    "marginSize": "9.5",
    "marginMode": "crossed",
    "holdSide": "short",
    "posMode": "hedge_mode",
    "total": "0.1",
    "available": "0.1",
    "openPriceAvg": "1900",
    "leverage": 20,
    "unrealizedPL": "0",
    "liquidationPrice": "5788.1",
    "cTime": "1695649246169",
    "uTime": "1695711602568",
}
ACCOUNT: dict[str, Any] = {
    "marginCoin": "USDT",
    "frozen": "0.0",
    "available": "11490.1",
    "maxOpenPosAvailable": "10940.4",
    "equity": "11489.9",
}
FILL: dict[str, Any] = {
    "orderId": "111",
    "clientOid": "aB3d",
    "tradeId": "222",
    "symbol": "BTCUSDT",
    "side": "buy",
    "posMode": "hedge_mode",
    "price": "51000.5",
    "baseVolume": "0.01",
    "profit": "0",
    "tradeSide": "close",
    "tradeScope": "taker",
    "feeDetail": [{"feeCoin": "USDT", "deduction": "no", "totalFee": "-0.183717"}],
    "cTime": "1703577336606",
}


def push(channel: str, *rows: Any, action: str = "snapshot", inst_id: str = "default") -> bytes:
    arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": inst_id}
    return json.dumps({"action": action, "arg": arg, "data": list(rows), "ts": 1_695_715_383_039}).encode()


def test_a_ticker() -> None:
    event = bitget.parse_push(memoryview(push("ticker", TICKER, inst_id="BTCUSDT")))
    assert isinstance(event, bitget.Ticker)
    assert event.heard == "ticker"
    (price,) = event.prices
    assert (price.symbol, price.last, price.mark) == ("BTCUSDT", Decimal("27000.5"), Decimal(27000))
    assert (price.bid, price.ask, price.ns) == (Decimal(27000), Decimal("27000.5"), 1_695_715_383_021 * MS)


def test_a_spot_like_ticker_has_no_mark() -> None:
    raw = {name: value for name, value in TICKER.items() if name not in ("markPrice", "bidPr")} | {
        "askPr": "0"
    }
    event = bitget.parse_push(push("ticker", raw))
    assert isinstance(event, bitget.Ticker)
    assert (event.prices[0].mark, event.prices[0].bid, event.prices[0].ask) == (None, None, None)


@pytest.mark.parametrize(
    "change",
    [{"lastPr": None}, {"lastPr": ""}, {"lastPr": "0"}, {"lastPr": "NaN"}, {"markPrice": None}, {"ts": None}],
)
def test_a_damaged_ticker_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        bitget.parse_push(push("ticker", TICKER | change))


def test_an_event_does_not_point_into_the_buffer() -> None:
    buffer = bytearray(push("orders", ORDER))
    event = bitget.parse_push(memoryview(buffer))
    before = repr(event)
    for index in range(len(buffer)):
        buffer[index] = 0
    assert repr(event) == before


def test_the_best_prices() -> None:
    row = {
        "asks": [["27000.5", "8.760"]],
        "bids": [["27000.0", "2.71"]],
        "checksum": 0,
        "ts": "1695716059516",
    }
    event = bitget.parse_push(push("books1", row, inst_id="BTCUSDT"))
    assert isinstance(event, bitget.Book)
    (top,) = event.tops
    assert (top.symbol, top.bid, top.bid_size) == ("BTCUSDT", Decimal("27000.0"), Decimal("2.71"))
    assert (top.ask, top.ask_size, top.ns) == (Decimal("27000.5"), Decimal("8.760"), 1_695_716_059_516 * MS)
    event = bitget.parse_push(push("books1", row | {"asks": [], "bids": []}, inst_id="BTCUSDT"))
    assert isinstance(event, bitget.Book)
    assert (event.tops[0].bid, event.tops[0].ask) == (None, None)
    with pytest.raises(ProtocolError, match="a book without a symbol"):
        bitget.parse_push(push("books1", row, inst_id=""))


def test_an_order_with_its_fill() -> None:
    event = bitget.parse_push(push("orders", ORDER))
    assert isinstance(event, bitget.OrderUpdate)
    (order,) = event.orders
    assert (order.symbol, order.order_id, order.client_id) == ("BTCUSDT", "7", "aB3dEntry")
    assert (order.state, order.filled_size, order.average_price) == (
        OrderState.FILLED,
        Decimal("0.01"),
        Decimal("27000.5"),
    )
    fill = order.fill
    assert fill is not None
    assert (fill.fill_id, fill.client_id, fill.order_id) == ("1111111111", "aB3dEntry", "7")
    assert (fill.price, fill.size, fill.side) == (Decimal("27000.5"), Decimal("0.004"), Side.BUY)
    assert (fill.fee, fill.fee_currency, fill.taker) == (Decimal("0.162003"), "USDT", True)
    assert (fill.filled_ns, fill.realized) == (1_695_718_781_146 * MS, Decimal(0))


def test_an_order_before_its_first_fill() -> None:
    names = (
        "accBaseVolume",
        "baseVolume",
        "fillFee",
        "fillFeeCoin",
        "fillPrice",
        "fillTime",
        "tradeId",
        "tradeScope",
        "priceAvg",
        "pnl",
    )
    raw = {name: value for name, value in ORDER.items() if name not in names} | {"status": "live"}
    event = bitget.parse_push(push("orders", raw))
    assert isinstance(event, bitget.OrderUpdate)
    assert (event.orders[0].state, event.orders[0].filled_size, event.orders[0].fill) == (
        OrderState.LIVE,
        Decimal(0),
        None,
    )


def test_an_order_list_may_be_empty() -> None:
    event = bitget.parse_push(push("orders"))
    assert isinstance(event, bitget.OrderUpdate)
    assert event.orders == []


@pytest.mark.parametrize(
    "change",
    [{"fillPrice": ""}, {"fillFee": ""}, {"tradeScope": "?"}, {"status": "?"}, {"accBaseVolume": None}],
)
def test_a_damaged_order_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        bitget.parse_push(push("orders", ORDER | change))


def test_the_fill_channel_tells_the_true_side() -> None:
    event = bitget.parse_push(push("fill", FILL))
    assert isinstance(event, bitget.FillUpdate)
    (fill,) = event.fills
    assert (fill.side, fill.client_id, fill.fee) == (Side.BUY, "aB3d", Decimal("0.183717"))


def test_positions() -> None:
    event = bitget.parse_push(push("positions", POSITION, POSITION | {"total": "0"}))
    assert isinstance(event, bitget.PositionUpdate)
    (position,) = event.positions
    assert (position.symbol, position.side, position.size) == ("ETHUSDT", PositionSide.SHORT, Decimal("0.1"))
    assert (position.margin_mode, position.position_mode, position.leverage) == (
        MarginMode.CROSSED,
        PositionMode.HEDGE,
        20,
    )
    assert position.mark_price is None


def test_the_account() -> None:
    event = bitget.parse_push(push("account", ACCOUNT))
    assert isinstance(event, bitget.AccountUpdate)
    (account,) = event.accounts
    assert (account.coin, account.equity, account.available) == (
        "USDT",
        Decimal("11489.9"),
        Decimal("11490.1"),
    )
    assert (account.max_crossed, account.max_isolated) == (Decimal("10940.4"), None)


@pytest.mark.parametrize("code", [0, "0"])
def test_a_login(code: int | str) -> None:
    event = bitget.parse_push(json.dumps({"event": "login", "code": code, "msg": "", "connId": "x"}).encode())
    assert isinstance(event, bitget.LoginOk)
    assert event.heard is Heard.LOGGED_IN


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        ({"event": "error", "code": 30005, "msg": "error"}, Heard.LOGIN_REFUSED),
        ({"event": "error", "code": "30012", "msg": "error"}, Heard.LOGIN_REFUSED),
        ({"event": "login", "code": 30015, "msg": None}, Heard.LOGIN_REFUSED),
        ({"event": "error", "code": 30001, "arg": {"channel": "ticker", "instId": "NOUSDT"}}, Heard.REFUSED),
        ({"event": "error", "code": 30006, "msg": "too fast"}, Heard.OTHER),
    ],
)
def test_refusals(frame: dict[str, Any], heard: Heard) -> None:
    event = bitget.parse_push(json.dumps(frame).encode())
    assert isinstance(event, bitget.ErrorEvent)
    assert event.heard is heard
    assert event.code == str(frame["code"])
    assert event.text == (frame.get("msg") or "no reason given")
    assert (event.channel, event.symbol) == (("ticker", "NOUSDT") if "arg" in frame else ("", ""))


@pytest.mark.parametrize("event", ["subscribe", "unsubscribe"])
def test_acceptances(event: str) -> None:
    for arg, named in (
        ({"channel": "ticker", "instId": "BTCUSDT"}, "BTCUSDT"),
        ({"channel": "account", "coin": "default"}, "default"),
    ):
        found = bitget.parse_push(json.dumps({"event": event, "arg": arg}).encode())
        assert isinstance(found, bitget.Ack)
        assert (found.channel, found.symbol, found.heard) == (arg["channel"], named, Heard.ACKNOWLEDGED)


def test_a_pong() -> None:
    event = bitget.parse_push(memoryview(b"pong"))
    assert isinstance(event, bitget.Pong)
    assert event.heard is Heard.OTHER


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"ping",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b'{"event":"new thing"}',
        b'{"arg":{"channel":"ticker"}}',
        b'{"data":[]}',
        b'{"arg":{"channel":"new channel"},"data":[]}',
        b'{"arg":{"channel":"ticker"},"data":{}}',
        b'{"arg":{"channel":"ticker"},"data":null}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[',
    ],
)
def test_what_is_not_documented_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        bitget.parse_push(payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(payload: bytes) -> None:
    if payload != b"pong":
        with pytest.raises(ProtocolError):
            bitget.parse_push(payload)


@given(st.integers(0, 400))
def test_a_frame_cut_anywhere_is_refused(cut: int) -> None:
    whole = push("orders", ORDER)
    with pytest.raises(ProtocolError):
        bitget.parse_push(whole[: cut % len(whole)])


# Subscribing


@given(st.lists(st.from_regex(r"[A-Z0-9]{2,20}USDT", fullmatch=True), max_size=300, unique=True))
def test_subscriptions_keep_the_size_limit_and_lose_nothing(symbols: list[str]) -> None:
    frames = bitget.subscriptions("ticker", symbols)
    found = []
    for frame in frames:
        assert len(frame.message) <= MAX_FRAME
        message = json.loads(frame.message)
        assert message["op"] == "subscribe"
        assert frame.acks == len(message["args"]) > 0
        found += message["args"]
    assert found == [{"instType": "USDT-FUTURES", "channel": "ticker", "instId": name} for name in symbols]


def test_many_symbols_take_several_frames() -> None:
    frames = bitget.subscriptions("ticker", [f"COIN{number}USDT" for number in range(500)])
    assert len(frames) == 9
    assert sum(frame.acks for frame in frames) == 500
    assert all(MAX_FRAME - 200 < len(frame.message) <= MAX_FRAME for frame in frames[:-1])


def test_unsubscribing() -> None:
    (frame,) = bitget.unsubscriptions("ticker", ["BTCUSDT"])
    assert json.loads(frame.message) == {
        "op": "unsubscribe",
        "args": [{"instType": "USDT-FUTURES", "channel": "ticker", "instId": "BTCUSDT"}],
    }


def test_private_channels_are_those_of_the_whole_account() -> None:
    (frame,) = bitget.private_subscriptions()
    assert frame.acks == 3
    assert json.loads(frame.message)["args"] == [
        {"instType": "USDT-FUTURES", "channel": "account", "coin": "default"},
        {"instType": "USDT-FUTURES", "channel": "positions", "instId": "default"},
        {"instType": "USDT-FUTURES", "channel": "orders", "instId": "default"},
    ]
