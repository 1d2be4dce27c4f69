"""The venue's formulas against its own sample numbers (literals, not the formulas again)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, TIERS, spec
from trader.paper.engine import maths
from trader.paper.engine.model import MarginMode, Position, PositionMode

D = Decimal


def position(
    entry: str, size: str, margin: str, side: PositionSide = PositionSide.LONG, **changes: Decimal
) -> Position:
    plain = Position(
        id=1,
        account=1,
        symbol=BTC,
        side=side,
        margin_mode=MarginMode.ISOLATED,
        leverage=20,
        mode=PositionMode.ONE_WAY,
        created_ns=0,
        updated_ns=0,
        size=D(size),
        open_value=D(entry) * D(size),
        margin=D(margin),
        opened_size=D(size),
    )
    return msgspec.structs.replace(plain, **changes)


BTC_SPEC = spec(BTC, "0.1", "0.001")


def test_isolated_liquidation_price_equals_the_venues_sample() -> None:
    """E 25000, q 0.01, margin 9.66950500933733, r 0.004, f 0.0006 -> 24144.1124161806977798."""
    found = maths.isolated_liquidation(BTC_SPEC, position("25000", "0.01", "9.6695050093373343"))
    assert found.quantize(D("1e-10")) == D("24144.1124161807")


def test_isolated_liquidation_price_of_a_short() -> None:
    """E 25000, q 0.01, margin 12.5: (250 + 12.5) / (0.01 x 1.0046) = 26129.80290663..."""
    found = maths.isolated_liquidation(BTC_SPEC, position("25000", "0.01", "12.5", PositionSide.SHORT))
    assert found.quantize(D("1e-8")) == D("26129.80290663")


def test_margin_ratio_equals_the_venues_sample() -> None:
    """M 25100, q 0.01: maintenance 1.1546 over margin 9.6695... + 1 = 0.1082149545822005."""
    held = position("25000", "0.01", "9.6695050093373343")
    ratio = maths.maintenance(BTC_SPEC, held, D(25100)) / (held.margin + held.unrealised(D(25100)))
    assert ratio.quantize(D("1e-15")) == D("0.108214954582200")


def test_crossed_liquidation_price_equals_the_venues_sample() -> None:
    """M 37359, q 0.002, maintenance ratio 0.029599540355: liquidation at 31724.970702417.

    The account's equity follows from the ratio: 37359 x 0.002 x 0.0046 / 0.029599540355 = 11.6117...
    """
    held = position("37355.5", "0.002", "3.73555")
    needed = maths.maintenance(BTC_SPEC, held, D(37359))
    equity = needed / D("0.029599540355")
    assert maths.crossed_liquidation(held, D(37359), equity - needed).quantize(D("1e-3")) == D("31724.971")


def test_a_position_with_more_margin_than_value_cannot_be_liquidated() -> None:
    assert maths.isolated_liquidation(BTC_SPEC, position("25000", "0.01", "251")) < 0


def test_break_even_covers_the_opening_fee_and_the_closing_fee() -> None:
    """Long 0.002 at 37355.5, opening fee 0.0448266: (37355.5 + 22.4133) / 0.9994 = 37400.353512..."""
    held = position("37355.5", "0.002", "0", open_fee=D("-0.0448266"))
    assert maths.break_even(BTC_SPEC, held).quantize(D("1e-6")) == D("37400.353512")
    held = position("37355.5", "0.002", "0", PositionSide.SHORT, open_fee=D("-0.0448266"))
    assert maths.break_even(BTC_SPEC, held).quantize(D("1e-6")) == D("37310.700280")


@pytest.mark.parametrize(
    ("value", "rate"), [("1", "0.004"), ("150000", "0.004"), ("150000.1", "0.01"), ("9999999", "0.05")]
)
def test_the_tier_is_that_of_the_position_value(value: str, rate: str) -> None:
    assert maths.keep_margin_rate(BTC_SPEC, D(value)) == D(rate)


@pytest.mark.parametrize(("leverage", "most"), [(125, 150_000), (51, 150_000), (50, 600_000), (1, 3_000_000)])
def test_the_largest_position_shrinks_with_leverage(leverage: int, most: int) -> None:
    assert maths.largest_value(BTC_SPEC, leverage) == most
    assert TIERS[-1].end == 3_000_000
