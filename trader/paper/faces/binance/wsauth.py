"""Signatures of the order websocket: over all parameters, sorted by name, joined as ``name=value&…``.

Nothing is percent-encoded; numbers stand as they were written in the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.errors import VenueRefusedError
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.faces.binance.auth import owner, timely, verify
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.params import Params
from trader.paper.wall import Wall

__all__ = ["Written", "authenticate", "logon", "owner", "plain", "timely"]


class Written(str):
    """A JSON number with a fraction or an exponent, as it was written."""

    __slots__ = ()


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the handlers read them."""
    return {name: _number(value) if isinstance(value, Written) else value for name, value in values.items()}


def _number(written: Written) -> object:
    try:
        return Decimal(written)
    except InvalidOperation:
        return str(written)


def payload(values: Mapping[str, Any], *, words: tuple[str, str] = ("false", "true")) -> bytes:
    """The signed text; ``words`` are how the client prints its booleans."""
    parts = []
    for name in sorted(values):
        value = values[name]
        if name != "signature":
            text = words[value] if isinstance(value, bool) else "null" if value is None else str(value)
            parts.append(f"{name}={text}")
    return "&".join(parts).encode("utf-8", "surrogatepass")


def authenticate(engine: Engine, values: Mapping[str, Any], params: Params, *, wall: Wall) -> Account:
    """Whose request it is; refusals in the venue's order of checks."""
    key = params.text("apiKey")
    account = owner(engine, key)
    params.need_integer("timestamp")
    signature = params.need("signature")
    timely(params, wall)
    try:
        verify(account, key, payload(values), signature)
    except VenueRefusedError:
        if not any(isinstance(value, bool) for value in values.values()):
            raise
        verify(account, key, payload(values, words=("False", "True")), signature)
    return account


def logon(engine: Engine, values: Mapping[str, Any], params: Params, *, wall: Wall) -> Account:
    """Only an Ed25519 key opens a session: -4056 for another."""
    key = params.text("apiKey")
    if key != owner(engine, key).record.second_key:
        raise refusal(-4056)
    return authenticate(engine, values, params, wall=wall)
