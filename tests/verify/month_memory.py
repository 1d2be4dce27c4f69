"""Plays a month of one-minute candles of four symbols in a real exchange and watches its memory.

    python -m tests.verify.month_memory [--days 29] [--most-growth 3]

BTC, ETH, ENA and LAYER with their funding and marks, on a stopped clock that leaps an hour at a time.
Six accounts trade at every leap: market orders, limit orders near and far, cancels. State goes to a
file, as in a real run. What is bounded is filled first, so that what still grows shows: the request
log takes 20,000 orders that are refused, the statistics of 24 hours fill in the first two days. Then
resident memory, sampled after every leap, may not rise by more than the allowed MB, median of a day
against median of a day. Ends non-zero when it does.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from pathlib import Path

import psutil

from shared import clock
from tests.verify.exchange import Exchange, Json, load, recorded, started

SYMBOLS = {"BTCUSDT": "0.01", "ETHUSDT": "0.2", "ENAUSDT": "2000", "LAYERUSDT": "500"}
PLACES = {"BTCUSDT": 1, "ETHUSDT": 2, "ENAUSDT": 4, "LAYERUSDT": 4}
HOUR_MS = 3_600_000
WARM_DAYS = 2
LOGGED = 20_000
"""Requests that the exchange remembers (``GET /control/requests``)."""


def fill_log(exchange: Exchange) -> None:
    """Orders without a size, as long as real ones."""
    body = order("BTCUSDT", "sell", "0.00", "100000.0")
    for number in range(LOGGED):
        account = exchange.accounts[number % len(exchange.accounts)]
        _, answer = exchange.try_call(account, "POST", "/api/v2/mix/order/place-order", body)
        assert answer["code"] != "00000", answer


def order(symbol: str, side: str, size: str, price: str | None) -> Json:
    """At market without a price."""
    body: Json = {
        "symbol": symbol,
        "productType": "USDT-FUTURES",
        "marginMode": "isolated",
        "marginCoin": "USDT",
        "side": side,
        "size": size,
        "orderType": "market" if price is None else "limit",
    }
    return body if price is None else body | {"price": price}


def trade(exchange: Exchange, rng: random.Random, last: dict[str, float]) -> int:
    """One order of every account, and now and then a clean-up; how many calls were made."""
    calls = 0
    for number, account in enumerate(exchange.accounts):
        symbol = rng.choice(list(SYMBOLS))
        side = rng.choice(("buy", "sell"))
        away = (0.99 if side == "buy" else 1.01) if number % 2 else 1.0
        price = None if number % 3 == 0 else f"{last[symbol] * away:.{PLACES[symbol]}f}"
        body = order(symbol, side, SYMBOLS[symbol], price)
        exchange.try_call(account, "POST", "/api/v2/mix/order/place-order", body)
        calls += 1
        if rng.random() < 0.2:
            common = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}
            exchange.try_call(account, "POST", "/api/v2/mix/order/cancel-all-orders", common)
            exchange.try_call(account, "POST", "/api/v2/mix/order/close-positions", common)
            calls += 2
    return calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=int, default=29)
    parser.add_argument("--most-growth", type=float, default=3.0, help="MB after the first two days")
    given = parser.parse_args()
    if given.days < WARM_DAYS + 2:
        parser.error(f"--days: {WARM_DAYS + 2} at least")
    names = [
        recorded("perp_1m", f"{coin}_USDT_USDT-1m-futures.feather") for coin in ("BTC", "ETH", "ENA", "LAYER")
    ]
    rng = random.Random(1)
    days: list[list[float]] = []
    calls = 0
    begun = clock.monotonic_ns()
    with (
        tempfile.TemporaryDirectory(prefix="kestrel-month-") as home,
        started(
            "--tape", ",".join(map(str, names)), "--speed", "0", "--accounts", "6", "--balance", "100000",
            "--home", home,
        ) as exchange,
    ):  # fmt: skip
        process = psutil.Process(exchange.process.pid)
        fill_log(exchange)
        print(f"request log filled in {(clock.monotonic_ns() - begun) / clock.SECOND:.0f} s", flush=True)
        for day in range(given.days):
            days.append([])
            for _ in range(24):
                exchange.advance(HOUR_MS)
                told = exchange.control("/state")
                calls += trade(exchange, rng, {row["symbol"]: float(row["last"]) for row in told["symbols"]})
                days[-1].append(process.memory_info().rss / 1e6)
            if day % 4 == 0 or day == given.days - 1:
                print(f"day {day + 1:2}   median {statistics.median(days[-1]):6.1f} MB", flush=True)
        entries = sum(len(exchange.control(f"/accounts/{row['id']}/ledger")) for row in exchange.accounts)
        on_disk = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file()) / 1e6
        busy = sum(process.cpu_times()[:2])
    medians = [statistics.median(samples) for samples in days]
    growth = max(medians[WARM_DAYS + 1 :]) - medians[WARM_DAYS]
    took = (clock.monotonic_ns() - begun) / clock.SECOND
    print(
        f"{given.days} days, {calls} signed calls, {entries} ledger lines, {on_disk:.1f} MB of state on disk"
    )
    print(f"took {took:.0f} s, {busy:.0f} s of them processor time of the exchange; {load()}")
    print(
        f"after {WARM_DAYS} days {medians[WARM_DAYS]:.1f} MB, most later {max(medians[WARM_DAYS + 1 :]):.1f} MB"
    )
    print(f"growth {growth:+.1f} MB, allowed {given.most_growth:g} MB")
    if growth > given.most_growth:
        print("fails: memory grows")
        return 1
    print("holds")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
