"""The user sees the venue's own words: whatever a refusal says, in every dialect, comes through unchanged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import AccountKind
from shared.domain.instrument import Venue
from shared.errors import VenueRefusedError
from trader.venues.registry import DIALECTS

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


def body(venue: Venue, text: str) -> bytes:
    if venue is Venue.BINANCE:
        return json.dumps({"code": -2019, "msg": text}).encode()
    return json.dumps({"code": "40762", "msg": text, "requestTime": 1, "data": None}).encode()


@pytest.mark.parametrize("place", DIALECTS, ids="-".join)
@given(text=TEXTS, status=st.sampled_from([400, 401, 403, 429]))
def test_an_orders_refusal_is_told_in_the_venues_words(
    place: tuple[Venue, AccountKind], text: str, status: int
) -> None:
    with pytest.raises(VenueRefusedError) as raised:
        DIALECTS[place]().parse_ack(body(place[0], text), status, "x")
    assert raised.value.text == text
