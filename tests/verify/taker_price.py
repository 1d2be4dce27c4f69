"""Market orders on the recorded BTC tape against the price computed from the same raw frames by other code.

    python -m tests.verify.taker_price [--seed 1] [--rounds 4]

The clock stands still and leaps by hand, so both sides know the moment. Each order comes from a fresh
account. What an order took from a level is gone until the recording shows that level with another size; the other
code keeps that book by itself. A round ends with one large order. Every level, the sum and the average price
(16 decimals, half-even) must be equal. Ends non-zero when one differs.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

from tests.verify.exchange import Exchange, Json, load, recorded, started
from tests.verify.rawbook import RawBook, Taken

SYMBOL = "BTCUSDT"
SIZES = ("0.01", "0.05", "0.2", "0.5", "1", "2.5")
LARGE = ("20", "35", "20", "50")
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)


def compare(exchange: Exchange, side: str, size: str, expected: Taken) -> str:
    """Place it from a fresh account; empty when all is equal, else what differs."""
    account: Json = exchange.control("/accounts", {"balance": "20000000"})
    order = exchange.market(account, SYMBOL, side, size)
    got: Counter[Decimal] = Counter()
    for fill in exchange.fills(account, order):
        got[Decimal(fill["price"])] += Decimal(fill["baseVolume"])  # type: ignore[assignment]  # counts of coins
    wanted = dict(expected)
    if dict(got) != wanted:
        different = sorted(price for price in {*got, *wanted} if got.get(price) != wanted.get(price))
        return f"{len(different)} levels differ, first {different[0]}: {got[different[0]]} for {wanted.get(different[0])}"
    value = sum(price * part for price, part in expected)
    average = _WIDE.quantize(_WIDE.divide(value, Decimal(size)), Decimal("1e-16"))
    row = exchange.detail(account, SYMBOL, order)
    if row["state"] != "filled" or Decimal(row["baseVolume"]) != Decimal(size):
        return f"not filled: {row['state']} {row['baseVolume']}"
    if Decimal(row["quoteVolume"]) != value or Decimal(row["priceAvg"]) != average:
        return f"average {row['priceAvg']} for {average}"
    return ""


class Round:
    """One exchange from the start of the tape; small orders at rising moments, then a large one."""

    def __init__(self, path: Path, exchange: Exchange) -> None:
        self.book = RawBook(path)
        self.exchange = exchange
        self.at_ms = 0
        self.placed = self.failed = 0

    def order(self, at_ms: int, side: str, size: str, *, last: bool = False) -> None:
        self.exchange.advance(at_ms - self.at_ms)
        self.at_ms = at_ms
        self.book.until(at_ms * 1_000_000)
        expected = self.book.take(side, Decimal(size))
        wrong = compare(self.exchange, side, size, expected)
        self.placed += 1
        self.failed += bool(wrong)
        if last or wrong:
            print(f"  {at_ms / 1000:8.3f} s {side:4} {size:>5}: {len(expected)} levels {wrong or 'equal'}")


def play(
    path: Path, length_ms: int, rng: random.Random, *, large: str, sizes: tuple[str, ...], count: int
) -> Round:
    with started("--tape", str(path), "--speed", "0") as exchange:
        one = Round(path, exchange)
        moments = sorted(rng.sample(range(length_ms // 50, length_ms), count + 1))
        for at_ms in moments[:-1]:
            one.order(at_ms, rng.choice(("buy", "sell")), rng.choice(sizes))
        one.order(moments[-1], rng.choice(("buy", "sell")), large, last=True)
    return one


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    path = recorded("raw_books", "usdm_btcusdt_20240808.gz")
    rng = random.Random(given.seed)
    placed = failed = 0
    for number in range(given.rounds):
        one = play(path, 344_000, rng, large=LARGE[number % len(LARGE)], sizes=SIZES, count=40)
        placed, failed = placed + one.placed, failed + one.failed
    print(f"{placed} market orders, {failed} differ; {load()}")
    print("fails" if failed else "holds")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
