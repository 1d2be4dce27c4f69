"""The tables of slow facts: what the flows fetch and everybody else reads.

Nobody's money is in them. Each fact keeps three times apart: the date it is *about*, the moment its
publisher was due to release it, and when this installation first saw it. A decision may only ever be
joined on the second or third, never on the first.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Identity, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db.tables import Base


class CotRow:
    """One market's positions of one as-of date, in contracts (:mod:`shared.domain.cot`)."""

    code: Mapped[str] = mapped_column(primary_key=True)
    """CFTC contract market code; names change under a code, codes do not."""
    as_of: Mapped[date] = mapped_column(primary_key=True)
    market: Mapped[str] = mapped_column()
    """The name as last printed."""
    open_interest: Mapped[int] = mapped_column()
    nonreportable_long: Mapped[int] = mapped_column()
    nonreportable_short: Mapped[int] = mapped_column()
    source: Mapped[str] = mapped_column()
    """The file or dataset that this version came from."""
    snapshot_ns: Mapped[int] = mapped_column()
    """The state of the source that this version stood in, UTC: an older one never replaces it."""
    revision: Mapped[int] = mapped_column(Integer)
    """0 = as first stored; the earlier versions are in ``cot_revisions``."""
    scheduled_release_ns: Mapped[int] = mapped_column()
    first_seen_ns: Mapped[int] = mapped_column()
    """Our clock, when any version of this row came first."""
    updated_ns: Mapped[int] = mapped_column()
    """Our clock, when this version came."""


class CotLegacy(CotRow, Base):
    """The legacy report, futures only."""

    __tablename__ = "cot_legacy"
    __table_args__ = (Index(None, "as_of"),)
    noncommercial_long: Mapped[int] = mapped_column()
    noncommercial_short: Mapped[int] = mapped_column()
    noncommercial_spread: Mapped[int] = mapped_column()
    commercial_long: Mapped[int] = mapped_column()
    commercial_short: Mapped[int] = mapped_column()


class CotTff(CotRow, Base):
    """Traders in financial futures, futures only."""

    __tablename__ = "cot_tff"
    __table_args__ = (Index(None, "as_of"),)
    dealer_long: Mapped[int] = mapped_column()
    dealer_short: Mapped[int] = mapped_column()
    dealer_spread: Mapped[int] = mapped_column()
    asset_manager_long: Mapped[int] = mapped_column()
    asset_manager_short: Mapped[int] = mapped_column()
    asset_manager_spread: Mapped[int] = mapped_column()
    leveraged_long: Mapped[int] = mapped_column()
    leveraged_short: Mapped[int] = mapped_column()
    leveraged_spread: Mapped[int] = mapped_column()
    other_long: Mapped[int] = mapped_column()
    other_short: Mapped[int] = mapped_column()
    other_spread: Mapped[int] = mapped_column()


class CotRevision(Base):
    """A version of a COT row that is not, or no longer, the current one; append only."""

    __tablename__ = "cot_revisions"
    __table_args__ = (
        UniqueConstraint("report", "code", "as_of", "snapshot_ns", "positions_hash"),
        CheckConstraint("report in ('legacy', 'tff')", name="report"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    report: Mapped[str] = mapped_column()
    code: Mapped[str] = mapped_column()
    as_of: Mapped[date] = mapped_column()
    market: Mapped[str] = mapped_column()
    positions: Mapped[dict[str, Any]] = mapped_column()
    """Contracts by column name."""
    positions_hash: Mapped[str] = mapped_column()
    """md5 of ``positions``: one reading of one snapshot is kept once."""
    source: Mapped[str] = mapped_column()
    snapshot_ns: Mapped[int] = mapped_column()
    seen_ns: Mapped[int] = mapped_column()
    """Our clock, when this version came."""
    superseded_ns: Mapped[int] = mapped_column()
    """Our clock, when it was replaced; equal to ``seen_ns`` for one that came after its successor."""


class SourceRun(Base):
    """What one reading of one source brought in: ``read = new + unchanged + revised + refused``."""

    __tablename__ = "source_runs"
    __table_args__ = (
        CheckConstraint("state in ('running', 'done', 'failed')", name="state"),
        CheckConstraint(
            "state <> 'done' or read_rows = new_rows + unchanged_rows + revised_rows + refused_rows",
            name="sum",
        ),
        Index("ix_source_runs_source_started_ns", "source", text("started_ns desc")),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    source: Mapped[str] = mapped_column()
    """``cot``, and later flows by their names."""
    state: Mapped[str] = mapped_column()
    started_ns: Mapped[int] = mapped_column()
    finished_ns: Mapped[int] = mapped_column(server_default="0")
    read_rows: Mapped[int] = mapped_column(server_default="0")
    new_rows: Mapped[int] = mapped_column(server_default="0")
    unchanged_rows: Mapped[int] = mapped_column(server_default="0")
    revised_rows: Mapped[int] = mapped_column(server_default="0")
    refused_rows: Mapped[int] = mapped_column(server_default="0")
    detail: Mapped[dict[str, Any]] = mapped_column()
    """``sources`` (what was read, each with its counts), ``refusals`` (where and why, bounded), ``error``."""
