from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from dashboards.web import cot_status
from dashboards.web.cot_data import Picture
from dashboards.web.cot_study import Study, study
from dashboards.web.reader import Away, CotReading
from shared import clock
from shared.db.cot_history import Mark
from shared.db.source_runs import Detail, Run
from shared.domain.cot import Report
from tests.dashboards.cot_rows import BITCOIN, MICRO, NEWEST, NOW, SEEN, entry, market, row, studied

URL = "http://127.0.0.1:4200"


def at(text: str) -> int:
    return clock.from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def run(**changes: Any) -> Run:
    made = Run(
        id=1,
        source="cot",
        state="done",
        started_ns=NOW,
        finished_ns=NOW,
        read_rows=0,
        new_rows=0,
        unchanged_rows=0,
        revised_rows=0,
        refused_rows=0,
        detail=Detail(),
    )
    return msgspec.structs.replace(made, **changes)


def reading(newest: Run | None = None, away: Away | None = None) -> CotReading:
    picture = Picture(mark=Mark(0, 0, 0, 0), empty=False, studies={}, run=newest, done=None)
    return CotReading(picture=picture, away=away)


def names(found: Study | None, now_ns: int = NOW, read: CotReading | None = None) -> list[str]:
    return [banner.name for banner in cot_status.banners(read or reading(), found, URL, now_ns)]


def test_a_report_in_time_needs_no_banner() -> None:
    assert names(studied("bitcoin", [1])) == []
    pill = cot_status.pills(studied("bitcoin", [1]), None, NOW)[0]
    assert (pill.value, pill.tone) == ("as of 10 Nov 2026", "good")


def test_a_report_that_is_too_old_is_said_with_what_to_do() -> None:
    old = studied("bitcoin", [1], last=date(2026, 9, 22))
    (banner,) = cot_status.banners(reading(), old, URL, NOW)
    assert banner.name == "stale"
    assert banner.title == "Bitcoin, TFF: stale."
    assert "Tue 22 Sep 2026, 59 days old" in banner.text
    assert URL in banner.text
    assert "`kestrel cot import FILE…`" in banner.text
    assert cot_status.pills(old, None, NOW)[0].tone == "bad"


def test_a_known_outage_is_not_called_stale() -> None:
    held = studied("bitcoin", [1], last=date(2025, 9, 23))
    (banner,) = cot_status.banners(reading(), held, URL, at("2025-11-05T12:00"))
    assert banner.name == "outage"
    assert "shutdown of the federal government" in banner.text
    assert names(held, at("2025-12-24T12:00")) == ["stale"]  # others came meanwhile


def test_a_report_that_just_came_out_is_due_before_it_is_stale() -> None:
    found = studied("bitcoin", [1])
    after = at("2026-11-20T20:31")  # 15:31 in New York
    assert cot_status.timing(found, NOW).due is None
    assert cot_status.timing(found, after).due == date(2026, 11, 17)
    assert names(found, after) == []
    assert cot_status.pills(found, None, after)[0].tone == "warning"


def test_the_next_release_knows_the_holidays() -> None:
    when = cot_status.timing(studied("bitcoin", [1]), at("2026-11-21T12:00"))
    assert when.next_as_of == date(2026, 11, 24)
    assert cot_status.when_in_words(when.next_ns) == "Mon 30 Nov 2026, 15:30 New York · 20:30 UTC"


def test_a_week_is_here_when_its_last_contract_is() -> None:
    entries = [
        entry(row(BITCOIN, NEWEST), first_seen_ns=SEEN),
        entry(row(MICRO, NEWEST), first_seen_ns=SEEN + 5, revision=2, updated_ns=SEEN + 9),
    ]
    when = cot_status.timing(study(market("bitcoin"), Report.TFF, entries), NOW)
    assert (when.as_of, when.seen_ns, when.revised, when.revised_ns) == (NEWEST, SEEN + 5, 2, SEEN + 9)
    assert when.released_ns == at("2026-11-16T20:30")  # Veterans Day moved it to Monday


def test_a_market_without_rows_has_no_times() -> None:
    when = cot_status.timing(studied("solana", []), NOW)
    assert (when.as_of, when.released_ns, when.seen_ns) == (None, 0, 0)
    assert when.due == NEWEST
    assert cot_status.pills(None, None, NOW)[0].value == "no rows"
    assert names(None) == []


def test_postgres_away_is_the_first_thing_said() -> None:
    away = Away(NOW - 5 * clock.SECOND, "Postgres is away")
    old = studied("bitcoin", [1], last=date(2026, 9, 22))
    assert names(old, read=reading(away=away)) == ["away", "stale"]
    assert cot_status.pills(old, away, NOW)[1].value == "away"


def test_a_reading_that_failed_is_said_with_its_reason() -> None:
    failed = reading(run(state="failed", detail=Detail(error="the CFTC answers 503")))
    (banner,) = cot_status.banners(failed, studied("bitcoin", [1]), URL, NOW)
    assert banner.name == "failed"
    assert "the CFTC answers 503" in banner.text


def test_a_reading_that_was_killed_does_not_run_for_ever() -> None:
    assert not cot_status.unfinished(run(state="running"), NOW + clock.SECOND)
    assert cot_status.unfinished(run(state="running"), NOW + cot_status.UNFINISHED_NS + 1)
    assert not cot_status.unfinished(run(), NOW + cot_status.UNFINISHED_NS + 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-09-25T19:30", "Fri 25 Sep 2026, 15:30 New York · 19:30 UTC"),
        ("2026-09-26T02:00", "Fri 25 Sep 2026, 22:00 New York · Sat 26 Sep 2026, 02:00 UTC"),
    ],
)
def test_a_moment_is_said_in_both_places(text: str, shown: str) -> None:
    assert cot_status.when_in_words(at(text)) == shown
