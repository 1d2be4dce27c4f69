"""A book where none was recorded: candles, synthetic and manual prices, overridden prices.

The model, per symbol with price P, daily volume V (base coin) and daily volatility s (a fraction):

- Spread. In order-driven markets the spread is about the volatility per trade (Wyart, Bouchaud,
  Kockelkoren, Potters and Vettorazzo, "Relation between bid-ask spread, impact and volatility in
  order-driven markets", Quantitative Finance 2008): ``spread = P * s / sqrt(N)`` with N trades a day,
  N taken as V * P / 2000 (a typical trade is worth about 2000 quote units). At least one tick.
- Depth. Trading Q moves the price by ``s * sqrt(Q / V)`` (the square-root law; Toth et al., "Anomalous
  price impact and the critical nature of liquidity in financial markets", Physical Review X 2011).
  Turned round, what rests within a distance x (fraction of P) of the middle is ``Q(x) = V * (x / s)^2``:
  a density that grows linearly with the distance.
- Levels. 50 a side, first a constant gap, then 12 % wider each, out to about 2 %. Each level's size is
  multiplied by 0.6 to 1.4 from a counter-based generator, so that books differ but repeat exactly.

Nothing here is random: the same price and the same salt give the same book. Floats are used for sizes
and spread only and are cut to whole steps and ticks.
"""

from __future__ import annotations

import math
from decimal import Decimal

from trader.paper.book import Book, Level
from trader.paper.contract import ContractSpec, Side

LEVELS = 50
TYPICAL_TRADE = 2000.0
GAP = 0.00002
GROWTH = 0.12

_MASK = (1 << 64) - 1


class ModelledBook(Book):
    """Levels around a price, made only when somebody looks beyond the best ones."""

    __slots__ = (
        "_ask", "_ask_ticks", "_bid", "_bid_ticks", "_built", "_depth", "_gap", "_salt", "_spread",
        "_step", "_tick", "_tick_units", "_width",
    )  # fmt: skip

    def __init__(
        self, spec: ContractSpec, price: Decimal, daily_volume: float, daily_volatility: float
    ) -> None:
        super().__init__(spec.tick, max_levels=LEVELS)
        self._tick = spec.tick
        self._tick_units = int(spec.tick * self._scale)
        self._step = spec.step
        self._salt = 0
        self.set_activity(price, daily_volume, daily_volatility)
        self.move(price)

    def set_activity(self, price: Decimal, daily_volume: float, daily_volatility: float) -> None:
        """New volume (base coin a day) and volatility (fraction a day); takes effect at the next move."""
        volume = max(daily_volume, float(self._step))
        volatility = min(max(daily_volatility, 0.001), 2.0)
        tick, level = float(self._tick), float(price)
        trades = max(volume * level / TYPICAL_TRADE, 1.0)
        self._spread = max(1, round(min(level * volatility / math.sqrt(trades), level * 0.02) / tick))
        self._gap = max(1, round(level * GAP / tick))
        # Q(x) in size steps, x in ticks
        self._depth = volume * (tick / level / volatility) ** 2 / float(self._step)
        self._width = self._spread / 2

    def move(self, price: Decimal, salt: int = 0) -> None:
        """Put the middle at ``price``: the ask is at most half a spread above it, the bid the rest below.

        With a spread of one tick the ask is exactly ``price``.
        """
        middle = int(price / self._tick)
        self._bid_ticks = max(1, middle - (self._spread + 1) // 2)
        self._ask_ticks = self._bid_ticks + self._spread
        self._salt = salt
        self._built = False
        self._bid: Level | None = None
        self._ask: Level | None = None

    recovers = True

    # Book's readers

    @property
    def best_bid(self) -> Level | None:
        if self._bid is None:
            self._bid = (self._bid_ticks * self._tick, self._size(0, 0, 0))
        return self._bid

    @property
    def best_ask(self) -> Level | None:
        if self._ask is None:
            self._ask = (self._ask_ticks * self._tick, self._size(0, 0, 1))
        return self._ask

    def bids(self, count: int | None = None) -> list[Level]:
        self._build()
        return super().bids(count)

    def asks(self, count: int | None = None) -> list[Level]:
        self._build()
        return super().asks(count)

    def size_at(self, side: Side, price: Decimal) -> Decimal:
        self._build()
        return super().size_at(side, price)

    def walk(self, side: Side, size: Decimal, limit: Decimal | None = None) -> list[Level]:
        self._build()
        return super().walk(side, size, limit)

    # the model

    def _build(self) -> None:
        if self._built:
            return
        self.clear()
        bids: list[int] = []
        offset = before = 0
        for index in range(LEVELS):
            for side, ticks in ((0, self._bid_ticks - offset), (1, self._ask_ticks + offset)):
                if ticks < 1:
                    continue
                key = ticks * self._tick_units
                level = (ticks * self._tick, self._size(offset, before, side))
                if side == 0:
                    bids.append(key)
                    self._bids[key] = level
                else:
                    self._ask_keys.append(key)
                    self._asks[key] = level
            before = offset
            offset += max(1 if index < 8 else 0, self._gap, int(offset * GROWTH) if index >= 8 else 0)
        self._bid_keys.extend(reversed(bids))
        self._built = True

    def _size(self, offset: int, before: int, side: int) -> Decimal:
        """Size of the level ``offset`` ticks behind the best: what the model holds since ``before``."""
        near = self._width + before if offset else 0.0
        far = self._width + offset
        noise = (
            self._salt * 0x9E3779B97F4A7C15 + offset * 0xBF58476D1CE4E5B9 + side * 0x94D049BB133111EB
        ) & _MASK
        noise = ((noise ^ (noise >> 31)) * 0xD6E8FEB86659FD93) & _MASK
        steps = self._depth * (far * far - near * near) * (0.6 + 0.8 * (noise >> 40) / (1 << 24))
        return max(1, int(steps)) * self._step
