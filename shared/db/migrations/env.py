"""Run by Alembic on the connection that :mod:`shared.db.schema` gives it."""

from __future__ import annotations

from alembic import context

from shared.db import facts  # noqa: F401  (its tables register themselves)
from shared.db.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
