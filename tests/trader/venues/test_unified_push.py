"""The v3 private websocket: what each frame tells."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.order import OrderState, PositionSide, Side
from shared.errors import ProtocolError
from tests.trader.venues.unified_samples import PUSHED_FILL, PUSHED_ORDER, TAKE_PROFIT, Row, push
from trader.net.feed import Heard
from trader.venues.bitget.unified import UNIFIED
from trader.venues.bitget.unified.push import TOPICS, subscriptions
from trader.venues.dialect import Told

D = Decimal


def heard(**frame: object) -> Told:
    return UNIFIED.parse_private(json.dumps(frame).encode())


def test_an_order_that_was_filled() -> None:
    told = UNIFIED.parse_private(push("order", PUSHED_ORDER))
    (order,) = told.orders
    assert (told.heard, told.changed) == ("order", False)
    assert (order.client_id, order.state, order.filled_size) == ("aB3dEntry", OrderState.FILLED, D("0.001"))
    assert (order.side, order.position, order.average_price) == (Side.BUY, PositionSide.LONG, D("83131.5"))


def test_a_fill_with_our_id() -> None:
    told = UNIFIED.parse_private(memoryview(push("fill", PUSHED_FILL)))
    (fill,) = told.fills
    assert (fill.client_id, fill.fee, fill.filled_ns) == ("aB3dEntry", D("0.569958"), 1736378720623 * 10**6)


@pytest.mark.parametrize(
    ("topic", "row"),
    [
        ("order", PUSHED_ORDER | {"category": "spot", "holdMode": "", "qty": "0"}),
        ("order", {"category": "coin-futures"}),
        ("fill", PUSHED_FILL | {"category": "margin", "feeDetail": []}),
    ],
)
def test_other_markets_of_the_account_are_passed_over(topic: str, row: Row) -> None:
    told = UNIFIED.parse_private(push(topic, row))
    assert told.heard == topic
    assert not told.orders
    assert not told.fills


@pytest.mark.parametrize("topic", ["account", "position", "strategy-order"])
def test_what_is_only_a_hint(topic: str) -> None:
    told = UNIFIED.parse_private(push(topic, TAKE_PROFIT))
    assert (told.heard, told.changed) == (topic, True)


def test_control_frames() -> None:
    assert UNIFIED.parse_private(b"pong").heard is Heard.OTHER
    assert heard(event="login", code="0", msg="").heard is Heard.LOGGED_IN
    assert heard(event="login", code=0, msg="").heard is Heard.LOGGED_IN
    accepted = heard(event="subscribe", arg={"instType": "UTA", "topic": "order"}, code="", msg="")
    assert accepted.heard is Heard.ACKNOWLEDGED
    refused = heard(event="error", arg={"instType": "UTA", "topic": "strategy-order"}, code=30001, msg="no")
    assert (refused.heard, refused.problem) == (Heard.REFUSED, "no (code 30001)")
    assert heard(event="error", code=30005, msg="error").heard is Heard.LOGIN_REFUSED
    assert heard(event="error", code=30006, msg="slow").heard is Heard.OTHER


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        b"[1]",
        push("weather"),
        push("order", {"category": "usdt-futures"}),
        b'{"arg":{"topic":"order"}}',
        b'{"event":"dance"}',
    ],
)
def test_what_is_not_documented_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        UNIFIED.parse_private(frame)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["arg", "topic", "data", "event", "code", "msg", "category"]), inner, max_size=4),
    max_leaves=8).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_frame_breaks_the_reader(frame: bytes) -> None:
    with suppress(ProtocolError):
        UNIFIED.parse_private(frame)


def test_one_frame_subscribes_all_topics() -> None:
    (subscription,) = subscriptions()
    sent = json.loads(subscription.message)
    assert subscription.acks == len(TOPICS) == len(sent["args"])
    assert {arg["topic"] for arg in sent["args"]} == set(TOPICS)
    assert {arg["instType"] for arg in sent["args"]} == {"UTA"}
    assert sent["args"][-1] == {"instType": "UTA", "topic": "strategy-order", "symbol": "default"}
