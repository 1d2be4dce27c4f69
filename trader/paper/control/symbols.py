"""``/control/symbols/{symbol}`` and ``/control/funding``: rules, status and funding of a symbol."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from shared.clock import MILLISECOND
from shared.errors import UsageError
from trader.paper import symbolchange
from trader.paper.contract import FUTURES
from trader.paper.engine.engine import Engine
from trader.paper.engine.money import text
from trader.paper.market import MarketHub, MarketState
from trader.paper.state import SqliteStore
from trader.paper.symbolchange import FundingChange, KeptChange, SymbolChange

T = TypeVar("T")


class SymbolControl:
    """Handlers; each answers with the symbol as it is then. A refused change changes nothing."""

    def __init__(self, engine: Engine, hub: MarketHub, store: SqliteStore) -> None:
        self._engine = engine
        self._hub = hub
        self._store = store

    async def show(self, request: web.Request) -> object:
        market = request.query.get("market")
        return described(symbolchange.found(self._hub, request.match_info["symbol"], market))

    async def change(self, request: web.Request) -> object:
        wanted = await _body(request, SymbolChange)
        state = symbolchange.found(self._hub, request.match_info["symbol"], wanted.market)
        symbolchange.apply(self._hub, state, wanted)
        self._keep(state, symbol=wanted)
        return described(state)

    async def fund(self, request: web.Request) -> object:
        wanted = await _body(request, FundingChange)
        state = symbolchange.found(self._hub, wanted.symbol, FUTURES)
        if wanted.rate is None and wanted.interval_h is None and wanted.next_ms is None:
            raise UsageError("give at least one of rate, interval_h, next_ms")
        symbolchange.apply_funding(self._hub, state, wanted)
        self._keep(state, funding=wanted)
        return described(state)

    def _keep(
        self, state: MarketState, *, symbol: SymbolChange | None = None, funding: FundingChange | None = None
    ) -> None:
        kept = self._store.changes().get((state.market, state.symbol), KeptChange())
        self._store.keep_change(state.market, state.symbol, kept.then(symbol, funding))
        if state.market == FUTURES:
            self._engine.respecified(state.symbol)


def described(state: MarketState) -> dict[str, object]:
    """Status in this exchange's own word; times in Unix milliseconds, numbers as text."""
    spec = state.spec
    found: dict[str, object] = {
        "symbol": state.symbol,
        "market": state.market,
        "status": state.status,
        "open_time_ms": spec.open_time_ms,
        "taker_fee": text(spec.taker_fee),
        "maker_fee": text(spec.maker_fee),
        "min_leverage": spec.min_leverage,
        "max_leverage": spec.max_leverage,
        "min_notional": text(spec.min_notional),
    }
    if state.market == FUTURES:
        found |= {
            "tiers": [
                {
                    "start": text(tier.start),
                    "end": text(tier.end),
                    "leverage": tier.leverage,
                    "keep_margin_rate": text(tier.keep_margin_rate),
                }
                for tier in spec.tiers
            ],
            "rate": text(state.funding_rate),
            "interval_h": state.funding_interval_h,
            "next_ms": state.next_funding_ns // MILLISECOND,
        }
    return found


async def _body(request: web.Request, kind: type[T]) -> T:
    return msgspec.json.decode(await request.read() or b"{}", type=kind)
