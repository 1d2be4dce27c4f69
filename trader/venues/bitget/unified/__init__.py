"""The dialect of Bitget unified accounts (v3), USDT futures."""

from trader.venues.bitget.unified.dialect import UNIFIED, Unified

__all__ = ["UNIFIED", "Unified"]
