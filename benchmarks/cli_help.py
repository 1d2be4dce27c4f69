"""How long `kestrel --help` takes, as a multiple of an empty Python program (so that machines compare)."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from shared import clock

ROUNDS = 15
LIMIT_S = 0.3


def seconds(argv: list[str]) -> float:
    begun = clock.monotonic_ns()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return (clock.monotonic_ns() - begun) / clock.SECOND


def main() -> int:
    empty, told = [], []
    for _ in range(ROUNDS):
        empty.append(seconds([sys.executable, "-c", "pass"]))
        told.append(seconds([sys.executable, "-m", "kestrel", "--help"]))
    base, full = statistics.median(empty), statistics.median(told)
    result = {
        "name": "kestrel --help",
        "seconds": round(full, 4),
        "empty_python_seconds": round(base, 4),
        "ratio": round(full / base, 2),
        "limit_seconds": LIMIT_S,
    }
    print(json.dumps(result))
    return 0 if full < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
