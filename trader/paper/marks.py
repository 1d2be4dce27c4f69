"""Mark and index price where the tape brings none.

Bitget's mark price is the median of three: the index carried forward by the funding rate, the index
plus the average distance of the contract from it, and the last price. A tape has one market only, so
the index here is that market's own middle price, smoothed over 30 seconds; then

    price 1 = index x (1 + funding rate x part of the funding interval that is left)
    price 2 = index + 30 s average of (middle - index)
    mark    = median(price 1, price 2, last)

so that one wild trade moves neither. Smoothing is by an exponential average in tape time, which does
not depend on how often it is asked.
"""

from __future__ import annotations

import math

TAU_NS = 30e9


class MarkModel:
    """State of the two averages of one symbol. Prices in, prices out, as floats: an indicator."""

    __slots__ = ("_basis", "_index", "_ns")

    def __init__(self, price: float, ns: int) -> None:
        self.reset(price, ns)

    def reset(self, price: float, ns: int) -> None:
        """Start again at ``price``: everything that was smoothed is forgotten."""
        self._index = price
        self._basis = 0.0
        self._ns = ns

    def update(self, mid: float, last: float, funding: float, ns: int) -> tuple[float, float]:
        """``(mark, index)`` at ``ns``; ``funding`` is rate x part of the interval left."""
        passed = ns - self._ns
        if passed > 0:
            weight = -math.expm1(-passed / TAU_NS)
            self._index += weight * (mid - self._index)
            self._basis += weight * (mid - self._index - self._basis)
            self._ns = ns
        index = self._index
        return sorted((index * (1.0 + funding), index + self._basis, last))[1], index
