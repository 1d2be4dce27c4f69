"""Parameters, keys, signatures, the time window, weights and order counts."""

from __future__ import annotations

import base64
import json
from contextlib import AbstractContextManager
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared import clock
from shared.errors import VenueRefusedError
from tests.trader.paper.binance.rest import BTC, Rest
from trader.paper.control.accounts import make_account
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import AccountKind, AccountRecord
from trader.paper.engine.money import ZERO
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.faces.binance import auth, errors
from trader.paper.faces.binance.calls import ROUTES, Security
from trader.paper.faces.binance.listenkeys import ListenKeys
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.weights import OrderCounts, Weights
from trader.paper.server import PaperServer

BALANCE = "/fapi/v3/balance"
SECRET = "test-secret-0123456789abcdef"
PLAIN = (
    "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.005&newClientOrderId=a1"
    "&recvWindow=5000&timestamp=1700000000000"
)


def code(answer: object) -> int:
    assert isinstance(answer, dict)
    assert set(answer) == {"code", "msg"}
    assert answer["msg"]
    assert isinstance(answer["code"], int)
    return answer["code"]


def refused(number: int) -> AbstractContextManager[object]:
    return pytest.raises(VenueRefusedError, match=rf"\(code {number}\)")


# signatures


def account_with(secret: str) -> Account:
    return Account(
        AccountRecord(
            id=1, key="k" * 64, secret=secret, passphrase="", kind=AccountKind.BINANCE, label="", created_ns=0
        )
    )


@pytest.mark.parametrize("cut", [0, 14, 53, len(PLAIN)])
def test_the_documented_signature_whatever_of_it_is_in_the_body(cut: int) -> None:
    """binance.md §2; query and body are joined without a mark between them."""
    signature = "8b47f47d2d94bfeb4ddb27bd3295e7511a029272689b958709ef92029c2850c4"
    query, body = PLAIN[:cut], PLAIN[cut:].encode()
    for sent in (signature, signature.upper()):
        auth.verify(account_with(SECRET), "k" * 64, auth.signed_text(query, body), sent)
    with refused(-1022):
        auth.verify(account_with("other"), "k" * 64, auth.signed_text(query, body), signature)


def test_the_signature_itself_is_not_signed_wherever_it_stands() -> None:
    assert auth.signed_text("a=1&signature=x&b=2", b"signature=y&c=3") == b"a=1&b=2c=3"


async def test_body_and_query_are_both_read_and_the_query_wins(rest: Rest) -> None:
    stamp = clock.now_ms()
    body = f"symbol={BTC}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.002&price=50000"
    query = f"quantity=0.003&timestamp={stamp}&newClientOrderId={quote('x-1:a/b.c')}"
    signature = rest.sign(query + body)
    placed = await rest.raw("POST", "/fapi/v1/order", query, f"{body}&signature={signature}")
    assert (placed["origQty"], placed["clientOrderId"]) == ("0.0030", "x-1:a/b.c")
    answer = await rest.raw("POST", "/fapi/v1/order", f"{query}0&signature={signature}", body)
    assert (rest.status, code(answer)) == (400, -1022)


async def test_the_order_of_the_checks(rest: Rest) -> None:
    """Key form, key, timestamp, signature, window."""
    for key, expected in (("", -2014), ("short", -2014), ("A" * 64, -2015)):
        assert code(await rest.raw("GET", BALANCE, key=key)) == expected
        assert rest.status == 401
    now = clock.now_ms()
    for params, expected in (
        ({}, -1102),
        ({"timestamp": "soon"}, -1102),
        ({"timestamp": now}, -1102),
        ({"timestamp": now - 5_900, "signature": "x"}, -1021),
        ({"timestamp": now + 2_000, "signature": "x"}, -1021),
        ({"timestamp": now - 30_000, "recvWindow": 60_000, "signature": "x"}, -1022),
        ({"timestamp": now, "recvWindow": 60_001, "signature": "x"}, -1131),
        ({"timestamp": now, "signature": "x"}, -1022),
    ):
        assert code(await rest.raw("GET", BALANCE, urlencode(params))) == expected
        assert rest.status == 400


async def test_a_classic_key_is_none_here_and_a_binance_key_none_there(rest: Rest) -> None:
    classic = make_account(rest.server.engine, kind=AccountKind.CLASSIC, balance=ZERO, label="c")
    assert code(await rest.raw("GET", BALANCE, key=classic.record.key)) == -2014
    headers = {"ACCESS-KEY": rest.key, "ACCESS-SIGN": "x", "ACCESS-TIMESTAMP": "1", "ACCESS-PASSPHRASE": "x"}
    async with rest.session.get(
        rest.base + "/api/v2/mix/account/accounts?productType=USDT-FUTURES", headers=headers
    ) as answer:
        assert (await answer.json())["code"] == "40006"


