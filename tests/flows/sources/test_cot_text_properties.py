"""What must hold of any file: the layout changes nothing, a cut or damaged file never tells a lie."""

from __future__ import annotations

import itertools
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.sources import cot_text, headings
from shared import clock
from shared.domain.cot import Positions, Report, columns, identity_error
from shared.errors import KestrelError, SourceDataError
from tests.flows import cot_files
from tests.flows.cot_files import cells, derived, gzipped, table, text, weeks, zipped

NOW = clock.from_datetime(clock.utc(0).replace(year=2026, month=11, day=21))
MONTHS = (
    "{0.year}-{0.month:02}-{0.day:02}",
    "{0.month}/{0.day}/{0.year}",
    "{0.year}-{0.month:02}-{0.day:02}T00:00:00.000",
)


def rows_of(content: bytes, name: str = "f.txt") -> list[Positions] | None:
    """All rows, ``None`` when the file is refused; the counts always add up."""
    try:
        readings = cot_text.read_bytes(content, name, now_ns=NOW)
    except KestrelError as error:
        assert "\n" not in str(error)  # noqa: PT017 - refusing is one of two good outcomes
        return None
    for reading in readings:
        assert reading.read == len(reading.rows) + len(reading.refused) + reading.repeated
        assert all(identity_error(row) is None for row in reading.rows)
        assert all(len(one.text) <= 120 and one.reason for one in reading.refused)
    return [row for reading in readings for row in reading.rows]


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[Positions]]:
    """A file of any layout with its rows: columns in any order, some left away, spelled any way."""
    report = draw(st.sampled_from(list(Report)))
    rows = draw(
        st.lists(cot_files.rows(report), min_size=1, max_size=5, unique_by=lambda one: (one.code, one.as_of))
    )
    whole = cot_files.HEADINGS[report]
    layout = headings.layout(whole, "f")
    assert layout is not None
    needed = {place: columns(report)[index] for index, place in enumerate(layout.positions)}
    dates = draw(st.sampled_from([{1}, {2}, {1, 2}]))
    keep = set(needed) | dates | {0, 3} | draw(st.sets(st.integers(4, len(whole) - 1)))
    order = draw(st.permutations(sorted(keep)))

    def name(place: int) -> str:
        spelled = whole[place]
        if place in needed and draw(st.booleans()):
            spelled = draw(st.sampled_from(headings.spellings(needed[place])))
        words = headings.normal(spelled).replace("pct", "%").split()
        joined = "".join(
            itertools.chain(*((word, draw(st.sampled_from([" ", "_", "-", "__", "  "]))) for word in words))
        )
        spelled = draw(st.sampled_from([spelled, joined.rstrip(" _-"), f" {joined}"]))
        return draw(st.sampled_from([spelled, spelled.upper(), spelled.lower(), spelled.title()]))

    def cell(one: Positions, place: int) -> str:
        if place in needed:
            value = one.value(needed[place])
            return draw(st.sampled_from([f"{value:>8}", str(value), f"{value:,}", f"{value}.0"]))
        if place == 2:
            return draw(st.sampled_from(MONTHS)).format(one.as_of)
        return cells(one)[place]

    lines = [[cell(one, place) for place in order] for one in rows]
    return table([name(place) for place in order], lines, draw(st.sampled_from(["\n", "\r\n"]))), rows


@given(files())
def test_neither_the_order_nor_the_spelling_of_columns_changes_a_row(
    file: tuple[bytes, list[Positions]],
) -> None:
    content, rows = file
    assert rows_of(content) == rows


@given(files(), st.data())
def test_a_file_cut_anywhere_never_gives_a_row_it_did_not_have(
    file: tuple[bytes, list[Positions]], data: st.DataObject
) -> None:
    content, rows = file
    cuts = data.draw(st.lists(st.integers(0, len(content)), min_size=1, max_size=20))
    for cut in {*cuts, *range(len(content) - 12, len(content))}:
        got = rows_of(content[:cut]) or []
        assert got == rows[: len(got)]


FIXED = {
    "legacy": (text(weeks(Report.LEGACY, ["133741", "098662"], date(2026, 9, 22), 1)), "annual.txt"),
    "tff": (text(weeks(Report.TFF, ["133741", "13874+"], date(2026, 9, 22), 1), end="\r\n"), "FinFutYY.txt"),
    "no headings": (
        text(weeks(Report.TFF, ["133741", "13874+"], date(2026, 9, 22), 2), headings=False),
        "w.txt",
    ),
    "derived": (derived(weeks(Report.LEGACY, ["133741"], date(2026, 9, 22), 8)), "cot_133741.csv"),
}


@pytest.mark.parametrize("kind", FIXED)
def test_every_single_cut(kind: str) -> None:
    content, name = FIXED[kind]
    rows = rows_of(content, name)
    assert rows
    for cut in range(len(content)):
        got = rows_of(content[:cut], name) or []
        assert got == rows[: len(got)], cut
        assert len(rows) - len(got) <= content[cut:].count(b"\n"), f"cut at {cut}: a whole line was lost"


@pytest.mark.parametrize("pack", [gzipped, lambda content: zipped({"annual.txt": content})])
def test_a_cut_archive_gives_nothing(pack: object) -> None:
    assert callable(pack)
    whole = pack(FIXED["legacy"][0])
    for cut in range(4, len(whole)):
        with pytest.raises(SourceDataError):
            cot_text.read_bytes(whole[:cut], "f", now_ns=NOW)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, str]:
    """A good file after a few accidents: bytes changed, lost, inserted, doubled or swapped."""
    content, name = FIXED[draw(st.sampled_from(sorted(FIXED)))]
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        size = draw(st.sampled_from([1, 2, 7, 100]))
        piece = content[place : place + size]
        kind = draw(st.sampled_from(["change", "lose", "insert", "double", "move"]))
        if kind == "change":
            piece = draw(st.binary(min_size=1, max_size=3))
        elif kind == "lose":
            piece = b""
        elif kind == "insert":
            piece += draw(st.sampled_from([b'"', b",", b"\n", b"\r", b"\x00", b"0", b"-", b"\xff", b" "]))
        elif kind == "double":
            piece += piece
        rest = content[place + size :]
        content = content[:place] + piece + rest if kind != "move" else rest + content[:place] + piece
    return content, name


@settings(max_examples=400)
@given(damaged())
def test_a_damaged_file_raises_nothing_but_our_errors_and_gives_only_rows_that_add_up(
    file: tuple[bytes, str],
) -> None:
    rows_of(*file)


@settings(max_examples=300)
@given(
    st.binary(max_size=3_000) | st.text(alphabet='0123456789,."\n -/+ABCo_', max_size=2_000).map(str.encode)
)
def test_anything_at_all_may_be_in_a_file(content: bytes) -> None:
    rows_of(content)
    rows_of(cot_files.text([cot_files.BITCOIN]) + content)
