"""Finding and providing a browser. The long form provides one as an ordinary user, without anything of root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import ROOT
from tests.browser import chromium

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may reach."""
    made = Path(tempfile.mkdtemp(prefix="kestrel-chromium-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def executable(path: Path, script: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


def test_the_override_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = executable(tmp_path / "mine")
    monkeypatch.setenv(chromium.OVERRIDE, str(mine))
    assert chromium.provide() == mine


def test_an_override_that_is_no_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    monkeypatch.setenv(chromium.OVERRIDE, str(tmp_path / "text"))
    with pytest.raises(chromium.ChromiumError, match="is no executable file"):
        chromium.provide()


def test_a_browser_of_the_system_comes_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(chromium.OVERRIDE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    mine = executable(tmp_path / "google-chrome")
    assert chromium.provide() == mine


def test_an_unpacked_browser_comes_third(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(chromium.OVERRIDE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mine = executable(tmp_path / "kestrel-tests" / "chromium" / "v1" / "chromium")
    assert chromium.provide() == mine


def test_where_none_can_be_had_one_line_says_so(tmp_path: Path) -> None:
    """A machine without apt: the program's own error, not a trace."""
    environment = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.browser.chromium"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"no Chromium: apt-get is missing on this machine. Install the package chromium or set {chromium.OVERRIDE}.\n"
    )


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_an_ordinary_user_gets_a_browser_without_root(folder: Path) -> None:
    """Downloads the packages, unpacks and starts them; as root the user is ``nobody``."""
    root = os.geteuid() == 0
    if root:
        os.chown(folder, NOBODY, NOBODY)
    script = shutil.copy(ROOT / "tests" / "browser" / "chromium.py", folder / "chromium.py")
    code = (
        "import pathlib, runpy, sys; found = runpy.run_path(sys.argv[1]); base = pathlib.Path(sys.argv[2]);"
        "sys.stdout.write(str(found['install_as_user'](base)))"
    )
    python = "/usr/bin/python3" if root else sys.executable  # root's own may lie where nobody can look
    done = subprocess.run(
        [python, "-c", code, script, str(folder)],
        env={"PATH": os.defpath, "HOME": str(folder)},
        cwd=folder,
        user=NOBODY if root else None,
        group=NOBODY if root else None,
        extra_groups=[] if root else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    browser = Path(done.stdout)
    assert browser.is_relative_to(folder)
    assert chromium._starts(browser, ("--no-sandbox",))
    assert list(folder.glob("tmp-*")) == []
