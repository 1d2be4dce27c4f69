"""One exchange process that a whole test run trades on, its control API, and a tape with futures and spot."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

D = Decimal

BTC, ETH = "60000", "3000"
_DAYS = 4
#: File names are freqtrade's: futures have the settling coin. Price, its tick, and a volume that shows the step.
_CANDLES = (
    ("BTC_USDT_USDT-1m-futures", BTC, "0.1", "10.0001"),
    ("ETH_USDT_USDT-1m-futures", ETH, "0.01", "100.001"),
    ("SOL_USDT_USDT-1m-futures", "150", "0.001", "1000.1"),
    ("BTC_USDT-1m", BTC, "0.01", "10.000001"),
    ("SOL_USDT-1m", "150", "0.01", "1000.0001"),
)


def write_tape(folder: Path) -> str:
    """Days of 1 m candles around fixed prices, so that trades, candles and both markets are there."""
    start = datetime(2026, 9, 1, tzinfo=UTC)
    paths = []
    for name, price, tick, volume in _CANDLES:
        middle, step = D(price), D(tick)
        rows = ["date,open,high,low,close,volume"]
        for minute in range(_DAYS * 1440):
            ends = middle, middle + 7 * step, middle - 3 * step, middle + (minute % 3) * step
            when = (start + timedelta(minutes=minute)).isoformat()
            rows.append(",".join([when, *(str(value) for value in ends), volume]))
        path = folder / f"{name}.csv"
        path.write_text("\n".join(rows) + "\n")
        paths.append(str(path))
    return ",".join(paths)


class Control:
    """The control API of the running exchange, synchronous."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready

    def call(self, path: str, body: dict[str, object] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["control"] + path, data=data)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def account(self, balance: str = "10000", kind: str = "classic", **more: object) -> dict[str, Any]:
        made: dict[str, Any] = self.call("/accounts", {"kind": kind, "balance": balance} | more)
        return made

    def price(self, symbol: str, price: str | None) -> None:
        self.call("/price", {"symbol": symbol, "price": price})

    @contextlib.contextmanager
    def held(self, symbol: str, price: str, after: str = BTC) -> Iterator[None]:
        """The price is moved there, and back afterwards."""
        self.price(symbol, price)
        try:
            yield
        finally:
            self.price(symbol, after)

    def advance(self, ms: int) -> None:
        self.call("/clock", {"advance_ms": ms})

    def ledger(self, account: dict[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call(f"/accounts/{account['id']}/ledger")
        return rows

    def picture(self, account: dict[str, Any]) -> Any:
        """What a refused request must leave as it was: money, orders, plans, positions and the ledger."""
        return self.call(f"/accounts/{account['id']}"), self.ledger(account)

    def check_ledger(self, account: dict[str, Any], equity: str) -> None:
        """Every line adds up, and the last balance is what the exchange says is there."""
        balance: dict[tuple[str, str], Decimal] = {}
        for number, row in enumerate(self.ledger(account), 1):
            purse = (row.get("wallet", "futures"), row.get("coin", "USDT"))
            balance[purse] = balance.get(purse, D(0)) + D(row["amount"])
            assert (row["seq"], D(row["balance"])) == (number, balance[purse])
        assert D(equity) == balance["futures", "USDT"]

    def check_money(self, account: dict[str, Any], *lines: tuple[str, str]) -> None:
        """The ledger is a deposit of 10000 and exactly these lines of (kind, USDT), and every line adds up."""
        balance, found = D(0), []
        for number, row in enumerate(self.ledger(account), 1):
            balance += D(row["amount"])
            assert (row["seq"], row["coin"], D(row["balance"])) == (number, "USDT", balance)
            found.append((row["kind"], D(row["amount"])))
        assert found == [("deposit", D(10_000)), *((kind, D(amount)) for kind, amount in lines)]
        assert D(self.call(f"/accounts/{account['id']}")["balance"]) == balance

    def check_sum(self, account: dict[str, Any], usdt: str | Decimal) -> None:
        """Every line adds up, coin by coin, and this is what there is of USDT."""
        balance: dict[str, Decimal] = {}
        for number, row in enumerate(self.ledger(account), 1):
            balance[row["coin"]] = balance.get(row["coin"], D(0)) + D(row["amount"])
            assert (row["seq"], D(row["balance"])) == (number, balance[row["coin"]])
        assert D(usdt) == balance["USDT"]
