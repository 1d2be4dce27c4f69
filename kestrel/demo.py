"""The demonstration: an invented coin is announced, three invented users buy it and take their profit.

Everything goes through the same doors as the real thing: the control API of the paper exchange
makes accounts, a symbol, prices and a notice; the trader sees the notice and trades. Every run plays a
new symbol (KDEMO1USDT, KDEMO2USDT, ...), so that a run that was killed in the middle is never
continued and no order can be placed twice: the number is on disk before the symbol exists.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import httpx
import msgspec

from kestrel.control import Control, LedgerEntry
from kestrel.database import Database
from kestrel.democast import CAST, Cast, enroll, enrolled
from kestrel.tasks import together
from shared import clock, files
from shared.errors import StartError, VenueError, VenueRefusedError

FIRST_PRICE = Decimal("2.5000")
TICK = Decimal("0.0001")
CATEGORY = "trade"
READY_S = 45.0
FILL_S = 20.0
CLIMB_S = 80.0
TICK_S = 0.4
WANDER = 0.0006
"""How far one step of the wandering price goes, as a fraction (standard deviation)."""
CLIMB_STEP = 0.0011
"""How far one step of the climb goes: 14 % in about 50 s."""
TOP = 1.19
"""The climb ends here at the latest, as a multiple of the price before the notice."""
PAUSE_S = 4.0
MOST_TRIES = 100
UNKNOWN = {400, 404}
TAKEN = {400, 409}


class Progress(msgspec.Struct):
    """``run/demo.json``: the last number that was played and the actors' accounts."""

    last: int = 0
    cast: dict[str, Cast] = {}


