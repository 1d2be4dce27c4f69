"""``users``, ``accounts`` and ``settings``: each command one transaction, with its row in the audit."""

from __future__ import annotations

import asyncio
import getpass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kestrel import console, credentials, status
from kestrel.database import transaction
from shared import vault
from shared.db import accounts, preferences, users
from shared.errors import UsageError
from shared.rules import preferences as rules
from shared.settings import Settings, load

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shared.vault import Credentials

DEFAULT_BALANCE = "10000"
LARGEST_BALANCE = Decimal(10) ** 12
#: Kinds of accounts by exchange, the usual one first.
KINDS = {"bitget": ("classic", "unified"), "binance": ("usdm",)}


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What ``accounts add`` was told; secrets are not among it."""

    user: str
    venue: str
    kind: str | None
    """None = what the key is, else the usual one."""
    mode: str
    label: str
    balance: str | None
    secret_file: Path | None


def actor() -> str:
    """Who is named in the audit: the person at this machine."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, in some containers
        return "cli"


def add_user(name: str, role: str) -> None:
    with transaction(load()) as session:
        user = users.add(session, name, role=role, actor=actor())
        console.line(f"user {user.name} added ({user.role})")


def list_users(*, as_json: bool) -> None:
    with transaction(load()) as session:
        rows = users.list_all(session)
    console.show(
        rows,
        ["id", "name", "role", "state", "created_ns"],
        as_json=as_json,
        empty="there is no user yet: kestrel users add NAME",
    )


def set_user(name: str, state: str) -> None:
    with transaction(load()) as session:
        users.set_state(session, name, state, actor=actor())
    console.line(f"user {name} is {state}")


def mode(*, paper: bool, live: bool) -> str:
    """Paper or live, never by default: with real money nobody may end up by forgetting a word."""
    if paper == live:
        raise UsageError(
            "say which: --paper for an account on the paper exchange, or --live for one with real money"
        )
    return "paper" if paper else "live"


def kind_of(venue: str, wanted: str | None) -> str | None:
    """The kind that was asked for, as far as the exchange has it."""
    kinds = KINDS[venue]
    if wanted is not None and wanted not in kinds:
        raise UsageError(f"{venue} has no accounts of kind {wanted}: {', '.join(kinds)}")
    return wanted


def add_account(new: NewAccount) -> None:
    """Seal the keys to the trader and store them; a paper account is made on the exchange first."""
    settings = load()
    balance = _balance(new)
    kind = new.kind or KINDS[new.venue][0]
    with transaction(settings) as session:
        # before anybody types a secret, or an account is made at the exchange
        _check_new(session, new, kind if balance is not None else new.kind)
    if balance is None:
        held = credentials.read(new.secret_file, passphrase=new.venue != "binance")
        kind = _tried(settings, new.venue, new.mode, held, told=new.kind)
    else:
        held = _make_paper(settings, new, kind, balance)
    vault.ensure_keys(settings.home)
    with transaction(settings) as session:
        account = accounts.add(
            session,
            new.user,
            venue=new.venue,
            kind=kind,
            mode=new.mode,
            label=new.label,
            credentials=held,
            public_key=vault.public_key(settings.home),
            actor=actor(),
        )
    console.line(f"account {account.id} added: {new.user}, {new.venue} {kind}, {new.mode}, {new.label}")
    if new.mode == "live":
        console.complain("live accounts trade only with KESTREL_LIVE=1, under `kestrel trade`")


def _check_new(session: Session, new: NewAccount, kind: str | None) -> None:
    """Refuse a user who is not there, and a label that is taken; of what kind a key is may turn out later."""
    wanted = (new.venue, kind, new.mode, new.label)
    for known in accounts.list_all(session, new.user):
        if (known.venue, known.kind, known.mode, known.label) == wanted:
            raise UsageError(
                f"{new.user} has a {new.mode} account {new.label!r} at {new.venue} {kind} already:"
                " give another --label"
            )


def _balance(new: NewAccount) -> Decimal | None:
    """The balance of a paper account to be made; None when keys are given instead."""
    if new.mode == "live" or new.secret_file is not None:
        if new.balance is not None:
            raise UsageError("--balance is for a new paper account: leave out --live and --secret-file")
        return None
    try:
        balance = Decimal(new.balance or DEFAULT_BALANCE)
    except InvalidOperation:
        balance = Decimal(0)
    if not (balance.is_finite() and 0 < balance <= LARGEST_BALANCE):
        raise UsageError(f"--balance {new.balance!r} is wrong: it is an amount of USDT, for example 10000")
    return balance


