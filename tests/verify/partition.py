"""Cuts one trader off from Postgres while a second one with the same keys still reaches it; prints who did what.

    python -m tests.verify.partition [LEASE_S]

The lease is 12 seconds by default. Notices come all the time: before the cut, within the lease, around its end and
after the second one has taken over; then the first one gets Postgres back. Ends non-zero when a notice leads to two
entries, when the first one enters after its lease, when the second one does not take over, when a position is without
its take profit, or when Postgres does not hold everything once afterwards.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

from shared import clock, installation
from tests.trader.road import Road
from tests.trader.world import World, eventually
from tests.verify import drill

LEASE_S = 12.0
#: Seconds between the notices that come around the end of the lease.
EVERY_S = 0.5


def main() -> int:
    lease_s = float(sys.argv[1]) if len(sys.argv) > 1 else LEASE_S
    return drill.run(lambda world: story(world, lease_s))


def story(world: World, lease_s: float, *, silent: bool = True) -> drill.Told:
    """A is cut off, B takes over, A comes back and stands aside."""
    count = int(2 * lease_s / EVERY_S) + 4
    symbols = [f"{coin}USDT" for coin in drill.coins(count)]
    for symbol in symbols:
        world.symbol(symbol, "2.5")
    world.person("anna", balance="1000000", leverage="5", take_profit="100", amount="10")
    lease = {"KESTREL_TRADER__LEASE_S": str(lease_s)}
    other = world.home.parent / "other"
    shutil.copytree(world.home / "keys", other / "keys")
    road = Road(world.database_url)
    first = second = None
    try:
        first = world.start_trader(KESTREL_DATABASE_URL=road.url, **lease)
        drill.prepared(world, symbols)
        second = world.start_trader(KESTREL_HOME=str(other), **lease)
        log = other / "logs" / "trader.log"
        eventually(lambda: _said(log, "leases.another_trader"), 30, "the second one waits")
        left = iter(symbols)
        sent: list[str] = []

        def notice() -> str:
            symbol = next(left)
            sent.append(symbol)
            world.notice(drill.title([symbol.removesuffix("USDT")]))
            return symbol

        def entered(symbol: str) -> int:
            return drill.entries_by_symbol(world).get(symbol, 0)

        before = notice()
        eventually(lambda: entered(before) == 1, 10, "an entry before the cut")
        drill.protected(world, [before])
        world.settled()
        road.cut(silent=silent)
        cut_ns, cut_wall_ns = clock.monotonic_ns(), clock.now_ns()
        within = notice()
        eventually(lambda: entered(within) == 1, min(10.0, lease_s), "an entry within the lease")
        # Whoever may enter at the hand-over, it is never both.
        while not _said(log, "trader.taken_over"):
            assert clock.monotonic_ns() - cut_ns < 3 * lease_s * clock.SECOND, "nobody takes over"
            notice()
            _until(cut_ns + int(len(sent) * EVERY_S * clock.SECOND))
        taken_over_s = (clock.monotonic_ns() - cut_ns) / clock.SECOND
        eventually(lambda: _said(log, "trader.armed"), 30, "the second one is armed")
        mine = [symbol for symbol in sent if entered(symbol)]
        after = ""

        def second_enters() -> bool:
            nonlocal after
            after = notice()
            _until(clock.monotonic_ns() + int(EVERY_S * clock.SECOND))
            return entered(after) == 1

        eventually(second_enters, 10 + lease_s, "the second one enters")
        doubled = {symbol: made for symbol, made in drill.entries_by_symbol(world).items() if made > 1}
        assert not doubled, f"entered twice: {doubled}"
        drill.protected(world, sorted(drill.entries_by_symbol(world)))
        road.mend()
        eventually(
            lambda: _said(world.home / "logs" / "trader.log", "leases.another_trader"), 60, "A stands aside"
        )
        last = notice()
        eventually(lambda: entered(last) == 1, 10, "an entry after the cut is mended")
        held = sorted(drill.entries_by_symbol(world))
        drill.protected(world, held)
        eventually(
            lambda: world.rows("select count(*) from orders where filled_size > 0") == [(len(held),)],
            30,
            "what the first one did while it was cut off is stored",
        )
        doubled = {symbol: made for symbol, made in drill.entries_by_symbol(world).items() if made > 1}
        assert not doubled, f"entered twice: {doubled}"
        late_s = _last_entry_s(world, installation.prefix(world.home), cut_wall_ns)
        assert late_s <= lease_s, f"the first one entered {late_s:.1f} s after the cut"
        return {
            "lease_s": lease_s,
            "taken_over_after_s": round(taken_over_s, 1),
            "last_entry_of_the_first_after": round(late_s, 1),
            "notices": len(sent),
            "entered_by_the_first_while_cut_off": len(mine) - 1,
            "entered_by_nobody_at_the_hand_over": len(sent) - len(held),
            "doubled": 0,
        }
    finally:
        for process in (first, second):
            if process is not None:
                process.end(signal.SIGKILL)
        road.close()


def _last_entry_s(world: World, prefix: str, since_ns: int) -> float:
    """Seconds to the last entry that this installation wrote."""
    rows = world.rows(
        "select max(o.written_ns) from orders o join intents i using (client_id)"
        f" where i.step = 'entry' and o.written_ns > 0 and o.client_id like '{prefix}%'"
    )
    return float(rows[0][0] - since_ns) / clock.SECOND


def _said(log: Path, event: str) -> bool:
    return log.exists() and f'"{event}"' in log.read_text(encoding="utf-8")


def _until(moment_ns: int) -> None:
    drill.pause_s((moment_ns - clock.monotonic_ns()) / clock.SECOND)


if __name__ == "__main__":
    raise SystemExit(main())
