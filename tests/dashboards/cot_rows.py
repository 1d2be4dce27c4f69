"""COT rows for the tests of the page: whole reports from a net position, and a story of them in Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from dashboards.web.cot_study import Study, study
from shared import clock
from shared.db.cot_history import TABLES, Entry
from shared.db.facts import SourceRun
from shared.domain.cot import MARKETS, Market, Positions, Report, columns
from shared.rules import cot_calendar

BITCOIN, MICRO, ETHER, EURO, YEN = "133741", "133742", "146021", "099741", "097741"
NOW = 1_795_176_000 * clock.SECOND  # Fri 2026-11-20 12:00 UTC
NEWEST = date(2026, 11, 10)  # the newest as-of date that is out then
SEEN = NOW - 3_600 * clock.SECOND


def market(key: str) -> Market:
    return next(one for one in MARKETS if one.key == key)


def contracts(report: Report, net: int, interest: int = 1_000) -> dict[str, int]:
    """Positions that add up: one group ``net`` long, another the other way, 10 of the first spread.

    Open interest is ``interest + abs(net) + 10``.
    """
    first, second = (
        ("asset_manager", "leveraged") if report is Report.TFF else ("noncommercial", "commercial")
    )
    longs = interest // 2 + max(net, 0)
    shorts = longs - net
    values = dict.fromkeys(columns(report), 0)
    return values | {
        "open_interest": longs + shorts + 10,
        f"{first}_long": longs,
        f"{first}_short": shorts,
        f"{first}_spread": 10,
        f"{second}_long": shorts,
        f"{second}_short": longs,
    }


def row(
    code: str, as_of: date, net: int = 100, interest: int = 1_000, report: Report = Report.TFF
) -> Positions:
    values = contracts(report, net, interest)
    return Positions(report=report, code=code, as_of=as_of, market="NAME", values=tuple(values.values()))


def entry(positions: Positions, **changes: Any) -> Entry:
    made = Entry(
        positions=positions,
        source="F.csv",
        revision=0,
        scheduled_release_ns=cot_calendar.scheduled_release(positions.as_of),
        first_seen_ns=SEEN,
        updated_ns=SEEN,
    )
    return msgspec.structs.replace(made, **changes)


def weeks(count: int, last: date = NEWEST) -> list[date]:
    """As-of dates of this many weeks, the last one ``last``."""
    return cot_calendar.as_of_dates(last - timedelta(weeks=count - 1, days=1), last)[-count:]


def studied(key: str, nets: Sequence[int | None], report: Report = Report.TFF, last: date = NEWEST) -> Study:
    """The study of a market whose first contract had these net positions, ``None`` for a missing week."""
    code = market(key).members[0].code
    dates = weeks(len(nets), last)
    entries = [
        entry(row(code, day, net, report=report))
        for day, net in zip(dates, nets, strict=True)
        if net is not None
    ]
    return study(market(key), report, entries)


class CotWorld:
    """Writes reports into a migrated database."""

    def __init__(self, url: str, now_ns: int | None = None) -> None:
        self.now_ns = clock.now_ns() if now_ns is None else now_ns
        self.newest = cot_calendar.latest_due(self.now_ns)
        self.engine: Engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))

    def close(self) -> None:
        self.engine.dispose()

    def rows(self, rows: Iterable[Positions], **changes: Any) -> None:
        """Store rows, and the run that brought them."""
        found = list(rows)
        with Session(self.engine) as session, session.begin():
            for one in found:
                stored: dict[str, Any] = {
                    "source": "F.csv",
                    "snapshot_ns": 1,
                    "revision": 0,
                    "scheduled_release_ns": cot_calendar.scheduled_release(one.as_of),
                    "first_seen_ns": self.now_ns,
                    "updated_ns": self.now_ns,
                    **dict(zip(columns(one.report), one.values, strict=True)),
                    **changes,
                }
                session.add(TABLES[one.report](code=one.code, as_of=one.as_of, market=one.market, **stored))
            session.add(run(self.now_ns, new=len(found)))

    def run(self, **changes: Any) -> None:
        with Session(self.engine) as session, session.begin():
            session.add(run(self.now_ns, **changes))

    def fill(self) -> None:
        """Three and a half years of Bitcoin with a gap, its micro, a young Ether, two currencies, an old legacy report."""
        dates = weeks(180, self.newest)
        bitcoin = [row(BITCOIN, day, wave(place)) for place, day in enumerate(dates) if not 8 <= place < 12]
        micro = [row(MICRO, day, -wave(place), 900) for place, day in enumerate(dates) if place >= 60]
        ether = [row(ETHER, day, wave(place + 5)) for place, day in enumerate(dates) if place >= 150]
        forex = [
            row(code, day, wave(place * 3 + shift) // 2)
            for place, day in enumerate(dates[-70:])
            for code, shift in ((EURO, 0), (YEN, 11))
        ]
        old = [
            row(BITCOIN, day, wave(place), report=Report.LEGACY) for place, day in enumerate(dates[60:170])
        ]
        self.rows([*bitcoin, *micro, *ether, *forex, *old])


def wave(place: int) -> int:
    """Some net position that neither repeats nor stands still."""
    return (place * place * 7 + place * 31) % 613 - 290


def run(at_ns: int, **changes: Any) -> SourceRun:
    counts = {name: changes.pop(name, 0) for name in ("new", "unchanged", "revised", "refused")}
    detail = {"trigger": "import", "sources": [], "refusals": [], **changes.pop("detail", {})}
    stored: dict[str, Any] = {
        "source": "cot",
        "state": "done",
        "started_ns": at_ns,
        "finished_ns": at_ns + clock.SECOND,
        "read_rows": sum(counts.values()),
        **{f"{name}_rows": count for name, count in counts.items()},
        "detail": detail,
        **changes,
    }
    return SourceRun(**stored)
