"""Bitget unified accounts (v3), USDT futures, as a :class:`~trader.venues.dialect.Dialect`.

Keys, signing and websocket login are those of classic accounts. What v3 does not have is had otherwise:
history cannot be searched by client id (the lists are read), fills cannot be asked for by symbol (they
are sorted out here), strategy orders of one symbol neither.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import structlog

from shared import clock
from shared.domain.account import AccountKind
from shared.domain.instrument import Instrument, Venue
from shared.domain.order import PositionSide
from shared.errors import ProtocolError, VenueRefusedError
from trader.net.response import Response
from trader.venues.bitget import codes
from trader.venues.bitget import requests as public_requests
from trader.venues.bitget.answers import check, parse_ack
from trader.venues.bitget.forms import PAGE
from trader.venues.bitget.signer import Signer
from trader.venues.bitget.unified import answers, push, read, requests, wire
from trader.venues.dialect import Ask, PrivateStream, RequestSigner, Told
from trader.venues.model import (
    AccountReport,
    Call,
    EndedPlan,
    EndedPosition,
    FillReport,
    MarginMode,
    OrderReport,
    PlanEnd,
    PlanReport,
    PositionMode,
    PositionReport,
    Protection,
    Trigger,
)
from trader.venues.numbers import stamp_ns
from trader.venues.outcome import Kind
from trader.venues.pages import read_pages

log = structlog.get_logger(__name__)

#: Seconds between two calls of one endpoint: the venue takes 10 a second per user, 20 of most questions.
PACE_S = 0.11
PACE_QUESTIONS_S = 0.06
_QUESTIONS = (
    "/api/v3/trade/order-info",
    "/api/v3/trade/unfilled-",
    "/api/v3/trade/history-",
    "/api/v3/trade/fills",
    "/api/v3/position/",
    "/api/v3/account/assets",
    "/api/v3/account/settings",
)
#: Refusals of a question that only mean that it cannot be asked so.
_NO_ANSWER = frozenset({Kind.PARAMS, Kind.ORDER_NOT_FOUND, Kind.TRIGGER_STATE})
#: How long before a strategy order's end the order that it became may have begun, by the venue's stamps.
_BEFORE_NS = 60 * clock.SECOND


class Unified:
    """Bitget's accounts since 2026: one wallet for spot and futures."""

    venue = Venue.BITGET
    kind = AccountKind.UNIFIED
    keepalive = public_requests.server_time()
    attaches = True
    #: A quarter of the 6000 requests a minute that an address may make, at three to four requests each.
    readings_per_minute = 400

    signer = Signer
    public = staticmethod(public_requests.public)

    def pace_s(self, call: Call) -> float:
        return PACE_QUESTIONS_S if call.path.startswith(_QUESTIONS) else PACE_S

    def rest_s(self, answer: Response) -> float:
        """The venue counts for each endpoint: the pace is enough."""
        del answer
        return 0.0

    # orders

    place_order = staticmethod(requests.place_order)

    def place_protection(
        self,
        instrument: Instrument,
        *,
        kind: Protection,
        position: PositionSide,
        position_mode: PositionMode,
        trigger_price: Decimal,
        client_id: str,
        trigger: Trigger = Trigger.MARK,
    ) -> Call:
        del position_mode
        return requests.place_protection(
            instrument,
            kind=kind,
            position=position,
            trigger_price=trigger_price,
            client_id=client_id,
            trigger=trigger,
        )

    parse_ack = staticmethod(parse_ack)
    check = staticmethod(check)

    def cancel_order(self, symbol: str, *, client_id: str = "", order_id: str = "") -> Call:
        del symbol
        return requests.cancel_order(client_id=client_id, order_id=order_id)

    def cancel_protection(self, plan: PlanReport) -> Call:
        return requests.cancel_protection(plan.order_id)

    classify = staticmethod(codes.classify)
    reason = staticmethod(codes.kind)

    def advice(self, code: str) -> str:
        return codes.advice(code)

    def settings(
        self, symbol: str, leverage: int, *, margin_mode: MarginMode, position_mode: PositionMode
    ) -> tuple[Call, ...]:
        return tuple(
            requests.set_leverage(symbol, leverage, margin_mode=margin_mode, position_mode=position_mode)
        )

    # questions

    async def order(
        self, ask: Ask, symbol: str, *, client_id: str = "", order_id: str = ""
    ) -> tuple[OrderReport, int]:
        del symbol
        answer = await ask(requests.order_info(client_id=client_id, order_id=order_id))
        return answers.parse_order(answer.body, answer.status), answer.received_ns

    async def ended_order(self, ask: Ask, symbol: str, client_id: str) -> tuple[OrderReport, int] | None:
        """Never: the history of v3 cannot be searched by client id."""
        del ask, symbol, client_id
        return None

    async def resting_orders(self, ask: Ask, symbol: str = "") -> tuple[list[OrderReport], bool]:
        rows, complete = await read_pages(
            ask,
            lambda cursor: requests.orders_unfilled(symbol=symbol, cursor=cursor),
            answers.parse_orders,
            lambda order: order.order_id,
            full=PAGE,
        )
        return list(rows.values()), complete

    async def recent_orders(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[OrderReport], bool]:
        resting, all_resting = await self.resting_orders(ask, symbol)
        ended, all_ended = await read_pages(
            ask,
            lambda cursor: requests.orders_history(symbol=symbol, cursor=cursor, start_ms=start_ms),
            answers.parse_orders,
            lambda order: order.order_id,
            full=PAGE,
        )
        newest = {order.order_id: order for order in resting} | ended
        return list(newest.values()), all_resting and all_ended

    async def order_fills(
        self, ask: Ask, symbol: str, order_id: str, *, wanted: Decimal | None = None
    ) -> list[FillReport]:
        def enough(rows: dict[str, FillReport]) -> bool:
            mine = (fill.size for fill in rows.values() if fill.order_id == order_id)
            return wanted is not None and sum(mine, start=Decimal(0)) >= wanted

        rows, complete = await read_pages(
            ask,
            lambda cursor: requests.fills(order_id=order_id, cursor=cursor),
            answers.parse_fills,
            lambda fill: fill.fill_id,
            full=PAGE,
            enough=enough,
        )
        if not complete:
            log.warning("fills.not_all_read", symbol=symbol, order_id=order_id, fills=len(rows))
        return [fill for fill in rows.values() if fill.order_id == order_id]

    async def recent_fills(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[FillReport], bool]:
        rows, complete = await read_pages(
            ask,
            lambda cursor: requests.fills(cursor=cursor, start_ms=start_ms),
            answers.parse_fills,
            lambda fill: fill.fill_id,
            full=PAGE,
        )
        return [fill for fill in rows.values() if fill.symbol == symbol], complete

    async def positions(self, ask: Ask, symbol: str = "") -> list[PositionReport]:
        answer = await ask(requests.positions(symbol))
        return answers.parse_positions(answer.body, answer.status)

    async def ended_positions(self, ask: Ask, symbol: str, start_ms: int) -> list[EndedPosition]:
        answer = await ask(requests.positions_history(symbol=symbol, start_ms=start_ms))
        return answers.parse_ended_positions(answer.body, answer.status)

    async def resting_protection(self, ask: Ask, symbol: str = "") -> list[PlanReport]:
        answer = await ask(requests.protection_unfilled())
        plans = answers.parse_plans(answer.body, answer.status)
        return [plan for plan in plans if symbol in ("", plan.symbol)]

    async def ended_protection(self, ask: Ask, symbol: str, client_id: str) -> EndedPlan | None:
        rows, complete = await read_pages(
            ask,
            lambda cursor: requests.protection_history(cursor=cursor),
            answers.parse_ended_plans,
            lambda row: row.order_id,
            full=PAGE,
            enough=lambda found: any(row.client_oid == client_id for row in found.values()),
        )
        ended = next((row for row in rows.values() if row.client_oid == client_id), None)
        if ended is None and not complete:
            raise ProtocolError("the history of strategy orders is too long to be read whole")
        if ended is None or (end := wire.end_of(ended)) is None:
            return None
        became = await self._became(ask, symbol, ended) if end is PlanEnd.EXECUTED else ""
        return EndedPlan(
            client_id=client_id,
            order_id=ended.order_id,
            end=end,
            status=ended.status or "",
            executed_as=became,
        )

    async def _became(self, ask: Ask, symbol: str, ended: wire.Strategy) -> str:
        """The order that a strategy order became: its sub-order, else the one in the history that fits."""
        answer = await ask(requests.protection_orders(ended.order_id))
        try:
            if named := answers.parse_sub_orders(answer.body, answer.status):
                return named[0]
        except VenueRefusedError as refusal:
            if codes.kind(refusal.code) not in _NO_ANSWER:
                raise
        start_ms = (stamp_ns(ended.updated_time, "updatedTime") - _BEFORE_NS) // clock.MILLISECOND
        answer = await ask(requests.orders_history(symbol=symbol, start_ms=max(0, start_ms)))
        return answers.find_triggered(answer.body, answer.status, ended)

    async def account(self, ask: Ask, symbol: str) -> AccountReport:
        answer = await ask(requests.settings())
        settings = answers.parse_settings(answer.body, answer.status)
        return msgspec.structs.replace(await self.money(ask), **read.modes(settings, symbol))

    async def money(self, ask: Ask) -> AccountReport:
        answer = await ask(requests.assets())
        return answers.parse_money(answer.body, answer.status)

    async def leverage_limits(self, ask: Ask) -> dict[str, int]:
        """The contract list tells them."""
        del ask
        return {}

    # events

    def private_stream(self, signer: RequestSigner, ask: Ask) -> PrivateStream:
        del ask
        assert isinstance(signer, Signer)
        return PrivateStream(login=lambda: signer.login(clock.now_ms()), subscriptions=push.subscriptions())

    def parse_private(self, payload: bytes | memoryview) -> Told:
        return push.parse_private(payload)


UNIFIED = Unified()
