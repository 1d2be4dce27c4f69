"""An invented market that moves: 30 symbols, the same for the same seed, whatever the wall clock says.

Every 250 ms of tape time each symbol gets a return ``beta * m + e``: ``m`` is common to all (so they
move together), ``e`` its own. Both follow one of three regimes (calm, usual, wild) that a Markov chain
changes about every two minutes, and a weak pull leads prices back to where they began, so that a tape
that runs for weeks stays plausible. Trades come with the size of the move. Each symbol has its own
moment inside the 250 ms. A few coins are traded on spot too, at the price of their contract.

Only additions, multiplications and ``random.Random.random`` are used (no library of transcendental
functions), so that equal seeds give equal events, bit for bit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from copy import copy
from decimal import Decimal
from typing import NamedTuple

from trader.paper.contract import SPOT, Side, default_spec
from trader.paper.market import Funding, FundingSource, MarketHub, MarketState
from trader.paper.minutes import MINUTE, Candle
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.base import Tape

STEP_NS = 250_000_000
STEPS_A_DAY = 86_400 * 4
HISTORY_MINUTES = 1000
_HOUR = 3_600_000_000_000
_SALT_MASK = (1 << 32) - 1


class Coin(NamedTuple):
    """Name, price, tick, step, leverage, millions traded a day, volatility a day, share of the common move."""

    symbol: str
    price: str
    tick: str
    step: str
    leverage: int
    millions: float
    volatility: float
    beta: float
    funding_h: int = 8


COINS = (
    Coin("BTCUSDT", "64250.0", "0.1", "0.0001", 125, 9000, 0.028, 0.9),
    Coin("ETHUSDT", "3120.00", "0.01", "0.01", 100, 5000, 0.035, 0.9),
    Coin("SOLUSDT", "148.500", "0.001", "0.1", 75, 1500, 0.045, 0.8),
    Coin("XRPUSDT", "0.5820", "0.0001", "1", 75, 700, 0.04, 0.7),
    Coin("DOGEUSDT", "0.12840", "0.00001", "1", 75, 600, 0.05, 0.75),
    Coin("BNBUSDT", "572.40", "0.01", "0.01", 75, 500, 0.03, 0.7),
    Coin("ADAUSDT", "0.3985", "0.0001", "1", 75, 250, 0.04, 0.75),
    Coin("AVAXUSDT", "26.410", "0.001", "0.1", 50, 220, 0.05, 0.75),
    Coin("LINKUSDT", "12.870", "0.001", "0.1", 75, 260, 0.045, 0.75),
    Coin("DOTUSDT", "5.920", "0.001", "0.1", 50, 140, 0.045, 0.75),
    Coin("LTCUSDT", "68.30", "0.01", "0.1", 75, 180, 0.035, 0.7),
    Coin("BCHUSDT", "338.60", "0.01", "0.01", 50, 160, 0.04, 0.65),
    Coin("TRXUSDT", "0.13020", "0.00001", "1", 50, 120, 0.025, 0.4),
    Coin("MATICUSDT", "0.5210", "0.0001", "1", 50, 130, 0.05, 0.7),
    Coin("UNIUSDT", "7.140", "0.001", "0.1", 50, 110, 0.05, 0.65),
    Coin("ATOMUSDT", "6.380", "0.001", "0.1", 50, 90, 0.045, 0.7),
    Coin("ETCUSDT", "21.840", "0.001", "0.1", 50, 95, 0.045, 0.7),
    Coin("FILUSDT", "4.210", "0.001", "0.1", 50, 100, 0.05, 0.7),
    Coin("APTUSDT", "6.950", "0.001", "0.1", 50, 105, 0.055, 0.7),
    Coin("ARBUSDT", "0.7340", "0.0001", "1", 50, 150, 0.055, 0.75),
    Coin("OPUSDT", "1.5820", "0.0001", "0.1", 50, 140, 0.055, 0.75),
    Coin("SUIUSDT", "0.8120", "0.0001", "0.1", 50, 210, 0.06, 0.7, 4),
    Coin("NEARUSDT", "4.870", "0.001", "0.1", 50, 120, 0.055, 0.7),
    Coin("INJUSDT", "21.350", "0.001", "0.1", 50, 90, 0.06, 0.7),
    Coin("TIAUSDT", "5.640", "0.001", "0.1", 50, 85, 0.07, 0.65, 4),
    Coin("SEIUSDT", "0.3140", "0.0001", "1", 50, 80, 0.07, 0.65, 4),
    Coin("WLDUSDT", "1.9840", "0.0001", "0.1", 50, 170, 0.07, 0.6, 4),
    Coin("ENAUSDT", "0.3360", "0.0001", "1", 50, 90, 0.08, 0.6, 4),
    Coin("1000PEPEUSDT", "0.0081400", "0.0000001", "1", 75, 420, 0.07, 0.65),
    Coin("1000BONKUSDT", "0.0192000", "0.000001", "1", 50, 130, 0.08, 0.6),
)

SPOT_SYMBOLS = ("BTCUSDT", "ETHUSDT")

REGIMES = (0.45, 1.0, 2.4)
"""How much stronger than usual moves are: calm, usual, wild."""
_SWITCH = 1 / (4 * 120)
_PULL = 2e-6
_SQRT3 = 1.7320508075688772
_MAX_MOVE = 0.02


class _Walk:
    """One coin's price, in ticks as a float that is rounded when shown."""

    def __init__(self, coin: Coin, rng: random.Random) -> None:
        self.coin = coin
        self.rng = rng
        self.tick = Decimal(coin.tick)
        self.step = Decimal(coin.step)
        self.start = float(Decimal(coin.price) / self.tick)
        self.price = self.start
        self.shown = round(self.start)
        self.beta_part = coin.beta * coin.volatility / _root(STEPS_A_DAY)
        self.own_part = coin.volatility * _root(1.0 - coin.beta * coin.beta) / _root(STEPS_A_DAY)
        value = coin.millions * 1e6 / STEPS_A_DAY
        self.trade_steps = value / float(Decimal(coin.price) * self.step)
        self.regime = 1.0

    def move(self, common: float, strength: float = 1.0) -> int:
        """The next price in ticks."""
        if self.rng.random() < _SWITCH:
            self.regime = REGIMES[int(self.rng.random() * len(REGIMES))]
        change = strength * (self.beta_part * common + self.own_part * self.regime * gauss(self.rng))
        change += _PULL * strength * strength * (self.start - self.price) / self.start
        self.price *= 1.0 + max(-_MAX_MOVE, min(_MAX_MOVE, change))
        self.price = max(self.price, 10.0)
        return round(self.price)

    def trade_size(self, moved: int) -> Decimal:
        """Coins traded in one step: most are small, a move brings more."""
        draw = self.rng.random()
        steps = self.trade_steps * (0.15 + 3.0 * draw * draw * draw) * (1.0 + 0.3 * min(abs(moved), 5))
        return max(1, int(steps)) * self.step


