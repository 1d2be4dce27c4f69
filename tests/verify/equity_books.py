"""An account's books a second time: from its fills' public facts and the raw funding and mark files alone.

Sums and products are fractions, so nothing is rounded on the way. One rule rounds, as the exchange
documents it: of a position that is closed in parts, the part of the entry value that goes is rounded
half-even to 16 places (``round`` of a fraction); what stays keeps the difference. All is written down
line by line: profit, fee of the closed part, fee of the opened part, funding.

It shares no code with the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

_PLACES = 10**16
Json = dict[str, Any]


class Fill(NamedTuple):
    """One fill as ``order/fills`` shows it; in hedge mode ``side`` names the position (buy is long)."""

    id: str
    ms: int
    symbol: str
    side: str
    how: str
    maker: bool
    price: Fraction
    size: Fraction

    @classmethod
    def of(cls, row: Json) -> Fill:
        return cls(
            row["tradeId"],
            int(row["cTime"]),
            row["symbol"],
            row["side"],
            row["tradeSide"],
            row["tradeScope"] == "maker",
            Fraction(row["price"]),
            Fraction(row["baseVolume"]),
        )


class Settlement(NamedTuple):
    """``mark`` asks for the mark price at that moment when it is needed."""

    ms: int
    symbol: str
    rate: Fraction
    mark: Callable[[], Fraction]


class Line(NamedTuple):
    ms: int
    kind: str
    ref: str
    symbol: str
    amount: Fraction
    balance: Fraction


@dataclass
class Position:
    sign: int
    size: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    """Price x size of what is held."""
    number: str = ""
    """What the ledger calls it, from its first funding on."""

    def unrealised(self, mark: Fraction) -> Fraction:
        return self.sign * (mark * self.size - self.cost)


@dataclass
class Books:
    """``rates``: (taker, maker) fee of a symbol. ``book`` in the order of time; ``lines`` is the ledger."""

    balance: Fraction
    rates: dict[str, tuple[Fraction, Fraction]]
    positions: dict[tuple[str, int], Position] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    profits: dict[str, Fraction] = field(default_factory=dict)
    fees: dict[str, Fraction] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    funded: dict[int, Position] = field(default_factory=dict)
    """By index of a line of funding: the position that it belongs to."""

    def book(self, events: Iterable[Fill | Settlement]) -> None:
        for event in events:
            if isinstance(event, Fill):
                self._fill(event)
            else:
                self._settle(event)

    def unrealised(self, marks: dict[str, Fraction]) -> Fraction:
        return sum((p.unrealised(marks[symbol]) for (symbol, _), p in self.positions.items()), Fraction(0))

    def _fill(self, fill: Fill) -> None:
        way = 1 if fill.side == "buy" else -1
        if fill.how == "open":
            closes, opens = 0, way
        elif fill.how == "close":
            closes, opens = way, 0
        else:
            assert fill.how in {"buy_single", "sell_single"}, fill.how
            closes, opens = -way, way
        left = fill.size
        fee = Fraction(0)
        held = self.positions.get((fill.symbol, closes)) if closes else None
        if held is not None:
            part = min(left, held.size)
            fee += self._close(fill, held, part)
            left -= part
        if left:
            assert opens, "a closing fill is larger than the position"
            fee += self._open(fill, opens, left)
        self.fees[fill.id] = fee

    def _close(self, fill: Fill, held: Position, part: Fraction) -> Fraction:
        gone = (
            held.cost
            if part == held.size
            else Fraction(round(held.cost * part / held.size * _PLACES), _PLACES)
        )
        profit = held.sign * (fill.price * part - gone)
        self.profits[fill.id] = profit
        self._line(fill, "realised_pnl", profit)
        fee = self._fee(fill, part, "close_fee")
        self._count("closes" if part == held.size else "partial closes")
        held.size -= part
        held.cost -= gone
        if not held.size:
            del self.positions[fill.symbol, held.sign]
            self._count("flips" if part < fill.size else "")
        return fee

    def _open(self, fill: Fill, sign: int, part: Fraction) -> Fraction:
        held = self.positions.get((fill.symbol, sign))
        self._count("adds" if held else "long entries" if sign > 0 else "short entries")
        if held is None:
            held = self.positions[fill.symbol, sign] = Position(sign)
        fee = self._fee(fill, part, "open_fee")
        held.size += part
        held.cost += fill.price * part
        return fee

    def _fee(self, fill: Fill, part: Fraction, kind: str) -> Fraction:
        taker, maker = self.rates[fill.symbol]
        fee = -fill.price * part * (maker if fill.maker else taker)
        self._count("maker fills" if fill.maker else "taker fills")
        self._line(fill, kind, fee)
        return fee

    def _settle(self, event: Settlement) -> None:
        for (symbol, _), held in self.positions.items():
            if symbol == event.symbol:
                amount = -held.sign * event.rate * event.mark() * held.size
                self._line(event, "funding", amount, held)
                self._count("funding settlements")

    def _line(self, at: Fill | Settlement, kind: str, amount: Fraction, held: Position | None = None) -> None:
        """An amount of nothing leaves no line."""
        if not amount:
            return
        self.balance += amount
        ref = at.id if isinstance(at, Fill) else ""
        self.lines.append(Line(at.ms, kind, ref, at.symbol, amount, self.balance))
        if held is not None:
            self.funded[len(self.lines) - 1] = held

    def _count(self, what: str) -> None:
        if what:
            self.seen[what] = self.seen.get(what, 0) + 1

    def differences(self, ledger: list[Json]) -> list[str]:
        """Where the exchange's ledger (after the deposit) is not what is written here."""
        found: list[str] = []
        for number, (line, row) in enumerate(zip(self.lines, ledger, strict=False)):
            shown = Line(
                row["ns"] // 1_000_000,
                row["kind"],
                row["ref"],
                row["symbol"],
                Fraction(row["amount"]),
                Fraction(row["balance"]),
            )
            held = self.funded.get(number)
            if held is not None:
                held.number = held.number or shown.ref
                line = line._replace(ref=held.number)  # noqa: PLW2901  # the position's own number
            if shown != line:
                found.append(f"line {number + 2}: {_plain(shown)} for {_plain(line)}")
        if len(self.lines) != len(ledger):
            found.append(f"{len(ledger)} lines for {len(self.lines)}")
        return found


def _plain(line: Line) -> str:
    return f"{line.ms} {line.kind} {line.ref} {line.symbol} {float(line.amount)!r} -> {float(line.balance)!r}"
