"""Shows that a run of ten clients repeats: two fresh exchanges, other noise on the machine, one ledger.

    python -m tests.verify.lockstep [--rounds 40]

Ten clients send signed orders of every kind over REST, in lock-step, with latency both ways, to a synthetic
market. The second run has other pauses between the sends and another order of starting; the third has another
tape. Ends non-zero when the first two ledgers differ, when the third is equal, or when too little happened.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections import Counter

from tests.trader.paper.process import Process
from tests.trader.paper.story import ARGUMENTS, Played, play

LEAST_ORDERS = 300


def run(seed: int, noise: int, rounds: int) -> Played:
    process = Process("--tape", f"synthetic:{seed}", *ARGUMENTS)
    try:
        played = asyncio.run(play(process.ready, noise=noise, rounds=rounds, most_s=0.02))
    finally:
        process.end(signal.SIGTERM)
    print(
        f"tape synthetic:{seed}, noise {noise}: {played.steps} steps, {played.entries} ledger lines, {played.sha256}"
    )
    return played


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="steps of the clock in which everybody acts")
    rounds = parser.parse_args().rounds
    first, second, other = run(7, 1, rounds), run(7, 2, rounds), run(8, 1, rounds)
    calls: Counter[str] = Counter()
    for (path, code), count in sorted(first.answers.items()):
        calls[path] += count
        print(f"    {path:<26} {code} {count:5d}")
    placed = first.answers["order/place-order", "00000"]
    wrong = [
        (first.sha256 != second.sha256, "the ledgers of equal runs differ"),
        (first.answers != second.answers, "the answers of equal runs differ"),
        (first.sha256 == other.sha256, "another tape gives the same ledger"),
        (placed < LEAST_ORDERS, f"only {placed} orders were placed, {LEAST_ORDERS} are needed"),
        (len(calls) < 5, "a kind of call never happened"),
    ]
    found = [text for bad, text in wrong if bad]
    print(f"{sum(calls.values())} signed calls, {placed} orders placed by ten clients")
    print(
        "DOES NOT HOLD: " + "; ".join(found)
        if found
        else "holds: equal ledgers, and another one for another tape"
    )
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
