"""What must be true before anything is started; each failure is one line that says what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kestrel import reaper, supervisor
from shared import clock, files, procfs
from shared.errors import AlreadyRunningError, PortBusyError, StartError, TapeError
from shared.settings import Settings

UP = supervisor.UP
FLOWS = "flows"
REAPER_WAIT_S = 15.0
KEYWORDS = ("live", "manual", "synthetic")
_BEAT_S = 0.05


def prepare_home(home: Path) -> Path:
    """Make the home's folders with the right modes; the absolute home."""
    try:
        home = files.make_home(home)
        for name in ("run", "logs", "streamlit", "paper", "prefect"):
            files.folder(home / name)
        probe = home / "run" / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"{home} cannot be used as home ({os.strerror(error.errno or 0)}): set KESTREL_HOME to a folder of yours"
        ) from None
    return home


@contextmanager
def only_one(home: Path, name: str = UP) -> Iterator[None]:
    """Hold this home for one such command; :class:`AlreadyRunningError` names the other's pid."""
    handle = os.open(_lock_file(home, name), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(handle):
            pid = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            what = "`kestrel up` already runs" if name == UP else "flows are already run"
            raise AlreadyRunningError(
                f"{what} in {home} (pid {pid}): stop it first (kill {pid}),"
                " or set KESTREL_HOME to another folder"
            )
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def _lock_file(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.lock"


def _take(handle: int, tries: int = 5) -> bool:
    """Lock for ourselves; a few tries, for who only looks (:func:`running_pid`) holds it for a moment."""
    for _ in range(tries):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BEAT_S)
        else:
            return True
    return False


def running_pid(home: Path, name: str = UP) -> int | None:
    """The pid of the command of this name that holds this home, if there is one."""
    try:
        handle = os.open(_lock_file(home, name), os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(handle, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(handle)
    return None


def await_reaper(home: Path, name: str = UP, wait_s: float = REAPER_WAIT_S) -> None:
    """Wait until the cleaning after an earlier, killed run is over."""
    handle = os.open(reaper.lock_file(home, name), os.O_RDWR | os.O_CREAT, 0o600)
    deadline = clock.monotonic_ns() + int(wait_s * clock.SECOND)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic_ns() > deadline:
                    raise StartError(
                        f"the processes of an earlier run in {home} are still being stopped after {wait_s:.0f} s:"
                        " try again in a moment"
                    ) from None
                time.sleep(_BEAT_S)
            else:
                return
    finally:
        os.close(handle)


def clear_leftovers(home: Path, name: str = UP) -> list[str]:
    """End what an earlier run left behind although its reaper was killed too; the names."""
    found = supervisor.leftovers(home, name)
    if found:
        reaper.end({(pid, start) for _, pid, start in found}, home)
    return [name for name, _, _ in found]


def check_port(port: int, what: str, setting: str) -> None:
    """Raise :class:`PortBusyError` when somebody listens on 127.0.0.1:port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise StartError(
                    f"port {port} ({what}) needs more rights: set {setting} to one above 1023"
                ) from None
            if error.errno != errno.EADDRINUSE:
                raise
            owner = procfs.listener(port)
            by = f"by {owner.name} (pid {owner.pid})" if owner else "by another process"
            raise PortBusyError(
                f"port {port} ({what}) is in use {by}: stop that, or set {setting} to a free port"
            ) from None


def choose_ports(wanted: Mapping[str, tuple[int, str, str]]) -> dict[str, int]:
    """By name: the configured port when it is free, any free one for 0; ``wanted`` is name -> (port, what, setting).

    :class:`PortBusyError` names who sits there.
    """
    chosen: dict[str, int] = {}
    for name, (port, what, setting) in wanted.items():
        if port:
            check_port(port, what, setting)
        chosen[name] = port or free_port()
    doubled = [name for name, port in chosen.items() if list(chosen.values()).count(port) > 1]
    if doubled:
        named = " and ".join(wanted[name][2] for name in doubled)
        raise StartError(f"{named} name the same port {chosen[doubled[0]]}: change one")
    return chosen


def flow_ports(settings: Settings) -> dict[str, tuple[int, str, str]]:
    return {
        "prefect": (settings.flows.port, "Prefect", "KESTREL_FLOWS__PORT"),
        "worker": (settings.flows.worker_port, "the worker's health", "KESTREL_FLOWS__WORKER_PORT"),
    }


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_tape(spec: str) -> None:
    """Refuse at once what cannot be a tape; whether a file is sound only the exchange can tell."""
    if spec in KEYWORDS or Path(spec).expanduser().is_file():
        return
    if spec.startswith("synthetic:"):
        if not spec.removeprefix("synthetic:").isdigit():
            raise TapeError(f"tape {spec!r}: the seed is a whole number, for example synthetic:1")
        return
    for part in spec.split(","):
        if not part.strip() or not Path(part.strip()).expanduser().is_file():
            raise TapeError(
                f"there is no tape {part!r}: give live, manual, synthetic:SEED, or the path of candle"
                " files or of recorded frames"
            )
