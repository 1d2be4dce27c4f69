"""One line per event, whatever flaps, repeats, restarts or has no room: no storm and nothing lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection

from shared import clock
from shared.errors import JournalError
from trader import alarms
from trader.alarms import OVER, Alarms, Kind
from trader.orders import projection, records
from trader.orders.journal import Entry, Journal, scan
from trader.standing import standing

STATES = list(OVER)


class Desk:
    """Alarms over a journal that may be full, with a clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 10**18
        self.full = False
        self.written: list[records.Alarm] = []
        monkeypatch.setattr(clock, "now_ns", lambda: self.now)
        self.start()

    def start(self) -> None:
        """As after a kill: only what is in the journal is known."""
        self.alarms = Alarms(self._tell, lambda account: (7, f"account {account}"))
        for record in self.written:
            self.alarms.replay(record)

    def _tell(self, record: records.Alarm) -> None:
        if self.full:
            raise JournalError("full")
        self.written.append(record)


ACTIONS = st.one_of(
    st.tuples(st.just("standing"), st.integers(1, 2), st.sampled_from(STATES), st.sampled_from(["", "why"])),
    st.tuples(
        st.just("event"), st.integers(1, 2), st.sampled_from([Kind.HAND, Kind.FORCED]), st.sampled_from("ab")
    ),
    st.tuples(st.just("later"), st.integers(0, 400), st.none(), st.none()),
    st.tuples(st.just("disk"), st.booleans(), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none(), st.none()),
)


@given(st.lists(ACTIONS, max_size=60))
def test_no_storm_no_double_and_the_last_word_is_true(actions: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        desk = Desk(monkeypatch)
        stands: dict[tuple[int, Kind], str] = {}
        events: set[tuple[int, Kind, str]] = set()
        for what, first, kind, text in actions:
            desk.now += 1
            if what == "standing":
                stands[first, kind] = text
                desk.alarms.beat(stands)
            elif what == "event":
                events.add((first, kind, text))
                desk.alarms.event(first, kind, text, "happened")
            elif what == "later":
                desk.now += first * clock.SECOND
            elif what == "disk":
                desk.full = first
            elif not desk.full:
                desk.alarms.beat({})
                desk.start()
        desk.full = False
        desk.now += alarms.QUIET_NS
        desk.alarms.beat(stands)
        desk.alarms.beat(stands)

        keys = [record.key for record in desk.written]
        assert len(keys) == len(set(keys))
        told = {(r.account_id, r.kind) for r in desk.written if r.kind not in OVER}
        assert told == {(account, kind.value) for account, kind, _ in events}
        assert sum(r.kind not in OVER for r in desk.written) == len(events)
        for place, text in stands.items():
            mine = [r for r in desk.written if (r.account_id, r.kind) == place]
            assert [r.over for r in mine] == [bool(n % 2) for n in range(len(mine))]  # begin, end, begin, …
            begun = [r.ns for r in mine if not r.over]
            assert all(b - a >= alarms.QUIET_NS for a, b in pairwise(begun))
            assert bool(mine and not mine[-1].over) is bool(text)


def test_what_is_not_known_takes_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.alarms.beat({(1, Kind.KEY): "no rights"})
    desk.start()
    desk.alarms.beat({})
    assert [record.over for record in desk.written] == [False]
    desk.alarms.beat({(1, Kind.KEY): ""})
    assert [record.over for record in desk.written] == [False, True]
    assert desk.written[0].text == "account 1: no rights"


def test_an_account_that_is_gone_is_told_nothing() -> None:
    said: list[records.Alarm] = []
    made = Alarms(said.append, lambda _: None)
    made.beat({(1, Kind.DISK): "full"})
    made.event(1, Kind.HAND, "a", "closed")
    assert said == []


async def test_in_the_outbox_once_with_the_venues_own_text(postgres_url: str) -> None:
    text = '合约 "x" %s {0} <b> \' \\ \u00e9'
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "insert into users (id, name, created_ns) overriding system value values (7, 'anna', 1)"
        )
        row = connection.execute(
            "insert into accounts (user_id, venue, kind, mode, label, sealed_credentials, key_tail, created_ns,"
            " updated_ns) values (7, 'bitget', 'classic', 'paper', 'a', '', 't', 1, 1) returning id"
        ).fetchone()
    assert row is not None
    alarm = records.Alarm(account_id=row[0], user_id=7, kind="key", key="1:key:5", text=text, ns=5)
    assert records.decode(records.encode(alarm)) == alarm
    async with await AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        for journal in ("one", "two"):  # the same event, told by the journal before and after a loss
            await projection.apply(connection, journal, [Entry(1, alarm)], lambda *_: None)
        rows = await (
            await connection.execute("select user_id, account_id, kind, body, created_ns from outbox")
        ).fetchall()
    assert rows == [(7, row[0], "alarm", {"kind": "key", "text": text, "over": False}, 5)]


def test_a_full_disk_is_told_from_the_reserve_and_when_it_is_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=65_536, least_free_bytes=1 << 60)
    leases = SimpleNamespace(others={}, known=lambda _: True, why_not=lambda _: "")
    parts: Any = SimpleNamespace(desks={}, leases=leases, journal=journal)
    told = Alarms(lambda alarm: journal.append(alarm, protective=True), lambda _: (7, "a"))
    try:
        told.beat(standing(parts, [1]))
        assert not [r for r in _read(tmp_path) if isinstance(r, records.Alarm)]  # not looked yet
        journal.look_at_disk()
        told.beat(standing(parts, [1, 2]))
        told.beat(standing(parts, [1, 2]))
        journal._least_free_bytes = 0
        journal.look_at_disk()
        told.beat(standing(parts, [1, 2]))
    finally:
        journal.close()
    mine = [r for r in _read(tmp_path) if isinstance(r, records.Alarm)]
    assert [(r.account_id, r.over) for r in mine] == [(1, False), (2, False), (1, True), (2, True)]
    assert "entries stop, protection goes on" in mine[0].text


def test_a_lease_that_ran_out_and_one_of_another(tmp_path: Path) -> None:
    journal: Any = SimpleNamespace(looked=False, failed="", starved="")
    leases: Any = SimpleNamespace(
        others={1: SimpleNamespace(text="another Kestrel on x trades this account: stop one of the two")},
        known=lambda account: account in (2, 3),
        why_not=lambda account: "Postgres cannot be reached" if account == 2 else "",
    )
    parts: Any = SimpleNamespace(desks={}, leases=leases, journal=journal)
    found = standing(parts, [1, 2, 3, 4])
    assert found == {
        (1, Kind.LEASE): (
            "another Kestrel on x trades this account: stop one of the two; nothing is done for it here"
        ),
        (2, Kind.POSTGRES): "Postgres cannot be reached; what is open is protected",
        (3, Kind.POSTGRES): "",
        (3, Kind.LEASE): "",
    }


def _read(folder: Path) -> list[records.Record]:
    found: list[records.Record] = []
    scan(folder, lambda entry: found.append(entry.record))
    return found
