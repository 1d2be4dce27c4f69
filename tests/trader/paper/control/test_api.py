"""The control API: exact bodies, one clear line for what is wrong, no secrets in the log."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest

from shared import clock
from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges
from trader.paper.server import PaperServer

D = Decimal


async def test_accounts(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = await client.control("/accounts", {"kind": "classic", "balance": "1234.56", "label": "ann"})
    assert set(made) == {"id", "key", "secret", "passphrase"}
    again = await client.control("/accounts", {"balance": 5, "label": "ann"})
    assert again["id"] != made["id"]
    ledger = await client.control(f"/accounts/{made['id']}/ledger")
    assert [(row["seq"], row["kind"], row["amount"], row["balance"]) for row in ledger] == [
        (1, "deposit", "1234.56", "1234.56")
    ]
    assert set(ledger[0]) == {
        "seq", "ns", "kind", "ref", "symbol", "amount", "balance", "coin", "wallet"
    }  # fmt: skip
    assert made["secret"] not in caplog.text
    assert made["passphrase"] not in caplog.text
    shown = str(await client.control("/state")) + str(await client.control(f"/accounts/{made['id']}"))
    assert made["secret"] not in shown
    assert made["key"] not in shown


async def test_a_ledger_in_pages(client: Client) -> None:
    for _ in range(3):
        await client.order("buy", "0.001")
    path = f"/accounts/{client.account['id']}/ledger"
    assert [row["seq"] for row in await client.control(f"{path}?after=1&limit=2")] == [2, 3]


async def test_prices_are_held_and_released(exchanges: Exchanges) -> None:
    server = await exchanges.start(tape="synthetic:3", speed=20.0)
    client = await exchanges.client(server)
    held = await client.control("/price", {"symbol": "BTCUSDT", "price": "123456.7"})
    assert held == {"symbol": "BTCUSDT", "price": "123456.7", "overridden": True}
    row = (await client.get("/api/v2/mix/market/ticker", productType=FUTURES, symbol="BTCUSDT")).data[0]
    assert row["lastPr"] == "123456.7"
    freed = await client.control("/price", {"symbol": "BTCUSDT", "price": None})
    assert freed["overridden"] is False
    assert D(freed["price"]) < 120_000


async def test_symbols_are_added_and_tradable(client: Client) -> None:
    body: dict[str, object] = {"symbol": "GAONUSDT", "market": "futures", "price": 0.5, "open_time_ms": 0}
    made = await client.control("/symbols", body)
    assert (made["status"], made["symbol"]) == ("open", "GAONUSDT")
    answer = await client.order("buy", "100", symbol="GAONUSDT")
    assert answer.code == "00000"


async def test_a_symbol_before_its_opening_refuses_orders(client: Client) -> None:
    body: dict[str, object] = {
        "symbol": "LATERUSDT",
        "market": "futures",
        "price": "2",
        "open_time_ms": clock.now_ms() + 60_000,
    }
    assert (await client.control("/symbols", body))["status"] == "pre_open"
    assert (await client.order("buy", "10", symbol="LATERUSDT")).code == "43119"
    await client.control("/clock", {"advance_ms": 61_000})
    assert (await client.order("buy", "10", symbol="LATERUSDT")).code == "00000"


async def test_notices_appear_on_the_board(client: Client) -> None:
    title = "가온(GAON) 신규 거래지원 안내 (KRW 마켓)"
    made = await client.control("/notices", {"title": title, "category": "trade"})
    async with client.session.get(client.ready["notices"] + "/api/v1/announcements?per_page=1") as response:
        page = await response.json()
        assert response.headers["ETag"].startswith('W/"')
    assert page["data"]["notices"][0]["title"] == title
    edited = await client.control(f"/notices/{made['id']}", {"title": title + " (연기)"})
    assert edited["first_listed_at"] == made["first_listed_at"]
    dated = await client.control(
        "/notices", {"title": "x", "category": "notice", "first_listed_at": "2026-01-02T03:04:05+09:00"}
    )
    assert dated["listed_at"] == dated["first_listed_at"] == "2026-01-02T03:04:05+09:00"


async def test_the_clock_leaps_and_runs(client: Client) -> None:
    before = (await client.control("/state"))["clock"]["now_ns"]
    after = await client.control("/clock", {"speed": 0, "advance_ms": 3_600_000})
    assert after["speed"] == 0
    assert after["now_ns"] - before >= 3_600_000_000_000
    still = await client.control("/clock", {})
    assert still["now_ns"] == after["now_ns"]


async def test_funding_is_paid_when_the_clock_leaps_over_it(client: Client) -> None:
    await client.order("buy", "0.1")
    await client.control("/clock", {"advance_ms": 8 * 3_600_000})
    assert (await client.ledger())[-1]["kind"] == "funding"


async def test_state_names_everything(client: Client) -> None:
    await client.order("buy", "0.001", "59000")
    state = await client.control("/state")
    assert state["tape"] == "manual"
    assert state["accounts"][0] == {
        "id": 1,
        "kind": "classic",
        "label": "start-1",
        "balance": "10000",
        "positions": 0,
        "orders": 1,
        "plans": 0,
    }
    assert [(row["market"], row["symbol"]) for row in state["symbols"]] == [
        ("futures", "BTCUSDT"), ("futures", "ETHUSDT"), ("spot", "BTCUSDT"), ("spot", "ETHUSDT")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/accounts", {"kind": "gold"}, "kind"),
        ("/accounts", {"balance": "-5"}, "balance"),
        ("/accounts", {"balance": "much"}, "balance"),
        ("/accounts", {"balance": "1e300"}, "balance"),
        ("/accounts", {"funds": 5}, "funds"),
        ("/accounts", "{", "truncated"),
        ("/accounts/99/ledger", None, "99"),
        ("/accounts/x", None, "x"),
        ("/accounts/1/ledger?after=x", None, "after"),
        ("/price", {"price": 5}, "symbol"),
        ("/price", {"symbol": "NOUSDT", "price": 5}, "NOUSDT"),
        ("/price", {"symbol": "BTCUSDT", "price": 0}, "price"),
        ("/symbols", {"symbol": "BTCUSDT", "price": 5}, "BTCUSDT"),
        ("/symbols", {"symbol": "no symbol", "price": 5}, "symbol"),
        ("/symbols", {"symbol": "AUSDT", "price": 5, "market": "moon"}, "market"),
        ("/symbols", {"symbol": "AUSDT", "price": 5, "open_time_ms": -1}, "open_time_ms"),
        ("/notices", {"category": "trade"}, "title"),
        ("/notices", {"title": "x", "category": "moon"}, "category"),
        ("/notices", {"title": "x", "listed_at": "noon"}, "listed_at"),
        ("/notices/x", {"title": "x"}, "x"),
        ("/clock", {"speed": -1}, "speed"),
        ("/clock", {"advance_ms": -1}, "advance_ms"),
        ("/nothing", {}, "/control/nothing"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    client: Client, path: str, body: dict[str, object] | str | None, word: str
) -> None:
    status, answer = await client.try_control(path, body)
    assert status == 400
    assert list(answer) == ["error"]
    assert word in answer["error"]
    assert "\n" not in answer["error"]


async def test_browsers_are_turned_away(server: PaperServer, client: Client) -> None:
    async with client.session.get(
        client.ready["control"] + "/state", headers={"Origin": "https://evil.example"}
    ) as response:
        assert response.status == 403
    assert server.engine.accounts
