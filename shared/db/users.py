"""The people whose accounts trade."""

from __future__ import annotations

import re

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared import clock
from shared.db import audit
from shared.db.tables import User
from shared.domain.account import Role, UserState
from shared.errors import NotFoundError, UsageError

NAME = re.compile(r"[\w][\w.@+-]{0,63}")


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    role: str
    state: str
    created_ns: int


def add(session: Session, name: str, role: str = Role.USER, *, actor: str) -> UserRow:
    """A new, active user. :class:`UsageError` when the name is taken or is none."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no user name: up to 64 letters, digits and . _ @ + -, a letter or digit first"
        )
    if role not in set(Role):
        raise UsageError(f"there is no role {role!r}: {', '.join(Role)}")
    user = User(name=name, role=str(role), state=UserState.ACTIVE.value, created_ns=clock.now_ns())
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise UsageError(f"there is a user {name!r} already") from None
    audit.write(session, actor, "add", f"user:{user.id}", after={"name": name, "role": str(role)})
    return _row(user)


def get(session: Session, name: str) -> UserRow:
    """Raises :class:`NotFoundError`."""
    return _row(_find(session, name))


def list_all(session: Session) -> list[UserRow]:
    return [_row(user) for user in session.scalars(select(User).order_by(User.name))]


def set_state(session: Session, name: str, state: str, *, actor: str) -> UserRow:
    """``active``, ``pending`` or ``banned``; only an active user's accounts trade."""
    if state not in set(UserState):
        raise UsageError(f"there is no user state {state!r}: {', '.join(UserState)}")
    user = _find(session, name, lock=True)
    before, user.state = user.state, str(state)
    if before != state:
        audit.write(
            session, actor, "state", f"user:{user.id}", before={"state": before}, after={"state": str(state)}
        )
    return _row(user)


def _find(session: Session, name: str, *, lock: bool = False) -> User:
    query = select(User).where(User.name == name)
    user = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if user is None:
        raise NotFoundError(f"there is no user {name!r}: `kestrel users list` shows all")
    return user


def _row(user: User) -> UserRow:
    return UserRow(id=user.id, name=user.name, role=user.role, state=user.state, created_ns=user.created_ns)
