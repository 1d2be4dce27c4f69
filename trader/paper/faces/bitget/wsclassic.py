"""The websocket of classic accounts (v2): ``instType``, ``channel``, ``instId`` or ``coin``."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, cast

from trader.paper.contract import FUTURES, SPOT
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget import pushes, spot_pushes, wstrade
from trader.paper.faces.bitget.dialect import EVERY, Dialect, Group, Private, Public, Push, Request
from trader.paper.faces.bitget.feed import Arg, Feed, TopicMaker
from trader.paper.faces.bitget.pushes import CHANNELS, MARKET, Row
from trader.paper.faces.bitget.rest import RestFace

_MARKETS = {MARKET: FUTURES, "SPOT": SPOT}


class ClassicSocket(Dialect):
    def __init__(self, rest: RestFace) -> None:
        self._engine = rest.engine
        self.feed = Feed(rest.hub, TopicMaker(rest.engine.open_interest))

    def read(self, arg: dict[str, Any]) -> Public | Private | None:
        channel, market = str(arg.get("channel", "")), str(arg.get("instType", "")).upper()
        if market not in _MARKETS:
            return None
        if channel not in CHANNELS:
            symbol = str(arg.get("instId", "")).upper()
            named: Arg = {"instType": market, "channel": channel, "instId": symbol}
            return Public((_MARKETS[market], symbol, channel), named)
        name = _naming(channel, arg)
        symbol = str(arg.get(name, EVERY))
        named = {"instType": market, "channel": channel}
        if channel not in {"equity", "adl-noti"} or name in arg:
            named[name] = symbol
        return Private((market, channel), symbol, named)

    def hears(self, account: Account) -> bool:
        """Seen on the venue: a unified key may log in and subscribe, and then hears nothing."""
        return account.record.kind is AccountKind.CLASSIC

    def first(self, account: Account, wanted: Private) -> Push | None:
        rows: list[Row] | None = None
        match wanted.group:
            case ("SPOT", "account"):
                rows = spot_pushes.account_rows(account, wanted.symbol)
            case ("SPOT", _):
                pass
            case (_, "account"):
                rows = pushes.account_rows(self._engine, account)
            case (_, "positions"):
                rows = pushes.position_rows(self._engine, account)
            case (_, "equity"):
                rows = pushes.equity_rows(self._engine, account)
        return None if rows is None else Push(wanted.group, rows)

    def pushes(self, account: Account, batches: list[Batch], wanted: Container[Group]) -> Iterator[Push]:
        for market, made in (
            (MARKET, pushes.pushes(self._engine, account, batches, wanted)),
            ("SPOT", spot_pushes.pushes(self._engine, account, batches, wanted)),
        ):
            for channel, rows in made:
                yield Push((market, channel), rows)

    def chosen(self, push: Push, symbol: str) -> Push | None:
        """Pictures of positions are pushed even when nothing is in them."""
        market, channel = push.group
        rows = cast("list[Row]", push.data)
        if channel == "equity" or (channel == "account" and market != "SPOT"):
            return push
        if channel == "account":
            found = [row for row in rows if row["coin"] == symbol.upper()]
        else:
            found = [row for row in rows if symbol in (row.get("instId"), row.get("symbol"))]
        return push.of(found) if found or channel == "positions" else None

    def requests(self, message: dict[str, Any], args: list[dict[str, Any]], connection: str) -> list[Request]:
        del message, connection
        return [wstrade.TradeRequest(arg) for arg in args]


def _naming(channel: str, arg: dict[str, Any]) -> str:
    """The key that says which ones: ``account`` has coin, though some clients give (and look for) instId."""
    return "coin" if channel == "account" and ("coin" in arg or "instId" not in arg) else "instId"
