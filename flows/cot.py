"""Commitments of Traders, weekly: ask the CFTC, check, store, tell.

``cot`` reads the last weeks of both reports (the whole history when nothing is stored yet, or with ``full``)
from the CFTC's query service, and from its yearly files when that does not answer. It may run as often as
it likes and be ended at any point: what is stored stays, and nothing is stored twice.
"""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

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
from shared.errors import SourceError
from shared.rules import cot as rules
from shared.rules import cot_calendar
from shared.settings import CotSettings, load

FLOW_LIMIT_S = 1_200
"""A run that takes longer has lost its way; the next one starts afresh."""
ASK_TIMES = 4
STORE_TIMES = 4
CHARTED = ("bitcoin", "ether")
CHARTED_WEEKS = 5 * 52


@flow(name="cot", timeout_seconds=FLOW_LIMIT_S, persist_result=False)
async def cot(*, only_if_due: bool = False, full: bool = False) -> State[Any]:
    """Bring in the newest Commitments of Traders.

    Args:
        only_if_due: Do nothing when the newest report that should be out is stored already.
        full: Read the whole history again instead of the last weeks: finds late corrections and fills gaps.
    """
    settings = load()
    with embedded.lease(settings) as url:
        stored = await newest(url)
        due = cot_calendar.latest_due(clock.now_ns())
        if only_if_due and all(
            have and rules.report_week(have) >= rules.report_week(due) for have in stored.values()
        ):
            return Completed(message=f"Nothing to do: the reports of {due} are stored")
        run_id = await begin(url)
        outcomes = await asyncio.gather(
            *(
                bring_in(url, run_id, report, since(settings.cot, None if full else have), settings.cot)
                for report, have in stored.items()
            ),
            return_exceptions=True,
        )
        failures = [one for one in outcomes if isinstance(one, BaseException)]
        run = await end(url, run_id, "; ".join(str(one) for one in failures))
        await tell(url, run)
        for failure in failures:
            raise failure
        return Completed(message=await verdict(url, run))


def since(settings: CotSettings, newest_stored: date | None) -> date:
    """From which as-of date to read: some weeks before the newest one, because the CFTC corrects itself."""
    if newest_stored is None:
        return settings.history_from
    return max(settings.history_from, newest_stored - timedelta(weeks=settings.overlap_weeks))


async def bring_in(url: str, run_id: int, report: Report, first: date, settings: CotSettings) -> list[Part]:
    """One report from where it can be had; raises what the last source said when none serves it."""
    repeat = retrying.delays(settings.retry_s, ASK_TIMES)
    ask = ask_service.with_options(retries=len(repeat), retry_delay_seconds=repeat)
    fetch = fetch_archive.with_options(retries=len(repeat), retry_delay_seconds=repeat)
    keep = store.with_options(retry_delay_seconds=retrying.delays(settings.retry_s, STORE_TIMES))
    try:
        return [await keep(url, run_id, await ask(report, first, settings))]
    except SourceError as error:
        away = error
    get_run_logger().warning("%s: the query service fails (%s): reading the yearly files", report, away)
    parts: list[Part] = []
    failures: list[SourceError] = []
    for archive in cftc_files.archives(report, first.year, cot_calendar.latest_due(clock.now_ns()).year):
        try:
            note = f"instead of the query service: {away}"
            parts += [await keep(url, run_id, reading, note) for reading in await fetch(archive, settings)]
        except SourceError as error:
            failures.append(error)  # the other years are worth having
    if failures:
        raise SourceError(f"{report}: {away}; and of the yearly files: {failures[0]}") from failures[0]
    return parts


@task(task_run_name="newest", **retrying.OPTIONS, retries=3, retry_delay_seconds=2)
async def newest(url: str) -> dict[Report, date | None]:
    """The newest as-of date stored of each report."""

    def look() -> dict[Report, date | None]:
        with transaction(url) as connection:
            return {report: cot_store.newest(connection, report, sorted(CODES)) for report in Report}

    return await asyncio.to_thread(look)


@task(
    task_run_name="begin",
    **retrying.OPTIONS,
    retries=3,
    retry_delay_seconds=2,
    retry_condition_fn=retrying.can_heal,
)
async def begin(url: str) -> int:
    """Open a run in ``source_runs``; its id."""

    def work() -> int:
        with transaction(url) as connection:
            return source_runs.start(connection, cot_store.SOURCE, "flow")

    return await asyncio.to_thread(work)


@task(
    task_run_name="ask {report}",
    **retrying.OPTIONS,
    timeout_seconds=300,
    retry_condition_fn=retrying.can_heal,
)
async def ask_service(report: Report, first: date, settings: CotSettings) -> Reading:
    """The weeks from ``first`` on of all our markets, from the query service."""
    async with http.client(settings.timeout_s) as client, retrying.obeying():
        return await socrata.fetch(
            client,
            settings.socrata_url,
            report,
            sorted(CODES),
            first,
            token=settings.app_token,
            now_ns=clock.now_ns(),
        )


@task(
    task_run_name="fetch {archive}",
    **retrying.OPTIONS,
    timeout_seconds=600,
    retry_condition_fn=retrying.can_heal,
)
async def fetch_archive(archive: cftc_files.Archive, settings: CotSettings) -> list[Reading]:
    """One yearly file with all its markets."""
    async with http.client(settings.timeout_s) as client, retrying.obeying():
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
        part.name,
        part.read,
        part.new,
        part.revised,
        part.refused,
    )
    for one in reading.refused[: source_runs.MAX_REFUSALS]:
        logger.warning("refused: %s: %s", one.where, one.reason)
    return part


@task(
    task_run_name="end",
    **retrying.OPTIONS,
    retries=3,
    retry_delay_seconds=2,
    retry_condition_fn=retrying.can_heal,
)
async def end(url: str, run_id: int, error: str) -> Run:
    """Close the run; ``error`` says why when it failed."""

    def work() -> Run:
        with transaction(url) as connection:
            return source_runs.finish(connection, run_id, error)

    return await asyncio.to_thread(work)


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


@task(task_run_name="verdict", **retrying.OPTIONS, retries=2, retry_delay_seconds=2)
async def verdict(url: str, run: Run) -> str:
    """One line for a person: what is the newest report, what came in, and whether it is late."""
    have = await newest.fn(url)
    counts = run.counts
    came = f"{counts.read} read, {counts.new} new, {counts.revised} revised, {counts.refused} refused"
    now_ns = clock.now_ns()
    late = [
        f"the {report} report is late: nothing newer than {day}"
        for report, day in have.items()
        if day is None or cot_calendar.is_stale(day, now_ns)
    ]
    if late:
        get_run_logger().warning("%s, and no outage is known", "; ".join(late))
    reports = ", ".join(f"{report} {day}" for report, day in have.items())
    return "; ".join([f"newest: {reports}", came, *late])
