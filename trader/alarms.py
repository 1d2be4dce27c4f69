"""What users must be told besides news of orders: one line per event and account, exactly once.

Two sorts. A *state* stands in the way of entries: it is told when it begins and when it is over, and what flaps is
held back, so that an account gets at most two lines per state in :data:`QUIET_NS`. An *event* happened to a
position: its key says which one, and it is told once for ever.

A line is a record of the journal, which becomes a row of the outbox together with everything else: it survives
a kill, waits for Postgres, and is not told again after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import structlog

from shared import clock
from shared.errors import JournalError
from trader.orders import records

log = structlog.get_logger(__name__)

#: A state that came back so soon after it was told last is held back until then.
QUIET_NS = 600 * clock.SECOND
#: Lines that wait for the disk; what stands is found again, events beyond are lost.
MOST_WAITING = 1_000
#: Keys of events that are remembered; Postgres knows the older ones.
MOST_KEYS = 100_000


class Kind(StrEnum):
    LEASE = "lease"
    """Another Kestrel trades the account."""
    SECOND_WRITER = "second_writer"
    """Orders of our form rest there that are not ours."""
    KEY = "key"
    """The exchange refuses the key: rights, wrong kind, restrictions."""
    POSTGRES = "postgres"
    """The lease ran out, for Postgres is away."""
    DISK = "disk"
    HAND = "hand"
    """A position of ours was reduced or closed by an order that is not ours."""
    FORCED = "forced"
    """Liquidation, auto-deleveraging, delivery."""


#: Account, kind, what the event is unique by, text.
OnAlarm = Callable[[int, Kind, str, str], None]

#: What is said when a state is over.
OVER = {
    Kind.LEASE: "no other Kestrel trades this account any more: entries go on here",
    Kind.SECOND_WRITER: "the orders of the other Kestrel are gone: entries go on",
    Kind.KEY: "the exchange takes this account's requests again: entries go on",
    Kind.POSTGRES: "Postgres is reached again: entries go on",
    Kind.DISK: "the disk has room again: entries go on",
}


class Alarms:
    """``tell`` journals one line (raises ``JournalError``); ``whose`` gives an account's user and its name."""

    def __init__(
        self,
        tell: Callable[[records.Alarm], Any],
        whose: Callable[[int], tuple[int, str] | None],
    ) -> None:
        self._tell = tell
        self._whose = whose
        self._told: dict[tuple[int, str], records.Alarm] = {}
        """The last line of each state."""
        self._begun_ns: dict[tuple[int, str], int] = {}
        self._keys: dict[str, None] = {}
        self._waiting: list[records.Alarm] = []

    def replay(self, record: records.Record) -> None:
        """Take over what the journal says was told."""
        if isinstance(record, records.Alarm):
            self._take(record)

    def _take(self, alarm: records.Alarm) -> None:
        if alarm.kind in OVER:
            place = alarm.account_id, alarm.kind
            self._told[place] = alarm
            if not alarm.over:
                self._begun_ns[place] = alarm.ns
            return
        self._keys[alarm.key] = None
        if len(self._keys) > MOST_KEYS:
            del self._keys[next(iter(self._keys))]

    def event(self, account_id: int, kind: Kind, key: str, text: str) -> None:
        """Tell what happened, unless it was told before."""
        key = f"{account_id}:{kind.value}:{key}"
        if key not in self._keys:
            self._raise(account_id, kind, key, text, over=False)

    def beat(self, standing: Mapping[tuple[int, Kind], str]) -> None:
        """What stands now: a text, or "" where all is certainly well. Of what is missing nothing is known."""
        self._write()
        now = clock.now_ns()
        for (account_id, kind), text in standing.items():
            last = self._told.get((account_id, kind))
            stood = last is not None and not last.over
            if bool(text) is stood:
                continue
            begun_ns = self._begun_ns.get((account_id, kind), 0)
            if text and begun_ns and 0 <= now - begun_ns < QUIET_NS:
                continue
            key = f"{account_id}:{kind.value}:{now}" if text else f"{account_id}:{kind.value}:{begun_ns}:over"
            self._raise(account_id, kind, key, text or OVER[kind], over=not text)

    def _raise(self, account_id: int, kind: Kind, key: str, text: str, *, over: bool) -> None:
        whose = self._whose(account_id)
        if whose is None or len(self._waiting) >= MOST_WAITING:
            return
        user_id, name = whose
        alarm = records.Alarm(
            account_id=account_id,
            user_id=user_id,
            kind=kind.value,
            key=key,
            text=f"{name}: {text}",
            ns=clock.now_ns(),
            over=over,
        )
        self._take(alarm)
        self._waiting.append(alarm)
        say = log.info if over else log.error
        say("alarms.over" if over else "alarms.raised", account=account_id, kind=kind.value, reason=text)
        self._write()

    def _write(self) -> None:
        """Journal what waits; what the disk refuses stays until it does not."""
        try:
            while self._waiting:
                self._tell(self._waiting[0])
                del self._waiting[0]
        except JournalError as error:
            log.warning("alarms.not_journaled", waiting=len(self._waiting), reason=str(error))
