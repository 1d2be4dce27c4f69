"""Commitments of Traders, weekly: ask the CFTC, check, store, tell.

``cot`` reads the last weeks of both reports (the whole history when nothing is stored yet, or with ``full``)
from the CFTC's query service, and from its yearly files when that does not answer. It may run as often as
it likes and be ended at any point: what is stored stays, and nothing is stored twice.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import msgspec
from prefect import flow, get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import artifacts, charts, keeping, retrying
from flows.sources import cftc_files, http, socrata
from flows.sources.cot_reading import Reading
from shared import clock
from shared.db import cot_history, cot_store, embedded, source_runs
from shared.db.engine import engine, session, transaction
from shared.db.source_runs import Part, Run
from shared.domain.cot import CODES, GROUPS, MARKETS, Market, Report
from shared.errors import SourceAwayError, SourceDataError, SourceError, SourceRefusedError
from shared.rules import cot as rules
from shared.rules import cot_calendar
from shared.settings import CotSettings, load

FLOW_LIMIT_S = 1_800
"""A run that takes longer has lost its way; the next one starts afresh."""
ASK_S = 90.0
FETCH_S = 120.0
"""For one answer. With all repetitions and pauses of both kinds a run that hears nothing stays below its limit."""
ASK_TIMES = 4
STORE_TIMES = 4
LOGGED = 50
"""Refused rows that are log lines, of one reading; ``source_runs`` has more of them."""
CHARTED = ("bitcoin", "ether")
CHARTED_WEEKS = 5 * 52
BRIEF: dict[str, Any] = {
    **retrying.OPTIONS,
    "retries": 3,
    "retry_delay_seconds": 2,
    "retry_condition_fn": retrying.can_heal,
}


class Known(msgspec.Struct, frozen=True):
    """What is stored when a run begins."""

    newest: dict[Report, date | None]
    """As-of date, of any of our contracts."""
    missing: bool
    """A report that is due is not there for every contract."""
    whole: bool
    """The whole history was read before."""


@flow(name="cot", timeout_seconds=FLOW_LIMIT_S, persist_result=False)
async def cot(*, only_if_due: bool = False, full: bool = False) -> State[Any]:
    """Bring in the newest Commitments of Traders.

    Args:
        only_if_due: Do nothing when the newest report that should be out is stored already.
        full: Read the whole history again instead of the last weeks: finds late corrections and fills gaps.
    """
    settings = load()
    with embedded.lease(settings) as url:
        due = cot_calendar.latest_due(clock.now_ns())
        known = await look(url, due)
        if only_if_due and not known.missing:
            return Completed(message=f"Nothing to do: the reports of {due} are stored")
        whole = full or not known.whole
        run_id = await begin(url, whole=whole)
        try:
            outcomes = await asyncio.gather(
                *(
                    bring_in(url, run_id, report, since(settings.cot, None if whole else have), settings.cot)
                    for report, have in known.newest.items()
                ),
                return_exceptions=True,
            )
        except BaseException as error:  # out of time, or told to stop: what came in so far stays, and is told
            close(url, run_id, words(error))
            raise
        failures = [one for one in outcomes if isinstance(one, BaseException)]
        run = await end(url, run_id, "; ".join(map(words, failures)) or None)
        told = await tell(url, run, return_state=True)  # type: ignore[misc]  # typed as if it were no coroutine
        if not told.is_completed():
            get_run_logger().warning("what came in is stored, but not shown: %s", told.message)
        for failure in failures:
            raise failure
        return Completed(message=await verdict(url, run))


def since(settings: CotSettings, newest_stored: date | None) -> date:
    """From which as-of date to read: some weeks before the newest one, because the CFTC corrects itself."""
    if newest_stored is None:
        return settings.history_from
    return max(settings.history_from, newest_stored - timedelta(weeks=settings.overlap_weeks))


def words(error: BaseException) -> str:
    """What to say about a failure that may have no text."""
    return str(error) or type(error).__name__


async def bring_in(url: str, run_id: int, report: Report, first: date, settings: CotSettings) -> list[Part]:
    """One report from where it can be had; raises what the last source said when none serves it."""
    pauses = retrying.delays(settings.retry_s, ASK_TIMES)
    ask = ask_service.with_options(retries=len(pauses), retry_delay_seconds=pauses)
    keep = store.with_options(retry_delay_seconds=retrying.delays(settings.retry_s, STORE_TIMES))
    try:
        return [await keep(url, run_id, await ask(report, first, settings))]
    except SourceError as error:
        away = error
    get_run_logger().warning("%s: the query service fails (%s): reading the yearly files", report, away)
    fetch = fetch_archive.with_options(retries=len(pauses), retry_delay_seconds=pauses)
    note = f"instead of the query service: {away}"
    parts: list[Part] = []
    failed: SourceError | None = None
    for archive in archives(report, first):
        try:
            parts += [await keep(url, run_id, reading, note) for reading in await fetch(archive, settings)]
        except SourceRefusedError as error:
            if archive.first_year <= cot_calendar.latest_due(clock.now_ns()).year:
                failed = error  # else the new year has no file yet. The other years are worth having
        except SourceDataError as error:
            failed = error
        except SourceAwayError as error:
            failed = error
            break  # it was asked often enough
    if failed is not None:
        raise SourceError(f"{report}: {words(away)}; and of the yearly files: {words(failed)}") from failed
    return parts


def archives(report: Report, first: date) -> list[cftc_files.Archive]:
    """The yearly files from a date on. This year's counts before its first report is due: it may be early."""
    now_ns = clock.now_ns()
    last = max(cot_calendar.latest_due(now_ns).year, clock.utc(now_ns).year)
    return cftc_files.archives(report, min(first.year, last), last)


