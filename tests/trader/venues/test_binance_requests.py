"""Requests and signatures: the documented vectors, and every order form in both position modes."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import RefusedError, UsageError
from trader.net.response import Response
from trader.venues.binance import requests, weights
from trader.venues.binance.usdm import Usdm
from trader.venues.model import Call, Force, MarginMode, PositionMode, Protection, Trigger

D = Decimal
HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY
USDM = Usdm()
BTC = Instrument(
    id="binance:perp:BTC-USDT",
    venue=Venue.BINANCE,
    market=Market.PERP,
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=D("0.1"),
    step=D("0.001"),
    min_size=D("0.001"),
    min_notional=D(100),
)
NOW_MS = 1_700_000_000_000


class Keys(NamedTuple):
    key: str = "test-api-key"
    secret: str = "test-secret-0123456789abcdef"
    passphrase: str = ""


def received(request: bytes) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """Method, path, query and headers, as another implementation of HTTP reads them; bodies are empty."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(request)
    head = server.next_event()
    assert isinstance(head, h11.Request)
    assert isinstance(server.next_event(), h11.EndOfMessage)
    assert server.trailing_data == (b"", False)
    path, _, query = bytes(head.target).decode().partition("?")
    headers = {name.decode(): value.decode() for name, value in head.headers}
    return bytes(head.method).decode(), path, dict(parse_qsl(query)), headers


def fields(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.path.partition("?")[2]))


def order(side: Side, mode: PositionMode = ONE_WAY, **changes: Any) -> dict[str, str]:
    given_: dict[str, Any] = {"size": D("0.0059"), "client_id": "a1", "margin_mode": MarginMode.ISOLATED}
    call = USDM.place_order(BTC, side=side, position_mode=mode, **(given_ | changes))
    assert (call.method, call.path.partition("?")[0]) == ("POST", "/fapi/v1/order")
    return fields(call)


def test_the_documented_signatures() -> None:
    signer = USDM.signer(Keys(), "fapi.binance.com")
    text = (
        b"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.005&newClientOrderId=a1&recvWindow=5000"
        b"&timestamp=1700000000000"
    )
    assert signer.sign(text) == b"8b47f47d2d94bfeb4ddb27bd3295e7511a029272689b958709ef92029c2850c4"
    text = b"apiKey=test-api-key&quantity=0.005&side=BUY&symbol=BTCUSDT&timestamp=1700000000000&type=MARKET"
    assert signer.sign(text) == b"e697b0348c12c2cb9fd1c86c4064a81eb992e74365acf15f8c023c9067adec94"
    call = Call(
        "/fapi/v1/order?symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.005&newClientOrderId=a1&recvWindow=5000",
        method="POST",
    )
    method, path, query, headers = received(signer.request(call, NOW_MS))
    assert (method, path) == ("POST", "/fapi/v1/order")
    assert query["signature"] == "8b47f47d2d94bfeb4ddb27bd3295e7511a029272689b958709ef92029c2850c4"
    assert headers == {
        "host": "fapi.binance.com",
        "x-mbx-apikey": "test-api-key",
        "user-agent": "kestrel",
        "accept": "application/json",
        "content-length": "0",
    }


@given(st.text(min_size=1, max_size=100), st.binary(max_size=300))
def test_signs_as_hmac_does(secret: str, text: bytes) -> None:
    signer = USDM.signer(Keys(secret=secret), "h")
    assert signer.sign(text).decode() == hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


@given(st.sampled_from(["", "GET", "POST", "PUT", "DELETE"]), st.text(min_size=1, max_size=20))
def test_what_is_signed_is_what_is_sent(method: str, symbol: str) -> None:
    call = requests._call(method or "GET", "/fapi/v1/order", {"symbol": symbol})
    request = USDM.signer(Keys(), "h").request(call, NOW_MS)
    target = request.split(b" ", 2)[1]
    query, _, signature = target.partition(b"?")[2].rpartition(b"&signature=")
    expected = hmac.new(Keys().secret.encode(), query, hashlib.sha256).hexdigest().encode()
    assert signature == expected
    assert unquote_to_bytes(query).startswith(b"symbol=" + symbol.encode())
    assert (b"Content-Length: 0" in request) == (method not in ("", "GET"))


def test_listen_keys_are_asked_for_with_the_key_alone() -> None:
    signer = USDM.signer(Keys(), "h")
    assert received(signer.request(requests.listen_key(), NOW_MS))[:3] == ("POST", "/fapi/v1/listenKey", {})
    assert received(signer.request(requests.keep_listen_key(), NOW_MS))[:3] == (
        "PUT",
        "/fapi/v1/listenKey",
        {},
    )
    assert received(signer.request(requests.account(), NOW_MS))[2].keys() == {"timestamp", "signature"}


def test_a_signer_gives_nothing_away() -> None:
    signer = USDM.signer(Keys(), "h")
    assert repr(signer) == "Signer(...)"
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    for keys in (Keys(secret=""), Keys(key=""), Keys(key="a\r\nb")):
        with pytest.raises(UsageError):
            USDM.signer(keys, "h")
    with pytest.raises(ValueError, match="stand in its path"):
        signer.request(Call("/x", b"{}"), NOW_MS)


