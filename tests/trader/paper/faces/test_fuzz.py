"""The short form of ``python -m tests.verify.fuzz``: damaged requests and frames against a started exchange."""

from __future__ import annotations

import pytest

from tests.verify.fuzz import run


def test_damaged_requests_and_frames() -> None:
    report = run(4_000, seed=1)
    assert report.requests >= 3_000
    assert report.compared > 300
    assert len(report.accepted) >= 110  # the seeds are good: of each face most calls are also accepted


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_damaged_requests_and_frames_for_long() -> None:
    run(100_000, seed=2)