async def test_an_ed25519_key_signs_too(rest: Rest) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    account = make_account(
        rest.server.engine, kind=AccountKind.BINANCE, balance=ZERO, label="e", public_key=pem
    )
    query = f"timestamp={clock.now_ms()}"
    signature = quote(base64.b64encode(private.sign(query.encode())).decode(), safe="")
    key = account.record.second_key
    (row,) = await rest.raw("GET", BALANCE, f"{query}&signature={signature}", key=key)
    assert row["balance"] == "0.00000000"
    for bad in ("AAAA", "%21", signature[:-9], rest.sign(query)):
        assert code(await rest.raw("GET", BALANCE, f"{query}&signature={bad}", key=key)) == -1022
    rest.secret = account.record.secret
    signature = rest.sign(query)
    assert code(await rest.raw("GET", BALANCE, f"{query}&signature={signature}", key=key)) == -1022


# parameters


def test_values_come_as_text_numbers_or_booleans() -> None:
    params = Params(
        {"a": 0.5, "b": 7, "c": True, "d": " x ", "e": None, "f": "TRUE", "g": "False", "h": "0.10"}
    )
    with refused(-1102):
        params.text("a")  # the decoder never makes floats
    assert [params.text(name) for name in "bcdez"] == ["7", "true", "x", "", ""]
    assert [params.flag(name) for name in "cfge"] == [True, True, False, False]
    assert str(params.decimal("h")) == "0.10"
    for name in "cd":
        with refused(-1102):
            params.decimal(name)
    for text in ("1e5", "0x10", "1_000", "NaN", "Infinity", "\u0663", "-", ".5", "9" * 21):
        with refused(-1102):
            Params({"n": text}).decimal("n")
    for text in ("1.5", "9" * 19, "true", "-"):
        with refused(-1102):
            Params({"n": text}).integer("n")


def test_lists_are_json_text_or_lists() -> None:
    assert Params({"n": "[1,2]"}).list_of("n") == [1, 2]
    assert Params({"n": ["a"]}).list_of("n") == ["a"]
    for bad in ("", "[]", "{}", "[1", "7", None, "[" * 5000):
        with refused(-1102):
            Params({"n": bad}).list_of("n")


def test_client_ids() -> None:
    assert Params({"newClientOrderId": "x-Ab.:/_9"}).client_id() == "x-Ab.:/_9"
    for bad, number in (("x" * 37, -4015), ("a b", -1100), ("ä", -1100), ("a#", -1100)):
        with refused(number):
            Params({"newClientOrderId": bad}).client_id()


# errors


def test_every_reason_of_the_engine_has_a_code_and_every_code_a_text() -> None:
    for reason in Reason:
        answer = errors.body(errors.from_engine(Refused(reason, "x")))
        assert isinstance(answer["code"], int)
        assert answer["code"] <= -1000
        assert answer["msg"]


async def test_what_is_not_served_is_said(rest: Rest) -> None:
    for method, path in (
        ("GET", "/fapi/v1/nothing"),
        ("DELETE", "/fapi/v1/time"),
        ("GET", "/sapi/v1/capital/config/getall"),
    ):
        assert code(await rest.raw(method, path)) == -5000
        assert rest.status == 404


async def test_every_call_with_a_signature_refuses_one_that_is_wrong(rest: Rest) -> None:
    """And no call fails on nonsense."""
    nonsense = {
        "symbol": "BTCUSDT",
        "side": "UP",
        "quantity": "x",
        "batchOrders": "{",
        "limit": "-1",
        "orderId": "a",
    }
    for (method, path), route in ROUTES.items():
        if route.security is Security.SIGNED:
            answer = await rest.raw(method, path, f"timestamp={clock.now_ms()}&signature=00")
            assert code(answer) == -1022, path
            answer = await rest.call(method, path, **nonsense)
            assert rest.status in (200, 400), (path, answer)
    assert rest.server.binance.failures == 0


# limits


