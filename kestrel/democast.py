"""Who plays in the demonstration, and how they get their accounts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from kestrel.control import PaperAccount
from kestrel.database import Database
from shared import vault
from shared.db import accounts, preferences, users
from shared.domain.account import AccountState

ACTOR = "demo"
"""Who is named in the audit."""


class Actor(msgspec.Struct, frozen=True):
    """One invented user: ``amount`` in USDT of margin, ``take_profit`` in % of it."""

    name: str
    balance: Decimal
    amount: Decimal
    leverage: int
    take_profit: Decimal

    @property
    def target(self) -> Decimal:
        """The rise of the price at which the profit is taken, as a fraction."""
        return self.take_profit / 100 / self.leverage


CAST = (
    Actor("demo-anna", Decimal(10_000), Decimal(50), 10, Decimal(100)),
    Actor("demo-ben", Decimal(5_000), Decimal(100), 5, Decimal(70)),
    Actor("demo-chris", Decimal(2_000), Decimal(20), 20, Decimal(100)),
)


class Cast(msgspec.Struct, frozen=True):
    """Where an actor's account is: on the paper exchange, and in our database."""

    paper_id: str
    account_id: int


def enroll(database: Database, home: Path, actor: Actor, paper: PaperAccount) -> Cast:
    """Make the actor's user, account and choices, in one transaction.

    An account of an earlier run, whose money the exchange has forgotten, is disabled.
    """
    credentials = vault.Credentials(key=paper.key, secret=paper.secret, passphrase=paper.passphrase)
    with database.transaction() as session:
        if not any(user.name == actor.name for user in users.list_all(session)):
            users.add(session, actor.name, actor=ACTOR)
        for account in accounts.list_all(session, actor.name):
            if account.state != AccountState.DISABLED:
                accounts.set_state(
                    session, account.id, AccountState.DISABLED, "replaced by the demonstration", actor=ACTOR
                )
        made = accounts.add(
            session,
            actor.name,
            venue="bitget",
            kind=paper.kind,
            mode="paper",
            label=f"demo-{paper.id}",
            credentials=credentials,
            public_key=vault.public_key(home),
            actor=ACTOR,
        )
        for name, value in (
            ("listing.amount", str(actor.amount)),
            ("listing.leverage", str(actor.leverage)),
            ("listing.take_profit", str(actor.take_profit)),
        ):
            preferences.set_value(session, "user", actor.name, None, name, value, actor=ACTOR)
        return Cast(paper_id=str(paper.id), account_id=made.id)


def enrolled(database: Database, cast: Cast) -> bool:
    """Is this account in our database, and armed?"""
    with database.transaction() as session:
        return any(
            account.id == cast.account_id and account.state == AccountState.ARMED
            for account in accounts.list_all(session)
        )
