from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.rules.preferences import CAP, DEFINITIONS, check, resolve


def test_the_narrower_scope_wins() -> None:
    resolved = resolve(
        {"listing.amount": "10", "listing.leverage": "2", "listing.take_profit": "50"},
        {"listing.amount": "20", "listing.leverage": "3"},
        {"listing.amount": "30"},
    )
    assert (resolved.amount, resolved.leverage, resolved.take_profit) == (Decimal(30), 3, Decimal(50))


def test_defaults_hold_when_nobody_chose() -> None:
    resolved = resolve({}, {}, {})
    assert (resolved.enabled, resolved.amount, resolved.leverage) == (True, Decimal(50), 10)
    assert (resolved.market_additions, resolved.without_krw) == (False, False)


@given(cap=st.integers(1, 50), wanted=st.integers(1, 50))
def test_the_installations_cap_always_holds(cap: int, wanted: int) -> None:
    for scope in range(3):
        scopes: list[dict[str, str]] = [{}, {}, {}]
        scopes[scope]["listing.leverage"] = str(wanted)
        scopes[0][CAP + "listing.leverage"] = str(cap)
        assert resolve(*scopes).leverage == min(cap, wanted)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("listing.amout", "5", "no setting 'listing.amout'; known: .*listing.amount"),
        ("listing.amount", "many", "takes a number, for example 50"),
        ("listing.amount", "NaN", "finite"),
        ("listing.amount", "0", "outside 1 to 1000000"),
        ("listing.leverage", "2.5", "whole number"),
        ("listing.leverage", "51", "outside 1 to 50"),
        ("listing.enabled", "maybe", "on or off"),
        ("cap.listing.enabled", "on", "no setting"),
    ],
)
def test_wrong_values_are_refused_with_what_would_be_right(name: str, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check(name, text)


def test_every_default_passes_its_own_check() -> None:
    for definition in DEFINITIONS.values():
        check(definition.name, definition.default)
