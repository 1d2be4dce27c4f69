"""The trader is killed at every fault point, with every answer fault, dialect and rule of client ids.

What counts is the exchange's ledger: never two entries for one account, none lost that left, each position with its
take profit; and Postgres ends up saying the same. All figures: ``python -m tests.verify.crash_matrix``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.verify.crash_matrix import matrix


@pytest.mark.soak
@pytest.mark.parametrize(
    ("runs", "parts"),
    [pytest.param(150, 6, id="short"), pytest.param(5000, 1, id="long")],
)
def test_a_kill_at_any_point_loses_doubles_and_bares_nothing(
    postgres_server: str, home: Path, runs: int, parts: int
) -> None:
    home.mkdir(mode=0o711)
    found = matrix(postgres_server, home, runs, parts=parts)
    sys.stdout.write(found.table() + "\n")
    assert found.never == [], "fault points that nobody reached"
    assert found.wrong == []
    assert len(found.runs) >= runs
