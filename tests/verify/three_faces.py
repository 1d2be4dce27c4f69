"""Plays one story through all three faces and compares the ledgers line by line.

    python -m tests.verify.three_faces

Open at market, add by a resting order, protect, move the stop, close a part by a resting order and a part at
market, then fall through the stop or be liquidated by the mark price; in one-way and in hedge mode, long and
short, crossed and isolated, on the manual tape, each face through its own protocol. Every line must be of the same
kind and amount; the sums are worked out by hand besides.

Isolated positions are liquidated at their liquidation price, which the venues reckon differently: Bitget counts the taker
fee of closing into the maintenance, Binance does not. There the lines of the liquidation differ between the venues (it comes
at another price) and their sum is the same: the margin, and no more. With a taker fee of 0 both formulas are one,
and every line of it is the same.
"""

from __future__ import annotations

import itertools
import signal
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.conformance.venue import Control
from tests.trader.paper.process import Process
from tests.verify.faces import HANDS, SYMBOL, Hand

D = Decimal
START, MIDDLE = "2026-01-01T01:00:00Z", D(60_000)
#: What was taken from the tape's book is there again after 10 s of tape time.
PAUSE_MS = 20_000
LINES = tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class Story:
    hedged: bool
    long: bool
    crossed: bool
    #: "stopped" or "liquidated"
    ends: str
    taker_fee: str = "0.0006"

    def __str__(self) -> str:
        words = ("hedge" if self.hedged else "one-way", "long" if self.long else "short")
        margin = "crossed" if self.crossed else "isolated"
        return " ".join(
            (*words, margin, self.ends, *(() if self.taker_fee != "0" else ("without taker fee",)))
        )

    @property
    def exact(self) -> bool:
        """Every line is the same; else those of the liquidation have the same sum."""
        return self.ends == "stopped" or self.crossed or self.taker_fee == "0"


STORIES = tuple(
    Story(hedged, long, crossed, ends)
    for hedged, long, crossed, ends in itertools.product(
        (False, True), (True, False), (True, False), ("stopped", "liquidated")
    )
) + tuple(
    Story(hedged, long, crossed=False, ends="liquidated", taker_fee="0")
    for hedged, long in itertools.product((False, True), (True, False))
)


class Stage:
    """The market of one story; distances are from 60000, away from what the position hopes for when negative."""

    def __init__(self, control: Control, story: Story) -> None:
        self.control = control
        self.sign = 1 if story.long else -1
        control.call(f"/symbols/{SYMBOL}", {"taker_fee": story.taker_fee})
        self.to(0)

    def price(self, away: str | int) -> str:
        """Text of 60000 plus the distance, mirrored for a short."""
        return str(MIDDLE + self.sign * D(away))

    def to(self, last: int, mark: int | None = None) -> None:
        prices = {"price": self.price(last), "mark": self.price(last if mark is None else mark)}
        self.control.call("/price", {"symbol": SYMBOL, **prices})

    def rest(self) -> None:
        self.control.advance(PAUSE_MS)


def play(control: Control, hand: type[Hand], story: Story) -> LINES:
    """One account's ledger after its deposit."""
    account = control.account("1000", kind=hand.kind)
    trader = hand(control.ready, account)
    try:
        stage = Stage(control, story)
        stage.rest()
        trader.settle(hedged=story.hedged, crossed=story.crossed, long=story.long, leverage=10)
        _act(stage, trader, story)
    finally:
        trader.close()
    rows = control.ledger(account)
    balance = D(0)
    for row in rows:
        balance += D(row["amount"])
        assert D(row["balance"]) == balance, row
    assert (rows[0]["kind"], D(rows[0]["amount"])) == ("deposit", D(1000))
    return tuple((row["kind"], D(row["amount"])) for row in rows[1:])


