"""What a handler gets, and the table that handlers enter themselves into.

REST and the websocket API run the same handlers: ``RestFace.execute(ROUTES[method, path], params, caller)``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol, TypeVar

import msgspec

from trader.paper.contract import FUTURES
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.listenkeys import ListenKeys
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.weights import OrderCounts, Weights
from trader.paper.market import MarketHub, MarketState
from trader.paper.wall import TRUE_WALL, Wall


class Security(Enum):
    """What a call must bring: nothing, a key, or a key and a signature."""

    NONE = auto()
    KEY = auto()
    SIGNED = auto()


class House(Protocol):
    """What the whole face shares: listen keys and limits."""

    keys: ListenKeys
    weights: Weights
    orders: OrderCounts


class Call(msgspec.Struct):
    """One request. ``caller`` is the account of a call with a key."""

    engine: Engine
    hub: MarketHub
    params: Params
    house: House
    caller: Account | None = None
    wall: Wall = TRUE_WALL

    @property
    def account(self) -> Account:
        if self.caller is None:
            raise refusal(-2014)
        return self.caller

    def state(self, symbol: str | None = None) -> MarketState:
        """The market of a symbol (the call's own, when none is named), or -1121."""
        state = self.hub.get(FUTURES, self.params.symbol() if symbol is None else symbol)
        if state is None:
            raise refusal(-1121)
        return state

    def one_or_all(self) -> list[MarketState]:
        """The named symbol, or every contract."""
        return [self.state()] if self.params.has("symbol") else self.states()

    def states(self) -> list[MarketState]:
        """All contracts."""
        return [state for state in self.hub.states.values() if state.market == FUTURES]


Handler = Callable[[Call], object]
#: A number, or what the parameters make of it.
Count = int | Callable[[Params], int]
H = TypeVar("H", bound=Handler)


class Route(msgspec.Struct, frozen=True):
    """``weight`` counts against the address, ``orders`` against the account."""

    handler: Handler
    security: Security
    weight: Count
    orders: Count = 0


ROUTES: dict[tuple[str, str], Route] = {}


def amount(count: Count, params: Params) -> int:
    return count if isinstance(count, int) else count(params)


def by_symbol(one: int, every: int) -> Callable[[Params], int]:
    """A call about one symbol, or about all of them when none is named."""
    return lambda params: one if params.has("symbol") else every


def _enter(method: str, path: str, security: Security, weight: Count, orders: Count) -> Callable[[H], H]:
    def entered(handler: H) -> H:
        ROUTES[(method, path)] = Route(handler, security, weight, orders)
        return handler

    return entered


def public(path: str, weight: Count = 1) -> Callable[[H], H]:
    """A GET that anybody may send."""
    return _enter("GET", path, Security.NONE, weight, 0)


def keyed(method: str, path: str, weight: Count = 1) -> Callable[[H], H]:
    """With a key, without a signature."""
    return _enter(method, path, Security.KEY, weight, 0)


def signed(method: str, path: str, weight: Count = 1, orders: Count = 0) -> Callable[[H], H]:
    return _enter(method, path, Security.SIGNED, weight, orders)
