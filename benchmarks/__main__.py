"""Runs every benchmark beside this file in a process of its own: `python -m benchmarks [NAME ...]`.

A benchmark prints figures as ratios against a baseline measured in the same run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    available = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in names if name not in available]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(available)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or available:
        print(f"== {name}", flush=True)
        result = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False)
        failed += result.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
