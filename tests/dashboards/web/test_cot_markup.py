import re
from decimal import Decimal

import msgspec
import pytest

from dashboards.web import cot_markup, cot_run, cot_status, cot_study, cot_views
from shared import clock
from shared.db.source_runs import COUNTS, Detail, Part, Refusal
from shared.domain.cot import MARKETS
from tests.dashboards.cot_rows import NOW, market, studied
from tests.dashboards.web.test_cot_status import run
from tests.dashboards.web.test_markup import Tags
from tests.dashboards.world import HOSTILE


def values(shown: str, name: str) -> list[str]:
    return re.findall(rf'data-testid="{name}"[^>]*? data-value="([^"]*)"', shown)


def rows(**nets: list[int | None]) -> tuple[cot_views.Row, ...]:
    return cot_views.rows(
        {one.key: studied(one.key, nets.get(one.key, [])) for one in MARKETS}, "crypto", NOW
    )


def tiles(found: cot_study.Study) -> str:
    two = tuple(
        (group.value, cot_views.gauge(found, group))
        for group in cot_views.order(found.market, found.report)[:2]
    )
    interest = (found.interest[found.last] if found.last >= 0 else None, cot_study.interest_change(found))
    return cot_markup.tiles(cot_status.timing(found, NOW), two, interest, "BTC", NOW)


def test_the_table_of_a_section_carries_exact_values() -> None:
    shown = cot_markup.markets(rows(bitcoin=list(range(30)), ether=[-200, -100]))
    assert values(shown, "share")[0] == repr(100 * 29 / 1039)
    assert values(shown, "share")[2:] == ["", ""]
    assert values(shown, "index-26")[0] == "100.0"
    assert re.findall('data-as-of="([^"]*)"', shown) == ["2026-11-10", "2026-11-10", "", ""]
    assert Tags(shown).texts.count("no rows") == 2


def test_a_bar_goes_from_the_middle_to_its_side() -> None:
    shown = cot_markup.markets(rows(bitcoin=[400], ether=[-100]))
    full = 100 * 400 / 1410
    assert '<i class="c-up" style="left:50.0%;width:50.0%">' in shown
    width = 100 * 100 / 1110 / full * 50
    assert f'<i class="c-down" style="left:{50 - width:.1f}%;width:{width:.1f}%">' in shown


def test_a_crowded_side_is_said_not_only_coloured() -> None:
    assert 'title="crowded long"' in cot_markup.markets(rows(bitcoin=list(range(30))))
    assert 'title="crowded short"' in cot_markup.markets(rows(bitcoin=list(range(30, 0, -1))))


def test_tiles_say_when_and_how_much() -> None:
    shown = tiles(studied("bitcoin", [(place * 37) % 101 for place in range(60)]))
    assert values(shown, "as-of-now") == ["2026-11-10"]
    assert values(shown, "next-release") == [str(clock.SECOND * 1_795_206_600)]  # Fri 2026-11-20 20:30 UTC
    assert "in 8 hours 30 minutes" in shown
    assert "Fri 20 Nov 2026, 15:30 New York · 20:30 UTC" in shown
    assert len(values(shown, "index-52")) == 2
    assert values(shown, "index-156") == ["", ""]
    assert values(shown, "score-asset_manager") != [""]
    assert 'data-testid="revision"' not in shown
    assert 'data-testid="due"' not in shown


def test_a_revised_week_says_so() -> None:
    found = studied("bitcoin", [1])
    entries = (msgspec.structs.replace(found.entries[0], revision=2, updated_ns=NOW),)
    shown = tiles(msgspec.structs.replace(found, entries=entries))
    assert values(shown, "revision") == ["2"]
    assert "revised 2 times, 20 Nov 2026" in shown


def test_a_market_without_rows_has_dashes() -> None:
    shown = tiles(studied("solana", []))
    assert "No row of this market yet." in shown
    assert values(shown, "interest") == [""]
    assert values(shown, "due") == ["2026-11-10"]


def test_all_groups_are_listed_with_all_their_numbers() -> None:
    shown = cot_markup.groups(cot_views.gauges(studied("bitcoin", [10, 30])), "BTC")
    assert shown.count('data-testid="cot-group"') == 5
    assert values(shown, "long")[0] == "2650"
    assert values(shown, "net-change")[0] == "100"
    assert values(shown, "spread")[-1] == ""


def test_members_say_code_size_and_since_when() -> None:
    shown = cot_markup.members(studied("bitcoin", [1, 2]).members, "BTC")
    assert "code 133741, 5 BTC a contract, 2026-11-03 to 2026-11-10" in shown
    assert "code 133742, 0.1 BTC a contract, no rows" in shown


def test_no_gap_is_said_too() -> None:
    assert "No week is missing." in cot_markup.gaps([])
    assert "<li>2 weeks missing: x.</li>" in cot_markup.gaps(["2 weeks missing: x."])


def test_the_first_page_says_what_to_do() -> None:
    text = " ".join(Tags(cot_markup.welcome("http://127.0.0.1:4200")).texts)
    for word in ("kestrel cot import FILE…", "http://127.0.0.1:4200", "cot"):
        assert word in text


def test_a_run_is_shown_as_the_sum_that_it_is() -> None:
    shown = cot_run.summary(
        run(read_rows=1_008, new_rows=1_000, unchanged_rows=5, revised_rows=2, refused_rows=1), None, NOW
    )
    assert [values(shown, f"run-{name}") for name in COUNTS] == [
        ["1008"],
        ["1000"],
        ["5"],
        ["2"],
        ["1"],
    ]


def test_a_failed_run_names_the_one_before_it() -> None:
    failed = run(state="failed", detail=Detail(error="the CFTC answers 503"))
    shown = cot_run.summary(failed, run(read_rows=3, new_rows=3), NOW)
    assert "the CFTC answers 503" in shown
    assert "3 read = 3 new + 0 unchanged + 0 revised + 0 refused" in shown


@pytest.mark.parametrize(("state", "word"), [("running", "running"), ("done", "done")])
def test_the_state_of_a_run_is_a_word(state: str, word: str) -> None:
    assert word in Tags(cot_run.summary(run(state=state, finished_ns=0), None, NOW)).texts
    late = NOW + cot_status.UNFINISHED_NS + 1
    assert "ended unfinished" in cot_run.summary(run(state="running", finished_ns=0), None, late)


def test_refusals_are_listed_and_the_rest_counted() -> None:
    one = run(refused_rows=7, detail=Detail(refusals=(Refusal("F2017.csv line 12", "open interest is 3"),)))
    shown = cot_run.refusals(one)
    assert "F2017.csv line 12" in shown
    assert "and 6 more" in shown


def test_what_comes_from_outside_never_becomes_markup() -> None:
    hostile = HOSTILE + "\"'"
    one = run(
        detail=Detail(
            error=hostile,
            trigger=hostile,
            sources=(Part(name=hostile, report=hostile, note=hostile),),
            refusals=(Refusal(hostile, hostile),),
        )
    )
    member = cot_study.Member(hostile, hostile, Decimal(1), None, None)
    shown = cot_run.summary(one, one, NOW) + cot_run.parts(one) + cot_run.refusals(one)
    shown += (
        cot_markup.members((member,), hostile) + cot_markup.gaps([hostile]) + cot_markup.paragraph(hostile)
    )
    shown += cot_markup.meanings(cot_views.gauges(studied("bitcoin", [1])), market("bitcoin"))
    found = Tags(shown)
    assert "img" not in found.tags
    assert "script" not in found.tags
