"""What the trader shows of itself, in its health answer and in its heartbeat row. Never a secret."""

from __future__ import annotations

import os
from typing import Any, Protocol

from shared import clock
from shared.domain.account import Mode
from trader import ops
from trader.desk import Desk
from trader.directory import Directory
from trader.listings.upbit import UpbitSource
from trader.member import ActiveMember
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.tracker import Tracker
from trader.recorder import Recorder
from trader.sniper import Sniper

#: Symbols whose price is shown as "the market"; the newest first.
SHOWN_PRICES = 40


class Parts(Protocol):
    """The parts of a trader that have something to say."""

    desks: dict[Mode, Desk]
    directory: Directory
    upbit: UpbitSource
    sniper: Sniper
    gateway: Gateway
    tracker: Tracker
    journal: Journal
    recorder: Recorder
    failures: int


def detail(parts: Parts) -> dict[str, Any]:
    """JSON-ready figures; keys of objects are account ids as text."""
    members = [member for desk in parts.desks.values() for member in desk.members.values()]
    return {
        "pid": os.getpid(),
        **_accounts(members, parts.directory),
        **_market(list(parts.desks.values())),
        "sources": _sources(parts.upbit),
        "pages": parts.sniper.pages,
        "orders_sent": parts.gateway.sent,
        "in_flight": parts.tracker.in_flight(),
        "journal_seq": parts.journal.seq,
        "behind": parts.recorder.behind,
        "journal_failed": parts.journal.failed,
        "task_failures": parts.failures,
        "resident_bytes": ops.resident_bytes(),
    }


def _accounts(members: list[ActiveMember], directory: Directory) -> dict[str, Any]:
    lanes = [member.lane for member in members]
    return {
        "accounts": len(lanes),
        "ready": sum(lane.ready for lane in lanes),
        "blocked": {str(lane.account.id): lane.blocked for lane in lanes if lane.blocked},
        "left_out": {str(account): reason for account, reason in directory.left_out.items()},
        "prepared": {str(lane.account.id): sorted(lane.prepared) for lane in lanes},
    }


def _market(desks: list[Desk]) -> dict[str, Any]:
    now = clock.now_ns()
    prices: dict[str, str] = {}
    instruments: list[str] = []
    usable = 0
    for desk in desks:
        market = desk.market
        known = sorted(market.instruments.values(), key=lambda each: (-each.open_ns, each.symbol))
        instruments += [each.symbol for each in known]
        usable += market.fresh_prices(now)
        for each in known[:SHOWN_PRICES]:
            if price := market.prices.get(each.symbol):
                prices.setdefault(each.symbol, str(price.last))
    return {"instruments": instruments, "usable_prices": usable, "prices": prices}


def _sources(upbit: UpbitSource) -> list[dict[str, Any]]:
    return [
        {
            "host": host.host,
            "state": str(host.state),
            "polls": host.polls,
            "unchanged": host.unchanged,
            "last_success_ns": host.last_success_ns,
            "error": host.last_error,
        }
        for host in upbit.stats
    ]
