"""Accounts at exchanges. Credentials come in, are sealed to the trader, and never go out again."""

from __future__ import annotations

import re

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared import clock, vault
from shared.db import audit, users
from shared.db.tables import Account, User
from shared.domain.account import AccountKind, AccountState, Mode
from shared.domain.instrument import Venue
from shared.errors import NotFoundError, UsageError
from shared.vault import Credentials, TraderKeys

LABEL = re.compile(r"[\w][\w .@+-]{0,63}")
TAIL = 4
SHORTEST_KEY_WITH_TAIL = 12


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account without its credentials; ``key_tail`` tells two keys apart."""

    id: int
    user_id: int
    user_name: str
    venue: str
    kind: str
    mode: str
    label: str
    state: str
    state_reason: str
    key_tail: str
    created_ns: int
    updated_ns: int


def add(
    session: Session,
    user: str,
    *,
    venue: str,
    kind: str,
    mode: str,
    label: str,
    credentials: Credentials,
    public_key: bytes,
    actor: str,
) -> AccountRow:
    """A new, armed account of the user of that name; ``public_key`` is ``vault.public_key(home)``."""
    for value, allowed in ((venue, Venue), (kind, AccountKind), (mode, Mode)):
        if value not in set(allowed):
            raise UsageError(f"{value!r} is wrong: {', '.join(allowed)}")
    if not LABEL.fullmatch(label):
        raise UsageError(f"{label!r} is no label: up to 64 letters, digits, blanks and . _ @ + -")
    owner = users.get(session, user)
    now_ns = clock.now_ns()
    account = Account(
        user_id=owner.id,
        venue=str(venue),
        kind=str(kind),
        mode=str(mode),
        label=label,
        state=AccountState.ARMED.value,
        state_reason="",
        sealed_credentials=vault.seal(public_key, credentials),
        key_tail=_tail(credentials),
        created_ns=now_ns,
        updated_ns=now_ns,
    )
    try:
        with session.begin_nested():
            session.add(account)
    except IntegrityError:
        raise UsageError(
            f"{user} has a {mode} account {label!r} at {venue} {kind} already: give another --label"
        ) from None
    row = _row(account, owner.name)
    audit.write(session, actor, "add", f"account:{account.id}", after=_public(row))
    return row


def get(session: Session, account_id: int) -> AccountRow:
    """Raises :class:`NotFoundError`."""
    found = session.execute(_select().where(Account.id == account_id)).one_or_none()
    if found is None:
        raise _missing(account_id)
    return _row(*found)


def list_all(session: Session, user: str | None = None) -> list[AccountRow]:
    """Everybody's accounts, or those of one user (:class:`NotFoundError` when there is none)."""
    query = _select().order_by(User.name, Account.id)
    if user is not None:
        query = query.where(Account.user_id == users.get(session, user).id)
    return [_row(*found) for found in session.execute(query)]


def set_state(session: Session, account_id: int, state: str, reason: str = "", *, actor: str) -> AccountRow:
    """``armed``, ``paused`` or ``disabled``; only armed accounts open positions."""
    if state not in set(AccountState):
        raise UsageError(f"there is no account state {state!r}: {', '.join(AccountState)}")
    account, owner = _locked(session, account_id)
    before = {"state": account.state, "reason": account.state_reason}
    after = {"state": str(state), "reason": reason}
    if before != after:
        account.state, account.state_reason, account.updated_ns = str(state), reason, clock.now_ns()
        audit.write(session, actor, "state", f"account:{account_id}", before=before, after=after)
    return _row(account, owner)


def set_kind(session: Session, account_id: int, kind: str, *, actor: str) -> AccountRow:
    """The exchange made another kind of account of it, or its kind was stored wrongly."""
    if kind not in set(AccountKind):
        raise UsageError(f"{kind!r} is wrong: {', '.join(AccountKind)}")
    account, owner = _locked(session, account_id)
    before = account.kind
    if kind != before:
        try:
            with session.begin_nested():
                account.kind, account.updated_ns = str(kind), clock.now_ns()
        except IntegrityError:
            raise UsageError(
                f"{owner} has a {account.mode} account {account.label!r} at {account.venue} {kind} already"
            ) from None
        audit.write(
            session,
            actor,
            "kind",
            f"account:{account_id}",
            before={"kind": before},
            after={"kind": str(kind)},
        )
    return _row(account, owner)


def set_credentials(
    session: Session, account_id: int, credentials: Credentials, public_key: bytes, *, actor: str
) -> AccountRow:
    """New keys for an account, for example after the exchange let the old ones expire."""
    account, owner = _locked(session, account_id)
    before = account.key_tail
    account.sealed_credentials = vault.seal(public_key, credentials)
    account.key_tail, account.updated_ns = _tail(credentials), clock.now_ns()
    audit.write(
        session,
        actor,
        "keys",
        f"account:{account_id}",
        before={"key_tail": before},
        after={"key_tail": account.key_tail},
    )
    return _row(account, owner)


def reseal(session: Session, keys: TraderKeys, *, actor: str) -> int:
    """Seal all credentials to the trader's current key; returns how many were still under an old one.

    Rows are locked while they are read, so that a change of keys at the same time is not undone.
    """
    count = 0
    for account in session.scalars(select(Account).order_by(Account.id).with_for_update()):
        blob = keys.reseal(account.sealed_credentials)
        if blob is not None:
            account.sealed_credentials, account.updated_ns = blob, clock.now_ns()
            count += 1
    if count:
        audit.write(session, actor, "reseal", "accounts", after={"count": count})
    session.flush()
    return count


def sealed(session: Session) -> list[bytes]:
    """Every account's sealed credentials: what ``vault.retire_trader`` must be able to open."""
    return list(session.scalars(select(Account.sealed_credentials).order_by(Account.id)))


def _select() -> Select[Account, str]:
    return select(Account, User.name).join(User, User.id == Account.user_id)


def _locked(session: Session, account_id: int) -> tuple[Account, str]:
    found = session.execute(
        _select().where(Account.id == account_id).with_for_update(of=Account)
    ).one_or_none()
    if found is None:
        raise _missing(account_id)
    account, owner = found
    return account, owner


def _missing(account_id: int) -> NotFoundError:
    return NotFoundError(f"there is no account {account_id}: `kestrel accounts list` shows all")


def _tail(credentials: Credentials) -> str:
    return credentials.key[-TAIL:] if len(credentials.key) >= SHORTEST_KEY_WITH_TAIL else ""


def _public(row: AccountRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("user_name", "venue", "kind", "mode", "label", "key_tail")}


def _row(account: Account, user_name: str) -> AccountRow:
    return AccountRow(
        id=account.id,
        user_id=account.user_id,
        user_name=user_name,
        venue=account.venue,
        kind=account.kind,
        mode=account.mode,
        label=account.label,
        state=account.state,
        state_reason=account.state_reason,
        key_tail=account.key_tail,
        created_ns=account.created_ns,
        updated_ns=account.updated_ns,
    )
