"""commitments of traders, and what each reading of a source brought in"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LEGACY = (
    "noncommercial_long",
    "noncommercial_short",
    "noncommercial_spread",
    "commercial_long",
    "commercial_short",
)
TFF = tuple(
    f"{group}_{side}"
    for group in ("dealer", "asset_manager", "leveraged", "other")
    for side in ("long", "short", "spread")
)


def upgrade() -> None:
    _reports("cot_legacy", LEGACY)
    _reports("cot_tff", TFF)
    op.create_table(
        "cot_revisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("positions", postgresql.JSONB(), nullable=False),
        sa.Column("positions_hash", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("snapshot_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.Column("superseded_ns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("report in ('legacy', 'tff')", name=op.f("ck_cot_revisions_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cot_revisions")),
        sa.UniqueConstraint(
            "report",
            "code",
            "as_of",
            "snapshot_ns",
            "positions_hash",
            name=op.f("uq_cot_revisions_report_code_as_of_snapshot_ns_positions_hash"),
        ),
    )
    op.execute(
        "create trigger cot_revisions_append_only before update or delete on cot_revisions "
        "for each row execute function kestrel_append_only()"
    )
    op.create_table(
        "source_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("finished_ns", sa.BigInteger(), server_default="0", nullable=False),
        *(
            sa.Column(f"{name}_rows", sa.BigInteger(), server_default="0", nullable=False)
            for name in ("read", "new", "unchanged", "revised", "refused")
        ),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("state in ('running', 'done', 'failed')", name=op.f("ck_source_runs_state")),
        sa.CheckConstraint(
            "state <> 'done' or read_rows = new_rows + unchanged_rows + revised_rows + refused_rows",
            name=op.f("ck_source_runs_sum"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_runs")),
    )
    op.create_index("ix_source_runs_source_started_ns", "source_runs", ["source", sa.text("started_ns desc")])


def _reports(table: str, positions: tuple[str, ...]) -> None:
    op.create_table(
        table,
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("open_interest", sa.BigInteger(), nullable=False),
        sa.Column("nonreportable_long", sa.BigInteger(), nullable=False),
        sa.Column("nonreportable_short", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("snapshot_ns", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("scheduled_release_ns", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_ns", sa.BigInteger(), nullable=False),
        sa.Column("updated_ns", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in positions),
        sa.PrimaryKeyConstraint("code", "as_of", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_as_of"), table, ["as_of"])
