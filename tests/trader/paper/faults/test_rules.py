"""Matching, counting and chance of faults, and what is refused."""

from __future__ import annotations

import msgspec
import pytest

from shared.errors import UsageError
from trader.paper.faults import rules
from trader.paper.faults.kinds import NAMES
from trader.paper.faults.rules import FaultBoard, NewFault, Rule

PLACE = "/api/v2/mix/order/place-order"


def add(board: FaultBoard, do: str, match: dict[str, object] | None = None, **args: object) -> Rule:
    return board.add(msgspec.convert({"do": do, "match": match or {}, "args": args}, NewFault, strict=False))


def hits(rule: Rule, count: int) -> list[int]:
    """Which of so many matches were hit, counted from 1."""
    return [number for number in range(1, count + 1) if rule.strikes()]


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        (PLACE, PLACE, True),
        (PLACE, PLACE + "s", False),
        ("/api/v2/mix/order/*", PLACE, True),
        ("/api/v2/spot/*", PLACE, False),
        ("*", PLACE, True),
        ("*", "/v2/ws/public", True),
        ("*", "/control/faults", False),
        ("/control/*", "/control/state", False),
    ],
)
def test_paths_are_exact_or_a_beginning_and_never_the_control_api(
    pattern: str, name: str, fits: bool
) -> None:
    assert add(FaultBoard(), "reset", {"path": pattern}).fits(name, 1) is fits


def test_an_account_of_its_own() -> None:
    rule = add(FaultBoard(), "reset", {"path": "*", "account": 2})
    assert [rule.fits(PLACE, number) for number in (1, 2, None)] == [False, True, False]


def test_only_the_nth_or_some_or_so_many() -> None:
    board = FaultBoard()
    assert hits(add(board, "reset", {"nth": 3}), 5) == [3]
    assert hits(add(board, "reset", {"nth": [1, 4]}), 5) == [1, 4]
    assert hits(add(board, "reset", times=2), 5) == [1, 2]
    assert hits(add(board, "reset", {"nth": [1, 2, 5]}, times=2), 5) == [1, 2]


def test_chance_is_seeded() -> None:
    board = FaultBoard()
    first, second = (hits(add(board, "reset", {"probability": 0.5}, seed=7), 200) for _ in range(2))
    assert first == second
    assert 60 < len(first) < 140
    assert hits(add(board, "reset", {"probability": 0.5}, seed=8), 200) != first
    assert hits(add(board, "reset", {"probability": 0}), 200) == []


def test_jitter_is_seeded_and_within_its_bounds() -> None:
    board = FaultBoard()
    one, two = (add(board, "delay", before_ms=100, jitter_ms=50, seed=3) for _ in range(2))
    drawn = [one.seconds(100, 50) for _ in range(50)]
    assert drawn == [two.seconds(100, 50) for _ in range(50)]
    assert 0.1 <= min(drawn) < max(drawn) <= 0.15
    assert one.seconds(0, 50) == 0


def test_lists_are_empty_when_nothing_stands() -> None:
    board = FaultBoard()
    made = [
        add(board, "reset"),
        add(board, "close_idle"),
        add(board, "skewed_clock", ms=-5),
        add(board, "skewed_clock", ms=15),
        add(board, "drop_push"),
    ]
    assert (len(board.paths), len(board.idle), len(board.channels), board.skew_ms) == (1, 1, 1, 10)
    assert [row["id"] for row in board.rows()] == [str(rule.id) for rule in made]
    assert board.clear() == 5
    assert (board.paths, board.idle, board.channels, board.skew_ms) == ([], [], [], 0)
    assert all(rule.removed for rule in made)


def test_a_handshake_knows_some_kinds_only() -> None:
    board = FaultBoard()
    for do in ("malformed_json", "reset"):
        add(board, do)
    assert [rule.do for rule in board.fitting("/v2/ws/public", None)] == ["reset"]
    assert [rule.do for rule in board.fitting(PLACE, None)] == ["malformed_json", "reset"]


def test_every_kind_can_be_made_and_told() -> None:
    board = FaultBoard()
    for do in NAMES:
        args: dict[str, object] = {"ms": 1} if do == "skewed_clock" else {}
        row = add(board, do, None, **args).row()
        assert (row["do"], row["seen"], row["hits"]) == (do, 0, 0)


@pytest.mark.parametrize(
    ("do", "match", "args", "word"),
    [
        ("explode", {}, {}, "explode"),
        ("reset", {"path": "/a", "channel": "orders"}, {}, "both"),
        ("reset", {"path": "api"}, {}, "path"),
        ("drop_push", {"path": "/a"}, {}, "acts on a channel"),
        ("answer_lost", {"channel": "orders"}, {}, "acts on a path"),
        ("delay", {}, {"before_ms": -1}, "before_ms"),
        ("delay", {}, {"before_ms": 10**9}, "before_ms"),
        ("delay", {}, {"fast": 1}, "fast"),
        ("drop_request", {}, {"then": "explode"}, "then"),
        ("skewed_clock", {}, {}, "ms"),
        ("skewed_clock", {"path": "*"}, {"ms": 1}, "match"),
        ("status", {}, {"status": 99}, "status"),
        ("slow_slices", {}, {"bytes": 0}, "bytes"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(
    do: str, match: dict[str, object], args: dict[str, object], word: str
) -> None:
    board = FaultBoard()
    with pytest.raises(UsageError, match=word) as error:
        add(board, do, match, **args)
    assert "\n" not in str(error.value)
    assert board.rows() == []


def test_faults_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_FAULTS", 2)
    board = FaultBoard()
    for _ in range(2):
        add(board, "reset")
    with pytest.raises(UsageError, match="DELETE"):
        add(board, "reset")
