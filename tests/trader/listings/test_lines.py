"""``kestrel listings parse`` as a filter: one object a line, whatever comes in."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trader.listings import lines, titles


def parse(data: bytes) -> list[dict[str, Any]]:
    out = io.BytesIO()
    assert lines.run(io.BytesIO(data), out) == 0
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_one_object_a_line_in_order() -> None:
    first, second = parse(
        "가온(GAON)(KRW 마켓), 나래(NRE)(BTC 마켓) 신규 거래지원 안내\n업비트 안내\n".encode()
    )
    assert first == {
        "kind": "new_listing",
        "symbols": ["GAON", "NRE"],
        "markets": ["KRW", "BTC"],
        "markets_by_symbol": {"GAON": ["KRW"], "NRE": ["BTC"]},
        "amended": False,
    }
    assert second == {
        "kind": "other",
        "symbols": [],
        "markets": [],
        "markets_by_symbol": {},
        "amended": False,
    }


def test_blank_lines_are_skipped_and_the_last_line_needs_no_end() -> None:
    assert len(parse("\n  \n업비트 안내\r\n\n\t\n안내".encode())) == 2
    assert parse(b"") == []


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    title = "가온(GAON) 신규 거래지원 안내 (KRW 마켓)".encode()
    (answer,) = parse(b"\xff\xfe " + title + b"\n")
    assert answer["kind"] in {"new_listing", "other"}
    assert len(parse(b"\xff\x00\xc3\n" + "안내".encode("euc-kr") + b"\n")) == 2


def test_a_line_that_is_too_long_is_one_line() -> None:
    assert [answer["kind"] for answer in parse(b"(" * (3 << 20) + b"\n" + b"x\n")] == ["other", "other"]


def test_other_line_separators_of_unicode_stay_inside_a_title() -> None:
    assert len(parse("가온(GAON)\u2028신규 거래지원\x0b안내 (KRW 마켓)\n".encode())) == 1


def test_text_streams_work_too() -> None:
    out = io.StringIO()
    lines.run(io.StringIO("가온(GAON) 신규 거래지원 안내 (KRW 마켓)\n\ud800\n"), out)
    assert [json.loads(line)["kind"] for line in out.getvalue().splitlines()] == ["new_listing", "other"]


@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=40), max_size=6))
def test_as_many_objects_as_lines_that_are_not_blank(titles_in: list[str]) -> None:
    data = "\n".join(titles_in).encode("utf-8", "surrogatepass")
    expected = [line for line in data.decode("utf-8", "replace").split("\n") if line.strip()]
    answers = parse(data)
    assert len(answers) == len(expected)
    for line, answer in zip(expected, answers, strict=True):
        assert answer["symbols"] == list(titles.parse(line.rstrip("\r")).symbols)
