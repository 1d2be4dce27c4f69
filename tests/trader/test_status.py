"""What the trader tells of itself stays small and cheap, whatever there is to tell."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from shared import clock
from shared.domain.account import Mode
from shared.domain.instrument import Venue
from tests.trader.scripted import ACCOUNT, INSTRUMENT, D, ScriptedVenue
from trader import status
from trader.hosts import Place
from trader.lane import Lane
from trader.listings.upbit import HostStats
from trader.market import MarketData, MarketHost
from trader.venues.bitget.market import BitgetMarket
from trader.venues.model import Price

SYMBOLS = 500
PAPER = (Mode.PAPER, Venue.BITGET)
DAY_NS = 86_400 * clock.SECOND


def market(count: int = SYMBOLS) -> MarketData:
    made = MarketData(
        BitgetMarket(),
        MarketHost("http://127.0.0.1:9", "ws://127.0.0.1:9"),
        refresh_s=60,
        on_instruments=lambda _: None,
    )
    for number in range(count):
        symbol = f"1000COIN{number}USDT"
        made.instruments[symbol] = msgspec.structs.replace(
            INSTRUMENT, symbol=symbol, id=f"bitget:perp:1000COIN{number}-USDT", open_ns=number * DAY_NS
        )
        made.prices[symbol] = Price(symbol=symbol, last=D("12345.6789"), bid=None, ask=None, mark=None, ns=1)
    return made


def lane(number: int, symbols: list[str], blocked: str = "") -> Lane:
    venue = ScriptedVenue()
    venue.url = "http://127.0.0.1:9"
    made = venue.lane()
    made.member = msgspec.structs.replace(made.member, account=msgspec.structs.replace(ACCOUNT, id=number))
    made.prepared = dict.fromkeys(symbols, 10)
    made.blocked = blocked
    return made


def parts(
    accounts: int, *, symbols: int = SYMBOLS, trouble: str = "", places: tuple[Place, ...] = (PAPER,)
) -> status.Parts:
    """The figures' sources as they are in a running trader, without tasks and connections."""
    desks = {}
    for place in places:
        floor = market(symbols)
        members = {
            number: SimpleNamespace(lane=lane(number, list(floor.instruments), trouble))
            for number in range(1000, 1000 + accounts)
        }
        desks[place] = SimpleNamespace(market=floor, members=members, walled_off={})
    whole: Any = SimpleNamespace(
        desks=desks,
        directory=SimpleNamespace(left_out=dict.fromkeys(range(accounts), trouble) if trouble else {}),
        leases=SimpleNamespace(others={}),
        upbit=SimpleNamespace(stats=[HostStats(host="https://api.upbit.com", last_error=trouble * 10)] * 4),
        sniper=SimpleNamespace(pages=1_000_000),
        gateway=SimpleNamespace(sent=1_000_000),
        tracker=SimpleNamespace(in_flight=lambda: 1000, unjournaled=1000),
        journal=SimpleNamespace(seq=10_000_000, failed=False, starved="x" * 100),
        recorder=SimpleNamespace(behind=10_000_000, quarantined=1000, last_error="x" * 500),
        failures=1000,
    )
    return cast(status.Parts, whole)


@pytest.mark.parametrize("accounts", [1, 4, 20, 21, 100])
async def test_it_stays_below_8_kb(accounts: int) -> None:
    found = status.detail(parts(accounts, trouble="the exchange refused: the key is wrong (code 40012) " * 4))
    assert len(json.dumps(found)) < 8192


async def test_the_newest_symbols_are_named_and_all_are_counted() -> None:
    found = status.detail(parts(2))
    newest = [f"1000COIN{number}USDT" for number in range(SYMBOLS - 1, -1, -1)]
    assert found["instruments"] == newest[:100]
    assert found["instrument_count"] == SYMBOLS
    assert list(found["prices"]) == newest[:40]
    assert found["prepared"] == {"1000": newest[:50], "1001": newest[:50]}
    assert found["prepared_count"] == {"1000": SYMBOLS, "1001": SYMBOLS}


async def test_what_is_not_prepared_is_not_named() -> None:
    whole = parts(1, symbols=60)
    (member,) = whole.desks[PAPER].members.values()
    member.lane.prepared = {"1000COIN59USDT": 10, "1000COIN3USDT": 10}
    assert status.detail(whole)["prepared"] == {"1000": ["1000COIN59USDT", "1000COIN3USDT"]}


async def test_twenty_accounts_are_told_apart_and_more_are_counted() -> None:
    assert set(status.detail(parts(20))["prepared"]) == {str(number) for number in range(1000, 1020)}
    found = status.detail(parts(21))
    assert found["prepared"] == {}
    assert len(found["prepared_count"]) == 21


async def test_trouble_is_told_in_words_for_some_and_counted_for_all() -> None:
    found = status.detail(parts(30, trouble="x" * 500))
    assert len(found["blocked"]) == status.SHOWN_REASONS
    assert found["blocked_count"] == found["left_out_count"] == 30
    assert {len(text) for text in [*found["blocked"].values(), *found["left_out"].values()]} == {
        status.LONGEST_TEXT
    }
    assert [source["state"] for source in found["sources"]] == ["starting"] * 4


async def test_accounts_that_the_wall_keeps_out_are_told() -> None:
    whole = parts(1)
    whole.desks[PAPER].walled_off = {7: "a paper account on a public host"}
    assert status.detail(whole)["left_out"] == {"7": "a paper account on a public host"}


async def test_two_desks_share_the_room() -> None:
    found = status.detail(parts(1, places=(PAPER, (Mode.LIVE, Venue.BITGET))))
    assert len(found["instruments"]) == 50
    assert found["instrument_count"] == SYMBOLS
    assert found["accounts"] == 2
