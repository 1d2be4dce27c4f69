"""The drills of `tests.verify`, in short form: the same stories with smaller numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.trader.world import ROOT, World
from tests.verify import partition, postgres_away, restart_trader


@pytest.mark.soak
def test_a_restart_loses_and_doubles_nothing(world: World) -> None:
    told = restart_trader.story(world, 4, 10)
    assert told["by_hand"] == 6


@pytest.mark.soak
def test_entries_go_on_while_postgres_is_away_and_all_is_stored_once(world: World) -> None:
    told = postgres_away.story(world, 1.0, notices=1, ways=(False,))
    assert "refused" in told


@pytest.mark.soak
def test_of_two_traders_parted_by_a_lost_postgres_never_both_enter(world: World) -> None:
    told = partition.story(world, 3.0, silent=False)
    assert told["doubled"] == 0
    assert told["notices"] >= 4


@pytest.mark.soak
def test_on_a_full_disk_entries_stop_and_protection_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.verify.disk_full"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[0])["free_bytes_when_full"] == 0
