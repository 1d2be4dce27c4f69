"""A small world of real processes: the paper exchange with its notice board, Postgres, the trader.

Nothing is mocked: accounts are made through the exchange's control API, users and credentials
through the product's own repositories, and outcomes are read from the exchange's ledger.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg

from shared import clock, vault
from shared.db import accounts, preferences, users
from shared.db.engine import engine
from shared.db.engine import session as session_of

ROOT = Path(__file__).resolve().parents[2]


class Person(msgspec.Struct, frozen=True):
    """One user with one paper account, here and on the exchange."""

    name: str
    account_id: int
    paper_id: str


def eventually(check: Callable[[], Any], timeout_s: float, what: str, pause_s: float = 0.02) -> Any:
    """Poll the state of other processes until it is truthy, and return it."""
    deadline = clock.monotonic_ns() + int(timeout_s * clock.SECOND)
    while True:
        if found := check():
            return found
        assert clock.monotonic_ns() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(pause_s)


class Process:
    """A child in its own session; its output is kept, and it is always ended."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._arrived:
                self.lines.append(line.rstrip("\n"))
                self._arrived.notify_all()

    def line(self, wanted: Callable[[str], bool], timeout_s: float) -> str:
        """The first line that fits."""
        with self._arrived:
            self._arrived.wait_for(lambda: any(map(wanted, self.lines)), timeout_s)
            found = next(filter(wanted, self.lines), None)
        assert found is not None, "\n".join(self.lines[-30:])
        return found

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout_s: float) -> int:
        code = self._process.wait(timeout_s)
        self._thread.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 20) -> int:
        """Signal it and return its exit code."""
        if self.alive:
            self._process.send_signal(number)
        try:
            code = self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self.wait(5)
        return code


