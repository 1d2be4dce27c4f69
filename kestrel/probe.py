"""Asking an exchange about keys before they are stored: do they work, and which kind of account are they for?"""

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
from trader.venues.bitget import kinds
from trader.venues.dialect import Ask
from trader.venues.model import AccountReport, Call
from trader.venues.outcome import Outcome
from trader.venues.registry import DIALECTS

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.vault import Credentials

TIMEOUT_S = 5.0
SYMBOL = "BTCUSDT"


def check(
    settings: Settings, venue: str, mode: str, credentials: Credentials, *, told: str | None, usual: str
) -> str:
    """Say what the exchange says of the keys, and return the kind of account that they are for.

    ``told`` is the kind that a person named: when the exchange knows better, that is said and holds.
    Raises :class:`UsageError` when it does not take the keys. When it cannot be asked now, that is said,
    and the kind is what was told, else the ``usual`` one: the trader finds out.
    """
    try:
        found, report = asyncio.run(
            _ask(settings, (Mode(mode), Venue(venue)), AccountKind(told or usual), credentials)
        )
    except VenueError as error:
        console.complain(f"the keys could not be tried ({error}); they are stored all the same")
        return told or usual
    if told is not None and told != found:
        console.complain(f"this key belongs to a {found} account, not to a {told} one: corrected")
    mode_words = report.position_mode.value.replace("_", "-") if report.position_mode else "unknown"
    console.line(f"the keys work: {report.equity} {report.coin}, positions in {mode_words} mode")
    return found.value


async def _ask(
    settings: Settings, place: hosts.Place, kind: AccountKind, credentials: Credentials
) -> tuple[AccountKind, AccountReport]:
    host = hosts.of(settings, live=True)[place]
    origin = Origin.parse(host.rest_url)
    try:
        wall.check(place[0], origin.host, live_enabled=True)
    except RefusedError as refusal:
        raise UsageError(str(refusal)) from None
    dialect = DIALECTS[place[1], kind]()
    signer = dialect.signer(credentials, origin.authority)
    connection = HttpConnection(origin, ssl_context=host.ssl_context)

    async def ask(call: Call) -> Response:
        if not connection.connected:
            await connection.connect(TIMEOUT_S)
        return await connection.request(signer.request(call, clock.now_ms()), TIMEOUT_S)

    try:
        found = await _kind(ask, place[1], kind)
        return found, await DIALECTS[place[1], found]().account(ask, SYMBOL)
    except VenueRefusedError as refusal:
        if dialect.classify(refusal.code, refusal.status) is not Outcome.FATAL_ACCOUNT:
            raise
        advice = dialect.advice(refusal.code)
        raise UsageError(f"{refusal}{advice and ': '}{advice}") from None
    finally:
        connection.close()
        await connection.wait_closed()


async def _kind(ask: Ask, venue: Venue, kind: AccountKind) -> AccountKind:
    """Bitget has two kinds of accounts with keys of one form; all others have one."""
    return await kinds.probe(ask) if venue is Venue.BITGET else kind
