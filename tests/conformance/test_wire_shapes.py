"""Keys and JSON types of every answer and push are those of the samples, or the difference has a reason."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import shapes, wire_table
from tests.conformance.scenario import Answers, Scenario
from tests.conformance.venue import Control
from tests.conformance.wire import Rest
from tests.trader.paper.process import Process

TABLE = json.loads(wire_table.TABLE.read_text())
DIFFERENCES = json.loads((Path(__file__).parent / "wire_differences.json").read_text())


@pytest.fixture(scope="session")
def answers(exchange: Process) -> Answers:
    control = Control(exchange.ready)
    control.price("BTCUSDT", "60000")
    return Scenario(control).play()


def known(name: str) -> dict[tuple[str, str], str]:
    """The differences that the table explains for a call or channel: (place, what) and the reason."""
    return {
        (place, entry["what"]): entry["why"]
        for entry in DIFFERENCES
        if name in entry["in"]
        for place in entry["places"]
    }


def unlike(name: str, wanted: Any, found: list[Any]) -> str:
    """One line per difference that the table does not explain, and per explained one that is not there."""
    seen = set(shapes.differences(shapes.decode(wanted), shapes.of(found)))
    excused = set(known(name))
    lines = [f"{place}: {what}" for place, what in sorted(seen - excused)]
    lines += [f"{place}: not {what} any more, strike it out" for place, what in sorted(excused - seen)]
    return "\n".join(lines)


@pytest.mark.parametrize("call", TABLE["rest"])
def test_an_answer_has_the_keys_and_types_of_the_samples(answers: Answers, call: str) -> None:
    found = answers.data.get(call)
    assert found, f"no answer; refused on the way: {answers.refusals}"
    assert not unlike(call, TABLE["rest"][call], found)


@pytest.mark.parametrize("channel", TABLE["ws"])
def test_a_push_has_the_keys_and_types_of_the_samples(answers: Answers, channel: str) -> None:
    found = answers.rows.get(channel)
    assert found, f"no push; refused on the way: {answers.refusals}"
    wanted = TABLE["ws"][channel]
    if channel.endswith("candle"):
        found = [found]
    assert not unlike(channel, wanted, found)


def test_every_difference_is_about_something_that_exists() -> None:
    names = set(TABLE["rest"]) | set(TABLE["v3"]) | set(TABLE["ws"])
    places: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for entry in DIFFERENCES:
        assert set(entry) == {"in", "places", "what", "why"}
        assert len(entry["why"]) > 10
        assert set(entry["in"]) <= names
        for name in entry["in"]:
            for place in entry["places"]:
                assert (place, entry["what"]) not in places[name], f"twice: {name} {place} {entry['what']}"
                places[name].add((place, entry["what"]))


@pytest.mark.parametrize("call", TABLE["refused"])
def test_a_call_of_another_product_is_refused(exchange: Process, call: str) -> None:
    """Withdrawals, deposits, deduction: there are none here. v3 is another kind of account (§1, §16)."""
    control = Control(exchange.ready)
    account = control.account()
    before = control.picture(account)
    rest = Rest(exchange.ready["rest"], account)
    method, path = call.split()
    status, answer = rest.exchange(method, path, "{}" if method == "POST" else "")
    rest.close()
    private_v3 = path.startswith("/api/v3/") and not path.startswith("/api/v3/market/")
    assert (status, answer["code"]) == ((400, "40084") if private_v3 else (404, "40404"))
    assert answer["data"] is None
    assert control.picture(account) == before


@pytest.mark.data
def test_the_table_is_what_the_samples_give() -> None:
    if not wire_table.SAMPLES.exists():
        pytest.skip("needs ../shared/reference")
    assert wire_table.TABLE.read_text() == wire_table.text()
