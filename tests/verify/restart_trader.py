"""Kills a trader with many positions and resting orders, starts it again, and prints how long that takes.

    python -m tests.verify.restart_trader [POSITIONS [RESTING]]

50 positions of ours, each with its take profit, and 200 resting orders in all by default: what is not a take
profit rests by the user's own hand. Killed twice: when all is quiet, and with a part of the entries in flight.
Ends non-zero when an entry, a take profit or an order of the user is lost or doubled.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

from shared import clock
from tests.trader.world import Person, World, eventually
from tests.verify import drill

PLACE = "/api/v2/mix/order/place-order"
#: Coins of one notice: the venue takes ten orders a second of one account.
AT_ONCE = 5
PAUSE_S = 1.0
#: Orders by hand a second are bounded by the venue too.
HAND_PAUSE_MS = 150


def main() -> int:
    positions = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    resting = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    return drill.run(lambda world: story(world, positions, resting))


def story(world: World, positions: int, resting: int) -> drill.Told:
    """Enter, kill when quiet, start; enter the last part, kill in flight, start."""
    coins = drill.coins(positions // 2)  # two accounts each
    symbols = [f"{coin}USDT" for coin in coins]
    for symbol in symbols:
        world.symbol(symbol, "2.5")
    # Half of the gains are near enough for the take profit to be placed on the fill, not with the entry.
    rides = world.person("rides", balance="1000000", leverage="5", take_profit="100", amount="10")
    near = world.person("near", balance="1000000", leverage="50", take_profit="100", amount="10")
    by_hand = max(0, resting - positions)
    _hand(world, rides, by_hand // 2)
    _hand(world, near, by_hand - by_hand // 2)
    world.start_trader()
    drill.prepared(world, symbols)
    last = max(1, len(symbols) // 10)
    done = symbols[:-last]
    for at in range(0, len(done), AT_ONCE):
        some = done[at : at + AT_ONCE]
        world.notice(drill.title([symbol.removesuffix("USDT") for symbol in some]))
        _held(world, done[: at + len(some)])
        drill.protected(world, done[: at + len(some)])
        time.sleep(PAUSE_S)
    drill.protected(world, done)
    world.settled()
    quiet = _killed_and_started(world)
    drill.protected(world, done)
    world.settled()
    drill.prepared(world, symbols[-last:])
    world.notice(drill.title([symbol.removesuffix("USDT") for symbol in symbols[-last:]]))
    eventually(
        lambda: drill.entries_by_symbol(world).keys() - set(done), 20, "the last entries are on their way"
    )
    in_flight = _killed_and_started(world)
    world.settled(60)
    # What had not left when it was killed is old news afterwards; all that left is there once, protected.
    entered = sorted(drill.entries_by_symbol(world))
    drill.protected(world, entered, exactly=False)
    _unchanged(world, done)
    hands = [order for person in world.people for order in world.account(person)["orders"]]
    assert len(hands) == by_hand, f"{len(hands)} orders of the user are left"
    return {
        "positions": positions,
        "resting": resting,
        "by_hand": by_hand,
        "quiet": quiet,
        "in_flight": in_flight,
    }


def _hand(world: World, person: Person, count: int) -> None:
    """Limit orders far below the market, by the user's own hand, where no notice comes."""
    for n in range(count):
        began = clock.monotonic_ns()
        world.by_hand(
            person,
            PLACE,
            symbol="ETHUSDT",
            productType="USDT-FUTURES",
            marginMode="isolated",
            marginCoin="USDT",
            size="0.1",
            price=f"{1000 + n}",
            side="buy",
            tradeSide="open",
            orderType="limit",
            force="gtc",
            clientOid=f"hand-{person.paper_id}-{n}",
        )
        left_ms = HAND_PAUSE_MS - (clock.monotonic_ns() - began) // clock.MILLISECOND
        if left_ms > 0:
            _pause(left_ms)


def _pause(milliseconds: int) -> None:
    """The venue's own pace is a matter of time: there is nothing to wait for."""
    time.sleep(milliseconds / 1000)


def _held(world: World, symbols: list[str]) -> None:
    eventually(
        lambda: set(symbols) <= drill.entries_by_symbol(world).keys(), 60, f"{len(symbols)} coins are held"
    )


def _unchanged(world: World, done: list[str]) -> None:
    for symbol, count in drill.entries_by_symbol(world).items():
        assert count <= len(world.people), f"{count} entries on {symbol}"
        assert symbol not in done or count == len(world.people), f"{count} entries on {symbol}"


def _killed_and_started(world: World) -> dict[str, Any]:
    """Kill it, start it, wait until it is armed and has read what it holds; seconds and their parts."""
    assert world.trader is not None
    world.trader.end(signal.SIGKILL)
    before = len(_armed_lines(world))
    began_ns = clock.monotonic_ns()
    world.start_trader()
    (line,) = eventually(lambda: _armed_lines(world)[before:], 60, "it is armed")
    armed_ns = clock.monotonic_ns()
    world.armed(timeout_s=60)
    told: dict[str, Any] = {
        "armed_s": round((armed_ns - began_ns) / clock.SECOND, 2),
        "program_loaded_s": round((armed_ns - began_ns) / clock.SECOND - line["took_ms"] / 1000, 2),
        "every_account_ready_s": round((clock.monotonic_ns() - began_ns) / clock.SECOND, 2),
    }
    return told | {f"{part}_s": ms / 1000 for part, ms in line["parts_ms"].items()}


def _armed_lines(world: World) -> list[dict[str, Any]]:
    path = world.home / "logs" / "trader.log"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if '"trader.armed"' in line]


if __name__ == "__main__":
    raise SystemExit(main())
