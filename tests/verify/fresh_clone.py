"""From a fresh clone in an empty directory: `make up` with the demo and with each tape, as root and as somebody else.

    python -m tests.verify.fresh_clone [--as nobody] [--data ../shared/data] [--most-seconds 15] [--make-test]

Clones the committed state, runs the README's commands there with a home and ports of its own, and prints
seconds to all-healthy for the first and the second start, the demo's outcome on the exchange's ledger, and
what was left running. `--as` drops to an ordinary user (needs root).
"""

from __future__ import annotations

import argparse
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx

from shared import clock

ROOT = Path(__file__).resolve().parents[2]
HEALTHY = re.compile(r"all healthy after ([0-9.]+) s")
STORY_S = 180.0
INSTALL_S = 900.0


class ClaimError(Exception):
    """The claim does not hold."""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Place:
    """An empty directory with a clone in it, and the account that works there."""

    def __init__(self, user: str | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kestrel-fresh-"))
        self.folder.chmod(0o755)
        self.clone = self.folder / "kestrel"
        self.user = pwd.getpwnam(user) if user else None
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self.clone)], check=True)
        names = ("KESTREL_WEB__PORT", "KESTREL_EXCHANGE__PORT", "KESTREL_TRADER__OPS_PORT")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KESTREL_", "PG", "PREFECT_", "VIRTUAL_ENV", "MAKE", "MFLAGS"))
        }
        self.environment |= {
            "HOME": str(self.folder / "user"),
            "KESTREL_HOME": str(self.folder / "home"),
            **{name: str(port) for name, port in zip(names, free_ports(3), strict=True)},
        }
        (self.folder / "user").mkdir()
        if self.user:
            # An interpreter below root's own folder is closed to others: use the system's.
            self.environment["PYTHON"] = "/usr/bin/python3"
            self.environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid, follow_symlinks=False)

    def start(self, *arguments: str) -> Running:
        user = self.user
        groups = [entry.gr_gid for entry in grp.getgrall() if user.pw_name in entry.gr_mem] if user else None
        return Running(
            subprocess.Popen(
                arguments,
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=groups,
            )
        )

    def leftovers(self) -> list[str]:
        """Processes that still work in this place."""
        found = []
        for path in Path("/proc").iterdir():
            try:
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if path.name.isdigit() and str(self.folder) in command:
                found.append(f"{path.name} {command[:80]}")
        return found

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Running:
    """A started command whose lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def until(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """The first line that matches, or :class:`ClaimError` with what was said."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := re.search(pattern, line))), None)

        with self._news:
            self._news.wait_for(lambda: found() or not self._thread.is_alive(), timeout_s)
            match = found()
        if match is None:
            said = "\n".join(self.lines[-25:])
            raise ClaimError(f"never said {pattern!r}:\n{said}")
        return match

    def stop(self) -> None:
        """One Ctrl-C, as a terminal sends it: to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(30)
        self._thread.join(5)
        # make itself reports an interrupt (130 or 2) although what it ran ended in order.
        if code not in (0, 2, 130, -signal.SIGINT):
            raise ClaimError(f"ended with {code}")


def demo(place: Place) -> None:
    running = place.start("make", "up", "ARGS=--demo --tape synthetic:1")
    healthy = running.until(HEALTHY.pattern, INSTALL_S)
    print(f"first start, with installing: all healthy after {healthy[1]} s of its own")
    running.until(r"the end of the story: all took their profit", STORY_S)
    check_ledgers(place)
    running.stop()
    no_leftovers(place)


def check_ledgers(place: Place) -> None:
    """Three accounts, each opened and closed once, and each ledger adds up to its balance."""
    url = f"http://127.0.0.1:{place.environment['KESTREL_EXCHANGE__PORT']}/control"
    with httpx.Client(trust_env=False, timeout=5) as client:
        for number in (1, 2, 3):
            ledger = client.get(f"{url}/accounts/{number}/ledger").json()
            opened = {entry["ns"] for entry in ledger if entry["kind"] == "open_fee"}
            closed = {entry["ns"] for entry in ledger if entry["kind"] == "close_fee"}
            if (len(opened), len(closed)) != (1, 1):
                raise ClaimError(f"account {number} was opened {len(opened)} and closed {len(closed)} times")
            print(f"demo account {number}: opened once, closed once, balance {ledger[-1]['balance']}")


def second_start(place: Place, tape: str, most_s: float) -> None:
    began = clock.monotonic_ns()
    running = place.start("make", "up", f"ARGS=--tape {tape}")
    running.until(HEALTHY.pattern, 60)
    seconds = (clock.monotonic_ns() - began) / clock.SECOND
    print(f"start with {Path(tape).name}: all healthy {seconds:.1f} s after `make up` was typed")
    running.stop()
    no_leftovers(place)
    if seconds > most_s:
        raise ClaimError(f"that is more than {most_s:g} s")


def no_leftovers(place: Place) -> None:
    if left := place.leftovers():
        raise ClaimError(f"still running: {left}")


def make_test(place: Place) -> None:
    running = place.start("make", "test")
    closing = running.until(r"=+ .*(passed|failed).* in .*=+", 1800)
    print(f"make test: {closing[0].strip('= ')}")
    if running.process.wait(60) != 0:
        raise ClaimError("make test failed:\n" + "\n".join(running.lines[-40:]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--as", dest="user", help="an ordinary user to drop to")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "market")
    parser.add_argument("--most-seconds", type=float, default=15.0)
    parser.add_argument("--make-test", action="store_true", help="run `make test` in the clone, too")
    given = parser.parse_args()
    tapes = ["synthetic:1"]
    recorded = given.data / "raw_books" / "usdm_btcusdt_20240808.gz"
    candles = given.data / "perp_1m" / "BTC_USDT_USDT-1m-futures.feather"
    for tape in (recorded, candles):
        if tape.exists():
            tapes.append(str(tape))
        else:
            print(f"not there, left out: {tape}")
    place = Place(given.user)
    print(f"in {place.folder} as {given.user or pwd.getpwuid(os.geteuid()).pw_name}")
    try:
        demo(place)
        for tape in tapes:
            second_start(place, tape, given.most_seconds)
        if given.make_test:
            make_test(place)
    except ClaimError as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        return 1
    finally:
        place.remove()
    print("holds")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
