"""Kills a real trader at every fault point while every account's exchange answers wrongly, and counts.

    python -m tests.verify.crash_matrix --runs 5000

A run is one account through one kill: fault point x dialect x rule of client ids x answer fault. Prints how often
each fault point was passed by killed processes, the runs per stratum, and what was lost, doubled, unprotected or
told otherwise by Postgres than by the exchange. Ends non-zero unless all of that is zero and no fault point is.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from psycopg import sql

from shared import clock
from shared.db import schema
from shared.db.embedded import EmbeddedPostgres
from tests.trader.crashes import DIALECTS, FAULTS, RULES, Matrix, Run, kills
from tests.trader.world import World
from trader.faultpoints import NAMES

SEED = 6
#: Worlds (an exchange and a trader each) at once: most of a round is waiting for settle times.
WORLDS = 6
TEMPLATE = "kestrel"
_numbers = itertools.count(1)
_making = threading.Lock()

WORDS = ("lost", "doubled", "unprotected", "differs")


class Found:
    """All runs and hits."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.hits: Counter[str] = Counter()

    @property
    def wrong(self) -> list[str]:
        return [line for run in self.runs for line in run.wrong]

    @property
    def never(self) -> list[str]:
        """Fault points that were not passed, or at which nobody was killed."""
        killed = {point for run in self.runs for point in (run.kill.point, run.kill.again)}
        return [name for name in NAMES if not self.hits[name] or name not in killed]

    def table(self) -> str:
        """The figures as text."""
        lines = [f"{'fault point':<22}{'passed':>8}{'runs':>8}"]
        killed = Counter(point for run in self.runs for point in {run.kill.point, run.kill.again} if point)
        lines += [f"{name:<22}{self.hits[name]:>8}{killed[name]:>8}" for name in NAMES]
        for title, of in (
            ("dialect", Counter(run.cell.dialect for run in self.runs)),
            ("client ids", Counter(run.cell.rule for run in self.runs)),
            ("answer fault", Counter(run.cell.fault for run in self.runs)),
            ("take profit", Counter(run.cell.shape for run in self.runs)),
        ):
            lines.append(f"{title}: " + ", ".join(f"{name} {count}" for name, count in sorted(of.items())))
        strata = {(r.kill.stratum, r.cell.dialect, r.cell.rule, r.cell.fault) for r in self.runs}
        every = len(NAMES) * len(DIALECTS) * len(RULES) * len(FAULTS)
        lines.append(f"strata (point x dialect x client ids x fault): {len(strata)} of {every}")
        executed = sum(bool(run.executions) for run in self.runs)
        lines.append(f"{len(self.runs)} runs, {executed} with an execution on the exchange's ledger")
        for word in WORDS:
            lines.append(f"{word}: {sum(bool(getattr(run, word)) for run in self.runs)}")
        return "\n".join(lines)


def matrix(server: str, folder: Path, runs: int, *, seed: int = SEED, parts: int = 1) -> Found:
    """At least ``runs`` runs on databases of this server. With ``parts`` each world has that share of the cells."""
    cells = len(DIALECTS) * len(RULES) * len(FAULTS) / parts
    rounds = max(len(NAMES), -int(-runs // cells))
    waiting = kills(seed, rounds)
    worlds = max(WORLDS, -(-rounds // 4))  # so that no ledger grows without end
    found, lock = Found(), threading.Lock()

    def live(number: int) -> None:
        mine = waiting[number::worlds]
        if not mine:
            return
        world = World(folder / f"world{number}", _database(server))
        try:
            made = Matrix(world.open("manual", "--no-limits"), seed + number, number, parts)
            for kill in mine:
                done = made.round(kill)
                with lock:
                    found.runs += done
            with lock:
                found.hits += made.hits
        finally:
            world.close()

    with ThreadPoolExecutor(WORLDS) as pool:
        for each in [pool.submit(live, number) for number in range(worlds)]:
            each.result()
    return found


def _database(server: str) -> str:
    base = server.rpartition("/")[0]
    name = f"matrix_{next(_numbers)}"
    with _making, psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
    return f"{base}/{name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--parts", type=int, default=1, help="each world has this share of the accounts")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kestrel-matrix-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder / "db", max_connections=100, extra={"fsync": "off"})
    started = clock.monotonic_ns()
    try:
        url = server.start()
        schema.migrate(url)
        found = matrix(url, folder, chosen.runs, seed=chosen.seed, parts=chosen.parts)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(found.table())
    for line in [*found.wrong, *(f"never: {name}" for name in found.never)]:
        print(f"NOT {line}")
    print(f"{(clock.monotonic_ns() - started) / clock.SECOND:.0f} s")
    return 1 if found.wrong or found.never else 0


if __name__ == "__main__":
    raise SystemExit(main())
