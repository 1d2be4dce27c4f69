"""Reading REST answers. Each function takes the body and the HTTP status.

They raise :class:`VenueRefusedError` when the venue said no (``codes.classify`` tells what that means)
and :class:`ProtocolError` when the answer cannot be what the venue documents: then nothing is known.
"""

from __future__ import annotations

import msgspec

from shared import clock
from shared.errors import ProtocolError
from trader.venues.bitget import read, wire
from trader.venues.model import (
    AccountReport,
    FillReport,
    OrderAck,
    OrderReport,
    PlanReport,
    PositionReport,
    Price,
)
from trader.venues.numbers import stamp_ns


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, newest first; ``end_id`` asks for the next page, "" when there is none."""

    orders: list[OrderReport]
    end_id: str


class FillPage(msgspec.Struct, frozen=True):
    fills: list[FillReport]
    end_id: str


class PlanPage(msgspec.Struct, frozen=True):
    plans: list[PlanReport]
    end_id: str


class KeyInfo(msgspec.Struct, frozen=True):
    """Whose key it is and what it may do, in the venue's words."""

    user_id: str
    authorities: list[str]


class Closed(msgspec.Struct, frozen=True):
    """What became of a close-positions call; a failure has the venue's code and text."""

    order_ids: list[str]
    failures: list[tuple[str, str]]


class _Ack(wire.Wire):
    client_oid: str | None = ""
    order_id: str | None = ""


class _Orders(wire.Wire):
    entrusted_list: list[wire.OrderWire] | None
    end_id: str | None = None


class _Plans(wire.Wire):
    entrusted_list: list[wire.PlanWire] | None
    end_id: str | None = None


class _Fills(wire.Wire):
    fill_list: list[wire.FillWire] | None
    end_id: str | None = None


class _Time(wire.Wire):
    server_time: str


class _KeyInfo(wire.Wire):
    user_id: str
    authorities: list[str]


class _Failure(wire.Wire):
    error_code: str = ""
    error_msg: str = ""


class _Closed(wire.Wire):
    success_list: list[_Ack]
    failure_list: list[_Failure]


_ACK = msgspec.json.Decoder(_Ack)
_ORDER = msgspec.json.Decoder(wire.OrderWire)
_ORDERS = msgspec.json.Decoder(_Orders)
_PLANS = msgspec.json.Decoder(_Plans)
_FILLS = msgspec.json.Decoder(_Fills)
_POSITIONS = msgspec.json.Decoder(list[wire.PositionWire])
_ACCOUNTS = msgspec.json.Decoder(list[wire.AccountWire])
_ACCOUNT = msgspec.json.Decoder(wire.AccountWire)
_TICKERS = msgspec.json.Decoder(list[msgspec.Raw])
_TICKER = msgspec.json.Decoder(wire.TickerWire)
_TIME = msgspec.json.Decoder(_Time)
_KEY_INFO = msgspec.json.Decoder(_KeyInfo)
_CLOSED = msgspec.json.Decoder(_Closed)


def parse_ack(body: bytes, status: int, client_id: str) -> OrderAck:
    """The answer to a new order: ``{"clientOid":"...","orderId":"..."}``.

    ``orderId`` may be null although the order was taken (one-way reduce-only). An answer that names
    another client id is not the answer to this order, so nothing is known about it.
    """
    raw = wire.data_of(body, status, _ACK)
    if raw.client_oid and raw.client_oid != client_id:
        raise ProtocolError("the answer names another order")
    return OrderAck(client_id=client_id, order_id=raw.order_id or "")


def parse_order(body: bytes, status: int) -> OrderReport:
    return read.order(wire.data_of(body, status, _ORDER))


def parse_orders(body: bytes, status: int) -> OrderPage:
    raw = wire.data_of(body, status, _ORDERS)
    return OrderPage([read.order(row) for row in raw.entrusted_list or ()], raw.end_id or "")


def parse_plans(body: bytes, status: int) -> PlanPage:
    raw = wire.data_of(body, status, _PLANS)
    return PlanPage([read.plan(row) for row in raw.entrusted_list or ()], raw.end_id or "")


def parse_fills(body: bytes, status: int) -> FillPage:
    raw = wire.data_of(body, status, _FILLS)
    return FillPage([read.fill(row) for row in raw.fill_list or ()], raw.end_id or "")


def parse_positions(body: bytes, status: int) -> list[PositionReport]:
    rows = (read.position(row) for row in wire.data_of(body, status, _POSITIONS))
    return [row for row in rows if row is not None]


def parse_accounts(body: bytes, status: int) -> list[AccountReport]:
    return [read.account(row) for row in wire.data_of(body, status, _ACCOUNTS)]


def parse_account(body: bytes, status: int) -> AccountReport:
    return read.account(wire.data_of(body, status, _ACCOUNT))


def parse_tickers(body: bytes, status: int) -> tuple[list[Price], list[str]]:
    """Prices, and what was wrong with the rows that are left out: one bad row costs its symbol only."""
    prices: list[Price] = []
    problems: list[str] = []
    for row in wire.data_of(body, status, _TICKERS):
        try:
            prices.append(read.price(wire.decode(_TICKER, row, "a ticker")))
        except ProtocolError as error:
            problems.append(str(error))
    return prices, problems


def parse_server_time(body: bytes, status: int) -> int:
    """The venue's clock, UTC ns (whole milliseconds)."""
    ns = stamp_ns(wire.data_of(body, status, _TIME).server_time, "serverTime")
    if ns < clock.SECOND:
        raise ProtocolError("the venue tells no time")
    return ns


def parse_key_info(body: bytes, status: int) -> KeyInfo:
    raw = wire.data_of(body, status, _KEY_INFO)
    return KeyInfo(raw.user_id, raw.authorities)


def parse_closed(body: bytes, status: int) -> Closed:
    raw = wire.data_of(body, status, _CLOSED)
    return Closed(
        [row.order_id for row in raw.success_list if row.order_id],
        [(row.error_code, row.error_msg) for row in raw.failure_list],
    )


def check(body: bytes, status: int) -> None:
    """For calls whose data does not matter (settings): return on success."""
    wire.raw_data(body, status)
