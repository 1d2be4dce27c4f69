"""What stands in the way of entries, account by account: for the alarms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from trader.alarms import Kind
from trader.desk import Desk
from trader.lease import Leases
from trader.member import ActiveMember
from trader.orders.journal import Journal


class Parts(Protocol):
    """The parts of a trader that can stand in the way."""

    @property
    def desks(self) -> Mapping[Any, Desk]: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def journal(self) -> Journal: ...


def standing(parts: Parts, accounts: Collection[int]) -> dict[tuple[int, Kind], str]:
    """For each account and kind the reason, or "" where all is certainly well; what is not known is left out."""
    found: dict[tuple[int, Kind], str] = {}
    leases = parts.leases
    trouble = parts.journal.starved or parts.journal.failed
    full = f"{trouble}: entries stop, protection goes on; free some space" if trouble else ""
    for account_id in accounts:
        if parts.journal.looked or parts.journal.failed:
            found[account_id, Kind.DISK] = full
        if (other := leases.others.get(account_id)) is not None:
            found[account_id, Kind.LEASE] = f"{other.text}; nothing is done for it here"
        elif leases.known(account_id):
            why = leases.why_not(account_id)
            found[account_id, Kind.POSTGRES] = f"{why}; what is open is protected" if why else ""
            if not why:
                found[account_id, Kind.LEASE] = ""
    for desk in parts.desks.values():
        for account_id, member in desk.members.items():
            _member(member, account_id, found)
    return found


def _member(member: ActiveMember, account_id: int, found: dict[tuple[int, Kind], str]) -> None:
    lane = member.lane
    if lane.blocked:
        found[account_id, Kind.KEY] = (
            f"the exchange refuses this account: {lane.blocked}. Entries stop until it does not"
        )
    elif lane.position_mode is not None:
        found[account_id, Kind.KEY] = ""
    if lane.rival or member.reconciler.done:
        found[account_id, Kind.SECOND_WRITER] = lane.rival
