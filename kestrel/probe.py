"""Asking an exchange whether keys work, before they are stored: one question that only reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kestrel import console
from shared import clock
from shared.domain.account import AccountKind, Mode
from shared.domain.instrument import Venue
from shared.errors import RefusedError, UsageError, VenueError, VenueRefusedError
from trader import hosts
from trader.net.http import HttpConnection, Origin, Response
from trader.orders import wall
from trader.venues.model import Call
from trader.venues.outcome import Outcome
from trader.venues.registry import DIALECTS

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.vault import Credentials

TIMEOUT_S = 5.0
SYMBOL = "BTCUSDT"


def check(settings: Settings, venue: str, kind: str, mode: str, credentials: Credentials) -> None:
    """Say what the exchange says of the keys.

    Raises :class:`UsageError` when it does not take them. When it cannot be asked now, that is said, and
    the keys are stored untried: the trader finds out.
    """
    try:
        told = asyncio.run(_ask(settings, venue, kind, mode, credentials))
    except VenueError as error:
        console.complain(f"the keys could not be tried ({error}); they are stored all the same")
    else:
        console.line(told)


async def _ask(settings: Settings, venue: str, kind: str, mode: str, credentials: Credentials) -> str:
    place = (Mode(mode), Venue(venue))
    host = hosts.of(settings, live=True)[place]
    origin = Origin.parse(host.rest_url)
    try:
        wall.check(place[0], origin.host, live_enabled=True)
    except RefusedError as refusal:
        raise UsageError(str(refusal)) from None
    dialect = DIALECTS[Venue(venue), AccountKind(kind)]()
    signer = dialect.signer(credentials, origin.authority)
    connection = HttpConnection(origin, ssl_context=host.ssl_context)

    async def ask(call: Call) -> Response:
        await connection.connect(TIMEOUT_S)
        return await connection.request(signer.request(call, clock.now_ms()), TIMEOUT_S)

    try:
        report = await dialect.account(ask, SYMBOL)
    except VenueRefusedError as refusal:
        if dialect.classify(refusal.code, refusal.status) is not Outcome.FATAL_ACCOUNT:
            raise
        advice = dialect.advice(refusal.code)
        raise UsageError(f"{refusal}{advice and ': '}{advice}") from None
    finally:
        connection.close()
        await connection.wait_closed()
    mode_words = report.position_mode.value.replace("_", "-") if report.position_mode else "unknown"
    return f"the keys work: {report.equity} {report.coin}, positions in {mode_words} mode"
