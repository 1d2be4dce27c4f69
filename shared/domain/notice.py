"""Notices: what a source said, and what we read in it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class NoticeKind(StrEnum):
    NEW_LISTING = "new_listing"
    MARKET_ADDITION = "market_addition"
    DELISTING = "delisting"
    CAUTION = "caution"
    MAINTENANCE = "maintenance"
    EVENT = "event"
    OTHER = "other"


class ParsedTitle(msgspec.Struct, frozen=True, kw_only=True):
    """What a title says.

    ``symbols`` in the order of the title, without doubles; ``markets`` are quote currencies
    (KRW, BTC, USDT) in the order of the title; ``markets_by_symbol`` gives each symbol its own
    when the title does. ``amended`` is true when the title carries a later edit's suffix
    (postponed, cancelled, changed).
    """

    kind: NoticeKind
    symbols: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    markets_by_symbol: dict[str, tuple[str, ...]] = {}
    amended: bool = False


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One notice as one source shows it.

    ``key`` is ``source:native id`` and is the same on every host and after every edit.
    ``first_listed_ns`` dates the event; ``listed_ns`` is re-stamped by every edit and dates nothing.
    ``received_ns`` is when its bytes reached this machine, ``decoded_ns`` when they were understood.
    """

    key: str
    source: str
    host: str
    title: str
    category: str
    first_listed_ns: int
    listed_ns: int
    received_ns: int
    decoded_ns: int
