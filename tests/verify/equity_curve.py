"""Trades a month of recorded candles with funding, and computes every equity a second time from public facts.

    python -m tests.verify.equity_curve [--days 30] [--seed 1]

BTC (8 h funding), ENA (4 h) and LAYER (4 h, then 1 h) on a stopped clock that leaps an hour at a time.
Three scripted accounts act over REST: isolated one-way, crossed one-way, crossed hedge mode; they
enter, add, close in parts, flip, go short, rest limit orders and cancel them. The second computation
(tests/verify/equity_books.py) knows the fills' public facts, the contracts' fee rates and the raw funding
and mark files. A settlement at a moment that the mark file names is computed at the file's mark; at
other moments at the mark price that the exchange showed publicly one second before. Compared are the
ledger line by line (kind, fill, symbol, amount, balance, time), profit and fee of every fill, and at
every hour equity and unrealised profit. Equal means equal: every digit. Ends non-zero when one differs.
"""

from __future__ import annotations

import argparse
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.feather

from shared import clock
from tests.verify.equity_books import Books, Fill, Settlement
from tests.verify.exchange import Exchange, Json, load, recorded, started

HOUR = 3_600_000
BALANCE = "250000"
MARKET = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}
FEES = {"takerFeeRate": "0.0006", "makerFeeRate": "0.0002"}
COINS = ("BTC", "ENA", "LAYER")
#: Quote units of an order, about.
VALUE = 2500


class Source(NamedTuple):
    """One symbol's raw files, read here with pyarrow alone; times in milliseconds."""

    symbol: str
    candles: Path
    ranges: dict[int, tuple[float, float]]
    """(low, high) of the minute that begins then."""
    rates: list[tuple[int, Fraction]]
    marks: dict[int, Fraction]

    @classmethod
    def read(cls, folder: Path, coin: str) -> Source:
        name = f"{coin}_USDT_USDT"
        candles = folder / f"{name}-1m-futures.feather"
        funding = _opens(folder / f"{name}-8h-funding_rate.feather")
        marks = _opens(folder / f"{name}-8h-mark.feather")
        exact = {ms: Fraction(repr(price)) for ms, price in marks.items()}
        rates = [(ms, Fraction(repr(rate))) for ms, rate in sorted(funding.items())]
        ranges = _columns(candles, "low", "high")
        return cls(
            f"{coin}USDT", candles, {ms: (low, high) for ms, (low, high) in ranges.items()}, rates, exact
        )

    def traded(self, until: int) -> tuple[float, float]:
        """The lowest and highest price of the three minutes before."""
        near = [self.ranges[ms] for ms in range(until - 180_000, until, 60_000) if ms in self.ranges]
        return min(low for low, _ in near), max(high for _, high in near)

    def due(self, after: int, until: int) -> Iterator[tuple[int, Fraction]]:
        """Settlements; past the file's end its last rate and interval go on."""
        times = [ms for ms, _ in self.rates]
        yield from self.rates[bisect_right(times, after) : bisect_right(times, until)]
        ms, rate = self.rates[-1]
        step = ms - times[-2]
        while (ms := ms + step) <= until:
            if ms > after:
                yield ms, rate


class Shown(NamedTuple):
    """What the exchange showed at one moment: marks, and by account equity and unrealised profit."""

    ms: int
    marks: dict[str, Fraction]
    equity: list[Fraction]
    unrealised: list[Fraction]


def _opens(path: Path) -> dict[int, float]:
    return {ms: values[0] for ms, values in _columns(path, "open").items()}


def _columns(path: Path, *names: str) -> dict[int, tuple[float, ...]]:
    """By milliseconds, cut to the second."""
    table = pyarrow.feather.read_table(path)
    dates = [int(date.timestamp()) * 1000 for date in table.column("date").to_pylist()]
    values = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return dict(zip(dates, values, strict=True))


