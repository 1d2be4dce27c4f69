"""Every refusal of the engine has a code of unified accounts, every code a text; and no input breaks a call."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import VenueRefusedError
from tests.trader.paper.bench import Bench, spec
from trader.paper.book import Book
from trader.paper.contract import SPOT
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.faces.bitget import rest
from trader.paper.faces.bitget.calls import ROUTES, Call, Route
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.v3 import errors

PAIR = spec("BTCUSDT", "0.01", "0.0001", market=SPOT, tiers=(), max_leverage=1)
V3 = {key: route for key, route in ROUTES.items() if key[1].startswith("/api/v3/")}
VALUES: tuple[Any, ...] = (
    None, "", " ", "0", "-1", "1e9", "1e40", "NaN", "0.01", "0.02", "5", "49000", "50000", "51000.05", "60000", 7, 0.5,
    True, [], {}, "x" * 300, "\x00", "é", "yes", "no", "buy", "sell", "long", "short", "limit", "market", "mark",
    "isolated", "crossed", "ioc", "fok", "post_only", "gtc", "tpsl", "trigger", "full", "partial", "hedge_mode",
    "one_way_mode", "USDT-FUTURES", "usdt-futures", "SPOT", "MARGIN", "OTHER", "BTCUSDT", "ETHUSDT", "add", "remove",
    "9223372036854775807", "99999999999999999999",
)  # fmt: skip
PLAUSIBLE: dict[str, tuple[Any, ...]] = {
    "category": ("USDT-FUTURES", "USDT-FUTURES", "SPOT"),
    "symbol": ("BTCUSDT", "BTCUSDT", "ETHUSDT"),
    "side": ("buy", "sell"),
    "posSide": ("long", "short", None),
    "orderType": ("limit", "market"),
    "triggerOrderType": ("limit", "market"),
    "qty": ("0.01", "0.02", "0.005"),
    "size": ("0.01",),
    "price": ("49000", "50000", "51000"),
    "triggerPrice": ("49000", "51000"),
    "triggerOrderPrice": ("49000", "51000"),
    "takeProfit": ("52000", "48000", None, None),
    "stopLoss": ("52000", "48000", None, None),
    "tpLimitPrice": ("52000",),
    "slLimitPrice": ("48000",),
    "tpOrderType": ("market", "limit"),
    "slOrderType": ("market", "limit"),
    "timeInForce": ("gtc", "ioc", "fok", "post_only"),
    "reduceOnly": ("yes", "no", None),
    "marginMode": ("isolated", "crossed"),
    "type": ("tpsl", "trigger"),
    "tpslMode": ("full", "partial"),
    "holdMode": ("hedge_mode", "one_way_mode"),
    "leverage": ("10", "20"),
    "operation": ("add", "remove"),
    "amount": ("1", "5"),
    "countdown": ("0", "30"),
    "coin": ("USDT", "BTC"),
    "interval": ("1m", "1H"),
    "autoCancel": ("yes", "no"),
    "cursor": (None,),
    "limit": (None, "5"),
    "orderId": (None,),
    "clientOid": (None,),
    "startTime": (None,),
    "endTime": (None,),
}


def test_every_reason_has_a_code_and_every_code_a_text() -> None:
    assert rest.HANDLERS
    assert set(errors.CODES) == set(Reason)
    for reason in Reason:
        refused = errors.from_engine(Refused(reason, "5"))
        assert refused.status == 400
        assert refused.text
        assert "{" not in refused.text


def test_a_parameter_has_one_code_whatever_is_wrong_with_it() -> None:
    for code in ("40019", "40020", "40402"):
        assert errors.spoken(errors.refusal(code, "qty")).code == "400172"
    assert errors.spoken(errors.refusal("40705", "30")).code == "40705"


def bench() -> Bench:
    made = Bench()
    made.hub.add(PAIR, Decimal(50_000), book=Book(PAIR.tick))
    state = made.hub.states["spot", "BTCUSDT"]
    state.tape_book.snapshot([("50000", "1000")], [("50000.01", "1000")])
    return made


def sums(made: Bench) -> dict[str, Decimal]:
    """Of each coin: what is in all wallets and all counter accounts together."""
    found: dict[str, Decimal] = {}
    for (_, coin), amount in made.engine.core.totals.items():
        found[coin] = found.get(coin, Decimal(0)) + amount
    for account in made.engine.accounts:
        found["USDT"] = found.get("USDT", Decimal(0)) + account.record.wallet
        for coin, amount in account.record.spot.items():
            found[coin] = found.get(coin, Decimal(0)) + amount
    return found


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_sent_the_answer_is_data_or_a_refusal_that_changes_nothing(seed: int) -> None:
    chance, made = random.Random(seed), bench()
    account = made.account(kind="unified")
    done: set[str] = set()
    known: list[str] = []
    for _ in range(2_500):
        (method, path), route = chance.choice(list(V3.items()))
        items = [values(chance, known) for _ in range(chance.choice((1, 2)) if route.listed else 1)]
        params = Params.of_items(items) if route.listed else Params(items[0])
        before = None if method == "GET" else made.picture()
        data = answer(Call(made.engine, made.hub, params, account), route)
        if isinstance(data, VenueRefusedError):
            assert data.code != "40015"
            assert before in (None, made.picture()) or "autoCancel" in items[0], (path, items, data.code)
            continue
        done.add(path)
        if isinstance(data, dict) and data.get("orderId"):
            known = [*known[-20:], str(data["orderId"])]
        if chance.random() < 0.05:
            made.move("BTCUSDT", chance.choice((49_000, 50_000, 51_000)))
    assert set(sums(made).values()) == {Decimal(0)}
    assert len(done) > 40


def answer(call: Call, route: Route) -> object:
    """Its data, or its refusal; anything else that is raised fails the test."""
    try:
        return route.handler(call)
    except VenueRefusedError as refused:
        return refused


def values(chance: random.Random, known: list[str]) -> dict[str, Any]:
    """Mostly plausible values, some odd ones, some left out."""
    found: dict[str, Any] = {}
    for name, likely in PLAUSIBLE.items():
        value = chance.choice(VALUES) if chance.random() < 0.04 else chance.choice(likely)
        if name == "orderId" and known and chance.random() < 0.5:
            value = chance.choice(known)
        if value is not None and chance.random() > 0.1:
            found[name] = value
    return found
