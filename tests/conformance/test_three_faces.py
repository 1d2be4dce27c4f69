"""The same story through all three faces ends with the same ledger (the long form: ``python -m tests.verify.three_faces``)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.venue import Control
from tests.trader.paper.process import Processes
from tests.verify.three_faces import START, Story, compare, ledgers_of


@pytest.fixture(scope="module")
def manual() -> Iterator[Control]:
    """The manual tape, standing still: the market of the stories is theirs alone."""
    made = Processes()
    yield Control(made.start("--speed", "0", "--start", START).ready)
    made.stop_all()


@pytest.mark.parametrize(
    "story",
    [
        Story(hedged=False, long=True, crossed=True, ends="liquidated"),
        Story(hedged=True, long=False, crossed=True, ends="liquidated"),
        Story(hedged=False, long=False, crossed=False, ends="stopped"),
        Story(hedged=True, long=True, crossed=False, ends="liquidated"),
        Story(hedged=False, long=True, crossed=False, ends="liquidated", taker_fee="0"),
    ],
    ids=str,
)
def test_every_line_is_the_same_on_every_face(manual: Control, story: Story) -> None:
    ledgers = ledgers_of(manual, story)
    assert set(ledgers) == {"classic", "unified", "binance"}
    assert compare(ledgers, story) == []
