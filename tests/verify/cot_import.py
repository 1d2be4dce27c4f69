"""Imports every COT file of a folder twice and compares the database with an independent count of the files.

    python -m tests.verify.cot_import [../shared/data/cot]

Uses a home of its own in a temporary folder. Ends non-zero when the number of distinct (report, code, as-of
date) keys or the sums of open interest differ, or when the second import changes anything.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from shared import clock
from shared.db import embedded
from shared.settings import ROOT, Settings

TABLES = {"legacy": "cot_legacy", "tff": "cot_tff"}
Sums = dict[str, tuple[int, int]]
"""Report -> distinct keys, sum of open interest in contracts."""


def counted(folder: Path) -> Sums:
    """The files themselves, by nothing but the csv module."""
    keys: dict[tuple[str, str, str], int] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".csv", ".txt", ".gz"):
            continue
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
        derived = path.name.startswith("cot_legacy_")  # the only one without a code column
        for row in rows if rows[0][1].isdigit() else rows[1:]:
            report = "legacy" if derived or len(row) > 100 else "tff"
            code, day = (
                (path.stem[-6:], row[0].replace("-", "")[2:]) if derived else (row[3].strip(), row[1].strip())
            )
            interest = int(row[1] if derived else row[7])
            if keys.setdefault((report, code, day), interest) != interest:
                raise SystemExit(f"{path} disagrees with an earlier file about {code} {day}")
    return {
        report: (
            sum(key[0] == report for key in keys),
            sum(value for key, value in keys.items() if key[0] == report),
        )
        for report in TABLES
    }


def imported(folder: Path, home: Path) -> dict[str, int]:
    """One run of the command; its counts over all files."""
    command = [sys.executable, "-m", "kestrel", "cot", "import", str(folder), "--json"]
    environment = {**os.environ, "KESTREL_HOME": str(home), "KESTREL_ENV_FILE": os.devnull}
    result = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {
        name: sum(line[name] for line in lines) for name in ("read", "new", "unchanged", "revised", "refused")
    }


def stored(url: str) -> tuple[Sums, list[tuple[object, ...]]]:
    """What the database holds: the sums, and every row with where it lies."""
    with psycopg.connect(url) as connection:
        sums = {}
        rows: list[tuple[object, ...]] = []
        for report, table in TABLES.items():
            found = connection.execute(
                f"select count(distinct (code, as_of)), sum(open_interest)::bigint from {table}"
            ).fetchone()
            assert found is not None
            sums[report] = (int(found[0]), int(found[1]))
            rows += connection.execute(f"select ctid, xmin, * from {table} order by code, as_of").fetchall()
        rows += connection.execute("select * from cot_revisions order by id").fetchall()
        return sums, rows


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "cot")
    expected = counted(folder)
    place = Path(tempfile.mkdtemp(prefix="kestrel-cot-"))
    place.chmod(0o711)
    home = place / "home"
    try:
        began = clock.monotonic_ns()
        first = imported(folder, home)
        seconds = (clock.monotonic_ns() - began) / clock.SECOND
        with embedded.lease(Settings(home=home)) as url:
            sums, before = stored(url)
            second = imported(folder, home)
            again, after = stored(url)
    finally:
        embedded.stop_if_unused(home)
        shutil.rmtree(place)
    for report, (keys, interest) in expected.items():
        print(
            f"{report}: files {keys} keys, open interest {interest}; database {sums[report][0]}, {sums[report][1]}"
        )
    print(f"first import {first} in {seconds:.1f} s; second {second}; rows rewritten: {before != after}")
    adds_up = all(
        counts["read"] == sum(counts[name] for name in ("new", "unchanged", "revised", "refused"))
        for counts in (first, second)
    )
    nothing_new = second["unchanged"] == second["read"] == first["read"] and before == after
    holds = sums == again == expected and adds_up and nothing_new and first["refused"] == 0
    print("holds" if holds else "DOES NOT HOLD")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
