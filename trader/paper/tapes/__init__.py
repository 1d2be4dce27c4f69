"""Tapes: where the paper exchange's market comes from."""

from __future__ import annotations

from trader.paper.market import MarketHub
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.base import Tape
from trader.paper.tapes.choose import open_tape

__all__ = ["MarketHub", "Tape", "TapeClock", "open_tape"]
