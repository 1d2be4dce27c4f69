"""Asks the exchange which kind of account a key belongs to, once, before the key is stored."""

from __future__ import annotations

import asyncio
import ssl

from shared import clock
from shared.domain.account import AccountKind, Mode
from shared.errors import KestrelError, VenueRefusedError
from shared.settings import Settings
from shared.vault import Credentials
from trader.net.http import Origin, Response, WarmConnection
from trader.net.tls import client_context
from trader.orders import wall
from trader.venues.bitget import kinds
from trader.venues.bitget.signer import Signer
from trader.venues.model import Call

TIMEOUT_S = 5.0


def ask(settings: Settings, mode: Mode, credentials: Credentials) -> tuple[AccountKind | None, str]:
    """The kind of a Bitget key, or None and why it could not be learned; nothing is traded.

    A key is asked about on its own side of the wall between paper and live only.
    """
    url = settings.paper.url if mode is Mode.PAPER else settings.bitget.rest_url
    try:
        origin = Origin.parse(url)
        wall.check(mode, origin.host, live_enabled=True)
        signer = Signer(credentials, origin.authority)
        context = client_context(settings.paper.ca_file if mode is Mode.PAPER else None)
        return asyncio.run(_probe(origin, signer, context if origin.secure else None)), ""
    except VenueRefusedError as refusal:
        return None, f"the exchange does not take this key from here: {refusal.text} (code {refusal.code})"
    except KestrelError as error:
        return None, str(error)


async def _probe(origin: Origin, signer: Signer, context: ssl.SSLContext | None) -> AccountKind:
    warm = WarmConnection(origin, ssl_context=context, name=origin.authority)

    async def send(call: Call) -> Response:
        await warm.wait_ready(TIMEOUT_S)
        return await warm.request(signer.request(call, clock.now_ms()), TIMEOUT_S)

    warm.start()
    try:
        return await kinds.probe(send)
    finally:
        await warm.stop()
