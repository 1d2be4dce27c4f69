from __future__ import annotations

import importlib
import inspect
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from prefect import Flow, __version__
from prefect.server.schemas.schedules import CronSchedule
from pydantic import ValidationError

from shared.settings import ROOT
from tests.flows import deployments

#: Both clock changes of New York: 2026-11-01 back to winter time, 2027-03-14 on to summer time.
#: UTC, written by hand from the rule "Friday 15:35, 16:05, 18:00, else daily 15:35, New York".
CHANGE_WEEKS = """
2026-10-30 19:35 release
2026-10-30 20:05 half-hour-later
2026-10-30 22:00 evening
2026-10-31 19:35 until-it-shows
2026-11-01 20:35 until-it-shows
2026-11-02 20:35 until-it-shows
2026-11-03 20:35 until-it-shows
2026-11-04 20:35 until-it-shows
2026-11-05 20:35 until-it-shows
2026-11-06 20:35 release
2026-11-06 21:05 half-hour-later
2026-11-06 23:00 evening
2027-03-12 20:35 release
2027-03-12 21:05 half-hour-later
2027-03-12 23:00 evening
2027-03-13 20:35 until-it-shows
2027-03-14 19:35 until-it-shows
2027-03-15 19:35 until-it-shows
2027-03-16 19:35 until-it-shows
2027-03-17 19:35 until-it-shows
2027-03-18 19:35 until-it-shows
2027-03-19 19:35 release
2027-03-19 20:05 half-hour-later
2027-03-19 22:00 evening
"""


def deployment(name: str) -> deployments.Deployment:
    return next(one for one in deployments.read().deployments if one.name == name)


async def run_times(name: str, begin: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """When the server will start a deployment, and by which of its schedules: computed by Prefect's own code."""
    found: list[tuple[datetime, str]] = []
    for one in deployment(name).schedules:
        schedule = CronSchedule(cron=one.cron, timezone=one.timezone)
        dates = await schedule.get_dates(n=1000, start=begin, end=end)
        found += [(date.astimezone(UTC), one.slug) for date in dates]
    return sorted(found)


async def test_a_year_of_runs_is_right_over_both_clock_changes() -> None:
    begin, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 10, 1, tzinfo=UTC) - timedelta(seconds=1)
    times = await run_times("weekly", begin, end)
    expected = [line.rsplit(" ", 1) for line in CHANGE_WEEKS.strip().splitlines()]
    weeks = {when[:10] for when, _ in expected}
    found = [[f"{at:%Y-%m-%d %H:%M}", slug] for at, slug in times if f"{at:%Y-%m-%d}" in weeks]
    assert found == expected
    assert len(times) == 365 + 2 * 52, "one a day, and two more on each of the 52 Fridays"
    assert len(set(times)) == len(times)
    gaps = {later - earlier for (earlier, _), (later, _) in itertools.pairwise(times)}
    assert max(gaps) == timedelta(hours=25)


async def test_the_whole_history_is_read_once_a_month() -> None:
    times = await run_times("full", datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC))
    assert [(at.day, at.hour) for at, _ in times] == [(1, 4)] * 12


def test_the_file_has_no_key_that_prefect_would_ignore() -> None:
    text = (ROOT / "prefect.yaml").read_text()
    deployments.read(text)
    for wrong in (
        text.replace("timezone: UTC", "time_zone: UTC"),
        text.replace("    entrypoint:", "    concurency_limit: 1\n    entrypoint:"),
        text.replace("name: kestrel\nprefect-version", "nam: kestrel\nprefect-version"),
    ):
        assert wrong != text
        with pytest.raises(ValidationError):
            deployments.read(wrong)


def test_each_deployment_names_an_async_flow_and_parameters_that_it_takes() -> None:
    file = deployments.read()
    assert file.prefect_version == __version__
    for one in file.deployments:
        module, _, name = one.entrypoint.rpartition(".")
        flow = getattr(importlib.import_module(module), name)
        assert isinstance(flow, Flow)
        assert inspect.iscoroutinefunction(flow.fn), "a sync flow ends a second late"
        for schedule in one.schedules:
            flow.validate_parameters({**one.parameters, **schedule.parameters})
            assert set(schedule.parameters) <= set(one.parameters)


def test_every_schedule_has_a_name_and_a_zone() -> None:
    for one in deployments.read().deployments:
        slugs = [schedule.slug for schedule in one.schedules]
        assert len(set(slugs)) == len(slugs)
        assert all(schedule.timezone in ("America/New_York", "UTC") for schedule in one.schedules)
