"""A schedule survives the death of each of its processes. The long form is the same story over half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.schedule_story import Story


@pytest.mark.timeout(480)
async def test_a_schedule_misses_nothing_while_each_process_is_killed_once(home: Path) -> None:
    kills = {0: "worker", 2: "server", 4: "database"}
    told = await Story(home, beat_s=15, beats=6, kills=kills).live()
    assert told["killed"] == ["worker", "server", "database"]
    assert told["completed"] == 6


@pytest.mark.soak
@pytest.mark.timeout(2_700)
async def test_the_same_over_half_an_hour_of_a_one_minute_schedule(home: Path) -> None:
    kills = {5: "worker", 13: "server", 21: "database"}
    told = await Story(home, beat_s=60, beats=30, kills=kills).live()
    assert told["completed"] == 30
