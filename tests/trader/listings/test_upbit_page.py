"""The body of a page: what is read, and that half of one or another schema is refused as a whole."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.errors import ProtocolError
from tests.trader.listings.notice_site import page, row
from trader.listings import upbit_page

HOST = "https://a.test"


def read(body: bytes) -> list[Any]:
    return upbit_page.read(body, HOST, 77)


def test_rows_in_the_order_of_the_page() -> None:
    edited = row(5, "나래(NRE) 안내", "2026-03-02T11:00:00+09:00", listed_at="2026-03-05T15:20:05+09:00")
    first, second = read(page(edited, row(9, "가온(GAON) 안내", "2026-03-04T00:00:00+09:00")))
    assert (first.key, second.key) == ("upbit:5", "upbit:9")
    assert (first.source, first.host, first.title, first.category) == (
        "upbit",
        HOST,
        "나래(NRE) 안내",
        "거래",
    )
    assert first.first_listed_ns == clock.from_datetime(datetime.fromisoformat("2026-03-02T02:00:00+00:00"))
    assert first.listed_ns == clock.from_datetime(datetime.fromisoformat("2026-03-05T06:20:05+00:00"))
    assert first.received_ns == 77
    assert first.decoded_ns > 0


def test_answers_from_before_the_uuid_and_unknown_fields_are_read() -> None:
    old = row(5)
    del old["uuid"]
    (notice,) = read(page(old | {"something_new": {"a": [1]}}))
    assert notice.key == "upbit:5"


def test_an_id_as_text_is_the_same_key() -> None:
    assert read(page(row(5) | {"id": "5"}))[0].key == "upbit:5"


def test_a_null_or_ancient_stamp_dates_nothing() -> None:
    rows = [
        row(1, first_listed_at=None),
        row(2, first_listed_at="1969-12-31T00:00:00+09:00"),
        row(3, listed_at=None),
    ]
    assert [notice.first_listed_ns > 0 for notice in read(page(*rows))] == [False, False, True]


def test_an_empty_board_is_a_page_and_an_empty_page_of_a_full_board_is_not() -> None:
    assert read(page()) == []
    with pytest.raises(ProtocolError):
        read(page(total_count=5748))
    with pytest.raises(ProtocolError):
        read(b'{"success":true,"data":{"notices":[]}}')


WITHOUT = {
    name: {key: value for key, value in row(1).items() if key != name}
    for name in ("id", "title", "first_listed_at")
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>Just a moment...</html>",
        b'{"success":false,"error":{"name":"too_many_requests"}}',
        b'{"success":false,"data":{"total_count":0,"notices":[]}}',
        b'{"success":true}',
        b'{"success":true,"data":null}',
        b'{"success":true,"data":{"list":[]}}',
        b'{"success":1,"data":{"notices":[],"total_count":0}}',
        page(row(1))[:-20],
        page(row(1)) + b"x",
        page(row(1)).replace("거래".encode(), b"\xff\xfe"),
        page(row(1), row(2) | {"title": None}),
        page(row(1), row(2) | {"id": None}),
        page(row(1) | {"id": True}),
        page(row(1) | {"id": 1.5}),
        page(row(1, first_listed_at="2026-03-02T11:00:00")),
        page(row(1, first_listed_at="yesterday")),
        page(row(1, first_listed_at=1_772_416_800)),
        page(row(1, first_listed_at="0001-01-01T00:00:00+09:00"), row(2, first_listed_at="2026-13-01T00:00:00+09:00")),
        page(*WITHOUT.values()),
        *(page(row(2), broken) for broken in WITHOUT.values()),
        page(*(row(number) for number in range(201))),
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_a_documented_page_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(ProtocolError, match=HOST):
        read(body)


@given(st.data())
def test_a_damaged_page_is_refused_or_read_but_never_breaks(data: st.DataObject) -> None:
    good = page(row(1, "가온(GAON) 신규 거래지원 안내 (KRW 마켓)"), row(2))
    cut = data.draw(st.integers(0, len(good)))
    damaged = good[:cut] + data.draw(st.binary(max_size=6)) + good[cut + data.draw(st.integers(0, 6)) :]
    with suppress(ProtocolError):
        notices = read(damaged)
        assert json.loads(damaged.decode(errors="replace"))["success"] is True
        assert all(notice.first_listed_ns >= 0 for notice in notices)