class Script:
    """The scripted accounts: what they do depends on the seed and the public prices alone."""

    def __init__(self, exchange: Exchange, symbols: Sequence[str], seed: int) -> None:
        self.exchange = exchange
        self.rng = random.Random(seed)
        self.symbols = symbols
        self.accounts = exchange.accounts
        self.calls = self.refused = 0
        rows = self.public("contracts?productType=USDT-FUTURES")
        self.contracts = {row["symbol"]: row for row in rows if row["symbol"] in symbols}
        for symbol in symbols:
            self.post(0, "account/set-margin-mode", symbol=symbol, marginMode="isolated")
            for side in ({"holdSide": "long"}, {"holdSide": "short"}):
                self.post(0, "account/set-leverage", symbol=symbol, leverage="2", **side)
            self.post(1, "account/set-leverage", symbol=symbol, leverage="5")
        self.post(2, "account/set-position-mode", posMode="hedge_mode")

    def public(self, path: str) -> Any:
        return self.exchange.call(self.accounts[0], "GET", f"/api/v2/mix/market/{path}")

    def post(self, number: int, path: str, **body: object) -> None:
        status, answer = self.exchange.try_call(
            self.accounts[number], "POST", f"/api/v2/mix/{path}", MARKET | body
        )
        self.calls += 1
        self.refused += status != 200 or answer["code"] != "00000"

    def prices(self) -> list[Json]:
        rows = self.public("tickers?productType=USDT-FUTURES")
        return [row for row in rows if row["symbol"] in self.symbols]

    def marks(self) -> dict[str, Fraction]:
        return {row["symbol"]: Fraction(row["markPrice"]) for row in self.prices()}

    def show(self, ms: int) -> Shown:
        equity, unrealised = [], []
        for account in self.accounts:
            path = f"/api/v2/mix/account/account?symbol={self.symbols[0]}&productType=USDT-FUTURES&marginCoin=USDT"
            row = self.exchange.call(account, "GET", path)
            equity.append(Fraction(row["accountEquity"]))
            path = "/api/v2/mix/position/all-position?productType=USDT-FUTURES&marginCoin=USDT"
            held = self.exchange.call(account, "GET", path)
            unrealised.append(sum((Fraction(row["unrealizedPL"]) for row in held), Fraction(0)))
        return Shown(ms, self.marks(), equity, unrealised)

    def act(self) -> None:
        last = {row["symbol"]: float(row["lastPr"]) for row in self.prices()}
        for number in range(len(self.accounts)):
            draw = self.rng.random()
            symbol = self.rng.choice(self.symbols)
            if draw < 0.45:
                self.order(number, symbol, last[symbol])
            elif draw < 0.5:
                self.post(number, "order/close-positions", symbol=symbol)
            elif draw < 0.55:
                self.post(number, "order/cancel-all-orders")

    def order(self, number: int, symbol: str, last: float) -> None:
        contract, rng = self.contracts[symbol], self.rng
        places = int(contract["volumePlace"])
        body: Json = {
            "symbol": symbol,
            "marginMode": "crossed" if number else "isolated",
            "side": rng.choice(("buy", "sell")),
            "size": f"{VALUE * rng.choice((0.5, 1, 1, 2, 4)) / last:.{places}f}",
            "orderType": "market",
        }
        if number == 2:
            body["tradeSide"] = rng.choice(("open", "open", "close"))
        elif rng.random() < 0.25:
            body["reduceOnly"] = "YES"
        if rng.random() < 0.4:
            buys = (body["side"] == "buy") == (body.get("tradeSide") != "close")
            away = rng.uniform(0.001, 0.008)
            price = last * (1 - away if buys else 1 + away)
            body |= {"orderType": "limit", "price": f"{price:.{contract['pricePlace']}f}"}
        self.post(number, "order/place-order", **body)

    def fills(self, number: int) -> list[Fill]:
        """All of an account, oldest first."""
        rows: list[Json] = []
        before = ""
        while True:
            path = f"/api/v2/mix/order/fills?productType=USDT-FUTURES&limit=100{before}"
            page = self.exchange.call(self.accounts[number], "GET", path)["fillList"] or []
            rows.extend(page)
            if len(page) < 100:
                break
            before = f"&idLessThan={page[-1]['tradeId']}"
        self.shown_fills = rows[::-1]
        return [Fill.of(row) for row in self.shown_fills]


