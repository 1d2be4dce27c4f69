"""Every code of the reference has a meaning, and what may have been executed is never a no."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError, VenueRefusedError
from tests.trader.venues.binance_samples import CODES, refusal
from trader.venues.binance import codes, wire
from trader.venues.binance.codes import EXECUTION_UNKNOWN, KINDS, UNAVAILABLE, advice, classify, kind
from trader.venues.outcome import DEFINITE_NO, Kind, Outcome

STATUSES = {"403", "408", "418", "429", UNAVAILABLE, EXECUTION_UNKNOWN}


def test_every_code_of_the_reference_is_classified_and_no_other() -> None:
    assert set(CODES) | STATUSES == set(KINDS)
    assert len(CODES) == 76


def test_no_code_has_two_kinds() -> None:
    listed = [code for text in codes._CODES.values() for code in text.split()]
    assert len(listed) == len(set(listed)) == len(KINDS)


@pytest.mark.parametrize(
    ("outcome", "listed"),
    [
        (Outcome.UNKNOWN, "-1000 -1001 -1006 -1007"),
        (Outcome.RETRY, "-1003 -1008 -1015 -1021 -2020 -2025 -4400 -5021 -5028"),
        (Outcome.FATAL_ACCOUNT, "-1022 -2014 -2015 -4168"),
        (Outcome.FATAL_SYMBOL, "-1121 -4141"),
        (Outcome.NOT_FOUND, "-2011 -2013"),
        (Outcome.DUPLICATE_ID, "-4116"),
        (Outcome.NO_CHANGE, "-4046 -4059 -5027"),
        (
            Outcome.CONFIRMED_NO,
            "-1102 -1111 -2010 -2019 -2021 -2022 -2027 -4061 -4120 -4130 -4131 -4164 -5022",
        ),
    ],
)
def test_what_codes_mean(outcome: Outcome, listed: str) -> None:
    for code in listed.split():
        assert classify(code, 400) is classify(code) is outcome, code


@given(st.sampled_from(sorted(set(KINDS) - {"-1008", UNAVAILABLE})), st.integers(500, 599) | st.just(408))
def test_behind_a_5xx_or_a_timeout_nothing_is_certain(code: str, status: int) -> None:
    assert classify(code, status) is Outcome.UNKNOWN


@given(
    st.text(max_size=8).filter(lambda code: code not in KINDS),
    st.sampled_from([200, 400, 401, 403, 404, 408, 500, 503]),
)
def test_an_unknown_code_is_never_a_no(code: str, status: int) -> None:
    assert classify(code, status) is Outcome.UNKNOWN
    assert kind(code) is Kind.UNLISTED


def answered(status: int, body: bytes) -> Outcome:
    """What an answer with that status and body means; an unreadable one means "unknown"."""
    try:
        wire.check(body, status)
    except VenueRefusedError as error:
        return classify(error.code, error.status)
    except ProtocolError:
        return Outcome.UNKNOWN
    raise AssertionError("not a refusal")


UNKNOWN_TEXT = "Unknown error, please check your request or try again later."


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (503, UNKNOWN_TEXT.encode(), Outcome.UNKNOWN),
        (503, refusal(-1000, UNKNOWN_TEXT), Outcome.UNKNOWN),
        (503, refusal(0, UNKNOWN_TEXT), Outcome.UNKNOWN),
        (503, b"Service Unavailable", Outcome.RETRY),
        (503, refusal(-1000, "Service Unavailable."), Outcome.RETRY),
        (503, refusal(-1008, "Request throttled by system-level protection."), Outcome.RETRY),
        (503, b"<html><h1>503 Service Unavailable</h1></html>", Outcome.UNKNOWN),
        (503, b"", Outcome.UNKNOWN),
        (502, b"Bad Gateway", Outcome.UNKNOWN),
        (500, refusal(-2019), Outcome.UNKNOWN),
        (408, b"", Outcome.UNKNOWN),
        (400, refusal(-1007, "Timeout waiting for response from backend server."), Outcome.UNKNOWN),
        (429, b"", Outcome.RETRY),
        (429, refusal(-1003), Outcome.RETRY),
        (418, b"banned", Outcome.RETRY),
        (403, b"<html>blocked</html>", Outcome.RETRY),
        (404, b"<html>", Outcome.UNKNOWN),
        (400, b"not json", Outcome.UNKNOWN),
        (200, refusal(-2011), Outcome.NOT_FOUND),
        (301, b"", Outcome.UNKNOWN),
    ],
)
def test_what_answers_without_success_mean(status: int, body: bytes, outcome: Outcome) -> None:
    assert answered(status, body) is outcome


@given(st.integers(100, 599).filter(lambda status: not 200 <= status < 300), st.binary(max_size=60))
def test_no_body_turns_a_failure_into_a_no_by_itself(status: int, body: bytes) -> None:
    found = answered(status, body)
    if status not in (403, 418, 429) and not body.strip().lower().startswith(b"service unavailable"):
        assert found not in DEFINITE_NO or b'"code"' in body


def test_advice_says_what_to_do() -> None:
    assert "multi-assets" in advice("-4168")
    assert "IP" in advice("-2015")
    assert "banned" in advice("418")
    assert advice("-4164") == advice("never seen") == ""
