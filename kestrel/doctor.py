"""``kestrel doctor``: looks at everything an installation needs and says what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec

from kestrel import console, doctor_flows, preflight, status
from shared import clock, procfs
from shared.errors import KestrelError, PortBusyError, StartError
from shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MB = 1_000_000
DISK_WARN_MB = 2000
DISK_FAIL_MB = 200
SKEW_WARN_S = 1.0
SKEW_FAIL_S = 10.0
STALE_S = 60.0
TIMEOUT_S = 3.0


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, how it is, and what to do (empty when nothing)."""

    check: str
    level: Level
    text: str
    advice: str = ""


Findings = Iterator[Finding]


def run(settings: Settings, *, as_json: bool) -> int:
    """Print every finding as it is made; 1 when one of them is FAIL."""
    failed = False
    for finding in examine(settings):
        failed = failed or finding.level is Level.FAIL
        if as_json:
            console.json_lines([finding])
        else:
            advice = f" -> {finding.advice}" if finding.advice else ""
            console.line(f"{finding.level.value:<4}  {finding.check:<10} {finding.text}{advice}")
    return 1 if failed else 0


def examine(settings: Settings) -> Findings:
    """Every check in turn; a check that fails never hides the next."""
    home = settings.home.expanduser().resolve()
    checks: list[tuple[str, Callable[[], Findings]]] = [
        ("python", python),
        ("home", lambda: folder(home)),
        ("keys", lambda: keys(home)),
        ("disk", lambda: disk(home)),
        ("ports", lambda: ports(settings, home)),
        ("database", lambda: database(settings)),
        ("flows", lambda: doctor_flows.flows(settings)),
        ("clock", lambda: clocks(settings)),
    ]
    for name, check in checks:
        try:
            yield from check()
        except KestrelError as error:
            yield Finding(name, Level.FAIL, str(error))
        except OSError as error:
            yield Finding(name, Level.FAIL, f"{type(error).__name__}: {os.strerror(error.errno or 0)}")


def python() -> Findings:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        yield Finding("python", Level.OK, f"{version} ({sys.executable})")
    else:
        yield Finding("python", Level.FAIL, version, "use Python 3.11, 3.12 or 3.13")
    if sys.prefix == sys.base_prefix:
        yield Finding(
            "python",
            Level.WARN,
            "not in a virtual environment",
            "run `make install` and use .venv/bin/kestrel",
        )


def folder(home: Path) -> Findings:
    if not home.exists():
        yield Finding("home", Level.WARN, f"{home} does not exist yet", "`kestrel up` makes it")
        return
    found = home.stat()
    if found.st_uid != os.geteuid():
        yield Finding(
            "home",
            Level.FAIL,
            f"{home} belongs to user {found.st_uid}",
            "run as that user, or set KESTREL_HOME",
        )
    elif found.st_mode & 0o066:
        yield Finding("home", Level.WARN, f"others can look into {home}", f"chmod 711 {home}")
    elif not os.access(home, os.W_OK):
        yield Finding("home", Level.FAIL, f"{home} cannot be written to", f"chmod u+w {home}")
    else:
        yield Finding("home", Level.OK, str(home))


def keys(home: Path) -> Findings:
    ring = home / "keys" / "master.key"
    if not ring.exists():
        yield Finding(
            "keys", Level.WARN, "there is no master key yet", "`kestrel up` makes it; then back it up"
        )
        return
    exposed = [path for path in (ring.parent, *ring.parent.iterdir()) if path.stat().st_mode & 0o077]
    exposed = [path for path in exposed if path.suffix != ".pub"]
    if exposed:
        yield Finding("keys", Level.FAIL, f"others can read {exposed[0]}", f"chmod go-rwx {exposed[0]}")
        return
    from shared.vault import TraderKeys

    TraderKeys.open(home)  # raises when the private half does not open with the master key
    yield Finding("keys", Level.OK, "the master key opens the trader's key", "")


def disk(home: Path) -> Findings:
    place = home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / MB
    text = f"{free / 1000:.1f} GB free at {place}"
    if free < DISK_FAIL_MB:
        yield Finding("disk", Level.FAIL, text, "make room: journal and database need it")
    elif free < DISK_WARN_MB:
        yield Finding("disk", Level.WARN, text, f"keep {DISK_WARN_MB // 1000} GB free")
    else:
        yield Finding("disk", Level.OK, text)


