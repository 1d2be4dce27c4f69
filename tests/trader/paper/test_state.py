"""The state file: one written by the version before still counts."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

from trader.paper.engine.model import Kind
from trader.paper.state import SqliteStore

D = Decimal


def test_a_state_of_version_1_is_brought_up(tmp_path: Path) -> None:
    """1000 USDT came in; 0.01 BTC at 50000.1 cost 0.3000006; a bid for 0.01 at 49000 rests."""
    database = sqlite3.connect(tmp_path / "state.sqlite")
    database.executescript(Path(__file__).with_name("state_version_1.sql").read_text())
    database.close()
    for _ in range(2):
        store = SqliteStore(tmp_path)
        restored = store.load()
        assert restored.totals == {(Kind.DEPOSIT, "USDT"): D(-1000), (Kind.OPEN_FEE, "USDT"): D("0.3000006")}
        (account,) = restored.accounts
        assert (account.wallet, account.spot) == (D("999.6999994"), {})
        assert [order.client_id for order in restored.orders] == ["rest-1"]
        assert [(e.amount, e.coin, e.wallet) for e in store.entries(1, 0, 10)] == [
            (D(1000), "USDT", "futures"),
            (D("-0.3000006"), "USDT", "futures"),
        ]
        store.close()
    database = sqlite3.connect(tmp_path / "state.sqlite")
    assert database.execute("PRAGMA user_version").fetchone() == (2,)
    database.close()
