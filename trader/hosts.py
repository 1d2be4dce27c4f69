"""Where accounts trade: the addresses of each mode at each venue, from the settings."""

from __future__ import annotations

import ssl

import msgspec

from shared.domain.account import AccountKind, Mode
from shared.domain.instrument import Venue
from shared.settings import Settings
from trader.net.origin import Origin
from trader.net.tls import client_context

Place = tuple[Mode, Venue]


class Host(msgspec.Struct, frozen=True):
    """Where a desk trades. Dialects add their own paths to the websocket addresses."""

    rest_url: str
    ws_public_url: str
    ws_private_url: str
    ws_v3_private_url: str = ""
    """The private websocket of Bitget's unified accounts."""
    ssl_context: ssl.SSLContext | None = None

    def private_url(self, kind: AccountKind) -> str:
        """Where accounts of this kind hear their events."""
        return self.ws_v3_private_url if kind is AccountKind.UNIFIED else self.ws_private_url


def of(settings: Settings, *, live: bool) -> dict[Place, Host]:
    """The places of paper accounts, and with ``live`` those of accounts with real money."""
    return _paper(settings) | (_live(settings) if live else {})


def _paper(settings: Settings) -> dict[Place, Host]:
    """All venues are one process on this machine."""
    paper = settings.paper
    origin = Origin.parse(paper.url)
    ws = f"{'wss' if origin.secure else 'ws'}://{origin.authority}"
    context = client_context(paper.ca_file) if origin.secure else None
    return {
        (Mode.PAPER, Venue.BITGET): Host(
            rest_url=paper.url,
            ws_public_url=f"{ws}/v2/ws/public",
            ws_private_url=f"{ws}/v2/ws/private",
            ws_v3_private_url=f"{ws}/v3/ws/private",
            ssl_context=context,
        ),
        (Mode.PAPER, Venue.BINANCE): Host(
            rest_url=paper.url, ws_public_url=ws, ws_private_url=ws, ssl_context=context
        ),
    }


def _live(settings: Settings) -> dict[Place, Host]:
    bitget, binance = settings.bitget, settings.binance
    context = client_context()
    return {
        (Mode.LIVE, Venue.BITGET): Host(
            rest_url=bitget.rest_url,
            ws_public_url=bitget.ws_public_url,
            ws_private_url=bitget.ws_private_url,
            ws_v3_private_url=bitget.ws_v3_private_url,
            ssl_context=context,
        ),
        (Mode.LIVE, Venue.BINANCE): Host(
            rest_url=binance.rest_url,
            ws_public_url=binance.ws_url,
            ws_private_url=binance.ws_url,
            ssl_context=context,
        ),
    }
