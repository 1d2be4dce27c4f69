"""Prints the figures of a running system: memory per process, the time of `--help`, sizes of the code.

    python -m tests.verify.figures [--most-help 0.3] [--most-trader 90]

Needs `kestrel up` running in this home (KESTREL_HOME). Ends non-zero when `--help` takes longer (median of
eleven) or the trader weighs more (MB) than allowed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import psutil

from shared import clock
from shared.settings import load

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("shared", "trader", "dashboards", "kestrel")


def help_seconds() -> float:
    samples = []
    for _ in range(11):
        began = clock.monotonic_ns()
        subprocess.run(
            [str(Path(sys.executable).with_name("kestrel")), "--help"], check=True, stdout=subprocess.DEVNULL
        )
        samples.append((clock.monotonic_ns() - began) / clock.SECOND)
    return statistics.median(samples)


def role(command: list[str], home: str) -> str:
    """Which of our processes a command line is; empty = none of them."""
    text = " ".join(command)
    for mark, name in (
        ("kestrel up", "up"),
        ("kestrel.reaper", "reaper"),
        ("kestrel exchange", "exchange"),
        ("kestrel trade", "trader"),
        ("streamlit run", "web"),
    ):
        if mark in text or mark.replace("kestrel ", "bin/kestrel ") in text:
            return name
    return "postgres" if command and command[0].endswith("postgres") and home in text else ""


def memory(home: str) -> dict[str, float]:
    """MB by process: resident; for Postgres the proportional share of all its processes."""
    found: dict[str, float] = {}
    for process in psutil.process_iter():
        try:
            name = role(process.cmdline(), home)
            if name == "postgres":
                family = [process, *process.children(recursive=True)]
                found[name] = sum(each.memory_full_info().pss for each in family) / 1e6
            elif name and process.environ().get("KESTREL_HOME", home) == home:
                found[name] = process.memory_info().rss / 1e6
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def largest() -> tuple[int, str]:
    sizes = [
        (path.read_text(encoding="utf-8").count("\n"), str(path.relative_to(ROOT)))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    ]
    return max(sizes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--most-help", type=float, default=0.3)
    parser.add_argument("--most-trader", type=float, default=90.0)
    given = parser.parse_args()
    seconds = help_seconds()
    print(f"kestrel --help        {seconds:.3f} s (median of 11)")
    lines, path = largest()
    print(f"largest file          {path}, {lines} lines")
    found = memory(str(load().home.expanduser().resolve()))
    for name, size in sorted(found.items()):
        print(f"memory of {name:<10}  {size:6.1f} MB")
    if "trader" not in found:
        print("no trader runs in this home: start `kestrel up` first", file=sys.stderr)
        return 1
    return int(seconds > given.most_help or found["trader"] > given.most_trader)


if __name__ == "__main__":
    raise SystemExit(main())
