"""What survives: accounts, orders, fills, positions, plans, ledger and control symbols, in SQLite.

One file ``state.sqlite`` (0600) in a folder of 0700, in WAL mode. The batches of one turn of the event
loop are one transaction that is in the hands of the kernel before any of their requests is answered and
before anything of them is pushed, so a killed process loses nothing it has acknowledged; a power cut may
lose the last moments (the log is synced at checkpoints only).
Without a folder everything lives in memory and ends with the process.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shared.errors import AlreadyRunningError, StartError
from trader.paper.contract import ContractSpec
from trader.paper.engine.batch import Batch, PlanQuery, Query, Restored, StateLostError, merged
from trader.paper.engine.model import AccountRecord, Bill, Entry, Fill, Kind, Order, Plan, PlanState, Position
from trader.paper.marketstate import MAX_SETTLEMENTS, Funding
from trader.paper.rows import Rows
from trader.paper.state_spot import SpotTables
from trader.paper.symbolchange import KeptChange

log = logging.getLogger(__name__)

_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, client_id TEXT NOT NULL, symbol TEXT NOT NULL,
    live INTEGER NOT NULL, ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS orders_client ON orders (account, client_id, id);
CREATE INDEX IF NOT EXISTS orders_account ON orders (account, live, id);
CREATE TABLE IF NOT EXISTS fills (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, order_id INTEGER NOT NULL, symbol TEXT NOT NULL,
    ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS fills_account ON fills (account, id);
CREATE INDEX IF NOT EXISTS fills_order ON fills (order_id, id);
CREATE TABLE IF NOT EXISTS positions (
    account INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (account, symbol, side)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, ns INTEGER NOT NULL,
    body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS closed_account ON closed (account, id);
CREATE TABLE IF NOT EXISTS plans (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, live INTEGER NOT NULL,
    ns INTEGER NOT NULL, body BLOB NOT NULL, client_id TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX IF NOT EXISTS plans_account ON plans (account, live, id);
CREATE TABLE IF NOT EXISTS entries (
    account INTEGER NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (account, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bills (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, symbol TEXT NOT NULL, kind TEXT NOT NULL,
    ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS bills_account ON bills (account, id);
CREATE TABLE IF NOT EXISTS totals (
    kind TEXT NOT NULL, coin TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (kind, coin)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS symbols (
    market TEXT NOT NULL, symbol TEXT NOT NULL, price TEXT NOT NULL, spec BLOB NOT NULL,
    PRIMARY KEY (market, symbol)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS symbol_changes (
    market TEXT NOT NULL, symbol TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (market, symbol)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settlements (
    symbol TEXT NOT NULL, ns INTEGER NOT NULL, rate TEXT NOT NULL, interval_h INTEGER NOT NULL,
    PRIMARY KEY (symbol, ns)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks (symbol TEXT PRIMARY KEY, mark TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prices (symbol TEXT PRIMARY KEY, price TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

#: Version 1 knew one coin: its counter accounts were those of USDT.
_FROM_1 = """
BEGIN;
ALTER TABLE totals RENAME TO totals_of_usdt;
CREATE TABLE totals (
    kind TEXT NOT NULL, coin TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (kind, coin)) STRICT, WITHOUT ROWID;
