from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ids import base62, client_id

causes = st.tuples(
    st.integers(1, 10**9), st.text(max_size=40), st.integers(0, 99), st.sampled_from(["entry", "stop"])
)


@given(cause=causes)
def test_an_id_follows_from_its_cause_alone_and_fits_every_venue(cause: tuple[int, str, int, str]) -> None:
    made = client_id("Ab3z", *cause)
    assert made == client_id("Ab3z", *cause)
    assert re.fullmatch(r"Ab3z[0-9a-zA-Z]{26}", made)


@given(one=causes, other=causes)
def test_two_causes_never_share_an_id(
    one: tuple[int, str, int, str], other: tuple[int, str, int, str]
) -> None:
    assert (one == other) == (client_id("Ab3z", *one) == client_id("Ab3z", *other))


def test_attempts_differ_and_the_form_is_fixed() -> None:
    # Literal: a changed derivation would orphan every order that rests on an exchange.
    assert client_id("Ab3z", 7, "listing:upbit:1:NMR", 0, "entry") == "Ab3zwK5AevBCqmec8Lg5zyIFTYMJRG"
    assert client_id("Ab3z", 7, "c", 0, "stop", attempt=1) != client_id("Ab3z", 7, "c", 0, "stop", attempt=2)


@pytest.mark.parametrize("prefix", ["", "abc", "abcde", "ab_c", "äbcd"])
def test_a_wrong_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="installation prefix"):
        client_id(prefix, 1, "c", 0, "entry")


def test_base62_counts_in_digits_upper_and_lower() -> None:
    assert base62(61, 2) == "0z"
    assert base62(62, 2) == "10"