def _tried(
    settings: Settings, venue: str, mode: str, held: Credentials, *, told: str | None, usual: str = ""
) -> str:
    """The kind of account that keys are for; they are tried where that can be done."""
    from kestrel import probe

    return probe.check(settings, venue, mode, held, told=told, usual=usual or KINDS[venue][0])


def _make_paper(settings: Settings, new: NewAccount, kind: str, balance: Decimal) -> Credentials:
    from kestrel.control import Control

    async def make() -> Credentials:
        async with Control(status.paper_url(settings)) as control:
            made = await control.create_account(balance, f"{new.user}/{new.label}", kind)
        return vault.Credentials(key=made.key, secret=made.secret, passphrase=made.passphrase)

    return asyncio.run(make())


def list_accounts(user: str | None, *, as_json: bool) -> None:
    with transaction(load()) as session:
        rows = accounts.list_all(session, user)
    console.show(
        rows,
        ["id", "user_name", "venue", "kind", "mode", "label", "state", "state_reason", "key_tail"],
        as_json=as_json,
        empty="there is no account yet: kestrel accounts add --user NAME --paper",
    )


def set_account(
    account: int, *, state: str | None, reason: str, kind: str | None, keys: bool, secret_file: Path | None
) -> None:
    """Change an account's state, its API keys, its kind, or all in one transaction."""
    if state is None and kind is None and not keys:
        raise UsageError(
            "say what to change: --state armed|paused|disabled, --keys for new API keys, or --kind"
        )
    settings = load()
    with transaction(settings) as session:
        known = accounts.get(session, account)  # before anybody types a secret
    kind_of(known.venue, kind)
    held = credentials.read(secret_file, passphrase=known.venue != "binance") if keys else None
    if held is not None:
        kind = _tried(settings, known.venue, known.mode, held, told=kind, usual=known.kind)
    with transaction(settings) as session:
        if kind is not None:
            accounts.set_kind(session, account, kind, actor=actor())
        if held is not None:
            public_key = vault.public_key(settings.home)
            accounts.set_credentials(session, account, held, public_key, actor=actor())
        if state is not None:
            accounts.set_state(session, account, state, reason, actor=actor())
    if held is not None:
        console.line(f"account {account} has new keys")
    if kind not in (None, known.kind):
        console.line(f"account {account} is a {kind} account now")
    if state is not None:
        console.line(f"account {account} is {state}")


def set_preference(name: str, value: str, *, user: str | None, account: int | None) -> None:
    if user is not None and account is not None:
        raise UsageError("give --user or --account, not both: an account has one user")
    scope = "account" if account is not None else "user" if user is not None else "installation"
    with transaction(load()) as session:
        preferences.set_value(session, scope, user, account, name, value, actor=actor())
    whose = f"account {account}" if account is not None else user or "everybody"
    console.line(f"{name} = {value} for {whose}")


def list_preferences(*, user: str | None, account: int | None, as_json: bool) -> None:
    if account is not None:
        in_force(account, as_json=as_json)
        return
    with transaction(load()) as session:
        rows = preferences.list_all(session, user)
    console.show(
        rows,
        ["scope", "user_name", "account_id", "name", "value", "updated_ns", "updated_by"],
        as_json=as_json,
        empty="nothing was set: every setting has its default; `settings list --account NUMBER` shows what is in force",
    )


class InForce(msgspec.Struct, frozen=True):
    """One choice as it counts for an account, after narrower scopes and caps."""

    account_id: int
    name: str
    value: str
    unit: str


def in_force(account: int, *, as_json: bool) -> None:
    with transaction(load()) as session:
        chosen = preferences.effective(session, account)
    rows = []
    for name, definition in rules.DEFINITIONS.items():
        value = getattr(chosen, name.removeprefix("listing."))
        text = ("off", "on")[value] if isinstance(value, bool) else str(value)
        rows.append(InForce(account, name, text, definition.unit))
    console.show(rows, ["name", "value", "unit"], as_json=as_json, empty="")