def _act(stage: Stage, trader: Hand, story: Story) -> None:
    trader.enter("0.02")
    assert D(trader.held()) == D("0.02")
    trader.protect(stage.price(-2000))
    added = trader.enter("0.03", stage.price(-500))
    assert trader.pending() == [added]
    stage.rest()
    stage.to(-600)
    assert (D(trader.held()), trader.pending()) == (D("0.05"), [])
    trader.move(stage.price(-1000))
    assert [D(price) for price in trader.stops()] == [D(stage.price(-1000))]
    stage.to(-900)
    assert D(trader.held()) == D("0.05")
    part = trader.leave("0.02", stage.price(1000))
    assert trader.pending() == [part]
    stage.rest()
    stage.to(1100)
    assert (D(trader.held()), trader.pending()) == (D("0.03"), [])
    stage.rest()
    trader.leave("0.005")
    assert D(trader.held()) == D("0.025")
    stage.rest()
    if story.ends == "stopped":
        stage.to(-1050)
    else:  # the last price stays: the stop does not see what the mark does
        stage.to(0, mark=-45_000)
    assert (D(trader.held()), trader.stops(), trader.pending()) == (D(0), [], [])
    stage.to(0)


def ledgers_of(control: Control, story: Story) -> dict[str, LINES]:
    """The same story on each face, one after another."""
    return {hand.kind: play(control, hand, story) for hand in HANDS}


def compare(ledgers: dict[str, LINES], story: Story) -> list[str]:
    """What is wrong, one line each."""
    wrong = _unlike(ledgers, story)
    return wrong + [line for kind, lines in ledgers.items() for line in _by_hand(kind, lines, story)]


def _unlike(ledgers: dict[str, LINES], story: Story) -> list[str]:
    first, *others = ledgers
    wrong = []
    for other in others:
        one, two = ledgers[first], ledgers[other]
        if not story.exact:
            one, two = _summed(one), _summed(two)
        if one != two:
            wrong.append(f"{first} and {other} differ: {_difference(one, two)}")
    return wrong


def _difference(one: LINES, two: LINES) -> str:
    for number, (left, right) in enumerate(itertools.zip_longest(one, two), 1):
        if left != right:
            return f"line {number}: {left} and {right}"
    return ""


def _summed(lines: LINES) -> LINES:
    """The last lines, which are the liquidation, as one."""
    end = max(number for number, (kind, _) in enumerate(lines) if kind == "liquidation_fee")
    start = max(number for number, (kind, _) in enumerate(lines[:end]) if kind == "realised_pnl")
    total = sum((amount for _, amount in lines[start : end + 1]), D(0))
    return (*lines[:start], ("liquidation", total))


def _by_hand(kind: str, lines: LINES, story: Story) -> list[str]:
    """What is known without the book: the resting orders, which fill at their own price as maker."""
    sign = 1 if story.long else -1
    expected = {
        "fee of adding 0.03": -D("0.03") * (MIDDLE - sign * 500) * D("0.0002"),
        "fee of closing 0.02": -D("0.02") * (MIDDLE + sign * 1000) * D("0.0002"),
    }
    parts = [_runs(lines, "open_fee"), _runs(lines, "close_fee")]
    wrong = []
    for (what, amount), sums in zip(expected.items(), parts, strict=True):
        if amount not in sums:
            wrong.append(f"{kind}: {what} is not {amount}")
    if story.ends == "liquidated" and not story.crossed and lines[-1][0] != "liquidation_fee":
        wrong.append(f"{kind}: no margin was left to the insurance: {lines[-1]}")
    return wrong


def _runs(lines: LINES, kind: str) -> set[Decimal]:
    """Sums of neighbours of one kind: an order may fill in several trades."""
    amounts = [amount for found, amount in lines if found == kind]
    ends = range(len(amounts) + 1)
    return {sum(amounts[low:high], D(0)) for low in ends for high in ends if low < high}


def show(control: Control, story: Story) -> list[str]:
    ledgers = ledgers_of(control, story)
    wrong = compare(ledgers, story)
    left = {sum((amount for _, amount in lines), D(1000)) for lines in ledgers.values()}
    figures = f"{len(ledgers['classic'])} lines, {', '.join(map(str, sorted(left)))} of 1000 left"
    print(f"{'NOT' if wrong else 'ok '} {story}: {figures}")
    for line in wrong:
        print(f"      {line}")
    return wrong


def main() -> int:
    process = Process("--speed", "0", "--start", START)
    try:
        control = Control(process.ready)
        wrong: list[Any] = [line for story in STORIES for line in show(control, story)]
    finally:
        process.end(signal.SIGTERM)
    print(f"{len(STORIES)} stories, three faces each")
    print("holds" if not wrong else f"DOES NOT HOLD: {len(wrong)} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