class Story:
    """One demonstration. ``run`` tells it once, then keeps the coin's price moving until cancelled."""

    def __init__(
        self,
        *,
        home: Path,
        database: Database,
        exchange_url: str,
        trader_url: str,
        say: Callable[[str], None],
        seed: int | None = None,
    ) -> None:
        self._home = home
        self._database = database
        self._control = Control(exchange_url)
        self._trader_url = trader_url
        self._say = say
        self._random = random.Random(seed)  # noqa: S311 - prices of a play, not keys
        self._path = home / "run" / "demo.json"
        self._factor = 1.0
        self._drift = 0.0
        self._top = 1.0
        self.coin = ""
        self.symbol = ""

    async def run(self) -> None:
        """Raises :class:`StartError` when the trader never gets ready, :class:`VenueError` from the exchange."""
        async with self._control:
            self._tell("this is a demonstration: invented users, an invented coin, no real money")
            cast = await self._prepare_cast()
            await self._new_symbol()
            async with together() as group:
                mover = group.create_task(self._move_price())
                try:
                    await self._play(cast)
                except BaseException:
                    mover.cancel()
                    raise

    def _tell(self, text: str) -> None:
        self._say(f"DEMO  {text}")

    # ---------------------------------------------------------------- stage

    def _load(self) -> Progress:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            return Progress()

    def _save(self, progress: Progress) -> None:
        files.write_atomic(self._path, msgspec.json.encode(progress))

    async def _prepare_cast(self) -> dict[str, Cast]:
        """The actors' accounts: those of an earlier run, or new ones."""
        progress = self._load()
        for actor in CAST:
            known = progress.cast.get(actor.name)
            if known is None or not await self._usable(known):
                paper = await self._control.create_account(actor.balance, actor.name)
                progress.cast[actor.name] = await asyncio.to_thread(
                    enroll, self._database, self._home, actor, paper
                )
                self._save(progress)
            self._tell(
                f"{actor.name}: {actor.balance} USDT on paper, bets {actor.amount} at {actor.leverage}x,"
                f" takes profit at {actor.take_profit} % of it"
            )
        return progress.cast

    async def _usable(self, cast: Cast) -> bool:
        """The account is still there, on both sides, and armed."""
        if not await asyncio.to_thread(enrolled, self._database, cast):
            return False
        try:
            await self._control.ledger(cast.paper_id)
        except VenueRefusedError as error:
            if error.status not in UNKNOWN:
                raise
            return False  # the exchange's own state was removed meanwhile
        return True

    async def _new_symbol(self) -> None:
        """Take the next number, on disk first; skip those that the exchange knows already."""
        progress = self._load()
        for _ in range(MOST_TRIES):
            progress.last += 1
            self._save(progress)
            self.coin = f"KDEMO{progress.last}"
            self.symbol = f"{self.coin}USDT"
            try:
                await self._control.create_symbol(self.symbol, FIRST_PRICE, await self._control.tape_ms())
            except VenueRefusedError as error:
                if error.status not in TAKEN:
                    raise
                continue
            self._tell(f"a new coin: {self.symbol} at {FIRST_PRICE} USDT")
            return
        raise StartError("the paper exchange takes no more demonstration coins: remove paper/ in the home")

    # ---------------------------------------------------------------- price

    @property
    def price(self) -> Decimal:
        return (FIRST_PRICE * Decimal(repr(self._factor))).quantize(TICK, ROUND_HALF_EVEN)

    async def _move_price(self) -> None:
        """A wandering price with a drift that the story sets; survives a restart of the exchange."""
        missed = 0
        while True:
            drift = self._drift if self._factor < self._top else 0.0
            self._factor = min(max(self._factor * (1 + self._random.gauss(drift, WANDER)), 0.5), 2.0)
            try:
                await self._control.set_price(self.symbol, self.price)
                missed = 0
            except (StartError, VenueError):
                missed += 1
                if missed == 1:
                    self._tell("the exchange does not take prices now; waiting for it")
                await self._restore_symbol()
            await asyncio.sleep(TICK_S if not missed else min(5.0, TICK_S * 2**missed))

    async def _restore_symbol(self) -> None:
        """A restarted exchange may have forgotten the coin: bring it back where it was."""
        try:
            await self._control.create_symbol(self.symbol, self.price, await self._control.tape_ms())
        except (StartError, VenueError):
            return

    # ----------------------------------------------------------------- story

    async def _play(self, cast: dict[str, Cast]) -> None:
        await self._until_ready(cast)
        self._tell("the trader knows the coin, its price, and has set everybody's leverage")
        await asyncio.sleep(PAUSE_S)
        title = f"데모코인({self.coin}) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
        self._tell(f"a notice appears: {title}")
        before = self._factor
        await self._control.post_notice(title, CATEGORY)
        bought = await self._each(cast, "open_fee", FILL_S, "bought {coin} a moment after the notice")
        if not bought:
            self._tell("nobody bought: see the notice and its reason with `kestrel notices`")
            return
        await asyncio.sleep(PAUSE_S)
        self._tell("the price climbs; each order carries its own take profit")
        self._drift = CLIMB_STEP
        self._top = before * TOP
        done = await self._each(bought, "realised_pnl", CLIMB_S, "took the profit: {amount} USDT")
        self._drift = 0.0
        told = (
            f"{len(done)} of {len(bought)} took their profit"
            if len(done) < len(bought)
            else "all took their profit"
        )
        self._tell(
            f"the end of the story: {told}. Everything keeps running; the page shows each order's timeline"
        )

    async def _until_ready(self, cast: dict[str, Cast]) -> None:
        """Wait until a listing of this coin would be traded at once."""
        accounts = [one.account_id for one in cast.values()]
        deadline = clock.monotonic_ns() + int(READY_S * clock.SECOND)
        missing = "the trader does not answer"
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            while clock.monotonic_ns() < deadline:
                try:
                    answer = await client.get(f"{self._trader_url}/health")
                    missing = missing_for(self.symbol, accounts, msgspec.json.decode(answer.content))
                except (httpx.TransportError, msgspec.DecodeError):
                    missing = "the trader does not answer"
                if not missing:
                    return
                await asyncio.sleep(TICK_S)
        raise StartError(
            f"the demonstration cannot begin: after {READY_S:.0f} s {missing} (see logs/trader.log)"
        )

    async def _each(self, cast: dict[str, Cast], kind: str, wait_s: float, text: str) -> dict[str, Cast]:
        """Wait for a ledger entry of this kind from everybody; who had one."""
        deadline = clock.monotonic_ns() + int(wait_s * clock.SECOND)
        done: dict[str, Cast] = {}
        while len(done) < len(cast) and clock.monotonic_ns() < deadline:
            for name, one in cast.items():
                if name in done:
                    continue
                entries = await self._entries(one, kind)
                if entries:
                    done[name] = one
                    amount = sum((entry.amount for entry in entries), Decimal(0))
                    self._tell(f"{name} {text.format(coin=self.coin, amount=f'{amount:+.2f}')}")
            await asyncio.sleep(TICK_S)
        return done

    async def _entries(self, cast: Cast, kind: str) -> list[LedgerEntry]:
        try:
            ledger = await self._control.ledger(cast.paper_id)
        except (StartError, VenueError):
            return []  # the exchange is being restarted: the next look will tell
        return [entry for entry in ledger if entry.symbol == self.symbol and entry.kind == kind]


def missing_for(symbol: str, accounts: list[int], health: object) -> str:
    """What the trader still lacks to trade this symbol at once, from its health; empty = nothing."""
    if not isinstance(health, dict):
        return "the trader's health cannot be understood"
    prepared = health.get("prepared", {})
    unprepared = [str(account) for account in accounts if symbol not in prepared.get(str(account), [])]
    if symbol not in health.get("instruments", []):
        return f"the trader does not know {symbol}"
    if symbol not in health.get("prices", {}):
        return f"the trader has no price of {symbol}"
    if unprepared:
        return f"the leverage of {symbol} is not set for account {', '.join(unprepared)}"
    if health.get("state") != "armed":
        return f"the trader is {health.get('state', 'not ready')}"
    return ""
