"""What the machine lacks is named in one line, with its Debian package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "sed", "cut", "rm", "cat")


def bootstrap(folder: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only these tools exist."""
    for tool in (*TOOLS, *tools):
        path = shutil.which(tool)
        assert path is not None
        (folder / tool).symlink_to(path)
    return subprocess.run(
        ["/bin/sh", str(ROOT / "deploy" / "bootstrap.sh")],
        cwd=folder,
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def script(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_git_is_missing(tmp_path: Path) -> None:
    result = bootstrap(tmp_path)
    assert result.returncode == 3
    assert result.stderr == "kestrel: git is missing: apt-get install git\n"


def test_python_is_missing_or_too_old(tmp_path: Path) -> None:
    script(tmp_path, "python3", "exit 1")
    result = bootstrap(tmp_path, "git")
    assert result.returncode == 3
    assert result.stderr == (
        "kestrel: Python 3.11, 3.12 or 3.13 is missing: apt-get install python3 python3-venv\n"
    )


def test_venv_is_missing(tmp_path: Path) -> None:
    script(tmp_path, "python3", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    result = bootstrap(tmp_path, "git")
    assert result.returncode == 3
    assert result.stderr == "kestrel: Python's venv module is missing: apt-get install python3-venv\n"


@pytest.mark.parametrize("target", ["install", "up", "test", "check", "bench", "soak"])
def test_make_knows_the_target(target: str) -> None:
    make = shutil.which("make")
    assert make is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    result = subprocess.run(
        [make, "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
