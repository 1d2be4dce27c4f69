"""A real Chromium for the browser tests, found or provided.

``python -m tests.browser.chromium`` prints the path of one. In this order:

1. ``TEST_CHROMIUM``, the path of an executable;
2. a browser of the system;
3. one that this module unpacked before;
4. as root: ``apt-get install chromium``;
5. as anybody: the Debian packages, downloaded by ``apt-get`` into directories of the user, checked by
   apt's own signatures and unpacked under ``~/.cache/kestrel-tests/chromium``.

Only the standard library is used, so that any Python can run it, before anything is installed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

OVERRIDE = "TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-nanum")  # titles of notices are Korean
#: Never shadowed by an unpacked copy: the loader and the C library must be of one build.
KEEP_FROM_SYSTEM = re.compile(r"^(libc6|libc-bin|base-files|dpkg|apt|libapt-pkg)[._]")
#: What Playwright's driver needs of the system besides the C and C++ libraries.
DRIVER_LIBRARY = "libatomic.so.1"
UPDATE_TIMEOUT_S = 300
DOWNLOAD_TIMEOUT_S = 900
LAUNCH_TIMEOUT_S = 60

#: Nothing but the page: no network of its own, no first-run dialogs, no GPU.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
)

WRAPPER = """\
#!/bin/sh
# Runs the unpacked browser with the unpacked libraries and fonts beside it.
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/root/usr/lib/chromium/chromium" "$@"
"""

FONTS_CONF = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir prefix="relative">root/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""

#: The system's sources and proxies stay; its hooks, made for root, do not.
APT_CONF = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::DEP-11-icons;
#clear Acquire::IndexTargets::deb::CNF;
APT::Sandbox::User "{user}";
Debug::NoLocking "1";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{base}/state";
Dir::State::lists "{base}/state/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::State::extended_states "{base}/state/extended_states";
Dir::Cache "{base}/cache";
Dir::Cache::archives "{base}/cache/archives";
Dir::Log "{base}/log";
"""


class ChromiumError(RuntimeError):
    """There is no browser and none could be provided. One line: why, and what to do."""


def _run(command: Sequence[str], timeout_s: float, env: Mapping[str, str] | None = None) -> str:
    """Run to the end and return stdout; :class:`ChromiumError` with the last line said otherwise."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=env, check=False, errors="replace"
        )
    except FileNotFoundError:
        raise ChromiumError(f"{command[0]} is missing on this machine") from None
    except subprocess.TimeoutExpired:
        raise ChromiumError(f"{command[0]} took longer than {timeout_s:.0f} s") from None
    if done.returncode != 0:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("E:")] or said
        raise ChromiumError(
            f"{Path(command[0]).name} failed: {errors[-1] if errors else f'exit code {done.returncode}'}"
        )
    return done.stdout


def _own_directory(path: Path) -> Path:
    """Make a private directory; refuse one that belongs to somebody else."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid != os.geteuid():
        raise ChromiumError(f"{path} belongs to another user: set {OVERRIDE} or HOME")
    return path


