"""The numbers of the COT page once more, from the rows in Postgres by plain arithmetic.

Shares nothing with what it checks: own contract sizes, own weeks, own formulas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

#: Code -> units of one contract, the standard contract first.
SIZES: dict[str, dict[str, float]] = {
    "bitcoin": {"133741": 5, "133742": 0.1},
    "ether": {"146021": 50, "146022": 0.1},
    "xrp": {"176740": 50_000, "176741": 2_500},
    "eur": {"099741": 125_000},
    "jpy": {"097741": 12_500_000},
    "usd-index": {"098662": 1_000},
}
GRACE = 4


@dataclass(frozen=True)
class Figures:
    """What must be on the page about one group of one market; ``None`` where it must say nothing."""

    as_of: date
    interest: float
    net: float
    share: float
    share_change: float | None
    index: dict[int, float | None]
    score: float | None
    missing: list[int]
    """Weeks without a whole picture, counted from the first row."""


def figures(url: str, report: str, market: str, group: str) -> Figures:
    sizes = SIZES[market]
    weeks: dict[int, dict[str, tuple[date, int, int]]] = {}
    with psycopg.connect(url) as connection:
        query = sql.SQL("select code, as_of, open_interest, {} - {} from {} where code = any(%s)").format(
            sql.Identifier(f"{group}_long"), sql.Identifier(f"{group}_short"), sql.Identifier(f"cot_{report}")
        )
        for code, as_of, interest, net in connection.execute(query, [list(sizes)]):
            weeks.setdefault((as_of.toordinal() - 3) // 7, {})[code] = (as_of, interest, net)  # Wed to Tue
    standard, *micros = sizes
    first, last = min(weeks), max(weeks)
    shares: list[float | None] = []
    whole: list[int] = []
    totals: dict[int, tuple[float, float]] = {}
    for week in range(first, last + 1):
        there = weeks.get(week, {})
        wanted = [standard]
        for micro in micros:
            lived = [one for one, codes in weeks.items() if micro in codes]
            if lived and min(lived) <= week <= max(lived) + GRACE:
                wanted.append(micro)
        if all(code in there for code in wanted):
            interest = sum(found[1] * sizes[code] for code, found in there.items())
            net = sum(found[2] * sizes[code] for code, found in there.items())
            totals[week] = (interest, net)
            shares.append(net / interest * 100)
            whole.append(week)
        else:
            shares.append(None)
    now = max(whole)
    until = shares[: now - first + 1]
    before = until[-2] if len(until) > 1 else None
    current = until[-1]
    assert current is not None
    return Figures(
        as_of=max(found[0] for found in weeks[now].values()),
        interest=totals[now][0],
        net=totals[now][1],
        share=current,
        share_change=None if before is None else current - before,
        index={window: index(until[-window:], window) for window in (26, 52, 156)},
        score=score(until),
        missing=[place for place, value in enumerate(shares) if value is None],
    )


def index(lately: list[float | None], window: int) -> float | None:
    found = [value for value in lately if value is not None]
    if len(found) < window:
        return None
    return 100 * (found[-1] - min(found)) / (max(found) - min(found))


def score(until: list[float | None]) -> float | None:
    base = [value for value in until[-53:-1] if value is not None]
    current = until[-1]
    if len(base) < 52 or current is None:
        return None
    mean = sum(base) / 52
    return (current - mean) / math.sqrt(sum((value - mean) ** 2 for value in base) / 51)