@pytest.mark.parametrize(
    ("side", "mode", "reduce_only", "form"),
    [
        (Side.BUY, HEDGE, False, {"side": "BUY", "positionSide": "LONG"}),
        (Side.SELL, HEDGE, True, {"side": "SELL", "positionSide": "LONG"}),
        (Side.SELL, HEDGE, False, {"side": "SELL", "positionSide": "SHORT"}),
        (Side.BUY, HEDGE, True, {"side": "BUY", "positionSide": "SHORT"}),
        (Side.BUY, ONE_WAY, False, {"side": "BUY"}),
        (Side.SELL, ONE_WAY, True, {"side": "SELL", "reduceOnly": "true"}),
    ],
)
def test_order_forms(side: Side, mode: PositionMode, reduce_only: bool, form: dict[str, str]) -> None:
    assert order(side, mode, reduce_only=reduce_only) == {
        "symbol": "BTCUSDT",
        "type": "MARKET",
        "quantity": "0.005",
        "newClientOrderId": "a1",
        "newOrderRespType": "ACK",
        **form,
    }


@pytest.mark.parametrize(
    ("force", "word"), [(Force.GTC, "GTC"), (Force.IOC, "IOC"), (Force.FOK, "FOK"), (Force.POST_ONLY, "GTX")]
)
def test_limit_orders_go_to_the_tick_and_never_pay_more(force: Force, word: str) -> None:
    for side, price in ((Side.BUY, "9.9"), (Side.SELL, "10")):
        found = order(side, order_type=OrderType.LIMIT, price=D("9.99"), force=force)
        assert (found["type"], found["timeInForce"], found["price"]) == ("LIMIT", word, price)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("min_size", {"size": D("0.0009")}),
        ("client_id", {"client_id": "x" * 37}),
        ("client_id", {"client_id": "a b"}),
        ("price", {"price": D(1)}),
        ("price", {"order_type": OrderType.LIMIT}),
        ("price", {"order_type": OrderType.LIMIT, "price": D("0.01")}),
        ("attached", {"take_profit": D(10)}),
        ("attached", {"stop": D(10)}),
    ],
)
def test_what_cannot_be_built_is_refused_here(rule: str, changes: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        order(Side.BUY, **changes)
    assert caught.value.rule == rule
    assert not USDM.attaches


@pytest.mark.parametrize("mode", PositionMode)
@pytest.mark.parametrize("position", PositionSide)
def test_protection_is_an_algo_order_that_closes_the_position(
    mode: PositionMode, position: PositionSide
) -> None:
    call = USDM.place_protection(
        BTC,
        kind=Protection.TAKE_PROFIT,
        position=position,
        position_mode=mode,
        trigger_price=D("20.04"),
        client_id="a1",
        trigger=Trigger.LAST,
    )
    assert (call.method, call.path.partition("?")[0]) == ("POST", "/fapi/v1/algoOrder")
    wanted = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL" if position is PositionSide.LONG else "BUY",
        "type": "TAKE_PROFIT_MARKET",
        "triggerPrice": "20",
        "workingType": "CONTRACT_PRICE",
        "closePosition": "true",
        "clientAlgoId": "a1",
    }
    assert fields(call) == wanted | ({"positionSide": position.value.upper()} if mode is HEDGE else {})


def test_other_calls() -> None:
    assert [
        call.path
        for call in USDM.settings("BTCUSDT", 7, margin_mode=MarginMode.ISOLATED, position_mode=HEDGE)
    ] == [
        "/fapi/v1/marginType?symbol=BTCUSDT&marginType=ISOLATED",
        "/fapi/v1/leverage?symbol=BTCUSDT&leverage=7",
    ]
    cancel = USDM.cancel_order("BTCUSDT", client_id="a1")
    assert (cancel.method, fields(cancel)) == ("DELETE", {"symbol": "BTCUSDT", "origClientOrderId": "a1"})
    with pytest.raises(ValueError, match="one of them"):
        USDM.cancel_order("BTCUSDT")
    # a symbol of letters that no URL has
    assert requests.positions("币安人生USDT").path.isascii()


def test_calls_keep_the_pace_of_their_weight() -> None:
    assert weights.weight(requests.open_algo_orders()) == 40
    assert weights.weight(requests.open_algo_orders("BTCUSDT")) == 1
    assert USDM.pace_s(requests.open_algo_orders()) == pytest.approx(2.0)
    assert USDM.pace_s(requests.order("BTCUSDT", client_id="a")) == pytest.approx(0.05)
    assert USDM.pace_s(requests.set_leverage("BTCUSDT", 5)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("status", "headers", "rest_s"),
    [
        (200, {}, 0.0),
        (200, {"x-mbx-used-weight-1m": "1919", "x-mbx-order-count-10s": "299"}, 0.0),
        (200, {"x-mbx-used-weight-1m": "1920"}, weights.REST_S),
        (200, {"x-mbx-used-weight-1m": "many"}, 0.0),
        (429, {"retry-after": "7"}, 7.0),
        (418, {"retry-after": "999999999"}, weights.LONGEST_S),
        (429, {"retry-after": "soon"}, weights.TOLD_OFF_S),
        (418, {}, weights.TOLD_OFF_S),
    ],
)
def test_questions_rest_when_too_much_was_asked(status: int, headers: dict[str, str], rest_s: float) -> None:
    assert USDM.rest_s(Response(status, headers, b"")) == rest_s