INSERT INTO totals SELECT kind, 'USDT', amount FROM totals_of_usdt;
DROP TABLE totals_of_usdt;
PRAGMA user_version = 2;
COMMIT;
"""

_encode = msgspec.msgpack.Encoder().encode
T = TypeVar("T")
Row = tuple[Any, ...]


class StoredSymbol(msgspec.Struct, frozen=True):
    """A symbol that was added through the control API, at its last price."""

    spec: ContractSpec
    price: Decimal


class SqliteStore:
    """The :class:`~trader.paper.engine.batch.Store` of a running exchange. One process, one thread."""

    def __init__(self, folder: Path | None) -> None:
        """Raises ``AlreadyRunningError`` when another exchange has the folder, ``StartError`` when it is unusable."""
        self._lock: int | None = None
        self._waiting: list[Batch] = []
        self._later: Callable[[Callable[[], None]], object] | None = None
        self._answers: list[asyncio.Future[None]] = []
        self.failed = False
        self.on_failure: Callable[[BaseException], None] = lambda _: None
        self.on_stored: Callable[[list[Batch]], None] = lambda _: None
        where = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _locked(folder / "lock")
            path = folder / "state.sqlite"
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            where = str(path)
        try:
            # A store that nobody closed (an engine in memory) lets its database go with it, in whichever
            # thread the garbage is collected.
            self._db = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._db.close)
            self._rows = Rows(self._db)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA journal_size_limit = 16777216")
            # A checkpoint syncs; every 16 MB is often enough, and then less of each page is written again.
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 1:
                self._db.executescript(_FROM_1)
                version = 2
            if version not in (0, _VERSION):
                raise StartError(
                    f"the state in {folder} is of version {version}, this program reads {_VERSION}: "
                    "use the program that wrote it, or move the folder away"
                )
            self._db.executescript(_SCHEMA)
            self._widen_plans()
            self._spot = SpotTables(self._db)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.DatabaseError as error:
            self._unlock()
            raise StartError(
                f"the state in {folder} cannot be read ({error}): move the folder away"
            ) from error

    def _widen_plans(self) -> None:
        """A file of before the plans' own columns gets them, filled."""
        known = {name for _, name, *_ in self._db.execute("PRAGMA table_info(plans)")}
        if "kind" in known:
            return
        self._db.execute("BEGIN")
        for name in ("client_id", "kind", "state"):
            self._db.execute(f"ALTER TABLE plans ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")
        rows = [_plan_row(plan) for plan in self._all(Plan, "SELECT body FROM plans")]
        self._db.executemany("INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    @property
    def spot(self) -> SpotTables:
        """The questions of the spot market."""
        self.flush()
        return self._spot

    def close(self) -> None:
        if not self.failed:
            self._flush_quietly()
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # writing

    def group(self, later: Callable[[Callable[[], None]], object]) -> None:
        """From now on the batches of one turn of the event loop are one transaction; ``later`` is its ``call_soon``."""
        self._later = later

    def write(self, batch: Batch) -> None:
        """Store a batch: now, or with what else this turn brings. ``on_stored`` hears when it is."""
        if self.failed:
            raise StateLostError("an earlier change could not be stored: the exchange must be started again")
        self._waiting.append(batch)
        if self._later is None:
            self.flush()
        elif len(self._waiting) == 1:
            self._later(self._flush_quietly)

    @property
    def behind(self) -> bool:
        """Whether something is not stored yet: who answers waits for :meth:`durable`."""
        return bool(self._waiting)

    async def durable(self) -> None:
        """Return when everything written so far is stored; ``StateLostError`` when it cannot be."""
        if self._waiting:
            stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._answers.append(stored)
            await stored

    def flush(self) -> None:
        """Store what waits, in one transaction. When it fails nothing of it is kept, and ``on_failure`` is told."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        answers, self._answers = self._answers, []
        try:
            self._transaction(waiting)
        except BaseException as error:
            self.failed = True
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for answer in answers:
                if not answer.done():
                    answer.set_exception(StateLostError(f"a change could not be stored: {error}"))
            self.on_failure(error)
            raise
        for answer in answers:
            if not answer.done():
                answer.set_result(None)
        self.on_stored(waiting)

    def _flush_quietly(self) -> None:
        """Called by the loop: who waits has been told of a failure, and so has ``on_failure``."""
        try:
            self.flush()
        except (sqlite3.Error, OSError, StateLostError) as error:
            log.error("the state could not be stored: %s", error)

    def _transaction(self, batches: list[Batch]) -> None:
        batch = batches[0] if len(batches) == 1 else merged(batches)
        run = self._db.executemany
        self._db.execute("BEGIN")
        if batch.accounts:
            rows: Iterable[Row] = [(a.id, _encode(a)) for a in batch.accounts.values()]
            run("INSERT OR REPLACE INTO accounts VALUES (?, ?)", rows)
        if batch.orders:
            rows = [
                (o.id, o.account, o.client_id, o.symbol, o.live, o.created_ns, _encode(o))
                for o in batch.orders.values()
            ]
            run("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        if batch.fills:
            rows = [(f.id, f.account, f.order_id, f.symbol, f.ns, _encode(f)) for f in batch.fills]
            run("INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?)", rows)
        if batch.positions:
            self._write_positions(batch)
        if batch.plans:
            rows = [_plan_row(p) for p in batch.plans.values()]
            run("INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        if batch.entries:
            rows = [(e.account, e.seq, _encode(e)) for e in batch.entries]
            run("INSERT INTO entries VALUES (?, ?, ?)", rows)
            rows = [(kind.value, coin, str(amount)) for (kind, coin), amount in batch.totals.items()]
            run("INSERT OR REPLACE INTO totals VALUES (?, ?, ?)", rows)
        if batch.bills:
            rows = [(b.id, b.account, b.symbol, b.kind.value, b.ns, _encode(b)) for b in batch.bills]
            run("INSERT INTO bills VALUES (?, ?, ?, ?, ?, ?)", rows)
        for one in batches:
            if one.spot.accounts:
                self._spot.write(one.spot)
        self._db.execute("COMMIT")

    def _write_positions(self, batch: Batch) -> None:
        kept = [(*key, _encode(p)) for key, p in batch.positions.items() if p.size]
        gone = [key for key, p in batch.positions.items() if not p.size]
        self._db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)", kept)
        self._db.executemany("DELETE FROM positions WHERE account = ? AND symbol = ? AND side = ?", gone)
        closed = [(p.id, p.account, p.symbol, p.updated_ns, _encode(p)) for p in batch.closed]
        self._db.executemany("INSERT OR REPLACE INTO closed VALUES (?, ?, ?, ?, ?)", closed)

    # reading

    def load(self) -> Restored:
        restored = Restored(
            accounts=self._all(AccountRecord, "SELECT body FROM accounts ORDER BY id"),
            orders=self._all(Order, "SELECT body FROM orders WHERE live ORDER BY id"),
            positions=self._all(Position, "SELECT body FROM positions"),
            plans=self._all(Plan, "SELECT body FROM plans WHERE live OR state = 'triggered' ORDER BY id"),
        )
        restored.positions.sort(key=lambda position: position.id)
        for kind, coin, amount in self._db.execute("SELECT kind, coin, amount FROM totals"):
            restored.totals[(Kind(kind), coin)] = Decimal(amount)
        restored.spot = self._spot.load()
        highest = [*(position.id for position in restored.positions), restored.spot.last_id]
        for table in ("orders", "fills", "plans", "closed", "bills"):
            (number,) = self._db.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608  (fixed names)
            highest.append(number or 0)
        # Ids given to what has no row of its own (client ids made here) came after the highest row.
        restored.last_id = max(highest) + 1_000_000 if any(highest) else 0
        return restored

    def order(self, account: int, number: int) -> Order | None:
        return self._one(Order, "SELECT body FROM orders WHERE id = ? AND account = ?", number, account)

    def order_by_client(self, account: int, client_id: str) -> Order | None:
        return self._one(
            Order,
            "SELECT body FROM orders WHERE account = ? AND client_id = ? ORDER BY id DESC LIMIT 1",
            account,
            client_id,
        )

    def orders(self, account: int, query: Query) -> list[Order]:
        return self._page(Order, "orders", account, query, "live = 0")

    def fills(self, account: int, query: Query) -> list[Fill]:
        extra = f"order_id = {query.order_id:d}" if query.order_id else "1"
        return self._page(Fill, "fills", account, query, extra)

    def plan(self, account: int, number: int) -> Plan | None:
        return self._one(Plan, "SELECT body FROM plans WHERE id = ? AND account = ?", number, account)

    def plans(self, account: int, query: Query) -> list[Plan]:
        if not isinstance(query, PlanQuery):
            return self._page(Plan, "plans", account, query, "live = 0")
        conditions, values = ["live = 0"], list[object]()
        for value, condition in (
            (query.order_id, "id = ?"),
            (query.client_id, "client_id = ?"),
            (query.state, "state = ?"),
        ):
            if value:
                conditions.append(condition)
                values.append(value)
        if query.kinds:
            conditions.append(f"kind IN ({', '.join('?' * len(query.kinds))})")
            values += query.kinds
        return self._page(Plan, "plans", account, query, " AND ".join(conditions), *values)

    def closed(self, account: int, query: Query) -> list[Position]:
        return self._page(Position, "closed", account, query, "1")

    def entries(self, account: int, after: int, limit: int) -> list[Entry]:
        return self._all(
            Entry,
            "SELECT body FROM entries WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
            account,
            after,
            limit,
        )

    def bills(self, account: int, query: Query) -> list[Bill]:
        return self._page(Bill, "bills", account, query, "1")

    # control: symbols and held prices

    def keep_symbol(self, spec: ContractSpec, price: Decimal) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO symbols VALUES (?, ?, ?, ?)",
            (spec.market, spec.symbol, str(price), _encode(spec)),
        )

    def keep_price(self, symbol: str, price: Decimal | None, mark: Decimal | None = None) -> None:
        """The price and mark that the control API holds a symbol at; ``None`` = given back to the tape."""
        self._db.execute("DELETE FROM marks WHERE symbol = ?", (symbol,))
        if mark is not None:
            self._db.execute("INSERT INTO marks VALUES (?, ?)", (symbol, str(mark)))
        if price is None:
            self._db.execute("DELETE FROM prices WHERE symbol = ?", (symbol,))
        else:
            self._db.execute("INSERT OR REPLACE INTO prices VALUES (?, ?)", (symbol, str(price)))
            self._db.execute("UPDATE symbols SET price = ? WHERE symbol = ?", (str(price), symbol))

    def marks(self) -> dict[str, Decimal]:
        rows = self._db.execute("SELECT symbol, mark FROM marks").fetchall()
        return {symbol: Decimal(mark) for symbol, mark in rows}

    def keep_change(self, market: str, symbol: str, kept: KeptChange) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO symbol_changes VALUES (?, ?, ?)", (market, symbol, _encode(kept))
        )

    def changes(self) -> dict[tuple[str, str], KeptChange]:
        """By market and symbol."""
        rows = self._db.execute("SELECT market, symbol, body FROM symbol_changes").fetchall()
        decode = msgspec.msgpack.Decoder(KeptChange).decode
        return {(market, symbol): decode(body) for market, symbol, body in rows}

    def keep_settlement(self, symbol: str, settled: Funding) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO settlements VALUES (?, ?, ?, ?)",
            (symbol, settled.ns, str(settled.rate), settled.interval_h),
        )

    def settlements(self, symbol: str) -> list[Funding]:
        """The newest ones that are kept, oldest first; older ones are forgotten."""
        sql = "SELECT ns, rate, interval_h FROM settlements WHERE symbol = ? ORDER BY ns DESC LIMIT ?"
        rows = self._db.execute(sql, (symbol, MAX_SETTLEMENTS)).fetchall()
        if len(rows) == MAX_SETTLEMENTS:
            self._db.execute("DELETE FROM settlements WHERE symbol = ? AND ns < ?", (symbol, rows[-1][0]))
        return [Funding(ns, Decimal(rate), hours) for ns, rate, hours in reversed(rows)]

    def symbols(self) -> list[StoredSymbol]:
        rows = self._db.execute("SELECT spec, price FROM symbols ORDER BY market, symbol").fetchall()
        return [
            StoredSymbol(msgspec.msgpack.decode(body, type=ContractSpec), Decimal(price))
            for body, price in rows
        ]

    def prices(self) -> dict[str, Decimal]:
        rows = self._db.execute("SELECT symbol, price FROM prices ORDER BY symbol").fetchall()
        return {symbol: Decimal(price) for symbol, price in rows}

    # inside

    def _all(self, kind: type[T], sql: str, *values: object) -> list[T]:
        self.flush()
        return self._rows.all(kind, sql, *values)

    def _one(self, kind: type[T], sql: str, *values: object) -> T | None:
        self.flush()
        return self._rows.one(kind, sql, *values)

    def _page(
        self, kind: type[T], table: str, account: int, query: Query, extra: str, *given: object
    ) -> list[T]:
        self.flush()
        filters = (
            (query.symbol, "symbol = ?"),
            (query.before, "id < ?"),
            (query.first, "id >= ?"),
            (query.since_ns, "ns >= ?"),
            (query.until_ns, "ns <= ?"),
            (query.kind, "kind = ?"),
        )
        return self._rows.page(
            kind, table, account, filters, limit=query.limit, extra=extra, given=given, upward=query.upward
        )


def _plan_row(plan: Plan) -> Row:
    live = plan.state is PlanState.LIVE
    row = (plan.id, plan.account, plan.symbol, live, plan.created_ns, _encode(plan))
    return (*row, plan.client_id, plan.kind.value, plan.state.value)


def _locked(path: Path) -> int:
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise AlreadyRunningError(
            f"another paper exchange uses {path.parent}: stop it, or give this one another home"
        ) from None
    return handle