class Month:
    """Plays, then computes again and compares."""

    def __init__(self, sources: Sequence[Source], hours: int, seed: int) -> None:
        self.sources = sources
        self.start = max(min(source.ranges) for source in sources)
        end = min(max(source.ranges) for source in sources)
        self.end = min(self.start // HOUR * HOUR + hours * HOUR, end // HOUR * HOUR)
        self.seed = seed
        self.shown: list[Shown] = []
        self.before: dict[int, dict[str, Fraction]] = {}
        self.wrong: list[str] = []
        self.report: dict[str, int] = {}

    def run(self) -> None:
        start = datetime.fromtimestamp(self.start / 1000, UTC).isoformat()
        files = ",".join(str(source.candles) for source in self.sources)
        given = ("--tape", files, "--start", start, "--speed", "0", "--accounts", "3", "--balance", BALANCE)
        with started(*given) as exchange:
            script = Script(exchange, [source.symbol for source in self.sources], self.seed)
            self._rates(script)
            self._play(exchange, script)
            for number, account in enumerate(exchange.accounts):
                ledger = exchange.control(f"/accounts/{account['id']}/ledger")
                self._compare(number, script, ledger)
            self.report["calls"], self.report["refused"] = script.calls, script.refused

    def _rates(self, script: Script) -> None:
        for contract in script.contracts.values():
            for name, rate in FEES.items():
                if Fraction(contract[name]) != Fraction(rate):
                    self.wrong.append(f"{contract['symbol']} {name} {contract[name]}")

    def _play(self, exchange: Exchange, script: Script) -> None:
        """Each hour: look a second before it, look on it, act a millisecond after it."""
        now = self.start
        script.act()
        for hour in range((self.start // HOUR + 1) * HOUR, self.end + 1, HOUR):
            exchange.advance(hour - 1000 - now)
            self.before[hour] = script.marks()
            exchange.advance(1000)
            self.shown.append(script.show(hour))
            exchange.advance(1)
            now = hour + 1
            script.act()

    def _settlements(self) -> list[Settlement]:
        found: list[Settlement] = []
        for source in self.sources:
            for ms, rate in source.due(self.start, self.end):
                found.append(Settlement(ms, source.symbol, rate, self._mark(source, ms)))
        return sorted(found, key=lambda settlement: settlement.ms)

    def _mark(self, source: Source, ms: int) -> Any:
        def mark() -> Fraction:
            if ms in source.marks:
                self._count("settled at a mark of the file")
                return source.marks[ms]
            self._count("settled at a mark shown")
            shown = self.before[ms][source.symbol]
            low, high = source.traded(ms)
            if not low * 0.999 <= shown <= high * 1.001:
                self.wrong.append(f"{source.symbol} at {ms}: mark {float(shown)}, traded {low} to {high}")
            return shown

        return mark

    def _compare(self, number: int, script: Script, ledger: list[Json]) -> None:
        rates = {
            symbol: (Fraction(FEES["takerFeeRate"]), Fraction(FEES["makerFeeRate"]))
            for symbol in script.symbols
        }
        books = Books(Fraction(BALANCE), rates)
        fills = script.fills(number)
        events: list[tuple[int, int, Any]] = [
            *((settlement.ms, 0, settlement) for settlement in self._settlements()),
            *((fill.ms, 1, fill) for fill in fills),
            *((shown.ms, 2, shown) for shown in self.shown),
        ]
        for _, _, event in sorted(events, key=lambda item: item[:2]):
            if isinstance(event, Shown):
                self._point(number, books, event)
            else:
                books.book([event])
        first = ledger[0]
        if first["kind"] != "deposit" or Fraction(first["balance"]) != Fraction(BALANCE):
            self.wrong.append(f"account {number + 1} starts with {first}")
        found = books.differences(ledger[1:])
        self.wrong.extend(f"account {number + 1} {text}" for text in found)
        for row in script.shown_fills:
            fee = Fraction(row["feeDetail"][0]["totalFee"])
            profit = books.profits.get(row["tradeId"], Fraction(0))
            if fee != books.fees[row["tradeId"]] or Fraction(row["profit"]) != profit:
                self.wrong.append(f"account {number + 1} fill {row['tradeId']}: profit or fee")
        self._count("ledger lines", len(ledger))
        self._count("fills", len(fills))
        for what, count in books.seen.items():
            self._count(what, count)

    def _point(self, number: int, books: Books, shown: Shown) -> None:
        unrealised = books.unrealised(shown.marks)
        equity = books.balance + unrealised
        self._count("equities")
        if equity != shown.equity[number] or unrealised != shown.unrealised[number]:
            self.wrong.append(
                f"account {number + 1} at {shown.ms}: equity {float(shown.equity[number])!r} for "
                f"{float(equity)!r}, unrealised {float(shown.unrealised[number])!r} for {float(unrealised)!r}"
            )

    def _count(self, what: str, count: int = 1) -> None:
        self.report[what] = self.report.get(what, 0) + count

    def intervals(self) -> str:
        """The funding intervals that were played, of each symbol, in hours."""
        parts = []
        for source in self.sources:
            times = [ms for ms, _ in source.due(self.start, self.end)]
            hours = list(dict.fromkeys((after - before) // HOUR for before, after in pairwise(times)))
            parts.append(f"{source.symbol} {' then '.join(f'{hour} h' for hour in hours)}")
        return ", ".join(parts)

    def curve(self) -> Iterator[str]:
        for shown in self.shown[:: max(1, len(self.shown) // 6)]:
            at = datetime.fromtimestamp(shown.ms / 1000, UTC)
            yield f"  {at:%Y-%m-%d %H:%M}  " + "  ".join(f"{float(equity):14.4f}" for equity in shown.equity)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = recorded("perp_1m")
    begun = clock.monotonic_ns()
    month = Month([Source.read(folder, coin) for coin in COINS], given.days * 24, given.seed)
    month.run()
    print("equity, by account (isolated; crossed; crossed in hedge mode):")
    print("\n".join(month.curve()))
    print(f"funding every {month.intervals()}")
    print(", ".join(f"{count} {what}" for what, count in month.report.items()))
    for text in month.wrong[:20]:
        print(f"NOT {text}")
    print(f"took {(clock.monotonic_ns() - begun) / clock.SECOND:.0f} s; {load()}")
    print(f"DOES NOT HOLD: {len(month.wrong)} figures differ" if month.wrong else "holds")
    return int(bool(month.wrong))


if __name__ == "__main__":
    raise SystemExit(main())
