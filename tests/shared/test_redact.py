"""Attacks on the redaction: every way a secret was ever seen to slip into a log."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import redact
from shared.redact import HIDDEN, PIECE

SECRET = 'Xk7#pQ&9/zL+mN2=vB4 wR8"tY\\n'
redact.hide(SECRET)


def leaks(shown: str, secret: str = SECRET) -> bool:
    """Whether a piece that would help anybody is still there, plain or decoded."""
    pieces = {secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1)}
    texts = {shown, urllib.parse.unquote(shown), urllib.parse.unquote_plus(shown)}
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", shown):
        for shift in range(4):
            body = run[shift:].replace("-", "+").replace("_", "/")
            raw = base64.b64decode(body[: len(body) // 4 * 4])
            texts.add(raw.decode("latin-1"))
        if len(run) % 2 == 0 and re.fullmatch("[0-9a-fA-F]+", run):
            texts.add(bytes.fromhex(run).decode("latin-1"))
    return any(piece in text for piece in pieces for text in texts)


RAW = SECRET.encode()
DISGUISES: list[Callable[[], str]] = [
    lambda: SECRET,
    lambda: f"a{SECRET}b",
    lambda: SECRET * 3,
    lambda: repr(SECRET),
    lambda: repr(RAW),
    lambda: str({"deep": [RAW, (SECRET,)]}),
    lambda: json.dumps(SECRET),
    lambda: json.dumps({"a": json.dumps({"b": SECRET})}),
    lambda: urllib.parse.quote(SECRET),
    lambda: urllib.parse.quote(SECRET, safe=""),
    lambda: urllib.parse.quote_plus(SECRET),
    lambda: urllib.parse.urlencode({"x": SECRET}),
    lambda: base64.b64encode(RAW).decode(),
    lambda: base64.urlsafe_b64encode(RAW).decode(),
    lambda: base64.b64encode(b"user:" + RAW).decode(),
    lambda: base64.b64encode(b"us:" + RAW + b"tail").decode(),
    lambda: base64.b64encode(b"u" + RAW).decode(),
    RAW.hex,
    lambda: RAW.hex().upper(),
    lambda: f"https://user:{urllib.parse.quote(SECRET, safe='')}@host/path",
    lambda: f"{SECRET[:13]}...",
    lambda: f"...{SECRET[-12:]}",
    lambda: SECRET[5:17],
]


@pytest.mark.parametrize("number", range(len(DISGUISES)))
def test_a_registered_value_is_found_in_every_disguise(number: int) -> None:
    shown = DISGUISES[number]()
    assert leaks(shown), "the attack itself must hold the secret"
    assert not leaks(redact.text(shown)), redact.text(shown)
    assert HIDDEN in redact.text(shown)


@given(
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=PIECE, max_size=80),
    before=st.text(max_size=30),
    after=st.text(max_size=30),
)
def test_any_registered_value_is_found_anywhere(value: str, before: str, after: str) -> None:
    registry = redact._Registry()
    registry.add(value)
    for shown in (value, urllib.parse.quote(value, safe=""), json.dumps(value)[1:-1]):
        cleaned = registry.clean(before + shown + after)
        assert shown not in cleaned
        assert HIDDEN in cleaned


@given(value=st.binary(min_size=24, max_size=64), start=st.integers(0, 60), length=st.integers(PIECE, 64))
def test_any_piece_of_a_key_is_found(value: bytes, start: int, length: int) -> None:
    key = value.hex()
    registry = redact._Registry()
    registry.add(key)
    piece = key[start : start + length]
    if len(piece) >= PIECE:
        assert registry.clean(f"cut: {piece}!") == f"cut: {HIDDEN}!"


@given(st.text(max_size=200))
def test_text_without_secrets_stays_as_it_is(text: str) -> None:
    registry = redact._Registry()
    registry.add("0123456789abcdef-no-such-text-anywhere")
    assert registry.clean(text) == text


NAMED = [
    "secret=hunter2hunter2",
    "secret = hunter2hunter2, size=3",
    "api_secret: hunter2hunter2",
    'password="hunter2 hunter2"',
    '{"passphrase": "hunter2 \\"hunter2"}',
    '{\\"passphrase\\": \\"hunter2 hunter2\\"}',
    "{'token': b'hunter2hunter2'}",
    "{'apiKey': 'hunter2hunter2', 'x': 1}",
    "('ACCESS-SIGN', 'hunter2hunter2')",
    "(b'ACCESS-PASSPHRASE', b'hunter2hunter2')",
    "ACCESS-SIGN: hunter2hunter2=\r\nACCESS-KEY: hunter2",
    "Authorization: Bearer hunter2hunter2",
    "header bearer hunter2hunter2 sent",
    "Cookie: session=hunter2; other=hunter2",
    "GET /x?symbol=BTC&signature=hunter2&recvWindow=5",
    "GET /x?listenKey=hunter2",
    "%22secret%22%3A%22hunter2%22",
    "secret%3Dhunter2",
    "Secret => hunter2",
    "private_key=hunter2",
    "PGPASSWORD=hunter2",
    "postgresql://kestrel:hunter2@127.0.0.1:5432/kestrel",
    "postgresql://kestrel:hun@ter2/hunter2@127.0.0.1/kestrel",
    "postgresql%3A%2F%2Fkestrel%3Ahunter2%40host",
    "https://hunter2@host/path",
    "-----BEGIN PRIVATE KEY-----\nhunter2\nhunter2\n-----END PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----\nhunter2",
    "https://api.telegram.org/bot123456789:AAhunter2hunter2hunter2hunter2/getMe",
    "gAAAAABhunter2hunter2hunter2hunter2==",
    "key bg_00000000aaaabbbbccccdddd" + "hunter2"[:0],
]


def test_a_registered_url_does_not_uncover_the_password_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_registry", redact._Registry())
    redact.hide("postgresql://kestrel:another@127.0.0.1:5432/kestrel")
    for shown in NAMED:
        assert "hunter2" not in redact.text(shown)
    assert "another" not in redact.text("postgresql://kestrel:another@127.0.0.1:5432/kestrel")


@pytest.mark.parametrize("shown", NAMED)
def test_what_nobody_registered_is_found_by_name_and_shape(shown: str) -> None:
    cleaned = redact.text(shown)
    assert "hunter2" not in cleaned
    assert "bg_0000" not in cleaned
    assert HIDDEN in cleaned


HARMLESS = [
    "order accepted clientOid=Ab3dEf symbol=BTCUSDT size=0.012 price=64000.1",
    "the notice key=upbit:330345227 was seen on https://pub-info.upbit.com/v1/announcements?os=web&page=1",
    "design: two workers; signed in 12 us; assigned: 3",
    "pass 3 of 4: keys rotated, 2 accounts re-sealed",
    "[거래] 뉴메레르(NMR) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)",
    "2026-11-20T04:05:06.123456789Z 0.00000001 123456789012345678",
    "user@example.com wrote to ops",
]


@pytest.mark.parametrize("shown", HARMLESS)
def test_what_is_no_secret_stays_readable(shown: str) -> None:
    assert redact.text(shown) == shown


class Order(msgspec.Struct):
    client_id: str
    secret: str
    price: Decimal


class Rude:
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def test_data_is_cleaned_at_every_depth() -> None:
    cleaned = redact.data(
        {
            "account": {"apiSecret": "x", "keys": [{"passphrase": 7}, f"and {SECRET}"]},
            SECRET: 1,
            "order": Order("abc", "y", Decimal("1.50")),
            "raw": b"password=hunter2",
            "none": {"secret": None},
            "rude": Rude(),
            "big": 2**70,
        }
    )
    assert cleaned == {
        "account": {"apiSecret": HIDDEN, "keys": [{"passphrase": HIDDEN}, f"and {HIDDEN}"]},
        HIDDEN: 1,
        "order": {"client_id": "abc", "secret": HIDDEN, "price": "1.50"},
        "raw": f"password={HIDDEN}",
        "none": {"secret": None},
        "rude": "[Rude that cannot be shown: RuntimeError]",
        "big": str(2**70),
    }


def test_data_is_bounded() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "[too deep]" in json.dumps(redact.data(loop))
    many = redact.data(list(range(1000)))
    assert isinstance(many, list)
    assert many[-1] == "[744 more items cut]"


@pytest.mark.parametrize(
    "attack",
    [
        "a" * 300000,
        "secret_" * 40000,
        "a_" * 100000,
        "://" * 80000,
        "secret='" * 30000,
        "secret " * 40000,
        "-----BEGIN " * 20000,
        "bot1" * 60000,
        "=" * 200000,
        '\\"' * 100000,
        "cookie: " * 30_000,
        "password:" * 30000,
        "A" * 43 * 4000,
    ],
)
def test_no_text_makes_it_slow(attack: str) -> None:
    begin = time.process_time()
    redact.text(attack + SECRET)
    assert time.process_time() - begin < 2


def test_a_secret_at_the_cut_of_a_long_text_does_not_show() -> None:
    for before in range(redact.MAX_TEXT - len(SECRET) - 2, redact.MAX_TEXT + 2):
        cleaned = redact.text("-" * before + SECRET)
        assert not leaks(cleaned)
        assert len(cleaned) < redact.MAX_TEXT + 100


def test_thousands_of_values_cost_no_more_than_one() -> None:
    registry = redact._Registry()
    line = "order accepted clientOid=Ab3dEf symbol=BTCUSDT size=0.012 price=64000.1 " * 4

    def cost() -> float:
        best = 1.0
        for _ in range(20):
            begin = time.process_time()
            registry.clean(line)
            best = min(best, time.process_time() - begin)
        return best

    registry.add(os.urandom(32).hex())
    few = cost()
    for _ in range(1_000):
        registry.add(os.urandom(32).hex())
    assert cost() < few * 5 + 0.001


def test_it_is_light() -> None:
    code = (
        "import sys; import shared.redact; assert not {'structlog', 'pydantic', 'asyncio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
