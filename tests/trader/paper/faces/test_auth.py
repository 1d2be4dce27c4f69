"""Signatures and the order of checks, with the documented test vectors."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from yarl import URL

from shared import clock
from tests.trader.paper.client import Client
from tests.trader.paper.conftest import Exchanges
from trader.paper.faces.bitget import auth
from trader.paper.server import PaperServer

SECRET = "test-secret-0123456789abcdef"
BODY = (
    '{"symbol":"BTCUSDT","productType":"USDT-FUTURES","marginMode":"isolated","marginCoin":"USDT",'
    '"size":"0.001","side":"buy","orderType":"market","clientOid":"a1"}'
)
ACCOUNTS = "/api/v2/mix/account/accounts?productType=USDT-FUTURES"


@pytest.mark.parametrize(
    ("prehash", "signature"),
    [
        (f"1700000000000GET{ACCOUNTS}", "HDvWBMP84ZII1MHs/SSqdBAMtFBoVGMxMCTbVae9cJk="),
        (
            f"1700000000000POST/api/v2/mix/order/place-order{BODY}",
            "zu4GoAp5rtgm8Oh6Zi0ZThqVFFPnnPbqPKxn/UkXrbQ=",
        ),
        ("1700000000GET/user/verify", "NTXz+VupzBNvXa/pAqOZPuqYQfJU5jaBrFU3EwXUV4o="),
    ],
)
def test_documented_signatures(prehash: str, signature: str) -> None:
    assert auth.sign(SECRET, prehash) == signature
    assert auth.matches(SECRET, prehash, signature)
    assert not auth.matches(SECRET, prehash + "x", signature)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ACCESS_KEY": None}, "40001"),
        ({"ACCESS_SIGN": None}, "40002"),
        ({"ACCESS_SIGN": ""}, "40003"),
        ({"ACCESS_TIMESTAMP": None}, "40005"),
        ({"ACCESS_TIMESTAMP": "soon"}, "40005"),
        ({"ACCESS_PASSPHRASE": None}, "40011"),
        ({"ACCESS_KEY": "bg_nobody"}, "40006"),
        ({"ACCESS_PASSPHRASE": "wrong"}, "40012"),
        ({"ACCESS_SIGN": "d3Jvbmc="}, "40009"),
        ({"ACCESS_SIGN": "not-ascii-é"}, "40009"),
        ({"ACCESS_KEY": None, "ACCESS_SIGN": None}, "40001"),
        ({"ACCESS_KEY": "bg_nobody", "ACCESS_PASSPHRASE": None}, "40011"),
        ({"ACCESS_PASSPHRASE": "wrong", "ACCESS_SIGN": "d3Jvbmc="}, "40012"),
    ],
)
async def test_each_missing_or_wrong_header_has_its_code(
    client: Client, changes: dict[str, str | None], code: str
) -> None:
    answer = await client.send("GET", ACCOUNTS, headers=client.headers("GET", ACCOUNTS, "", **changes))
    assert (answer.status, answer.code, answer.body["data"]) == (400, code, None)


@pytest.mark.parametrize(("offset_ms", "code"), [(-31_000, "40008"), (31_000, "40008"), (-25_000, "00000")])
async def test_the_clock_window_is_thirty_seconds(client: Client, offset_ms: int, code: str) -> None:
    stamp = str(clock.now_ms() + offset_ms)
    answer = await client.send("GET", ACCOUNTS, headers=client.headers("GET", ACCOUNTS, "", stamp=stamp))
    assert answer.code == code


async def test_what_is_signed_is_what_was_sent_or_its_percent_decoded_form(client: Client) -> None:
    raw = "/api/v2/mix/order/detail?symbol=BTCUSDT&productType=USDT-FUTURES&clientOid=" + quote(
        "a#b c", safe=""
    )
    plain = "/api/v2/mix/order/detail?symbol=BTCUSDT&productType=USDT-FUTURES&clientOid=a#b c"
    for signed in (raw, plain):
        stamp = str(clock.now_ms())
        url = URL(str(client.ready["rest"]) + raw, encoded=True)
        headers = client.headers("GET", signed, "", stamp=stamp)
        async with client.session.get(url, headers=headers) as response:
            assert (await response.json())["code"] == "40109"  # past the signature: no such order


async def test_the_body_is_signed_byte_for_byte(client: Client) -> None:
    path, body = (
        "/api/v2/mix/account/set-position-mode",
        '{ "productType":"usdt-futures", "posMode":"hedge_mode"}',
    )
    headers = client.headers("POST", path, body)
    assert (await client.send("POST", path, body, headers)).code == "00000"
    assert (await client.send("POST", path, body.replace(" ", ""), headers)).code == "40009"


async def test_a_unified_key_is_told_before_its_signature_is_looked_at(
    exchanges: Exchanges, server: PaperServer, client: Client
) -> None:
    made = await client.control("/accounts", {"kind": "unified", "balance": "5"})
    unified = Client(server.ready, made)
    exchanges.clients.append(await unified.__aenter__())
    wrong = unified.headers("GET", ACCOUNTS, "", ACCESS_SIGN="d3Jvbmc=")
    assert (await unified.send("GET", ACCOUNTS, headers=wrong)).code == "40085"
    settings = "/api/v3/account/settings"
    assert (await unified.get(settings)).code == "00000"
    answer = await client.get(settings)
    assert (answer.status, answer.code) == (400, "40084")