def close(url: str, run_id: int, error: str | None) -> Run:
    """End a run in ``source_runs``; ``error`` says why when it failed."""
    with transaction(url) as connection:
        return source_runs.finish(connection, run_id, error)


@task(task_run_name="look", **BRIEF)
async def look(url: str, due: date) -> Known:
    """What is there, before anybody is asked."""
    codes = sorted(CODES)

    def work() -> Known:
        with transaction(url) as connection:
            return Known(
                newest={report: cot_store.newest(connection, report, codes) for report in Report},
                missing=any(cot_store.missing(connection, report, codes, due) for report in Report),
                whole=source_runs.had_whole(connection, cot_store.SOURCE),
            )

    return await asyncio.to_thread(work)


@task(task_run_name="begin", **BRIEF)
async def begin(url: str, *, whole: bool) -> int:
    """Open a run in ``source_runs``; its id."""

    def work() -> int:
        with transaction(url) as connection:
            return source_runs.start(connection, cot_store.SOURCE, "flow", whole=whole)

    return await asyncio.to_thread(work)


@task(task_run_name="ask {report}", **retrying.OPTIONS, retry_condition_fn=retrying.can_heal)
async def ask_service(report: Report, first: date, settings: CotSettings) -> Reading:
    """The weeks from ``first`` on of all our markets, from the query service."""
    pauses = retrying.delays(settings.retry_s, ASK_TIMES)
    async with retrying.asking(ASK_S, pauses), http.client(settings.timeout_s) as client:
        return await socrata.fetch(
            client,
            settings.socrata_url,
            report,
            sorted(CODES),
            first,
            token=settings.app_token,
            now_ns=clock.now_ns(),
        )


@task(task_run_name="fetch {archive}", **retrying.OPTIONS, retry_condition_fn=retrying.can_heal)
async def fetch_archive(archive: cftc_files.Archive, settings: CotSettings) -> list[Reading]:
    """One yearly file with all its markets."""
    pauses = retrying.delays(settings.retry_s, ASK_TIMES)
    async with retrying.asking(FETCH_S, pauses), http.client(settings.timeout_s) as client:
        return await cftc_files.fetch(client, settings.files_url, archive, now_ns=clock.now_ns())


@task(
    task_run_name="store {reading.report}",
    **retrying.OPTIONS,
    retries=STORE_TIMES,
    retry_condition_fn=retrying.can_heal,
)
async def store(url: str, run_id: int, reading: Reading, note: str = "") -> Part:
    """Check and store one reading, in one transaction; repeating it changes nothing."""
    part = await asyncio.to_thread(keeping.keep, url, run_id, reading, note)
    logger = get_run_logger()
    logger.info(
        "%s: %d read, %d new, %d revised, %d refused",
        *(part.name, part.read, part.new, part.revised, part.refused),
    )
    for one in reading.refused[:LOGGED]:
        logger.warning("refused: %s: %s", one.where, one.reason)
    return part


@task(task_run_name="end", **BRIEF)
async def end(url: str, run_id: int, error: str | None) -> Run:
    """Close the run; ``error`` says why when it failed."""
    return await asyncio.to_thread(close, url, run_id, error)


@task(task_run_name="tell", **retrying.OPTIONS, retries=2, retry_delay_seconds=2)
async def tell(url: str, run: Run) -> None:
    """The artifacts of a run: what came in, and the charts."""
    await artifacts.came_in(run)
    for market in MARKETS:
        if market.key in CHARTED:
            png = await asyncio.to_thread(drawing, url, market)
            if png is not None:
                await artifacts.picture(
                    f"cot-{market.key}", png, f"{market.name}: who is long, who is short (CFTC)"
                )


def drawing(url: str, market: Market) -> bytes | None:
    """The chart of a market's TFF report; None when nothing is stored of it."""
    source = engine(url, pooled=False)
    with session(source) as opened:
        found = cot_history.entries(opened, Report.TFF, [member.code for member in market.members])
    if not found:
        return None
    weeks = rules.combine(market, [entry.positions for entry in found])
    return charts.positioning(market.name, weeks, GROUPS[Report.TFF], last=CHARTED_WEEKS)


@task(task_run_name="verdict", **BRIEF)
async def verdict(url: str, run: Run) -> str:
    """One line for a person: what is the newest report, what came in, and whether it is late."""
    now_ns = clock.now_ns()
    have = (await look.fn(url, cot_calendar.latest_due(now_ns))).newest
    counts = run.counts
    came = f"{counts.read} read, {counts.new} new, {counts.revised} revised, {counts.refused} refused"
    late = [
        f"the {report} report is late: nothing newer than {day}"
        for report, day in have.items()
        if day is None or cot_calendar.is_stale(day, now_ns)
    ]
    if late:
        get_run_logger().warning("%s, and no outage is known", "; ".join(late))
    reports = ", ".join(f"{report} {day}" for report, day in have.items())
    return "; ".join([f"newest: {reports}", came, *late])
