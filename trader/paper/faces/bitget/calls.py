"""What a REST handler gets, and the table that handlers enter themselves into."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.market import MarketHub, MarketState
from trader.paper.wall import TRUE_WALL, Wall


class Call(msgspec.Struct):
    """One request. ``caller`` is the account of a signed call."""

    engine: Engine
    hub: MarketHub
    params: Params
    caller: Account | None = None
    wall: Wall = TRUE_WALL

    @property
    def account(self) -> Account:
        if self.caller is None:
            raise refusal("40001")
        return self.caller

    def state(self, symbol: str, market: str = "futures", code: str = "40034") -> MarketState:
        """A symbol's market, or the venue's refusal."""
        state = self.hub.get(market, symbol)
        if state is None:
            raise refusal(code, symbol)
        return state


Handler = Callable[[Call], object]
H = TypeVar("H", bound=Handler)


class Route(msgspec.Struct, frozen=True):
    """``per_second`` is the venue's limit: per IP for public calls, per account for signed ones.

    ``kind`` is the account that a signed call is for; ``listed``: its body is a JSON list.
    """

    handler: Handler
    signed: bool
    per_second: int
    kind: AccountKind = AccountKind.CLASSIC
    listed: bool = False


ROUTES: dict[tuple[str, str], Route] = {}


def enter(
    method: str,
    path: str,
    per_second: int,
    *,
    signed: bool,
    kind: AccountKind = AccountKind.CLASSIC,
    listed: bool = False,
) -> Callable[[H], H]:
    """Enter a handler into the table."""

    def entered(handler: H) -> H:
        ROUTES[(method, path)] = Route(handler, signed, per_second, kind, listed)
        return handler

    return entered


def public(path: str, per_second: int = 20) -> Callable[[H], H]:
    """An unsigned GET."""
    return enter("GET", path, per_second, signed=False)


def signed_get(path: str, per_second: int = 10) -> Callable[[H], H]:
    return enter("GET", path, per_second, signed=True)


def signed_post(path: str, per_second: int = 10) -> Callable[[H], H]:
    return enter("POST", path, per_second, signed=True)
