"""Binance keys are tried before they are stored."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import vault
from shared.db.tables import Account
from tests.kestrel.test_people import Run
from tests.kestrel.test_people import run as run  # noqa: PLC0414 - a fixture

KEYS = {"key": "binance-key-0123", "secret": "binance-secret-of-nobody"}
ASSET = {
    "asset": "USDT",
    "marginBalance": "12.5",
    "availableBalance": "12.5",
    "unrealizedProfit": "0",
}
YES = {
    "/fapi/v3/account": {"assets": [ASSET]},
    "/fapi/v1/accountConfig": {"dualSidePosition": True},
    "/fapi/v1/symbolConfig": [{"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 20}],
}


class Exchange:
    """Answers what the test tells it to, over real HTTP."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = dict(YES)
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        exchange = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                exchange.asked.append((path, self.headers["X-MBX-APIKEY"]))
                body = json.dumps(exchange.says.get(path)).encode()
                self.send_response(exchange.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    made = Exchange()
    monkeypatch.setenv("KESTREL_PAPER__URL", made.url)
    yield made
    made.close()


def add(run: Run, *words: str) -> tuple[int, str, str]:
    run("users", "add", "anna")
    command = ("accounts", "add", "--user", "anna", "--venue", "binance", "--secret-file", "-", *words)
    return run(*command, stdin="\n".join(f"BINANCE_{name.upper()}={value}" for name, value in KEYS.items()))


def test_keys_that_work_are_stored(run: Run, exchange: Exchange, session: Session, home: Any) -> None:
    code, out, told = add(run, "--paper")
    assert (code, told) == (0, "")
    assert "the keys work: 12.5 USDT, positions in hedge mode" in out
    assert set(exchange.asked) == {(path, KEYS["key"]) for path in YES}
    (account,) = session.scalars(select(Account))
    assert (account.venue, account.kind, account.mode) == ("binance", "usdm", "paper")
    credentials = vault.TraderKeys.open(home).unseal(account.sealed_credentials)
    assert (credentials.key, credentials.secret, credentials.passphrase) == (*KEYS.values(), "")


def test_keys_that_the_exchange_does_not_take_are_not_stored(
    run: Run, exchange: Exchange, session: Session
) -> None:
    exchange.status = 401
    exchange.says["/fapi/v3/account"] = {"code": -2015, "msg": "Invalid API-key, IP, or permissions."}
    code, out, told = add(run, "--paper")
    assert (code, out) == (2, "")
    assert "-2015" in told
    assert "IP list" in told
    assert KEYS["secret"] not in told
    assert session.scalars(select(Account)).all() == []


def test_keys_that_cannot_be_tried_are_stored_with_a_word(
    run: Run, exchange: Exchange, session: Session
) -> None:
    exchange.status, exchange.says = 502, {}
    code, _, told = add(run, "--paper")
    assert code == 0
    assert "could not be tried" in told
    assert len(session.scalars(select(Account)).all()) == 1


def test_a_live_key_is_never_sent_to_this_machine(
    run: Run, exchange: Exchange, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTREL_BINANCE__REST_URL", exchange.url)
    code, _, told = add(run, "--live")
    assert code == 2
    assert "paper exchange" in told
    assert exchange.asked == []
    assert session.scalars(select(Account)).all() == []


def test_each_exchange_has_its_kinds_of_accounts(run: Run) -> None:
    code, _, told = add(run, "--paper", "--kind", "classic")
    assert code == 2
    assert "usdm" in told
    code, _, told = run("accounts", "add", "--user", "anna", "--paper", "--kind", "usdm")
    assert code == 2
    assert "classic, unified" in told
