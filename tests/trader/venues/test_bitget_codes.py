"""Every code the venue is known to use has a meaning, and an unknown one means "unknown"."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.venues.bitget import advice, classify, kind
from trader.venues.bitget.codes import KINDS
from trader.venues.outcome import DEFINITE_NO, Kind, Outcome

TABLE = json.loads(Path(__file__).with_name("bitget_codes.json").read_text(encoding="utf-8"))

#: How the classes of the reference table are called here.
CLASSES = {
    "rate_limit": Kind.RATE_LIMIT,
    "order_not_found": Kind.ORDER_NOT_FOUND,
    "no_position": Kind.NO_POSITION,
    "bad_symbol": Kind.SYMBOL,
    "setting_blocked": Kind.SETTING,
    "price": Kind.PRICE,
    "size": Kind.SIZE,
    "value": Kind.VALUE,
    "account_kind": Kind.ACCOUNT_KIND,
    "no_liquidity": Kind.LIQUIDITY,
    "auth": Kind.AUTH,
    "clock": Kind.CLOCK,
    "temporary": Kind.TEMPORARY,
    "params": Kind.PARAMS,
    "market_closed": Kind.MARKET_CLOSED,
    "order_limit": Kind.ORDER_LIMIT,
    "insufficient_funds": Kind.FUNDS,
    "mode_mismatch": Kind.MODE,
    "duplicate_client_id": Kind.DUPLICATE_ID,
    "no_change": Kind.NO_CHANGE,
    "tpsl_price": Kind.TRIGGER_PRICE,
    "tpsl_no_position": Kind.TRIGGER_POSITION,
    "tpsl_state": Kind.TRIGGER_STATE,
    "order_final": Kind.ORDER_FINAL,
}


def test_every_code_of_the_reference_table_is_classified() -> None:
    for code, name in TABLE["classic"].items():
        assert kind(code) is CLASSES[name], code
    for code in [*TABLE["websocket"], *TABLE["unified"]]:
        assert kind(code) is not Kind.UNLISTED, code


def test_our_own_list_is_the_table_and_what_was_seen_besides() -> None:
    known = {*TABLE["classic"], *TABLE["websocket"], *TABLE["unified"]}
    assert len(set(KINDS) - known) < 40, "copy new codes into bitget_codes.json"


def test_no_code_has_two_kinds() -> None:
    from trader.venues.bitget import codes

    listed = [code for text in codes._CODES.values() for code in text.split()]
    assert len(listed) == len(set(listed)) == len(KINDS)
    assert {kind(code) for code in listed} == set(Kind) - {Kind.UNLISTED}


@pytest.mark.parametrize(
    "code", ["45001", "40725", "40015", "40010", "40908", "40910", "40200", "25000", "25001", "25003"]
)
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_what_may_have_been_executed_is_unknown(code: str, status: int) -> None:
    assert classify(code, status) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("429", Outcome.RETRY),
        ("40786", Outcome.DUPLICATE_ID),
        ("43118", Outcome.DUPLICATE_ID),
        ("45034", Outcome.DUPLICATE_ID),
        ("40109", Outcome.NOT_FOUND),
        ("40768", Outcome.NOT_FOUND),
        ("40814", Outcome.NO_CHANGE),
        ("40085", Outcome.FATAL_ACCOUNT),
        ("40014", Outcome.FATAL_ACCOUNT),
        ("40309", Outcome.FATAL_SYMBOL),
        ("40754", Outcome.CONFIRMED_NO),
        ("45111", Outcome.CONFIRMED_NO),
        ("22002", Outcome.CONFIRMED_NO),
        ("40008", Outcome.RETRY),
        ("43119", Outcome.RETRY),
        ("25212", Outcome.DUPLICATE_ID),
        ("25204", Outcome.NOT_FOUND),
        ("25597", Outcome.NOT_FOUND),
        ("25571", Outcome.NO_CHANGE),
        ("25600", Outcome.NO_CHANGE),
        ("25004", Outcome.RETRY),
        ("25202", Outcome.CONFIRMED_NO),
        ("25594", Outcome.CONFIRMED_NO),
        ("25601", Outcome.CONFIRMED_NO),
        ("25104", Outcome.FATAL_SYMBOL),
        ("25106", Outcome.RETRY),
        ("25245", Outcome.FATAL_ACCOUNT),
        ("25620", Outcome.FATAL_ACCOUNT),
    ],
)
def test_known_codes(code: str, outcome: Outcome) -> None:
    assert classify(code, 400) is outcome
    assert classify(code) is outcome


@given(st.sampled_from(sorted(KINDS)), st.integers(500, 599))
def test_behind_a_5xx_nothing_is_certain(code: str, status: int) -> None:
    assert classify(code, status) is Outcome.UNKNOWN


@given(
    st.text(max_size=8).filter(lambda code: code not in KINDS),
    st.sampled_from([200, 400, 401, 403, 404, 418, 500]),
)
def test_an_unknown_code_is_never_a_no(code: str, status: int) -> None:
    assert classify(code, status) is Outcome.UNKNOWN
    assert kind(code) is Kind.UNLISTED


def test_too_many_requests_without_a_known_code_were_not_executed() -> None:
    assert classify("", 429) is Outcome.RETRY
    assert Outcome.RETRY in DEFINITE_NO


def test_advice_says_what_to_do() -> None:
    assert "--kind unified" in advice("40085")
    assert "--kind classic" in advice("40084")
    assert "restricts" in advice("25008")
    assert "passphrase" in advice("40012")
    assert advice("45111") == ""
    assert advice("never seen") == ""
