"""Who changed what: one row per change, in the transaction of the change. Append only."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import clock, redact
from shared.db.tables import Audit


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    at_ns: int
    actor: str
    verb: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def write(
    session: Session,
    actor: str,
    verb: str,
    subject: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add a row to the open transaction. What looks like a secret is hidden, should it ever come here."""
    session.add(
        Audit(
            at_ns=clock.now_ns(),
            actor=actor,
            verb=verb,
            subject=subject,
            before=cast("dict[str, Any] | None", redact.data(before)),
            after=cast("dict[str, Any] | None", redact.data(after)),
        )
    )
    session.flush()


def list_all(session: Session, *, subject: str | None = None, limit: int = 100) -> list[AuditRow]:
    """The newest changes first; of one subject (``account:7``), or of all."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(Audit.subject == subject)
    return [
        AuditRow(
            id=row.id,
            at_ns=row.at_ns,
            actor=row.actor,
            verb=row.verb,
            subject=row.subject,
            before=row.before,
            after=row.after,
        )
        for row in session.scalars(query)
    ]
