"""How old the report is, what is due, and what the last reading brought: the warnings of the COT page. Pure."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from dashboards.web import figures
from dashboards.web.cot_study import Study
from dashboards.web.cot_words import REPORT_NAMES
from dashboards.web.figures import age, clock_time
from dashboards.web.reader import Away, CotReading
from dashboards.web.views import Banner, Pill
from shared import clock
from shared.db.source_runs import LONGEST_S, Run
from shared.rules import cot, cot_calendar
from shared.rules.cot_calendar import NEW_YORK

UNFINISHED_NS = LONGEST_S * clock.SECOND
"""A reading that began longer ago than this and has not ended was killed."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When the shown week came and when the next one comes. Dates are as-of dates, stamps UTC ns; 0 = no row yet."""

    as_of: date | None
    released_ns: int
    """When it was due from the CFTC; the latest of the contracts that are summed."""
    seen_ns: int
    """When this installation had all of it."""
    revised: int
    revised_ns: int
    next_as_of: date
    next_ns: int
    due: date | None
    """The as-of date that is out by now and not here; ``None`` when nothing is owed."""


def timing(found: Study, now_ns: int) -> Timing:
    next_as_of, next_ns = cot_calendar.next_release(now_ns)
    latest = cot_calendar.latest_due(now_ns)
    newest = found.newest
    owed = newest is None or cot.report_week(newest) < cot.report_week(latest)
    revised = [entry for entry in found.entries if entry.revision > 0]
    return Timing(
        as_of=newest,
        released_ns=max((entry.scheduled_release_ns for entry in found.entries), default=0),
        seen_ns=max((entry.first_seen_ns for entry in found.entries), default=0),
        revised=max((entry.revision for entry in revised), default=0),
        revised_ns=max((entry.updated_ns for entry in revised), default=0),
        next_as_of=next_as_of,
        next_ns=next_ns,
        due=latest if owed else None,
    )


def days_old(as_of: date, now_ns: int) -> int:
    """Whole days since the as-of date, by the calendar of New York."""
    return (_today(now_ns) - as_of).days


def pills(found: Study | None, away: Away | None, now_ns: int) -> tuple[Pill, ...]:
    when = timing(found, now_ns) if found is not None else None
    if when is None or when.as_of is None:
        report = Pill("cot", "COT", "no rows", "idle")
    else:
        tone = (
            "bad"
            if cot_calendar.is_stale(when.as_of, now_ns)
            else "warning"
            if when.due is not None
            else "good"
        )
        report = Pill("cot", "COT", f"as of {figures.day(when.as_of, week_day=False)}", tone)
    database = (
        Pill("database", "Database", "away", "bad") if away else Pill("database", "Database", "ok", "good")
    )
    return report, database


def banners(reading: CotReading, found: Study | None, flows_url: str, now_ns: int) -> tuple[Banner, ...]:
    """What a person must know before believing the numbers below, the worst first."""
    shown = []
    if reading.away is not None:
        away = reading.away
        since = f"since {clock_time(away.since_ns, now_ns)} ({age(now_ns - away.since_ns)})"
        shown.append(
            Banner(
                "away",
                "error",
                away.message,
                f"{since}. What is below is the last picture; it comes back by itself.",
            )
        )
    if found is not None and found.newest is not None:
        shown += _age_banners(found, found.newest, flows_url, now_ns)
    run = reading.picture.run if reading.picture is not None else None
    if run is not None and run.state == "failed":
        text = f"{clock_time(run.finished_ns, now_ns)}: {run.detail.error or 'no reason was written down'}"
        shown.append(Banner("failed", "warning", "The last reading of the report failed", text))
    return tuple(shown)


def _age_banners(found: Study, newest: date, flows_url: str, now_ns: int) -> list[Banner]:
    what = f"{found.market.name}, {REPORT_NAMES[found.report]}"
    old = (
        f"The newest week here is {figures.day(newest)}, {figures.count(days_old(newest, now_ns), 'day')} old"
    )
    if cot_calendar.is_stale(newest, now_ns):
        text = (
            f"{old}: it says nothing about today. Run the flow `cot` in the Prefect UI ({flows_url}), "
            "or read files: `kestrel cot import FILE…`"
        )
        return [Banner("stale", "warning", f"{what}: stale.", text)]
    outage = cot_calendar.outage(_today(now_ns))
    if outage is None:
        return []
    text = f"{old}. The CFTC itself publishes late: {outage.reason}. The tile below says what comes next."
    return [Banner("outage", "info", "Reports are held back.", text)]


def _today(now_ns: int) -> date:
    return datetime.fromtimestamp(now_ns // clock.SECOND, NEW_YORK).date()


def unfinished(run: Run, now_ns: int) -> bool:
    """Whether a reading that calls itself running can no longer be."""
    return run.state == "running" and now_ns - run.started_ns > UNFINISHED_NS


def when_in_words(ns: int) -> str:
    """``Fri 25 Sep 2026, 15:30 New York · 19:30 UTC``; with the UTC day where it is another one."""
    there, utc = datetime.fromtimestamp(ns // clock.SECOND, NEW_YORK), clock.utc(ns)
    day = "" if there.date() == utc.date() else f"{figures.day(utc.date())}, "
    return f"{figures.day(there.date())}, {there:%H:%M} New York · {day}{utc:%H:%M} UTC"
