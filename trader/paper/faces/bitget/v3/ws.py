"""The websocket of unified accounts (v3): ``instType``, ``topic``, ``symbol``, ``interval``.

Market data name their category in lower case; the private topics are of ``UTA``, contracts and pairs
together.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any, cast

from trader.paper.contract import FUTURES, SPOT
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget.dialect import EVERY, Dialect, Group, Private, Public, Push, Request
from trader.paper.faces.bitget.feed import Arg
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faces.bitget.v3.calls import Row
from trader.paper.faces.bitget.v3.pushes import TOPICS, UTA, Changes, account_row, position_rows
from trader.paper.faces.bitget.v3.topics import UnifiedFeed
from trader.paper.faces.bitget.v3.wstrade import UnifiedRequest

_MARKETS = {"usdt-futures": FUTURES, "spot": SPOT}
_OF_ALL = "liquidation"


class UnifiedSocket(Dialect):
    def __init__(self, rest: RestFace) -> None:
        self._engine = rest.engine
        self._unified = UnifiedFeed(rest.hub, rest.engine.open_interest)
        self.feed = self._unified

    def read(self, arg: dict[str, Any]) -> Public | Private | None:
        kind, topic = str(arg.get("instType", "")), str(arg.get("topic", ""))
        if kind.upper() == UTA:
            return _private(topic, arg) if topic in TOPICS else None
        market = _MARKETS.get(kind.lower())
        return None if market is None else _public(market, kind.lower(), topic, arg)

    def hears(self, account: Account) -> bool:
        """As on the other socket the other way round: a classic account hears nothing here."""
        return account.record.kind is AccountKind.UNIFIED

    def first(self, account: Account, wanted: Private) -> Push | None:
        if wanted.group[1] == "account":
            return Push(wanted.group, [account_row(self._engine, account)])
        if wanted.group[1] == "position":
            held = list(account.positions.values())
            return Push(wanted.group, position_rows(self._engine, account, held))
        return None

    def pushes(self, account: Account, batches: list[Batch], wanted: Container[Group]) -> Iterable[Push]:
        return Changes(self._engine, account, batches).pushes(wanted)

    def chosen(self, push: Push, symbol: str) -> Push | None:
        """Only fast fills can be had of one symbol."""
        row = cast("Row", push.data)
        return push if row["symbol"] == symbol else None

    def requests(self, message: dict[str, Any], args: list[dict[str, Any]], connection: str) -> list[Request]:
        return [UnifiedRequest(message, args, connection)]

    def stored(self, batches: list[Batch]) -> None:
        self._unified.stored(batches)


def _public(market: str, kind: str, topic: str, arg: dict[str, Any]) -> Public:
    """Clients call the symbol ``symbol`` or ``instId``; pushes name it as they did."""
    named: Arg = {"instType": kind, "topic": topic}
    if topic == _OF_ALL:
        return Public((market, "", topic, "", ""), named)
    name = "symbol" if "symbol" in arg or "instId" not in arg else "instId"
    symbol, interval = str(arg.get(name, "")).upper(), ""
    named[name] = symbol
    if topic == "kline":
        interval = str(arg.get("interval", ""))
        named["interval"] = interval
    return Public((market, symbol, topic, interval, name), named)


def _private(topic: str, arg: dict[str, Any]) -> Private:
    named: Arg = {"instType": UTA, "topic": topic}
    symbol = EVERY
    if topic == "strategy-order":
        named["symbol"] = EVERY
    elif topic == "fast-fill":
        symbol = str(arg.get("symbol") or EVERY)
        symbol = EVERY if symbol.lower() == EVERY else symbol.upper()
    return Private((UTA, topic), symbol, named)