class Market:
    """All coins and their common move; yields events in order, for ever."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # a market, not a secret
        self.regime = 1.0
        self.walks = [_Walk(coin, random.Random(f"{seed}/{coin.symbol}")) for coin in COINS]  # noqa: S311

    def common(self) -> float:
        if self.rng.random() < _SWITCH:
            self.regime = REGIMES[int(self.rng.random() * len(REGIMES))]
        return self.regime * gauss(self.rng)

    def history(self, minutes: int) -> list[list[Candle]]:
        """Finished minutes before the start, for each coin; ``open_ns`` counts from 0."""
        made: list[list[Candle]] = [[] for _ in self.walks]
        for minute in range(minutes):
            commons = [self.common() for _ in range(4)]
            for walk, candles in zip(self.walks, made, strict=True):
                path = [walk.shown, *(walk.move(common, _root(60.0)) for common in commons)]
                walk.shown = path[-1]
                size = walk.trade_size(path[-1] - path[0]) * 200
                first, top, low, last = (
                    ticks * walk.tick for ticks in (path[0], max(path), min(path), path[-1])
                )
                candles.append(Candle(minute * MINUTE, first, top, low, last, size, size * last))
        return made

    def steps(self) -> Iterator[tuple[int, int, int, Decimal | None, bool]]:
        """``(ns since start, coin, price in ticks, traded size or None, taker buys)``."""
        start = 0
        slot = STEP_NS // len(self.walks)
        while True:
            common = self.common()
            for index, walk in enumerate(self.walks):
                before = walk.shown
                ticks = walk.move(common)
                walk.shown = ticks
                moved = ticks - before
                traded = moved != 0 or walk.rng.random() < 0.35
                buys = moved > 0 or (moved == 0 and walk.rng.random() < 0.5)
                yield start + index * slot, index, ticks, walk.trade_size(moved) if traded else None, buys
            start += STEP_NS


class SyntheticTape(Tape):
    """The invented market of one seed."""

    def __init__(self, hub: MarketHub, clock: TapeClock, seed: int) -> None:
        super().__init__(hub, clock)
        self.name = f"synthetic:{seed}"
        self.market = Market(seed)
        self._states: list[MarketState] = []
        self._spot: dict[int, MarketState] = {}

    def prepare(self) -> None:
        past = self.market.history(HISTORY_MINUTES)
        begin = self.clock.now_ns() // MINUTE * MINUTE - HISTORY_MINUTES * MINUTE
        for walk, candles in zip(self.market.walks, past, strict=True):
            coin = walk.coin
            price = walk.shown * walk.tick
            spec = default_spec(
                coin.symbol,
                price,
                tick=walk.tick,
                step=walk.step,
                max_leverage=coin.leverage,
                funding_interval_h=coin.funding_h,
            )
            state = self.hub.add(
                spec, price, daily_volume=coin.millions * 1e6 / float(price), volatility=coin.volatility
            )
            for candle in candles:
                candle.open_ns += begin
            state.minutes.seed(candles)
            self.hub.set_funding(state, source=_funding(walk))
            self._states.append(state)
        for index, walk in enumerate(self.market.walks):
            if walk.coin.symbol in SPOT_SYMBOLS:
                self._spot[index] = self._beside(walk, self._states[index])

    def _beside(self, walk: _Walk, contract: MarketState) -> MarketState:
        """The spot market of a contract: same price, same past."""
        coin, price = walk.coin, walk.shown * walk.tick
        spec = default_spec(coin.symbol, price, market=SPOT, tick=walk.tick, step=walk.step)
        state = self.hub.add(spec, price, daily_volume=contract.daily_volume, volatility=contract.volatility)
        state.minutes.seed([copy(candle) for candle in contract.candles()])
        return state

    async def play(self) -> None:
        start = self.clock.now_ns()
        states, spot, walks = self._states, self._spot, self.market.walks
        for passed, index, ticks, size, buys in self.market.steps():
            now = start + passed
            if not self.due(now):
                await self.until(now)
            price, salt = ticks * walks[index].tick, (passed // STEP_NS) & _SALT_MASK
            side: Side = "buy" if buys else "sell"
            self._feed(states[index], price, size, side, now=now, salt=salt)
            if index in spot:
                self._feed(spot[index], price, size, side, now=now, salt=salt)

    def _feed(
        self, state: MarketState, price: Decimal, size: Decimal | None, side: Side, *, now: int, salt: int
    ) -> None:
        if size is not None or price != state.tape_last:
            self.hub.feed_price(state, price, now, salt)
        if size is not None:
            self.hub.feed_trade(state, price, size, side, now)


def gauss(rng: random.Random) -> float:
    """Nearly normal with variance 1: four uniform numbers added. Exact the same everywhere."""
    draw = rng.random
    return (draw() + draw() + draw() + draw() - 2.0) * _SQRT3


def _funding(walk: _Walk) -> FundingSource:
    """Rates follow how far the price is from where it began: 1 bp usual, 30 bp at most."""
    interval_h = walk.coin.funding_h
    interval = interval_h * _HOUR

    def coming(ns: int) -> Funding:
        away = (walk.price - walk.start) / walk.start
        rate = max(-0.003, min(0.003, 0.0001 + 0.005 * away))
        return Funding((ns // interval + 1) * interval, Decimal(round(rate * 1e6)).scaleb(-6), interval_h)

    return coming


def _root(value: float) -> float:
    return math.sqrt(value)  # correctly rounded by IEEE 754, so the same everywhere
