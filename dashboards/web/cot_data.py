"""What the COT page reads from Postgres: one report of all markets at a time, and what came in last."""

from __future__ import annotations

import msgspec
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from dashboards.web.cot_study import Study, study
from shared.db import cot_history
from shared.db.cot_history import Mark
from shared.db.source_runs import Run
from shared.domain.cot import MARKETS, Report


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One report as it stands, already lined up: the rows themselves are not kept."""

    mark: Mark
    empty: bool
    """No row of any market in either report."""
    studies: dict[str, Study]
    """By the key of the market."""
    run: Run | None
    """The newest reading of the source, whatever became of it."""
    done: Run | None
    """The newest one that came to its end."""


def read(source: Engine, report: Report, known: Picture | None = None) -> Picture:
    """The report as it stands now; ``known`` itself when nothing changed since.

    Raises ``sqlalchemy.exc.SQLAlchemyError`` when Postgres is away.
    """
    with Session(source) as session:
        mark = cot_history.mark(session)
        if known is not None and known.mark == mark:
            return known
        codes = [member.code for market in MARKETS for member in market.members]
        entries = cot_history.entries(session, report, codes)
        by_code: dict[str, list[cot_history.Entry]] = {}
        for entry in entries:
            by_code.setdefault(entry.positions.code, []).append(entry)
        return Picture(
            mark=mark,
            empty=cot_history.is_empty(session),
            studies={
                market.key: study(
                    market,
                    report,
                    [entry for member in market.members for entry in by_code.get(member.code, [])],
                )
                for market in MARKETS
            },
            run=cot_history.last_run(session),
            done=cot_history.last_run(session, state="done"),
        )
