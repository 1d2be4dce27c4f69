"""Streams of all symbols together: lists (``@arr``), or one message for each symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from shared.clock import MILLISECOND
from trader.paper.contract import FUTURES
from trader.paper.engine.model import Order
from trader.paper.faces.binance import ids
from trader.paper.faces.binance.shapes import CONTRACT_STATUS
from trader.paper.faces.binance.streamnames import Stream
from trader.paper.faces.binance.topics import TICKERS, Now, Row, book_ticker_row, force_row, mark_row
from trader.paper.faces.topics import Topic as Paced
from trader.paper.market import MarketEvent, MarketHub, MarketState, StatusChanged, SymbolAdded
