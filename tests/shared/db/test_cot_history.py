"""What the pages are told of the Commitments of Traders, checked against rows written by hand."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from shared.db import cot_history
from shared.db.cot_history import Mark
from shared.db.facts import CotLegacy, CotTff, SourceRun
from shared.db.source_runs import Detail, Part, Refusal
from shared.domain.cot import Report, columns

STAMPS = {
    "market": "BITCOIN",
    "source": "F.csv",
    "snapshot_ns": 1,
    "revision": 2,
    "scheduled_release_ns": 3,
    "first_seen_ns": 4,
    "updated_ns": 5,
}


def tff(code: str, as_of: date, first: int = 0) -> CotTff:
    values = {name: first + place for place, name in enumerate(columns(Report.TFF))}
    return CotTff(code=code, as_of=as_of, **values, **STAMPS)


def run(started_ns: int, state: str = "done", source: str = "cot", **detail: object) -> SourceRun:
    return SourceRun(source=source, state=state, started_ns=started_ns, detail={"trigger": "flow", **detail})


def test_rows_come_by_date_and_code_with_their_columns_in_order(session: Session) -> None:
    older, newer = date(2026, 9, 15), date(2026, 9, 22)
    session.add_all([tff("2", newer, 100), tff("1", newer), tff("1", older), tff("9", newer)])
    session.flush()
    found = cot_history.entries(session, Report.TFF, ["1", "2"])
    assert [(one.positions.as_of, one.positions.code) for one in found] == [
        (older, "1"),
        (newer, "1"),
        (newer, "2"),
    ]
    assert found[2].positions.values == tuple(range(100, 100 + len(columns(Report.TFF))))
    assert found[2].positions.value("other_spread") == 112
    last = found[0]
    assert (last.revision, last.scheduled_release_ns, last.first_seen_ns, last.updated_ns) == (2, 3, 4, 5)
    assert (last.positions.market, last.source) == ("BITCOIN", "F.csv")


def test_the_reports_are_kept_apart(session: Session) -> None:
    values = {name: place for place, name in enumerate(columns(Report.LEGACY))}
    session.add(CotLegacy(code="1", as_of=date(2026, 9, 22), **values, **STAMPS))
    session.flush()
    assert cot_history.entries(session, Report.TFF, ["1"]) == []
    (found,) = cot_history.entries(session, Report.LEGACY, ["1"])
    assert found.positions.values == tuple(range(len(columns(Report.LEGACY))))


def test_it_is_told_whether_there_is_any_row(session: Session) -> None:
    assert cot_history.is_empty(session)
    session.add(tff("1", date(2026, 9, 22)))
    session.flush()
    assert not cot_history.is_empty(session)


def test_the_newest_run_and_the_newest_one_that_was_done(session: Session) -> None:
    session.add_all([run(1), run(2, "failed", error="away"), run(3, source="other")])
    session.flush()
    newest, done = cot_history.last_run(session), cot_history.last_run(session, state="done")
    assert newest is not None
    assert done is not None
    assert (newest.started_ns, newest.detail.error) == (2, "away")
    assert done.started_ns == 1
    assert cot_history.last_run(session, state="running") is None


def test_the_detail_of_a_run_is_read_and_what_is_not_known_left_out(session: Session) -> None:
    session.add(
        run(
            1,
            sources=[{"name": "F.csv", "report": "tff", "read": 3, "new": 2, "refused": 1, "later": "?"}],
            refusals=[{"where": "F.csv line 2", "reason": "no number", "text": "x"}],
            unknown=1,
        )
    )
    session.flush()
    found = cot_history.last_run(session)
    assert found is not None
    assert found.detail == Detail(
        trigger="flow",
        sources=(Part(name="F.csv", report="tff", read=3, new=2, refused=1),),
        refusals=(Refusal("F.csv line 2", "no number"),),
    )


def test_the_mark_changes_with_every_reading(session: Session) -> None:
    assert cot_history.mark(session) == Mark(0, 0, 0, 0)
    one = run(1, "running", sources=[])
    session.add(one)
    session.flush()
    seen = [cot_history.mark(session)]
    one.detail = {**one.detail, "sources": [{"name": "F.csv"}]}
    session.flush()
    seen.append(cot_history.mark(session))
    one.state, one.finished_ns = "done", 9
    session.flush()
    seen.append(cot_history.mark(session))
    session.add(run(2))
    session.flush()
    seen.append(cot_history.mark(session))
    assert len(set(seen)) == 4
