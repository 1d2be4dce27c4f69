"""The spot tables of the state file: orders, fills, plans, bills and transfers of the spot wallet."""

from __future__ import annotations

import sqlite3
from typing import TypeVar

import msgspec

from trader.paper.engine.spot_batch import SpotBatch, SpotQuery, SpotRestored, live
from trader.paper.engine.spot_model import Bill, SpotFill, SpotOrder, SpotPlan, Transfer
from trader.paper.rows import Rows

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spot_orders (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, client_id TEXT NOT NULL, symbol TEXT NOT NULL,
    waited INTEGER NOT NULL, live INTEGER NOT NULL, ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS spot_orders_client ON spot_orders (account, client_id, id);
CREATE INDEX IF NOT EXISTS spot_orders_account ON spot_orders (account, live, id);
CREATE TABLE IF NOT EXISTS spot_fills (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, order_id INTEGER NOT NULL, symbol TEXT NOT NULL,
    ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS spot_fills_account ON spot_fills (account, id);
CREATE TABLE IF NOT EXISTS spot_plans (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, client_id TEXT NOT NULL, symbol TEXT NOT NULL,
    live INTEGER NOT NULL, ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS spot_plans_account ON spot_plans (account, live, id);
CREATE TABLE IF NOT EXISTS spot_bills (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, coin TEXT NOT NULL, kind TEXT NOT NULL,
    business TEXT NOT NULL, ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS spot_bills_account ON spot_bills (account, id);
CREATE TABLE IF NOT EXISTS transfers (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL, client_id TEXT NOT NULL, coin TEXT NOT NULL,
    source TEXT NOT NULL, ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS transfers_account ON transfers (account, id);
CREATE INDEX IF NOT EXISTS transfers_client ON transfers (account, client_id);
"""

_encode = msgspec.msgpack.Encoder().encode
T = TypeVar("T")


class SpotTables:
    """Part of :class:`~trader.paper.state.SqliteStore`: it owns the connection and the transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        self._rows = Rows(database)
        self._db.executescript(_SCHEMA)

    def write(self, batch: SpotBatch) -> None:
        """Inside the transaction of the whole batch."""
        run = self._db.executemany
        run(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?)",
            [(account.id, _encode(account)) for account in batch.accounts.values()],
        )
        run(
            "INSERT OR REPLACE INTO spot_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (o.id, o.account, o.client_id, o.symbol, bool(o.trigger), o.live, o.created_ns, _encode(o))
                for o in batch.orders.values()
            ],
        )
        run(
            "INSERT INTO spot_fills VALUES (?, ?, ?, ?, ?, ?)",
            [(f.id, f.account, f.order_id, f.symbol, f.ns, _encode(f)) for f in batch.fills],
        )
        run(
            "INSERT OR REPLACE INTO spot_plans VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (p.id, p.account, p.client_id, p.symbol, live(p), p.created_ns, _encode(p))
                for p in batch.plans.values()
            ],
        )
        run(
            "INSERT INTO spot_bills VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(b.id, b.account, b.coin, b.group, b.business, b.ns, _encode(b)) for b in batch.bills],
        )
        run(
            "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(t.id, t.account, t.client_id, t.coin, t.source, t.ns, _encode(t)) for t in batch.transfers],
        )

    def load(self) -> SpotRestored:
        restored = SpotRestored(
            orders=self._rows.all(SpotOrder, "SELECT body FROM spot_orders WHERE live ORDER BY id"),
            plans=self._rows.all(SpotPlan, "SELECT body FROM spot_plans WHERE live ORDER BY id"),
        )
        for table in ("spot_orders", "spot_fills", "spot_plans", "spot_bills", "transfers"):
            (number,) = self._db.execute(f"SELECT max(id) FROM {table}").fetchone()  # noqa: S608  (fixed names)
            restored.last_id = max(restored.last_id, number or 0)
        return restored

    def order(self, account: int, number: int) -> SpotOrder | None:
        sql = "SELECT body FROM spot_orders WHERE id = ? AND account = ?"
        return self._rows.one(SpotOrder, sql, number, account)

    def order_by_client(self, account: int, client_id: str) -> SpotOrder | None:
        sql = "SELECT body FROM spot_orders WHERE account = ? AND client_id = ? ORDER BY id DESC LIMIT 1"
        return self._rows.one(SpotOrder, sql, account, client_id)

    def orders(self, account: int, query: SpotQuery) -> list[SpotOrder]:
        """Finished ones."""
        waited = "1" if query.waited is None else f"waited = {query.waited:d}"
        return self._page(SpotOrder, "spot_orders", account, query, f"live = 0 AND {waited}")

    def fills(self, account: int, query: SpotQuery) -> list[SpotFill]:
        return self._page(SpotFill, "spot_fills", account, query, "1")

    def plan(self, account: int, number: int) -> SpotPlan | None:
        return self._rows.one(
            SpotPlan, "SELECT body FROM spot_plans WHERE id = ? AND account = ?", number, account
        )

    def plans(self, account: int, query: SpotQuery) -> list[SpotPlan]:
        """Finished ones."""
        return self._page(SpotPlan, "spot_plans", account, query, "live = 0")

    def bills(self, account: int, query: SpotQuery) -> list[Bill]:
        return self._page(Bill, "spot_bills", account, query, "1")

    def transfers(self, account: int, query: SpotQuery) -> list[Transfer]:
        return self._page(Transfer, "transfers", account, query, "1")

    # inside

    def _page(self, kind: type[T], table: str, account: int, query: SpotQuery, extra: str) -> list[T]:
        filters = (
            (query.symbol, "symbol = ?"),
            (query.order_id, "order_id = ?"),
            (query.coin, "coin = ?"),
            (query.group, "kind = ?"),
            (query.business, "business = ?"),
            (query.source, "source = ?"),
            (query.client_id, "client_id = ?"),
            (query.before, "id < ?"),
            (query.since_ns, "ns >= ?"),
            (query.until_ns, "ns <= ?"),
        )
        return self._rows.page(kind, table, account, filters, limit=query.limit, extra=extra)
