"""Reading fills."""

from __future__ import annotations

from functools import partial

import msgspec

from trader.net.response import Response
from trader.venues.binance import requests, wire
from trader.venues.binance.spans import read_upward
from trader.venues.dialect import Ask

_TRADES = msgspec.json.Decoder(list[wire.TradeWire])


def parse_trades(answer: Response) -> list[wire.TradeWire]:
    return wire.data_of(answer.body, answer.status, _TRADES)


async def trades_since(
    ask: Ask, symbol: str, start_ms: int, *, until_ms: int = 0
) -> tuple[list[wire.TradeWire], bool]:
    """The account's fills of a symbol since a moment, oldest first, and whether these are certainly all."""
    return await read_upward(
        ask,
        start_ms,
        between=partial(requests.trades_between, symbol),
        onward=partial(requests.trades_from, symbol),
        parse=parse_trades,
        number=lambda trade: trade.id,
        until_ms=until_ms,
    )
