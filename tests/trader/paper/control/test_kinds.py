"""Accounts of each kind: their credentials, what they may hold, and that they survive a restart."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.trader.paper.client import Client
from tests.trader.paper.process import Processes


def pem(key: Any) -> str:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


async def test_a_binance_account_has_keys_as_binance_makes_them(client: Client) -> None:
    made = await client.control("/accounts", {"kind": "binance", "balance": "500"})
    assert [len(made[name]) for name in ("key", "secret", "passphrase")] == [64, 64, 0]
    assert "ed25519_key" not in made
    shown = await client.control(f"/accounts/{made['id']}")
    assert (shown["kind"], shown["balance"]) == ("binance", "500")


async def test_a_public_key_brings_a_second_api_key(client: Client) -> None:
    key = pem(Ed25519PrivateKey.generate())
    made = await client.control("/accounts", {"kind": "binance", "public_key": key})
    assert len(made["ed25519_key"]) == 64
    assert made["ed25519_key"] != made["key"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "margin"}, "kind"),
        ({"kind": "classic", "public_key": "x"}, "public_key"),
        ({"kind": "binance", "public_key": "x"}, "public_key"),
        ({"kind": "binance", "public_key": pem(generate_private_key(65537, 2048))}, "public_key"),
        ({"kind": "binance", "spot": {"BTC": "1"}}, "spot"),
    ],
)
async def test_what_cannot_be_made_is_told_in_one_line(
    client: Client, body: dict[str, Any], says: str
) -> None:
    before = len((await client.control("/state"))["accounts"])
    async with client.session.post(client.ready["control"] + "/accounts", data=json.dumps(body)) as answer:
        error = (await answer.json())["error"]
        assert answer.status == 400
    assert says in error
    assert "\n" not in error
    assert len((await client.control("/state"))["accounts"]) == before


def test_accounts_of_a_kind_at_start_are_the_same_after_a_restart(
    processes: Processes, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    first = processes.start("--home", home, "--accounts", "2", "--kind", "binance")
    kept = first.ready["accounts"]
    assert [row["kind"] for row in kept] == ["binance", "binance"]
    first.end(signal.SIGKILL)
    again = processes.start("--home", home, "--accounts", "1", "--kind", "binance")
    assert again.ready["accounts"] == kept[:1]
