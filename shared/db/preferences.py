"""Trading choices of the installation, of a user, of an account: stored as text, checked by the rules."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared import clock
from shared.db import accounts, audit, users
from shared.db.tables import ScopedSetting, User
from shared.errors import NotFoundError, UsageError
from shared.rules import preferences as rules
from shared.rules.preferences import CAP, ListingPreferences

SCOPES = ("installation", "user", "account")


class PreferenceRow(msgspec.Struct, frozen=True, kw_only=True):
    scope: str
    user_id: int | None
    user_name: str | None
    account_id: int | None
    name: str
    value: str
    updated_ns: int
    updated_by: str


class Owner(msgspec.Struct, frozen=True):
    """Whose choice a row is."""

    scope: str
    user_id: int | None = None
    account_id: int | None = None

    @property
    def subject(self) -> str:
        own = self.account_id if self.account_id is not None else self.user_id
        return f"setting:{self.scope}" if own is None else f"setting:{self.scope}:{own}"

    @property
    def rows(self) -> ColumnElement[bool]:
        return and_(
            ScopedSetting.scope == self.scope,
            ScopedSetting.user_id.is_not_distinct_from(self.user_id),
            ScopedSetting.account_id.is_not_distinct_from(self.account_id),
        )


INSTALLATION = Owner("installation")


def set_value(  # noqa: PLR0917  (the first five say whose choice and which one, in the order of a sentence)
    session: Session, scope: str, user: str | None, account: int | None, name: str, value: str, *, actor: str
) -> None:
    """Set one choice. ``user`` is a user's name, ``account`` an account's id.

    Raises :class:`UsageError` for a name or value that the rules refuse.
    """
    value = value.strip()
    rules.check(name, value)
    if name.startswith(CAP) and scope != INSTALLATION.scope:
        raise UsageError(f"{name} is a limit for everybody: it is set without --user and --account")
    owner = _owner(session, scope, user, account)
    query = select(ScopedSetting.value).where(owner.rows, ScopedSetting.name == name).with_for_update()
    before = session.scalars(query).one_or_none()
    if before == value:
        return
    key = {"scope": owner.scope, "user_id": owner.user_id, "account_id": owner.account_id, "name": name}
    changed = {"value": value, "updated_ns": clock.now_ns(), "updated_by": actor}
    session.execute(
        insert(ScopedSetting)
        .values(**key, **changed)
        .on_conflict_do_update(index_elements=list(key), set_=changed)
    )
    audit.write(
        session,
        actor,
        "set",
        f"{owner.subject}:{name}",
        before=None if before is None else {"value": before},
        after={"value": value},
    )


def unset(
    session: Session, scope: str, user: str | None, account: int | None, name: str, *, actor: str
) -> bool:
    """Forget one choice, so that the wider scope counts again; ``False`` when there was none."""
    owner = _owner(session, scope, user, account)
    query = select(ScopedSetting).where(owner.rows, ScopedSetting.name == name).with_for_update()
    row = session.scalars(query).one_or_none()
    if row is None:
        return False
    before = row.value
    session.delete(row)
    audit.write(session, actor, "unset", f"{owner.subject}:{name}", before={"value": before})
    return True


def list_all(session: Session, user: str | None = None, account: int | None = None) -> list[PreferenceRow]:
    """What was set: everything, or what one user or one account set for itself."""
    query = (
        select(ScopedSetting, User.name)
        .outerjoin(User, User.id == ScopedSetting.user_id)
        .order_by(ScopedSetting.scope.desc(), User.name, ScopedSetting.account_id, ScopedSetting.name)
    )
    if account is not None:
        query = query.where(ScopedSetting.account_id == accounts.get(session, account).id)
    if user is not None:
        query = query.where(ScopedSetting.user_id == users.get(session, user).id)
    return [
        PreferenceRow(
            scope=row.scope,
            user_id=row.user_id,
            user_name=user_name,
            account_id=row.account_id,
            name=row.name,
            value=row.value,
            updated_ns=row.updated_ns,
            updated_by=row.updated_by,
        )
        for row, user_name in session.execute(query)
    ]


def effective(session: Session, account_id: int) -> ListingPreferences:
    """What holds for one account: account over user over installation, then the caps."""
    user_id = accounts.get(session, account_id).user_id
    values = []
    for owner in (INSTALLATION, Owner("user", user_id), Owner("account", user_id, account_id)):
        rows = session.execute(select(ScopedSetting.name, ScopedSetting.value).where(owner.rows))
        values.append({name: value for name, value in rows if name.removeprefix(CAP) in rules.DEFINITIONS})
    installation, user, account = values
    return rules.resolve(installation, user, account)


def _owner(session: Session, scope: str, user: str | None, account: int | None) -> Owner:
    """The ids that belong to a scope; an account's user is who owns it, not who was typed."""
    if scope not in SCOPES:
        raise UsageError(f"there is no scope {scope!r}: {', '.join(SCOPES)}")
    if scope == INSTALLATION.scope:
        return INSTALLATION
    if scope == "user":
        if user is None:
            raise UsageError("a setting of a user needs the user's name")
        return Owner(scope, users.get(session, user).id)
    if account is None:
        raise UsageError("a setting of an account needs the account's number")
    row = accounts.get(session, account)
    if user is not None and user != row.user_name:
        raise NotFoundError(f"{user} has no account {account}: `kestrel accounts list` shows all")
    return Owner(scope, row.user_id, row.id)
