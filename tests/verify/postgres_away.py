"""Takes Postgres away from a trader while notices arrive, and prints what went on meanwhile.

    python -m tests.verify.postgres_away [SECONDS]

60 seconds by default, with a lease of 90. First every connection is refused, then, as with a machine that hangs,
none answers. A notice comes every tenth of the time. Ends non-zero when an entry is missing, doubled or without its
take profit, and when Postgres does not hold everything exactly once afterwards.
"""

from __future__ import annotations

import sys
import time
from functools import partial

from shared import clock
from tests.trader.road import Road
from tests.trader.world import World, eventually
from tests.verify import drill

NOTICES = 10


def main() -> int:
    away_s = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    return drill.run(lambda world: story(world, away_s))


def story(
    world: World, away_s: float, notices: int = NOTICES, ways: tuple[bool, ...] = (False, True)
) -> drill.Told:
    """Ways of being away (silent or not), one after the other; ``notices`` in each."""
    symbols = [f"{coin}USDT" for coin in drill.coins(len(ways) * notices)]
    for symbol in symbols:
        world.symbol(symbol, "2.5")
    world.person("anna", balance="100000", leverage="5", take_profit="100", amount="10")
    world.person("bert", balance="100000", leverage="50", take_profit="100", amount="10")
    road = Road(world.database_url)
    try:
        world.start_trader(KESTREL_DATABASE_URL=road.url)
        drill.prepared(world, symbols)
        told: drill.Told = {"away_s": away_s, "notices": len(symbols)}
        for way, silent in enumerate(ways):
            some = symbols[way * notices : (way + 1) * notices]
            before = len(world.rows("select 1 from orders"))
            road.cut(silent=silent)
            slowest = _notices(world, some, away_s)
            assert len(world.rows("select 1 from orders")) == before, "Postgres was not away"
            road.mend()
            back_ns, back_wall_ns = clock.monotonic_ns(), clock.now_ns()
            world.settled(60)
            # The next absence has a whole lease before it only when this one's was renewed.
            eventually(partial(_renewed, world, back_wall_ns), 30, "the leases are renewed")
            told["silent" if silent else "refused"] = {
                "slowest_entry_s": round(slowest, 2),
                "stored_after_s": round((clock.monotonic_ns() - back_ns) / clock.SECOND, 2),
            }
        drill.protected(world, symbols)
        drill.stored_once(world, symbols)
        rows = world.rows("select count(*), count(distinct key) from notices where title like '%새코인%'")
        assert rows == [(len(symbols), len(symbols))], f"notices stored: {rows}"
        assert world.health()["quarantined"] == 0
        return told
    finally:
        road.close()


def _notices(world: World, symbols: list[str], away_s: float) -> float:
    """One after the other over the time; seconds of the slowest from its notice to the last account's entry."""
    slowest = 0.0
    began = clock.monotonic_ns()
    for n, symbol in enumerate(symbols):
        asked = clock.monotonic_ns()
        world.notice(drill.title([symbol.removesuffix("USDT")]))
        eventually(partial(_entered, world, symbol), 20, f"{symbol} is entered without Postgres")
        slowest = max(slowest, (clock.monotonic_ns() - asked) / clock.SECOND)
        due = began + int((n + 1) * away_s / len(symbols) * clock.SECOND)
        time.sleep(max(0, due - clock.monotonic_ns()) / clock.SECOND)
    drill.protected(world, symbols)
    return slowest


def _renewed(world: World, since_ns: int) -> bool:
    return bool(world.rows("select min(renewed_ns) from account_leases")[0][0] > since_ns)


def _entered(world: World, symbol: str) -> bool:
    """By everybody, once."""
    return drill.entries_by_symbol(world).get(symbol) == len(world.people)


if __name__ == "__main__":
    raise SystemExit(main())
