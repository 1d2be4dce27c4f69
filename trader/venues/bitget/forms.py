"""What the requests of both kinds of account are made of: ids, sizes and prices as the venue takes them."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlencode

import msgspec

from shared.domain.instrument import Instrument
from shared.errors import RefusedError
from trader.venues.model import Call
from trader.venues.numbers import floor_to, nearest, plain

PRODUCT = "USDT-FUTURES"
MARGIN_COIN = "USDT"
#: Rows of a full page.
PAGE = 100

_CLIENT_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")
_SYMBOL = re.compile(r"[0-9A-Z_]{2,40}")


def order_size(instrument: Instrument, size: Decimal) -> Decimal:
    """The size floored to the step; :class:`RefusedError` when nothing tradable is left."""
    floored = floor_to(size, instrument.step)
    if floored <= 0 or floored < instrument.min_size:
        raise RefusedError(
            "min_size",
            f"{plain(size)} {instrument.base} is below the smallest order of {instrument.symbol}, "
            f"{plain(instrument.min_size)}",
        )
    return floored


def symbol(text: str) -> str:
    if _SYMBOL.fullmatch(text) is None:
        raise RefusedError("symbol", f"not a symbol: {text!r}")
    return text


def client_id(text: str) -> str:
    if _CLIENT_ID.fullmatch(text) is None:
        raise RefusedError("client_id", f"not a client order id: {text!r}")
    return text


def price(value: Decimal) -> str:
    if value <= 0:
        raise RefusedError("price", f"a price is above zero on the tick: {plain(value)}")
    return plain(value)


def trigger(value: Decimal, instrument: Instrument) -> str:
    """A trigger price on the nearest tick."""
    return price(nearest(value, instrument.tick))


def identity(client: str, order_id: str) -> dict[str, str]:
    if bool(client) == bool(order_id):
        raise ValueError("an order is named by its client id or by the venue's id, by one of them")
    return {"clientOid": client} if client else {"orderId": order_id}


def get(path: str, **fields: str) -> Call:
    query = urlencode({name: value for name, value in fields.items() if value})
    return Call(f"{path}?{query}" if query else path)


def post(path: str, **fields: str) -> Call:
    return Call(path, msgspec.json.encode({name: value for name, value in fields.items() if value}))
