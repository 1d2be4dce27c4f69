"""What users of real clients write down to trade here: keys, and every host replaced."""

from __future__ import annotations

from typing import Any

import ccxt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Any user's own key pair: the exchange is told the public half only.
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRIVATE_PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC_PEM = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def hosts(client: Any, url: str) -> dict[str, str]:
    """Every REST section of a ccxt client at ``url``."""
    return dict.fromkeys((name for name, found in client.urls["api"].items() if isinstance(found, str)), url)


def classic(ready: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """ccxt's ``bitget`` for a classic account."""
    streams = {"public": ready["ws_public"], "private": ready["ws_private"]}
    return {
        "apiKey": account["key"],
        "secret": account["secret"],
        "password": account["passphrase"],
        "enableRateLimit": False,
        "options": {"uta": False, "defaultType": "swap"},
        "urls": {"api": hosts(ccxt.bitget(), ready["rest"]) | {"ws": streams}},
    }


def unified(ready: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """ccxt's ``bitget`` for a unified account."""
    streams = {"utaPublic": ready["ws_v3_public"], "utaPrivate": ready["ws_v3_private"]}
    made = classic(ready, account)
    made["options"] = {"uta": True, "defaultType": "swap"}
    made["urls"]["api"]["ws"] = made["urls"]["api"]["ws"] | streams
    return made


def binance(ready: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """ccxt's ``binanceusdm``."""
    at = ready["binance"]
    sections = {
        name: found.replace("https://fapi.binance.com", at["rest"])
        for name, found in ccxt.binanceusdm().urls["api"].items()
        if isinstance(found, str)
    }
    streams = {"linear": f"{at['streams']}/ws", "ws-api": {"linear": at["ws_api"]}}
    return {
        "apiKey": account["key"],
        "secret": account["secret"],
        "enableRateLimit": False,
        # coins are a call of the spot API, which is another exchange
        "has": {"fetchCurrencies": False},
        "urls": {"api": sections | {"ws": streams}},
    }


def mapped(venue: Any) -> Any:
    """ccxt picks its table of futures errors by host; told that this host is one, classes are the venue's (§10)."""
    venue.get_exceptions_by_url = lambda _url, kind: venue.exceptions["linear"].get(kind, {})
    return venue
