"""Bitget's USDT perpetuals as a :class:`~trader.venues.public.PublicSide`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.domain.instrument import Venue
from trader.net.feed import Liveness, Subscription
from trader.venues.bitget import answers, instruments, push, requests
from trader.venues.dialect import Ask
from trader.venues.model import Call, Contracts, Price
from trader.venues.public import Quotes


class BitgetMarket:
    """Tickers by the ``ticker`` channel, which repeats itself."""

    venue = Venue.BITGET
    path = ""
    #: The venue advises fewer than 50 channels a connection and admits 1000.
    per_stream = 48
    channels: Mapping[str, Liveness] = {"ticker": Liveness(first_s=15.0)}
    ping = b"ping"
    tells_leverage = True

    def request(self, call: Call, host: str) -> bytes:
        return requests.public(call, host)

    async def contracts(self, ask: Ask) -> Contracts:
        answer = await ask(requests.contracts())
        return instruments.parse_contracts(answer.body, answer.status)

    async def prices(self, ask: Ask) -> tuple[list[Price], list[str]]:
        answer = await ask(requests.tickers())
        return answers.parse_tickers(answer.body, answer.status)

    def subscriptions(self, symbols: Sequence[str]) -> list[Subscription]:
        return push.subscriptions("ticker", symbols)

    def parse(self, payload: bytes | memoryview, known: Mapping[str, Price]) -> Quotes:
        del known
        event = push.parse_push(payload)
        if isinstance(event, push.Ticker):
            return Quotes(event.heard, event.prices)
        return Quotes(event.heard)
