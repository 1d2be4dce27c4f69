"""What the trader shows of itself, in its health answer and in its heartbeat row. Never a secret."""

from __future__ import annotations

import os
from itertools import islice
from typing import Any, Protocol

from shared import clock
from trader import ops
from trader.desk import Desk
from trader.directory import Directory
from trader.hosts import Place
from trader.lease import Leases
from trader.listings.upbit import UpbitSource
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.tracker import Tracker
from trader.recorder import Recorder
from trader.sniper import Sniper

#: Bounds of what is shown, so that the heartbeat stays small whatever the market and the accounts are.
SHOWN_INSTRUMENTS = 100
#: Symbols whose price is shown as "the market"; the newest first.
SHOWN_PRICES = 40
#: Prepared symbols are named for so many accounts, so many each, and so many in all.
SHOWN_ACCOUNTS = 20
SHOWN_PREPARED = 50
SHOWN_PREPARED_IN_ALL = 100
#: Accounts whose trouble is told in words, and how long those are.
SHOWN_REASONS = 6
SHOWN_HOSTS = 8
LONGEST_TEXT = 70


class Parts(Protocol):
    """The parts of a trader that have something to say."""

    desks: dict[Place, Desk]
    directory: Directory
    leases: Leases
    upbit: UpbitSource
    sniper: Sniper
    gateway: Gateway
    tracker: Tracker
    journal: Journal
    recorder: Recorder
    failures: int


def detail(parts: Parts) -> dict[str, Any]:
    """JSON-ready figures, cheap and bounded: it is asked for every second on the loop that trades.

    Keys of objects are account ids as text. Where lists are cut, ``..._count`` tells how many there are.
    """
    newest = {place: _newest(desk) for place, desk in parts.desks.items()}
    return {
        "pid": os.getpid(),
        **_accounts(parts, newest),
        **_market(parts.desks, newest),
        "sources": _sources(parts.upbit),
        "pages": parts.sniper.pages,
        "orders_sent": parts.gateway.sent,
        "in_flight": parts.tracker.in_flight(),
        "journal_seq": parts.journal.seq,
        "behind": parts.recorder.behind,
        "quarantined": parts.recorder.quarantined,
        "unjournaled": parts.tracker.unjournaled,
        "database_error": _short(parts.recorder.last_error),
        "journal_failed": parts.journal.failed,
        "disk_full": parts.journal.starved,
        "task_failures": parts.failures,
        "resident_bytes": ops.resident_bytes(),
    }


def _newest(desk: Desk) -> list[str]:
    """The symbols of a desk, newest first."""
    instruments = desk.market.instruments.values()
    return [symbol for _, symbol in sorted((-each.open_ns, each.symbol) for each in instruments)]


def _accounts(parts: Parts, newest: dict[Place, list[str]]) -> dict[str, Any]:
    desks = parts.desks
    lanes = [(place, member.lane) for place, desk in desks.items() for member in desk.members.values()]
    blocked = {lane.account.id: lane.blocked for _, lane in lanes if lane.blocked}
    left_out = parts.directory.left_out | {key: other.text for key, other in parts.leases.others.items()}
    for desk in desks.values():
        left_out |= desk.walled_off
    prepared: dict[str, list[str]] = {}
    if 0 < len(lanes) <= SHOWN_ACCOUNTS:
        each = min(SHOWN_PREPARED, SHOWN_PREPARED_IN_ALL // len(lanes))
        for place, lane in lanes:
            known = (symbol for symbol in newest[place] if symbol in lane.prepared)
            prepared[str(lane.account.id)] = list(islice(known, each))
    return {
        "accounts": len(lanes),
        "ready": sum(lane.ready for _, lane in lanes),
        "blocked": _reasons(blocked),
        "blocked_count": len(blocked),
        "left_out": _reasons(left_out),
        "left_out_count": len(left_out),
        "prepared": prepared,
        "prepared_count": {str(lane.account.id): len(lane.prepared) for _, lane in lanes},
    }


def _reasons(reasons: dict[int, str]) -> dict[str, str]:
    return {str(account): _short(reason) for account, reason in islice(reasons.items(), SHOWN_REASONS)}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _market(desks: dict[Place, Desk], newest: dict[Place, list[str]]) -> dict[str, Any]:
    now = clock.now_ns()
    prices: dict[str, str] = {}
    symbols: dict[str, None] = {}
    for place, desk in desks.items():
        # Each desk has its share, so that the one does not hide the other.
        symbols |= dict.fromkeys(newest[place][: SHOWN_INSTRUMENTS // len(desks)])
        for symbol in newest[place][: SHOWN_PRICES // len(desks)]:
            if price := desk.market.prices.get(symbol):
                prices.setdefault(symbol, str(price.last))
    return {
        "instruments": list(symbols),
        "instrument_count": len(set().union(*newest.values())),
        "usable_prices": sum(desk.market.fresh_prices(now) for desk in desks.values()),
        "prices": prices,
    }


def _sources(upbit: UpbitSource) -> list[dict[str, Any]]:
    return [
        {
            "host": host.host,
            "state": str(host.state),
            "polls": host.polls,
            "unchanged": host.unchanged,
            "last_success_ns": host.last_success_ns,
            "error": _short(host.last_error),
        }
        for host in upbit.stats[:SHOWN_HOSTS]
    ]
