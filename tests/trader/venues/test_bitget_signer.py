"""Signatures against the documented vectors, and requests as another HTTP implementation reads them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import pickle
from typing import NamedTuple

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from trader.venues.bitget import Signer
from trader.venues.model import Call


class Keys(NamedTuple):
    key: str = "bg_key"
    secret: str = "test-secret-0123456789abcdef"
    passphrase: str = "pass phrase"


NOW_MS = 1_700_000_000_000
PATH = "/api/v2/mix/account/accounts?productType=USDT-FUTURES"
PLACE = "/api/v2/mix/order/place-order"
BODY = (
    b'{"symbol":"BTCUSDT","productType":"USDT-FUTURES","marginMode":"isolated","marginCoin":"USDT",'
    b'"size":"0.001","side":"buy","orderType":"market","clientOid":"a1"}'
)


def received(request: bytes) -> tuple[h11.Request, dict[str, str], bytes]:
    server = h11.Connection(h11.SERVER)
    server.receive_data(request)
    head = server.next_event()
    assert isinstance(head, h11.Request)
    body = b""
    while not isinstance(event := server.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        body += bytes(event.data)
    assert server.trailing_data == (b"", False)
    return head, {name.decode(): value.decode() for name, value in head.headers}, body


def test_the_documented_get() -> None:
    head, headers, body = received(Signer(Keys(), "api.bitget.com").get(PATH, NOW_MS))
    assert (head.method, head.target, body) == (b"GET", PATH.encode(), b"")
    assert headers == {
        "host": "api.bitget.com",
        "access-key": "bg_key",
        "access-passphrase": "pass phrase",
        "access-timestamp": "1700000000000",
        "access-sign": "HDvWBMP84ZII1MHs/SSqdBAMtFBoVGMxMCTbVae9cJk=",
        "content-type": "application/json",
        "locale": "en-US",
        "user-agent": "kestrel",
    }


def test_the_documented_post() -> None:
    head, headers, body = received(Signer(Keys(), "127.0.0.1:9500").post(PLACE, BODY, NOW_MS))
    assert (head.method, head.target, body) == (b"POST", PLACE.encode(), BODY)
    assert headers["access-sign"] == "zu4GoAp5rtgm8Oh6Zi0ZThqVFFPnnPbqPKxn/UkXrbQ="
    assert headers["content-length"] == str(len(BODY))
    assert headers["host"] == "127.0.0.1:9500"


def test_the_documented_login() -> None:
    message = json.loads(Signer(Keys(), "h").login(NOW_MS + 999))
    assert message == {
        "op": "login",
        "args": [
            {
                "apiKey": "bg_key",
                "passphrase": "pass phrase",
                "timestamp": "1700000000",
                "sign": "NTXz+VupzBNvXa/pAqOZPuqYQfJU5jaBrFU3EwXUV4o=",
            }
        ],
    }


def test_calls_are_signed_by_their_kind() -> None:
    signer = Signer(Keys(), "h")
    assert signer.request(Call(PATH), NOW_MS) == signer.get(PATH, NOW_MS)
    assert signer.request(Call(PLACE, BODY), NOW_MS) == signer.post(PLACE, BODY, NOW_MS)
    assert signer.request(Call(PLACE, b""), NOW_MS).startswith(b"POST ")


@given(st.text(min_size=1, max_size=200), st.binary(max_size=300))
def test_midstates_sign_like_hmac(secret: str, text: bytes) -> None:
    try:
        raw = secret.encode()
    except UnicodeEncodeError:
        return
    expected = base64.b64encode(hmac.new(raw, text, hashlib.sha256).digest())
    assert Signer(Keys(secret=secret), "h").sign(text) == expected


@pytest.mark.parametrize("length", [63, 64, 65, 500])
def test_long_secrets_sign_like_hmac(length: int) -> None:
    secret = "s" * length
    expected = base64.b64encode(hmac.new(secret.encode(), b"text", hashlib.sha256).digest())
    assert Signer(Keys(secret=secret), "h").sign(b"text") == expected


def test_a_signer_does_not_tell_its_secrets() -> None:
    signer = Signer(Keys(), "h")
    for text in (repr(signer), str(signer), f"{signer}"):
        assert text == "Signer(...)"
    with pytest.raises(TypeError, match="holds secrets"):
        pickle.dumps(signer)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (Keys(key="hunter2\r\nX: y"), "the API key"),
        (Keys(key=""), "the API key"),
        (Keys(passphrase="hunter2é"), "the API passphrase"),
        (Keys(secret=""), "the API secret"),
    ],
)
def test_credentials_that_cannot_be_sent(keys: Keys, named: str) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        Signer(keys, "h")
    assert "hunter2" not in str(caught.value)
