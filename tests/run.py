"""Runs the tests as `make test` and `make soak` do: provides a browser, then pytest.

With ``CI=true`` a skipped test is a failure (``tests/strict.py``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    soak = "--soak" in arguments
    rest = [argument for argument in arguments if argument != "--soak"]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KESTREL_", "PG", "PREFECT_", "STREAMLIT_"))
    }
    command = [sys.executable, "-m", "pytest", "-p", "tests.strict", "-n", "2", "--dist", "worksteal"]
    command += [] if soak else ["-m", "not soak"]
    if rest:
        return pytest([*command, *rest], environment)
    # The browser's driver keeps an event loop running in its process: its tests get one of their own.
    first = pytest([*command, "--ignore=tests/browser"], environment)
    provided = subprocess.run(
        [sys.executable, "-m", "tests.browser.chromium"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if provided.returncode != 0:
        return provided.returncode
    environment["TEST_CHROMIUM"] = provided.stdout.strip().splitlines()[-1]
    second = pytest([*command, "tests/browser"], environment)
    return first or second


def pytest(command: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