def cache_directory() -> Path:
    """Where unpacked browsers live: ``$XDG_CACHE_HOME`` or ``~/.cache``, else the temporary directory."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        return _own_directory(base / "kestrel-tests" / "chromium")
    except OSError:  # a user without a home
        return _own_directory(Path(tempfile.gettempdir()) / f"kestrel-tests-{os.geteuid()}" / "chromium")


def system_browser() -> Path | None:
    for name in NAMES:
        found = shutil.which(name)
        if found and not Path(found).resolve().is_relative_to("/snap"):
            return Path(found)
    return None


def unpacked_browser(base: Path) -> Path | None:
    """The newest complete copy: a copy gets its final name only when it has run once."""
    found = sorted(base.glob("v*/chromium"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


@contextmanager
def _one_at_a_time(base: Path) -> Iterator[None]:
    """Test workers start together; one of them provides, the others wait and find."""
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_as_root() -> Path:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = ("-o", "DPkg::Lock::Timeout=180")
    install = ("apt-get", *wait, "install", "-y", "-q", "--no-install-recommends", *PACKAGES)
    try:
        _run(install, DOWNLOAD_TIMEOUT_S, env)
    except ChromiumError:  # no package lists yet, or lists older than the mirror
        _run(("apt-get", *wait, "update", "-q"), UPDATE_TIMEOUT_S, env)
        _run(install, DOWNLOAD_TIMEOUT_S, env)
    found = system_browser()
    if found is None:
        raise ChromiumError("the package chromium was installed but brought no browser")
    return found


def _download(work: Path) -> list[Path]:
    """Let apt fetch and verify chromium and what it needs beyond the installed packages."""
    apt = work / "apt"
    for part in ("state/lists/partial", "cache/archives/partial", "log"):
        (apt / part).mkdir(parents=True)
    config = apt / "apt.conf"
    config.write_text(APT_CONF.format(base=apt, user="root" if os.geteuid() == 0 else ""))
    tool = ("apt-get", "-c", str(config), "-q", "-y")
    trouble: ChromiumError | None = None
    try:
        _run((*tool, "update"), UPDATE_TIMEOUT_S)
    except ChromiumError as error:  # a foreign source may be broken while Debian's own is fine
        trouble = error
    try:
        _run(
            (*tool, "install", "--reinstall", "--download-only", "--no-install-recommends", *PACKAGES),
            DOWNLOAD_TIMEOUT_S,
        )
    except ChromiumError as error:
        raise trouble or error from None
    packages = sorted((apt / "cache/archives").glob("*.deb"))
    if not any(package.name.startswith("chromium_") for package in packages):
        raise trouble or ChromiumError("apt-get downloaded no package chromium")
    return packages


def _unpack(packages: list[Path], target: Path) -> None:
    root = target / "root"
    root.mkdir()
    for package in packages:
        if not KEEP_FROM_SYSTEM.match(package.name):
            _run(("dpkg-deb", "-x", str(package), str(root)), DOWNLOAD_TIMEOUT_S)
    folders = [*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*")]
    folders += [
        sub for folder in folders for sub in folder.iterdir() if sub.is_dir() and any(sub.glob("*.so*"))
    ]
    libraries = ":".join(f"$here/{folder.relative_to(target)}" for folder in folders)
    (target / "fonts.conf").write_text(FONTS_CONF)
    wrapper = target / "chromium"
    wrapper.write_text(WRAPPER.format(libraries=libraries))
    wrapper.chmod(0o755)


def install_as_user(base: Path) -> Path:
    """Unpack the packages into ``base``; needs no rights beyond writing there."""
    with tempfile.TemporaryDirectory(dir=base, prefix="tmp-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        packages = _download(work)
        main = next(package for package in packages if package.name.startswith("chromium_"))
        version = _run(("dpkg-deb", "-f", str(main), "Version"), LAUNCH_TIMEOUT_S).strip()
        target = work / "browser"
        target.mkdir()
        _unpack(packages, target)
        if not _starts(target / "chromium", ("--no-sandbox",)):
            raise ChromiumError(
                f"the unpacked Chromium {version} does not start here: install chromium as root"
            )
        final = base / f"v{re.sub(r'[^0-9A-Za-z.-]', '_', version)}"
        if not final.exists():
            target.rename(final)
    return final / "chromium"


def _starts(browser: Path, flags: Sequence[str]) -> bool:
    """Whether the browser renders one small page within the time."""
    with tempfile.TemporaryDirectory(prefix="kestrel-chromium-", ignore_cleanup_errors=True) as profile:
        page = "data:text/html,<title>ok</title><p>it-runs"
        command = (
            str(browser),
            "--headless",
            *FLAGS,
            *flags,
            f"--user-data-dir={profile}",
            "--dump-dom",
            page,
        )
        try:
            return "it-runs" in _run(command, LAUNCH_TIMEOUT_S)
        except ChromiumError:
            return False


def provide() -> Path:
    """The path of an executable Chromium; :class:`ChromiumError` when there is none to be had."""
    override = os.environ.get(OVERRIDE)
    if override:
        path = Path(override)
        if not path.is_file() or not path.stat().st_mode & stat.S_IXUSR:
            raise ChromiumError(f"{OVERRIDE} is no executable file: {override}")
        return path
    found = system_browser()
    if found is not None:
        return found
    base = cache_directory()
    with _one_at_a_time(base):
        found = system_browser() or unpacked_browser(base)
        if found is not None:
            return found
        if os.geteuid() != 0:
            return install_as_user(base)
        try:
            return install_as_root()
        except ChromiumError:  # a read-only system, a package state that somebody has to repair
            return install_as_user(base)


def lend_libraries(browser: Path) -> None:
    """Let Playwright's own driver find libatomic beside an unpacked browser where the system has none.

    Only this one library is lent: the driver brings or finds its others.
    """
    try:
        ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        found = next(iter(browser.parent.glob(f"root/usr/lib/*/{DRIVER_LIBRARY}")), None)
        if found is None:
            raise ChromiumError(f"{DRIVER_LIBRARY} is missing: install the package libatomic1") from None
        folder = browser.parent / "driver"
        folder.mkdir(exist_ok=True)
        link = folder / DRIVER_LIBRARY
        if not link.exists():
            link.symlink_to(found)
        before = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = f"{folder}:{before}" if before else str(folder)


@cache
def launch_flags(browser: Path) -> tuple[str, ...]:
    """The flags of every test browser; without a sandbox only where the kernel offers none."""
    if os.geteuid() == 0 or not _starts(browser, ()):
        return (*FLAGS, "--no-sandbox")
    return FLAGS


def main() -> int:
    try:
        browser = provide()
    except ChromiumError as error:
        sys.stderr.write(f"no Chromium: {error}. Install the package chromium or set {OVERRIDE}.\n")
        return 1
    sys.stdout.write(f"{browser}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
