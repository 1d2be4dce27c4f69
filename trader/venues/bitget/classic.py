"""Bitget classic v2, USDT futures, as a :class:`~trader.venues.dialect.Dialect`."""

from __future__ import annotations

from decimal import Decimal

import structlog

from shared import clock
from shared.domain.account import AccountKind
from shared.domain.instrument import Venue
from shared.errors import ProtocolError
from trader.net.response import Response
from trader.venues.bitget import answers, codes, history, push, requests
from trader.venues.bitget.forms import MARGIN_COIN, PAGE
from trader.venues.bitget.signer import Signer
from trader.venues.dialect import Ask, PrivateStream, RequestSigner, Told
from trader.venues.model import (
    AccountReport,
    Call,
    EndedPlan,
    EndedPosition,
    FillReport,
    MarginMode,
    OrderReport,
    PlanReport,
    PositionMode,
    PositionReport,
)
from trader.venues.pages import read_pages

log = structlog.get_logger(__name__)

#: Seconds between two calls of one endpoint: 10 a second per user, 5 for what changes settings.
PACE_S = 0.11
PACE_SETTINGS_S = 0.21
_SETTINGS = ("/api/v2/mix/account/set-", "/api/v2/mix/position/all-position")


class Classic:
    """Bitget's accounts of before 2026."""

    venue = Venue.BITGET
    kind = AccountKind.CLASSIC
    #: A quarter of the 6000 requests a minute that an address may make, at three to four requests each.
    readings_per_minute = 400
    keepalive = requests.server_time()
    attaches = True

    signer = Signer
    public = staticmethod(requests.public)

    def pace_s(self, call: Call) -> float:
        return PACE_SETTINGS_S if call.path.startswith(_SETTINGS) else PACE_S

    def rest_s(self, answer: Response) -> float:
        """The venue counts for each endpoint: the pace is enough."""
        del answer
        return 0.0

    # orders

    place_order = staticmethod(requests.place_order)
    place_protection = staticmethod(requests.place_protection)
    parse_ack = staticmethod(answers.parse_ack)
    check = staticmethod(answers.check)
    cancel_order = staticmethod(requests.cancel_order)

    def cancel_protection(self, plan: PlanReport) -> Call:
        assert plan.protects is not None
        return requests.cancel_protection(plan.symbol, plan.protects, [plan.order_id])

    classify = staticmethod(codes.classify)
    reason = staticmethod(codes.kind)
    advice = staticmethod(codes.advice)

    def settings(
        self, symbol: str, leverage: int, *, margin_mode: MarginMode, position_mode: PositionMode
    ) -> tuple[Call, ...]:
        return (
            requests.set_margin_mode(symbol, margin_mode),
            requests.set_leverage(symbol, leverage, margin_mode=margin_mode, position_mode=position_mode),
        )

    # questions

    async def order(
        self, ask: Ask, symbol: str, *, client_id: str = "", order_id: str = ""
    ) -> tuple[OrderReport, int]:
        answer = await ask(requests.order_detail(symbol, client_id=client_id, order_id=order_id))
        return answers.parse_order(answer.body, answer.status), answer.received_ns

    async def ended_order(self, ask: Ask, symbol: str, client_id: str) -> tuple[OrderReport, int] | None:
        answer = await ask(requests.orders_history(symbol=symbol, client_id=client_id))
        page = answers.parse_orders(answer.body, answer.status)
        mine = next((report for report in page.orders if report.client_id == client_id), None)
        return None if mine is None else (mine, answer.received_ns)

    async def resting_orders(self, ask: Ask, symbol: str = "") -> tuple[list[OrderReport], bool]:
        rows, complete = await read_pages(
            ask,
            lambda before: requests.orders_pending(symbol=symbol, before=before),
            _orders,
            lambda order: order.order_id,
            full=PAGE,
        )
        return list(rows.values()), complete

    async def recent_orders(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[OrderReport], bool]:
        resting, all_resting = await self.resting_orders(ask, symbol)
        ended, all_ended = await read_pages(
            ask,
            lambda before: requests.orders_history(symbol=symbol, before=before, start_ms=start_ms),
            _orders,
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
            lambda before: requests.fills(symbol=symbol, order_id=order_id, before=before),
            _fills,
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
            lambda before: requests.fills(symbol=symbol, before=before, start_ms=start_ms),
            _fills,
            lambda fill: fill.fill_id,
            full=PAGE,
        )
        return list(rows.values()), complete

    async def positions(self, ask: Ask, symbol: str = "") -> list[PositionReport]:
        answer = await ask(requests.single_position(symbol) if symbol else requests.all_positions())
        return answers.parse_positions(answer.body, answer.status)

    async def ended_positions(self, ask: Ask, symbol: str, start_ms: int) -> list[EndedPosition]:
        answer = await ask(history.positions_history(symbol=symbol, start_ms=start_ms))
        return history.parse_positions_history(answer.body, answer.status)

    async def resting_protection(self, ask: Ask, symbol: str = "") -> list[PlanReport]:
        rows, complete = await read_pages(
            ask,
            lambda before: requests.protection_pending(symbol=symbol, before=before),
            _plans,
            lambda plan: plan.order_id,
            full=PAGE,
        )
        if not complete:
            raise ProtocolError("the list of waiting trigger orders cannot be read whole")
        return list(rows.values())

    async def ended_protection(self, ask: Ask, symbol: str, client_id: str) -> EndedPlan | None:
        answer = await ask(history.protection_history(symbol))
        ended = history.parse_protection_history(answer.body, answer.status)
        return next((plan for plan in ended if plan.client_id == client_id), None)

    async def account(self, ask: Ask, symbol: str) -> AccountReport:
        answer = await ask(requests.account(symbol))
        return answers.parse_account(answer.body, answer.status)

    async def money(self, ask: Ask) -> AccountReport:
        answer = await ask(requests.accounts())
        for row in answers.parse_accounts(answer.body, answer.status):
            if row.coin == MARGIN_COIN:
                return row
        raise ProtocolError(f"the exchange tells no {MARGIN_COIN} account")

    async def leverage_limits(self, ask: Ask) -> dict[str, int]:
        """The contract list tells them."""
        del ask
        return {}

    # events

    def private_stream(self, signer: RequestSigner, ask: Ask) -> PrivateStream:
        del ask
        assert isinstance(signer, Signer)
        return PrivateStream(
            login=lambda: signer.login(clock.now_ms()), subscriptions=push.private_subscriptions()
        )

    def parse_private(self, payload: bytes | memoryview) -> Told:
        event = push.parse_push(payload)
        match event:
            case push.OrderUpdate():
                return Told(event.heard, orders=event.orders)
            case push.PositionUpdate() | push.AccountUpdate():
                return Told(event.heard, changed=True)
            case push.ErrorEvent():
                return Told(event.heard, problem=f"{event.text} (code {event.code})")
            case _:
                return Told(event.heard)


CLASSIC = Classic()


def _fills(body: bytes, status: int) -> tuple[list[FillReport], str]:
    page = answers.parse_fills(body, status)
    return page.fills, page.end_id


def _plans(body: bytes, status: int) -> tuple[list[PlanReport], str]:
    page = answers.parse_plans(body, status)
    return page.plans, page.end_id


def _orders(body: bytes, status: int) -> tuple[list[OrderReport], str]:
    page = answers.parse_orders(body, status)
    return page.orders, page.end_id