def ports(settings: Settings, home: Path) -> Findings:
    pid = preflight.running_pid(home)
    if pid is not None:
        found = status.read(home)
        where = f": page {found.web_url}, exchange {found.exchange_url}" if found else ", still starting"
        yield Finding("ports", Level.OK, f"`kestrel up` runs (pid {pid}){where}")
        return
    wanted = [
        (settings.exchange.port, "paper exchange", "KESTREL_EXCHANGE__PORT"),
        (settings.trader.ops_port, "trader health", "KESTREL_TRADER__OPS_PORT"),
        (settings.web.port, "web page", "KESTREL_WEB__PORT"),
    ]
    if settings.flows.run and preflight.running_pid(home, preflight.FLOWS) is None:
        wanted += preflight.flow_ports(settings).values()
    for port, what, setting in wanted:
        if not port:
            continue
        try:
            preflight.check_port(port, what, setting)
        except (PortBusyError, StartError) as error:
            yield Finding("ports", Level.FAIL, str(error))
        else:
            yield Finding("ports", Level.OK, f"{port} is free for the {what}")


def database(settings: Settings) -> Findings:
    from kestrel.database import transaction
    from shared.db.embedded import find_binaries

    own = settings.database_url is not None
    if not own:
        yield Finding("postgres", Level.OK, f"programs in {find_binaries()}")
    with transaction(settings) as session:
        from sqlalchemy import text

        version = session.execute(text("show server_version")).scalar_one()
        revision = session.execute(text("select version_num from alembic_version")).scalar_one()
        kind = "your own" if own else "embedded"
        yield Finding("postgres", Level.OK, f"{kind} server {version} accepts connections")
        yield Finding("schema", Level.OK, f"revision {revision}, what this version needs")
        yield from heartbeats(session)


def heartbeats(session: Session) -> Findings:
    from shared.db import history

    found = history.heartbeats(session)
    if not found:
        yield Finding("life", Level.OK, "no process has run here yet")
    for beat in found:
        age_s = (clock.now_ns() - beat.at_ns) / clock.SECOND
        text = f"{beat.service}: {beat.state}, {_age(age_s)} ago"
        gone = procfs.start_time(beat.pid) is None
        if beat.state == "stopped":
            yield Finding("life", Level.OK, text)
        elif gone:
            yield Finding(
                "life", Level.WARN, f"{text}, and its process is gone", "it was killed; start it again"
            )
        elif age_s > STALE_S:
            yield Finding("life", Level.WARN, f"{text}, although it runs", f"see logs/{beat.service}.log")
        else:
            yield Finding("life", Level.OK, text)


def clocks(settings: Settings) -> Findings:
    """Signatures are refused when our clock is wrong. The paper exchange runs on this very clock."""
    hosts = [("paper exchange", status.paper_url(settings))]
    if settings.live:
        hosts.append(("Bitget", settings.bitget.rest_url))
    for name, url in hosts:
        skew = measure(url)
        if skew is None:
            level = Level.WARN if name == "Bitget" else Level.OK
            yield Finding("clock", level, f"the {name} at {url} is not reachable, so nothing to compare with")
            continue
        text = f"{abs(skew):.3f} s {'ahead of' if skew > 0 else 'behind'} the {name}"
        if abs(skew) > SKEW_FAIL_S:
            yield Finding("clock", Level.FAIL, text, "set the clock (timedatectl set-ntp true)")
        elif abs(skew) > SKEW_WARN_S:
            yield Finding("clock", Level.WARN, text, "set the clock (timedatectl set-ntp true)")
        else:
            yield Finding("clock", Level.OK, text)


def measure(url: str) -> float | None:
    """Our clock minus the host's in seconds, the best of three; None when it does not answer."""
    best: tuple[int, float] | None = None
    try:
        with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client:
            for _ in range(3):
                before = clock.now_ns()
                answer = client.get(url.rstrip("/") + "/api/v2/public/time")
                after = clock.now_ns()
                content = msgspec.json.decode(answer.content, type=_Time, strict=False)
                skew = ((before + after) / 2 - content.data.server_time * clock.MILLISECOND) / clock.SECOND
                if best is None or after - before < best[0]:
                    best = (after - before, skew)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, msgspec.ValidationError):
        return None
    return best[1] if best else None


class _ServerTime(msgspec.Struct):
    server_time: int = msgspec.field(name="serverTime")


class _Time(msgspec.Struct):
    data: _ServerTime


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
