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
        or name == "KESTREL_TEST_CHROMIUM"
    }
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
    environment["KESTREL_TEST_CHROMIUM"] = provided.stdout.strip().splitlines()[-1]
    command = [sys.executable, "-m", "pytest", "-p", "tests.strict", "-n", "2", "--dist", "worksteal"]
    command += [] if soak else ["-m", "not soak"]
    return subprocess.run([*command, *rest], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
