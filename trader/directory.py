"""Who trades: accounts, credentials and preferences, kept fresh from Postgres.

Changes arrive by NOTIFY and, because a stream is a hint, also by a slow poll. What was read stays
in force while Postgres is away. An account whose row cannot be understood is left out with the
reason, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from psycopg import AsyncConnection, Error

from shared.domain.account import Account, AccountKind, AccountState, Mode, UserState
from shared.domain.instrument import Venue
from shared.errors import KestrelError, UsageError
from shared.rules import preferences
from shared.rules.preferences import ListingPreferences
from shared.vault import Credentials, TraderKeys
from trader.patience import answered

log = structlog.get_logger(__name__)

CHANNEL = "kestrel_config"
POLL_S = 30.0

ACCOUNTS = """
select a.id, a.user_id, u.name, a.venue, a.kind, a.mode, a.label, a.state, u.state, a.sealed_credentials
from accounts a join users u on u.id = a.user_id order by a.id
"""

PREFERENCES = "select scope, user_id, account_id, name, value from scoped_settings"

STATEMENTS = {"accounts": ACCOUNTS, "preferences": PREFERENCES}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One account with its opened credentials (never printed) and choices.

    ``hindrance`` says why it takes no entries although it is armed; "" = nothing does. ``leaving``
    accounts (disabled, or of a user who is not active) are looked after until nothing of theirs is
    open or unprotected, then let go.
    """

    account: Account
    credentials: Credentials
    listing: ListingPreferences
    hindrance: str = ""
    leaving: bool = False

    @property
    def armed(self) -> bool:
        """Whether it takes entries; what is open is looked after in any case."""
        return self.account.state is AccountState.ARMED and not self.hindrance and not self.leaving


class Directory:
    """The members by account id. ``on_change`` is called whenever anything differs."""

    def __init__(self, url: str, keys: TraderKeys, on_change: Callable[[dict[int, Member]], None]) -> None:
        self._url = url
        self._keys = keys
        self._on_change = on_change
        self.members: dict[int, Member] = {}
        self.left_out: dict[int, str] = {}
        self.loaded = asyncio.Event()
        self.connected = False
        self.reloads = 0

    async def run(self) -> None:
        """Load, then follow changes until cancelled; survives Postgres going away and coming back."""
        delay = 0.1
        while True:
            try:
                await self._follow()
            except (Error, OSError) as error:
                self.connected = False
                log.warning("directory.postgres_away", error=type(error).__name__, retry_s=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)

    async def _follow(self) -> None:
        connection = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
        async with connection:
            with answered(connection):
                await connection.execute(f"listen {CHANNEL}")
            while True:
                with answered(connection):
                    await self.reload(connection)
                self.connected = True
                async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                    pass

    async def reload(self, connection: AsyncConnection[Any]) -> None:
        """Read everything again; the tables are small and changes are rare."""
        rows = await (await connection.execute(ACCOUNTS)).fetchall()
        chosen = await (await connection.execute(PREFERENCES)).fetchall()
        self.reloads += 1
        installation: dict[str, str] = {}
        users: dict[int, dict[str, str]] = {}
        accounts: dict[int, dict[str, str]] = {}
        for scope, user_id, account_id, name, value in chosen:
            if scope == "installation":
                installation[name] = value
            elif scope == "user":
                users.setdefault(user_id, {})[name] = value
            else:
                accounts.setdefault(account_id, {})[name] = value
        members: dict[int, Member] = {}
        left_out: dict[int, str] = {}
        for row in rows:
            try:
                member = self._member(row, installation, users.get(row[1], {}), accounts.get(row[0], {}))
            except (KestrelError, ValueError) as error:
                left_out[row[0]] = str(error)
                if self.left_out.get(row[0]) != str(error):
                    log.error("directory.account_left_out", account=row[0], reason=str(error))
                if (known := self.members.get(row[0])) is not None:
                    members[row[0]] = msgspec.structs.replace(known, hindrance=str(error))
                continue
            members[member.account.id] = member
            if member.hindrance:
                left_out[row[0]] = member.hindrance
        self.left_out = left_out
        if members != self.members or not self.loaded.is_set():
            self.members = members
            self._on_change(members)
        self.loaded.set()

    def _member(
        self, row: tuple[Any, ...], installation: dict[str, str], user: dict[str, str], own: dict[str, str]
    ) -> Member:
        account = Account(
            id=row[0],
            user_id=row[1],
            user_name=row[2],
            venue=Venue(row[3]),
            kind=AccountKind(row[4]),
            mode=Mode(row[5]),
            label=row[6],
            state=AccountState(row[7]),
            sealed_credentials=bytes(row[9]),
        )
        known = self.members.get(account.id)
        if known is not None and known.account.sealed_credentials == account.sealed_credentials:
            credentials = known.credentials
        else:
            credentials = self._keys.unseal(account.sealed_credentials)
        hindrance = ""
        try:
            listing = preferences.resolve(installation, user, own)
        except UsageError as error:
            # A wrong choice stops entries; what is open keeps its last good choices.
            hindrance = str(error)
            listing = known.listing if known else preferences.resolve({}, {}, {})
        return Member(
            account=account,
            credentials=credentials,
            listing=listing,
            hindrance=hindrance,
            leaving=row[8] != UserState.ACTIVE or account.state is AccountState.DISABLED,
        )