def test_weight_is_counted_by_the_minute_and_who_goes_on_is_banned() -> None:
    now = 1_800_000_000 * clock.SECOND + 50 * clock.SECOND
    with clock.use(now=lambda: now):
        weights = Weights(100)
        assert [weights.take("a", 60).code, weights.take("a", 40).code] == [0, 0]
        assert weights.used("a") == 100
        verdict = weights.take("a", 1)
        assert (verdict.code, verdict.retry_after_s, verdict.detail) == (-1003, 10, "100")
        assert weights.take("b", 100).code == 0
        codes = [weights.take("a", 1).code for _ in range(20)]
        assert codes == [-1003] * 19 + [-1004]
        banned = weights.take("a", 1)
        assert (banned.code, banned.retry_after_s) == (-1004, 120)
        now += 119 * clock.SECOND
        assert weights.take("a", 1).retry_after_s == 1
        now += clock.SECOND
        assert weights.take("a", 1).code == 0
        for _ in range(130):
            weights.take("a", 1)
        assert weights.take("a", 1).retry_after_s == 240


def test_orders_are_counted_in_two_windows_all_or_none() -> None:
    now = 1_800_000_000 * clock.SECOND
    with clock.use(now=lambda: now):
        counts = OrderCounts(12, 10)
        assert counts.take(1, 5).code == 0
        assert counts.take(1, 6).code == -1015
        assert counts.used(1) == (5, 5)
        assert counts.take(1, 5).code == 0
        assert (counts.take(1, 1).retry_after_s, counts.take(2, 1).code) == (10, 0)
        now += 10 * clock.SECOND
        assert counts.used(1) == (10, 0)
        assert [counts.take(1, n).code for n in (2, 1)] == [0, -1015]
        now += 50 * clock.SECOND
        assert counts.take(1, 10).code == 0


async def test_the_headers_tell_what_is_used(rest: Rest) -> None:
    await rest.raw("GET", "/fapi/v1/ticker/24hr")
    first = int(rest.headers["X-MBX-USED-WEIGHT-1M"])
    assert "X-MBX-ORDER-COUNT-1M" not in rest.headers
    await rest.raw("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=1000")
    if int(rest.headers["X-MBX-USED-WEIGHT-1M"]) > first:  # else a minute has begun in between
        assert int(rest.headers["X-MBX-USED-WEIGHT-1M"]) == first + 20
    await rest.order("BUY", "0.001", 50_000)
    orders = [
        {
            "symbol": BTC,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.001",
            "price": "50000",
        }
    ]
    await rest.post("/fapi/v1/batchOrders", batchOrders=json.dumps(orders * 4))
    assert int(rest.headers["X-MBX-ORDER-COUNT-1M"]) in (4, 5)
    assert int(rest.headers["X-MBX-ORDER-COUNT-10S"]) in (4, 5)


async def test_over_the_limits(binance: PaperServer, rest: Rest) -> None:
    binance.binance.orders.per_ten_s = 2
    answers = [await rest.order("BUY", "0.001", 50_000) for _ in range(5)]
    assert -1015 in {answer.get("code") for answer in answers}
    assert len(rest.account.orders) < 5
    binance.binance.weights.limit = 1
    answers = [await rest.raw("GET", "/fapi/v1/exchangeInfo") for _ in range(30)]
    assert code(answers[-1]) == -1003
    assert rest.status in (418, 429)
    assert int(rest.headers["Retry-After"]) >= 1


# listen keys


async def test_listen_keys(rest: Rest) -> None:
    path = "/fapi/v1/listenKey"
    assert code(await rest.raw("PUT", path)) == -1125
    made = await rest.raw("POST", path)
    assert len(made["listenKey"]) == 64
    assert await rest.raw("POST", path) == made
    assert await rest.raw("PUT", path) == made
    assert await rest.raw("DELETE", path) == {}
    assert code(await rest.raw("DELETE", path)) == -1125
    assert await rest.raw("POST", path) != made
    assert code(await rest.raw("POST", path, key="")) == -2014


def test_a_listen_key_ends_an_hour_after_it_was_last_kept() -> None:
    now, ended = 0, list[tuple[str, int, bool]]()
    with clock.use(monotonic=lambda: now):
        keys = ListenKeys()
        keys.on_end = lambda key, account, expired: ended.append((key, account, expired))
        first = keys.start(1)
        now += 3599 * clock.SECOND
        assert keys.keep(1) == first
        now += 3599 * clock.SECOND
        assert keys.account(first) == 1
        now += clock.SECOND
        assert keys.account(first) is None
        assert (keys.keep(1), keys.close(1)) == ("", False)
        second = keys.start(1)
        assert second != first
        assert keys.close(1)
    assert ended == [(first, 1, True), (second, 1, False)]