class World:
    """Start it with :meth:`open`, end it with :meth:`close`."""

    def __init__(self, home: Path, database_url: str) -> None:
        self.home = home
        self.database_url = database_url
        self.exchange: Process | None = None
        self.trader: Process | None = None
        self.url = ""
        self.health_url = ""
        self.people: list[Person] = []
        self._keys: dict[str, dict[str, str]] = {}
        self._http = httpx.Client(timeout=5, trust_env=False)

    def open(self, tape: str = "manual", *options: str) -> World:
        vault.ensure_keys(self.home)
        self.exchange = Process(
            ["trader.paper", "--port", "0", "--tape", tape, "--home", str(self.home), *options],
            self._environment(),
        )
        ready = json.loads(self.exchange.line(lambda line: line.startswith("{"), 20))
        self.url = ready["rest"]
        return self

    def close(self) -> None:
        for process in (self.trader, self.exchange):
            if process is not None:
                process.end()
        self._http.close()

    def _environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KESTREL_", "PG"))}
        return kept | {"KESTREL_HOME": str(self.home), "PYTHONUNBUFFERED": "1"} | more

    # The exchange

    def control(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(method, f"{self.url}/control/{path}", json=body or None)
        assert answer.status_code < 400, answer.text
        return answer.json()

    def symbol(self, symbol: str, price: str) -> None:
        self.control(
            "POST", "symbols", symbol=symbol, market="futures", price=price, open_time_ms=clock.now_ms()
        )

    def price(self, symbol: str, price: str) -> None:
        self.control("POST", "price", symbol=symbol, price=price)

    def notice(self, title: str, **stamps: str) -> Any:
        return self.control("POST", "notices", title=title, category="거래", **stamps)

    def ledger(self, person: Person, kind: str = "", symbol: str = "") -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.control("GET", f"accounts/{person.paper_id}/ledger")
        return [
            entry
            for entry in entries
            if (not kind or entry["kind"] == kind) and (not symbol or entry["symbol"] == symbol)
        ]

    def entries(self, person: Person, symbol: str = "") -> int:
        """How many orders opened something: the fills of one market order share their instant."""
        return len({entry["ns"] for entry in self.ledger(person, "open_fee", symbol)})

    def filled(self, person: Person, timeout_s: float = 5) -> None:
        """Wait until the exchange has executed an entry of this person."""
        eventually(lambda: self.ledger(person, "open_fee"), timeout_s, f"{person.name} is filled")

    def account(self, person: Person) -> dict[str, Any]:
        found: dict[str, Any] = self.control("GET", f"accounts/{person.paper_id}")
        return found

    def by_hand(self, person: Person, path: str, **body: str) -> dict[str, Any]:
        """What the user does on the exchange without us: a signed POST of their own."""
        keys, text, stamp = self._keys[person.name], json.dumps(body), str(clock.now_ms())
        prehash = f"{stamp}POST{path}{text}".encode()
        digest = hmac.new(keys["secret"].encode(), prehash, hashlib.sha256).digest()
        answer = self._http.post(
            f"{self.url}{path}",
            content=text,
            headers={
                "ACCESS-KEY": keys["key"],
                "ACCESS-PASSPHRASE": keys["passphrase"],
                "ACCESS-TIMESTAMP": stamp,
                "ACCESS-SIGN": base64.b64encode(digest).decode(),
                "Content-Type": "application/json",
            },
        )
        found: dict[str, Any] = answer.json()
        assert found["code"] == "00000", found
        return found

    def orders(self) -> list[tuple[Any, ...]]:
        """Step, state and reason of every order in Postgres, in the order they were made."""
        return self.rows(
            "select i.step, o.state, o.reason_code from orders o join intents i using (client_id)"
            " order by i.created_ns"
        )

    # Our side

    def person(
        self,
        name: str,
        balance: str = "10000",
        *,
        venue: str = "bitget",
        kind: str = "classic",
        stored: str = "",
        **chosen: str,
    ) -> Person:
        """A user with a paper account on the exchange; ``chosen`` are listing preferences.

        ``stored``: the kind that we believe it to be of, if another one.
        """
        word = "binance" if venue == "binance" else kind
        made = self.control("POST", "accounts", kind=word, balance=balance, label=name)
        self._keys[name] = made
        source = engine(self.database_url, pooled=False)
        with session_of(source) as session:
            users.add(session, name, actor="test")
            account = accounts.add(
                session,
                name,
                venue=venue,
                kind=stored or kind,
                mode="paper",
                label="main",
                credentials=vault.Credentials(made["key"], made["secret"], made.get("passphrase", "")),
                public_key=vault.public_key(self.home),
                actor="test",
            )
            for key, value in chosen.items():
                preferences.set_value(
                    session, "account", name, account.id, f"listing.{key}", value, actor="test"
                )
        source.dispose()
        person = Person(name, account.id, str(made["id"]))
        self.people.append(person)
        return person

    def start_trader(self, **environment: str) -> Process:
        """Start `kestrel trade`; wait with :meth:`armed`."""
        self.trader = Process(
            ["kestrel", "trade"],
            self._environment(
                **{
                    "KESTREL_DATABASE_URL": self.database_url,
                    "KESTREL_PAPER__URL": self.url,
                    "KESTREL_UPBIT__HOSTS": json.dumps([self.url]),
                    "KESTREL_UPBIT__POLL_S": "0.05",
                    "KESTREL_TRADER__OPS_PORT": "0",
                    "KESTREL_TRADER__INSTRUMENTS_S": "0.5",
                    "KESTREL_TRADER__POSITIONS_S": "0.5",
                    **environment,
                }
            ),
        )
        return self.trader

    def health(self) -> dict[str, Any]:
        """The heartbeat's detail with its state, or nothing while there is none of this process."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(
                "select state, detail, pid, at_ns from heartbeats where service = 'trader'"
            ).fetchone()
        if row is None or self.trader is None or row[2] != self.trader.pid:
            return {}
        return {**row[1], "state": row[0], "at_ns": row[3]}

    def armed(self, symbol: str = "", timeout_s: float = 30) -> None:
        """Wait until a listing of ``symbol`` would be traded at once by everybody."""

        def ready() -> bool:
            assert self.trader is not None
            assert self.trader.alive, "\n".join(self.trader.lines[-30:])
            health = self.health()
            if health.get("state") != "armed" or health["ready"] < len(self.people):
                return False
            return not symbol or (
                symbol in health["prices"] and all(symbol in done for done in health["prepared"].values())
            )

        eventually(ready, timeout_s, f"the trader is armed {symbol}: {self.health()}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def rows_changed(self, sql: str) -> None:
        """Change rows past the repositories, as a person with psql might."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(sql.encode())

    def dump(self, table: str) -> str:
        """A whole table as text."""
        return "\n".join(row[0] for row in self.rows(f"select t::text from {table} t"))

    def keys(self, person: Person) -> dict[str, str]:
        """The credentials that the exchange gave this person."""
        return self._keys[person.name]

    def exchange_lines(self) -> list[str]:
        assert self.exchange is not None
        return self.exchange.lines

    def log(self) -> list[str]:
        """What the trader has said so far."""
        assert self.trader is not None
        path = self.home / "logs" / "trader.log"
        return [*self.trader.lines, *(path.read_text(encoding="utf-8").splitlines() if path.exists() else [])]

    def settled(self, timeout_s: float = 20, pause_s: float = 0.02) -> None:
        """Wait until no order is in flight and Postgres holds the whole journal, as of from now on."""
        asked_ns = clock.now_ns()

        def done() -> bool:
            health = self.health()
            return (
                bool(health)
                and health["at_ns"] > asked_ns
                and health["in_flight"] == 0
                and health["behind"] == 0
            )

        eventually(done, timeout_s, "everything is settled and stored", pause_s)


def total(entries: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(entry["amount"]) for entry in entries), Decimal(0))
