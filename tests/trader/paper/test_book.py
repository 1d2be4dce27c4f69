"""The book against a naive model, its reading and its checksum."""

from __future__ import annotations

import zlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.paper.book import Book
from trader.paper.tapes.framebook import FrameBook

D = Decimal
PRICES = st.integers(9_900, 10_100).map(lambda ticks: str(D(ticks) / 100))
SIZES = st.integers(0, 5).map(lambda size: f"{size}.000")
CHANGES = st.lists(st.tuples(st.sampled_from(["bid", "ask"]), PRICES, SIZES), max_size=80)


class Naive:
    """Two dictionaries, sorted on every question."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bid": {}, "ask": {}}

    def set(self, side: str, price: str, size: str) -> None:
        levels = self.sides[side]
        if D(size):
            levels[D(price)] = D(size)
        else:
            levels.pop(D(price), None)

    def levels(self, side: str) -> list[tuple[Decimal, Decimal]]:
        return sorted(self.sides[side].items(), reverse=side == "bid")


@given(CHANGES)
def test_any_sequence_of_changes_leaves_the_levels_of_the_naive_model(
    changes: list[tuple[str, str, str]],
) -> None:
    book, naive = Book(D("0.01")), Naive()
    for side, price, size in changes:
        book.apply([(price, size)] if side == "bid" else [], [(price, size)] if side == "ask" else [])
        naive.set(side, price, size)
        assert book.bids() == naive.levels("bid")
        assert book.asks() == naive.levels("ask")
        assert book.best_bid == next(iter(naive.levels("bid")), None)
        assert book.best_ask == next(iter(naive.levels("ask")), None)
    assert book.depth(3) == (naive.levels("bid")[:3], naive.levels("ask")[:3])


@given(CHANGES, st.integers(1, 300), st.none() | PRICES, st.sampled_from(["buy", "sell"]))
def test_walk_takes_the_best_levels_up_to_size_and_limit(
    changes: list[tuple[str, str, str]], tenths: int, limit_text: str | None, side: str
) -> None:
    book, naive = Book(D("0.01")), Naive()
    for which, at, amount in changes:
        book.apply([(at, amount)] if which == "bid" else [], [(at, amount)] if which == "ask" else [])
        naive.set(which, at, amount)
    limit = None if limit_text is None else D(limit_text)
    left = D(tenths) / 10
    expected: list[tuple[Decimal, Decimal]] = []
    for price, size in naive.levels("ask" if side == "buy" else "bid"):
        beyond = limit is not None and (price > limit if side == "buy" else price < limit)
        if not left or beyond:
            break
        expected.append((price, min(size, left)))
        left -= expected[-1][1]
    before = book.depth()
    assert book.walk("buy" if side == "buy" else "sell", D(tenths) / 10, limit) == expected
    assert book.depth() == before


@given(CHANGES, st.lists(st.tuples(PRICES, PRICES, SIZES, SIZES), min_size=1, max_size=8))
def test_overlays_of_the_best_prices_leave_no_trace(
    changes: list[tuple[str, str, str]], tops: list[tuple[str, str, str, str]]
) -> None:
    overlaid, plain = FrameBook(D("0.01"), max_levels=100), Book(D("0.01"))
    for index, (side, price, size) in enumerate(changes):
        level = [(price, size)]
        bids, asks = (level, []) if side == "bid" else ([], level)
        overlaid.differences(bids, asks)
        plain.apply(bids, asks)
        first, second, bid_size, ask_size = tops[index % len(tops)]
        low, high = sorted((D(first), D(second)))
        if low == high:
            continue
        overlaid.lay((str(low), bid_size or "1"), (str(high), ask_size or "1"))
        assert overlaid.best_bid is not None
        assert overlaid.best_ask is not None
        assert (overlaid.best_bid[0], overlaid.best_ask[0]) == (low, high)
    overlaid.take_off()
    assert overlaid.depth() == plain.depth()


def test_a_price_finer_than_the_tick_stays_exact() -> None:
    book = Book(D("0.1"))
    book.apply([("100.1", "1"), ("100.05", "2")], [("100.123456", "3"), ("100.2", "4")])
    assert book.bids() == [(D("100.1"), D(1)), (D("100.05"), D(2))]
    assert book.asks() == [(D("100.123456"), D(3)), (D("100.2"), D(4))]
    book.apply([("100.10", "0")], [("100.2000", "0")])
    assert book.best_bid == (D("100.05"), D(2))
    assert book.size_at("sell", D("100.123456")) == 3
    assert book.size_at("sell", D("100.2")) == 0


def test_the_worst_levels_fall_off_beyond_the_bound() -> None:
    book = Book(D(1), max_levels=3)
    book.apply([(str(price), "1") for price in range(1, 10)], [(str(price), "1") for price in range(20, 30)])
    assert [price for price, _ in book.bids()] == [9, 8, 7]
    assert [price for price, _ in book.asks()] == [20, 21, 22]


def test_a_snapshot_replaces_everything() -> None:
    book = Book(D(1))
    book.apply([("1", "1")], [("3", "1")])
    book.snapshot([("5", "2")], [("6", "2")])
    assert book.depth() == ([(D(5), D(2))], [(D(6), D(2))])
    assert book.mid == D("5.5")


def test_the_checksum_uses_the_original_digits() -> None:
    book = Book(D("0.1"))
    book.snapshot([("43231.10", "0.50"), ("43231.00", "1.20")], [("43231.90", "4.3750")])
    expected = zlib.crc32(b"43231.10:0.50:43231.90:4.3750:43231.00:1.20")
    assert book.checksum() & 0xFFFFFFFF == expected
    assert -(1 << 31) <= book.checksum() < 1 << 31
    small = Book(D("0.00000001"))
    small.snapshot([("0.00000010", "100")], [])
    assert small.checksum() & 0xFFFFFFFF == zlib.crc32(b"0.00000010:100")


def test_crossed_and_empty_books_say_so() -> None:
    book = Book(D(1))
    assert not book.crossed
    assert book.mid is None
    book.apply([("10", "1")], [("9", "1")])
    assert book.crossed


@pytest.mark.parametrize("price", ["NaN", "Infinity", "abc", ""])
def test_what_is_no_price_is_refused(price: str) -> None:
    book = Book(D("0.1"))
    with pytest.raises((ValueError, ArithmeticError)):
        book.apply([(price, "1")], [])
    assert book.bids() == []


def test_watched_levels_are_named_when_the_tape_sets_them() -> None:
    book = FrameBook(D("0.1"), max_levels=100)
    book.differences([("10.0", "1"), ("9.9", "1")], [("10.1", "1"), ("10.2", "1"), ("10.3", "1")])
    for price in ("10.1", "10.2", "10.3"):
        book.watch("sell", D(price))
    book.differences([("9.9", "2")], [("10.2", "1")])
    assert book.stirred() == {("sell", D("10.2"))}
    assert book.stirred() == set()
    book.lay(("10.1", "4"), ("10.2", "3"))  # 10.1 vanishes below it
    assert book.stirred() == {("sell", D("10.1")), ("sell", D("10.2"))}
    book.unwatch("sell", D("10.2"))
    book.differences([("10.05", "1")], [("10.3", "0")])  # a finer price; the overlay goes
    assert book.stirred() == {("sell", D("10.1")), ("sell", D("10.3"))}
    book.differences([], [("10.3", "5")])
    assert book.stirred() == {("sell", D("10.3"))}
    book.unwatch_all()
    book.differences([], [("10.1", "5")])
    assert book.stirred() == set()
