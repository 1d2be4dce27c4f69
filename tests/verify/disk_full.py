"""Fills the disk of a trader's home, a real small one, and empties it again; prints what went on meanwhile.

    python -m tests.verify.disk_full

The disk is a tmpfs of 96 MB in a mount namespace of this process alone: as root by `unshare`, as an ordinary user by a
user namespace. Nearly full: entries stop with an alarm. Full to the last byte: a take profit and a closing order go
out. With room again entries go on. Then the trader is killed and started. Ends non-zero when one of this does not
hold, or when an order is lost or doubled.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.trader.world import World, eventually
from tests.verify import drill

DISK_MB = 96
#: Room that is left when the disk is nearly full; the journal wants more for entries.
LEFT_MB = 30
PROTECT = "/api/v2/mix/order/place-tpsl-order"
INSIDE = "KESTREL_DRILL_DISK"


def main() -> int:
    disk = os.environ.get(INSIDE)
    return drill.run(lambda world: story(world, Path(disk))) if disk else on_a_small_disk()


def on_a_small_disk() -> int:
    """This command again, where a small disk is mounted; its exit code."""
    place = Path(tempfile.mkdtemp(prefix="kestrel-disk-"))
    place.chmod(0o711)
    own = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps", "--mount"]
    mount = f"mount -t tmpfs -o size={DISK_MB}m,mode=755 kestrel '{place}' && exec \"$@\""
    command = ["unshare", *own, "sh", "-c", mount, "sh", sys.executable, "-m", "tests.verify.disk_full"]
    try:
        return subprocess.run(command, env={**os.environ, INSIDE: str(place)}, check=False).returncode
    finally:
        place.rmdir()


def story(world: World, disk: Path) -> drill.Told:
    """Nearly full, full, room again, killed and started."""
    home = disk / "home"
    shutil.copytree(world.home / "keys", home / "keys")
    coins = drill.coins(5)
    first, waits, passed, denied, later = symbols = [f"{coin}USDT" for coin in coins]
    for symbol in symbols:
        world.symbol(symbol, "2.5")
    anna = world.person("anna", balance="100000", leverage="50", take_profit="100", amount="10")
    world.start_trader(KESTREL_HOME=str(home))
    drill.prepared(world, symbols)
    _notice(world, first)
    drill.protected(world, [first])
    # Two positions whose take profits the exchange does not take for now.
    fault = world.control("POST", "faults", match={"path": PROTECT}, do="drop_request")["id"]
    for symbol in (waits, passed):
        _notice(world, symbol)
    eventually(lambda: len(drill.entries_by_symbol(world)) == 3, 10, "three entries")

    filler = disk / "filler"
    _fill(filler, shutil.disk_usage(disk).free - (LEFT_MB << 20))
    eventually(lambda: world.health().get("disk_full"), 20, "the alarm is in the health")
    alarm = world.health()["disk_full"]
    assert "recorder.disk_full" in (home / "logs" / "trader.log").read_text(), "the alarm is in the log"
    _notice(world, denied)
    eventually(lambda: _acted(home, denied), 10, "the notice is seen")
    _fill(filler, 1 << 40)
    free = shutil.disk_usage(disk).free
    assert free == 0, f"{free} bytes are free"
    world.price(passed, "2.7")
    world.control("DELETE", f"faults/{fault}")
    eventually(lambda: drill.profits_by_symbol(world).get(waits) == 1, 60, "protected on a full disk")
    eventually(
        lambda: all(position["symbol"] != passed for position in world.account(anna)["positions"]),
        60,
        "the position beyond its target is closed on a full disk",
    )
    assert denied not in drill.entries_by_symbol(world), "an entry on a full disk"

    filler.unlink()
    eventually(lambda: not world.health().get("disk_full"), 20, "the alarm ends")
    _notice(world, later)
    eventually(lambda: drill.entries_by_symbol(world).get(later) == 1, 10, "entries go on")
    drill.protected(world, [first, waits, later])
    world.settled(60)
    assert world.trader is not None
    world.trader.end(signal.SIGKILL)
    world.start_trader(KESTREL_HOME=str(home))
    world.armed(timeout_s=60)
    world.settled(60)
    entered = dict.fromkeys((first, waits, passed, later), 1)
    assert drill.entries_by_symbol(world) == entered, drill.entries_by_symbol(world)
    assert drill.profits_by_symbol(world) == dict.fromkeys((first, waits, later), 1)
    drill.stored_once(world, list(entered))
    return {
        "disk_mb": DISK_MB,
        "free_bytes_when_full": free,
        "alarm": alarm,
        "entries": len(entered),
        "lost": 0,
        "doubled": 0,
    }


def _notice(world: World, symbol: str) -> None:
    world.notice(drill.title([symbol.removesuffix("USDT")]))


def _acted(home: Path, symbol: str) -> bool:
    """Whether the trader has said what became of a notice; on a nearly full disk it still can."""
    coin = symbol.removesuffix("USDT")
    lines = (home / "logs" / "trader.log").read_text(encoding="utf-8").splitlines()
    return any('"sniper.acted"' in line and coin in line for line in lines)


def _fill(path: Path, size: int) -> None:
    """Write until it is so large or there is no room: then to the last byte."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while (missing := size - file.tell()) > 0:
            file.write(bytes(min(missing, 4096)))


if __name__ == "__main__":
    raise SystemExit(main())
