"""Storing Commitments of Traders: which version counts, what is kept, and what is counted."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import clock
from shared.db import cot_store, source_runs
from shared.db.engine import transaction
from shared.db.source_runs import COUNTS, Counts, Part, Refusal
from shared.domain.cot import Positions, Report
from shared.errors import DatabaseError

#: BITCOIN - CHICAGO MERCANTILE EXCHANGE, legacy, as published for 2018-04-10 and 2018-04-17.
APRIL_10 = (1702, 1077, 1315, 26, 0, 0, 599, 361)
APRIL_17 = (2029, 1305, 1645, 42, 0, 0, 682, 342)
DAY = 86_400 * clock.SECOND


def row(values: tuple[int, ...], as_of: date = date(2018, 4, 10), code: str = "133741") -> Positions:
    return Positions(report=Report.LEGACY, code=code, as_of=as_of, market="BITCOIN - CME", values=values)


def begin(url: str) -> int:
    with transaction(url) as connection:
        return source_runs.start(connection, cot_store.SOURCE, "test")


def store(
    url: str, rows: list[Positions], snapshot_ns: int, name: str = "file", run_id: int | None = None
) -> Part:
    return cot_store.store(
        url,
        begin(url) if run_id is None else run_id,
        name,
        Report.LEGACY,
        rows,
        snapshot_ns=snapshot_ns,
    )


def counts(part: Part) -> Counts:
    return Counts(**{name: getattr(part, name) for name in COUNTS})


def query(url: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


def test_a_row_keeps_its_three_times(postgres_url: str) -> None:
    with clock.use(now=lambda: 1_800_000_000 * clock.SECOND):
        store(postgres_url, [row(APRIL_10)], snapshot_ns=5)
    found = query(
        postgres_url,
        "select as_of, scheduled_release_ns, first_seen_ns, updated_ns, revision from cot_legacy",
    )
    friday = 1_523_647_800  # 2018-04-13 15:30 in New York, summer time
    now = 1_800_000_000 * clock.SECOND
    assert found == [(date(2018, 4, 10), friday * clock.SECOND, now, now, 0)]


def test_what_came_in_adds_up(postgres_url: str) -> None:
    run_id = begin(postgres_url)
    first = cot_store.store(
        postgres_url,
        run_id,
        "a",
        Report.LEGACY,
        [row(APRIL_10), row(APRIL_17, date(2018, 4, 17))],
        repeated=1,
        refused=[Refusal("a line 7", "open interest 1 is not the long side 2")],
        snapshot_ns=1,
    )
    assert counts(first) == Counts(read=4, new=2, unchanged=1, refused=1)
    second = store(postgres_url, [row(APRIL_17), row(APRIL_17, date(2018, 4, 17))], 2, "b", run_id)
    assert counts(second) == Counts(read=2, unchanged=1, revised=1)
    with transaction(postgres_url) as connection:
        run = source_runs.finish(connection, run_id)
    assert run.counts == Counts(read=6, new=2, unchanged=2, revised=1, refused=1)
    assert [part.name for part in run.detail.sources] == ["a", "b"]
    assert run.detail.refusals == (Refusal("a line 7", "open interest 1 is not the long side 2"),)


def test_a_revision_replaces_the_row_and_keeps_what_it_said(postgres_url: str) -> None:
    with clock.use(now=lambda: 100):
        store(postgres_url, [row(APRIL_10)], snapshot_ns=1)
    with clock.use(now=lambda: 200):
        store(postgres_url, [row(APRIL_17)], snapshot_ns=2, name="corrected")
    current = "select open_interest, revision, first_seen_ns, updated_ns, source from cot_legacy"
    assert query(postgres_url, current) == [(2029, 1, 100, 200, "corrected")]
    earlier = "select positions, snapshot_ns, seen_ns, superseded_ns, source from cot_revisions"
    assert query(postgres_url, earlier) == [
        (
            {
                "open_interest": 1702,
                "noncommercial_long": 1077,
                "noncommercial_short": 1315,
                "noncommercial_spread": 26,
                "commercial_long": 0,
                "commercial_short": 0,
                "nonreportable_long": 599,
                "nonreportable_short": 361,
            },
            *(1, 100, 200, "file"),
        )
    ]


def test_an_older_snapshot_never_replaces_a_newer_row_but_is_kept(postgres_url: str) -> None:
    store(postgres_url, [row(APRIL_17)], snapshot_ns=5)
    assert counts(store(postgres_url, [row(APRIL_10)], 4, "older")) == Counts(read=1, unchanged=1)
    assert query(postgres_url, "select open_interest, revision, snapshot_ns from cot_legacy") == [
        (2029, 0, 5)
    ]
    assert query(postgres_url, "select source, snapshot_ns from cot_revisions") == [("older", 4)]
    notes = "select detail->'sources'->0->>'note' from source_runs order by id desc limit 1"
    assert query(postgres_url, notes) == [("1 older versions kept aside",)]
    store(postgres_url, [row(APRIL_10)], 3, "older still")
    assert query(postgres_url, "select count(*) from cot_revisions") == [(1,)], "the same thing is kept once"


def test_a_stamp_from_the_future_does_not_bar_corrections(postgres_url: str) -> None:
    """The clock of this machine was wrong once."""
    with clock.use(now=lambda: 2_000_000_000 * clock.SECOND):
        store(postgres_url, [row(APRIL_10)], snapshot_ns=2_000_000_000 * clock.SECOND)
    with clock.use(now=lambda: 1_800_000_000 * clock.SECOND):
        part = store(postgres_url, [row(APRIL_17)], snapshot_ns=1_800_000_000 * clock.SECOND)
    assert counts(part) == Counts(read=1, revised=1)


def test_one_contract_is_missing_when_it_had_the_report_before(postgres_url: str) -> None:
    def missing(due: date) -> bool:
        with transaction(postgres_url) as connection:
            return cot_store.missing(connection, Report.LEGACY, ["133741", "133742", "146021"], due)

    assert missing(date(2018, 4, 17)), "nothing is there"
    store(postgres_url, [row(APRIL_10), row(APRIL_10, code="133742")], snapshot_ns=1)
    assert not missing(date(2018, 4, 10))
    store(postgres_url, [row(APRIL_17, date(2018, 4, 17))], snapshot_ns=2)
    assert missing(date(2018, 4, 17)), "the micro contract has not come"
    store(postgres_url, [row(APRIL_17, date(2018, 4, 16), "133742")], snapshot_ns=2)
    assert not missing(date(2018, 4, 17)), "a Monday can stand for it"
    assert not missing(date(2018, 4, 16))


def test_a_run_of_the_whole_history_is_remembered_when_it_was_done(postgres_url: str) -> None:
    with transaction(postgres_url) as connection:
        failed = source_runs.start(connection, "cot", "flow", whole=True)
        source_runs.finish(connection, failed, "away")
        source_runs.finish(connection, source_runs.start(connection, "cot", "import"))
        assert not source_runs.had_whole(connection, "cot")
        source_runs.finish(connection, source_runs.start(connection, "cot", "flow", whole=True))
        assert source_runs.had_whole(connection, "cot")
        assert not source_runs.had_whole(connection, "other")


def test_a_run_that_was_closed_as_dead_and_ends_well_after_all_has_no_error(postgres_url: str) -> None:
    with transaction(postgres_url) as connection:
        run_id = source_runs.start(connection, "cot", "flow")
        source_runs.finish(connection, run_id, "it was ended before it was done")
        run = source_runs.finish(connection, run_id)
    assert (run.state, run.detail.error) == ("done", "")


def test_a_newer_equal_snapshot_protects_a_row_from_what_lay_between(postgres_url: str) -> None:
    store(postgres_url, [row(APRIL_17)], snapshot_ns=1)
    store(postgres_url, [row(APRIL_17)], snapshot_ns=9)
    store(postgres_url, [row(APRIL_10)], snapshot_ns=5)
    assert query(postgres_url, "select open_interest, snapshot_ns from cot_legacy") == [(2029, 9)]


def test_two_equally_old_states_that_disagree_change_nothing(postgres_url: str) -> None:
    store(postgres_url, [row(APRIL_10)], snapshot_ns=3)
    part = store(postgres_url, [row(APRIL_17)], 3, "other")
    assert counts(part) == Counts(read=1, refused=1)
    ((refusal,),) = query(
        postgres_url, "select detail->'refusals'->0 from source_runs order by id desc limit 1"
    )
    assert refusal["where"] == "other 133741 2018-04-10"
    assert "neither is newer" in refusal["reason"]
    assert query(postgres_url, "select source from cot_revisions") == [("other",)], "nothing is lost"
    assert query(postgres_url, "select open_interest from cot_legacy") == [(1702,)]


def test_a_repeated_step_counts_nothing_twice(postgres_url: str) -> None:
    """The answer to a commit can be lost: the step is then taken again."""
    run_id = begin(postgres_url)
    first = store(postgres_url, [row(APRIL_10)], 1, "a", run_id)
    again = store(postgres_url, [row(APRIL_10)], 1, "a", run_id)
    assert counts(again) == counts(first) == Counts(read=1, new=1)
    with transaction(postgres_url) as connection:
        assert source_runs.finish(connection, run_id).counts == Counts(read=1, new=1)


def test_a_second_import_changes_nothing(postgres_url: str) -> None:
    rows = [row(APRIL_10), row(APRIL_17, date(2018, 4, 17))]
    store(postgres_url, rows, snapshot_ns=1)
    before = query(postgres_url, "select *, ctid, xmin from cot_legacy order by as_of")
    assert counts(store(postgres_url, rows, snapshot_ns=1)) == Counts(read=2, unchanged=2)
    assert query(postgres_url, "select *, ctid, xmin from cot_legacy order by as_of") == before
    assert query(postgres_url, "select count(*) from cot_revisions") == [(0,)]


def test_revisions_are_append_only(postgres_url: str) -> None:
    store(postgres_url, [row(APRIL_10)], snapshot_ns=1)
    store(postgres_url, [row(APRIL_17)], snapshot_ns=2)
    with psycopg.connect(postgres_url) as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute("delete from cot_revisions")


readings = st.lists(
    st.tuples(st.integers(1, 5), st.lists(st.sampled_from([APRIL_10, APRIL_17]), min_size=1, max_size=2)),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one[0],
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(readings=readings, data=st.data())
def test_the_order_of_imports_does_not_matter(
    postgres_url: str, readings: list[tuple[int, list[tuple[int, ...]]]], data: st.DataObject
) -> None:
    """Snapshots in any order: each row ends as the newest snapshot that has it says."""
    days = [date(2018, 4, 10), date(2018, 4, 17)]
    expected = {}
    for _snapshot, values in sorted(readings):
        expected.update(dict(zip(days, values, strict=False)))
    with psycopg.connect(postgres_url) as connection:
        connection.execute("truncate cot_legacy, cot_revisions")
    for snapshot, values in data.draw(st.permutations(readings)):
        rows = [row(one, day) for day, one in zip(days, values, strict=False)]
        store(postgres_url, rows, snapshot, f"snapshot {snapshot}")
    found = query(postgres_url, "select as_of, open_interest from cot_legacy")
    assert dict(found) == {day: values[0] for day, values in expected.items()}
    known = query(
        postgres_url,
        "select as_of, open_interest from cot_legacy union all"
        " select as_of, (positions->>'open_interest')::bigint from cot_revisions",
    )
    for _, values in readings:
        assert {(day, one[0]) for day, one in zip(days, values, strict=False)} <= set(known), (
            "nothing is lost"
        )


def test_runs_that_were_killed_are_closed_by_the_next_one(postgres_url: str) -> None:
    with clock.use(now=lambda: 10 * DAY):
        killed = begin(postgres_url)
    with clock.use(now=lambda: 10 * DAY + source_runs.LONGEST_S * clock.SECOND - 1):
        begin(postgres_url)
    states = "select state, detail->>'error' from source_runs order by id"
    assert query(postgres_url, states) == [("running", None)] * 2
    with clock.use(now=lambda: 10 * DAY + source_runs.LONGEST_S * clock.SECOND + 1):
        begin(postgres_url)
    assert query(postgres_url, f"select state from source_runs where id = {killed}") == [("failed",)]


def test_refusals_are_bounded_but_all_counted(postgres_url: str) -> None:
    run_id = begin(postgres_url)
    refused = [Refusal(f"line {number}", "damaged") for number in range(source_runs.MAX_REFUSALS + 20)]
    part = cot_store.store(postgres_url, run_id, "a", Report.LEGACY, [], refused=refused, snapshot_ns=1)
    assert part.refused == len(refused)
    with transaction(postgres_url) as connection:
        run = source_runs.finish(connection, run_id)
    assert len(run.detail.refusals) == source_runs.MAX_REFUSALS
    assert run.refused_rows == len(refused)


def test_a_database_that_is_away_is_one_clear_line() -> None:
    with pytest.raises(DatabaseError, match="does not answer"):
        store("postgresql://nobody:x@127.0.0.1:1/none", [row(APRIL_10)], 1, run_id=1)
