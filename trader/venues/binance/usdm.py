"""Binance USD-M futures, as a :class:`~trader.venues.dialect.Dialect`."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import msgspec
import structlog

from shared.domain.account import AccountKind
from shared.domain.instrument import Instrument, Venue
from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import ProtocolError, RefusedError, VenueRefusedError
from trader.net.response import Response
from trader.venues.binance import account, codes, ended, instruments, push, read, requests, weights, wire
from trader.venues.binance.openings import Openings
from trader.venues.binance.signer import Signer
from trader.venues.binance.spans import read_upward
from trader.venues.binance.trades import parse_trades, trades_since
from trader.venues.dialect import Ask, PrivateStream, RequestSigner, Told
from trader.venues.model import (
    AccountReport,
    Call,
    EndedPlan,
    EndedPosition,
    FillReport,
    Force,
    MarginMode,
    OrderAck,
    OrderReport,
    PlanReport,
    PositionMode,
    PositionReport,
    Protection,
    Trigger,
)
from trader.venues.outcome import Kind, Outcome

log = structlog.get_logger(__name__)

#: A listen key lives for 60 minutes after it was asked for or renewed.
RENEW_S = 1800.0
#: Pages of one order's fills.
_MAX_PAGES = 20


class _Ack(wire.Wire):
    """The answer to an order, or to an algo order."""

    order_id: int = 0
    client_order_id: str = ""
    algo_id: int = 0
    client_algo_id: str = ""


class _ListenKey(wire.Wire):
    listen_key: str


_ACK = msgspec.json.Decoder(_Ack)
_ORDER = msgspec.json.Decoder(wire.OrderWire)
_ORDERS = msgspec.json.Decoder(list[wire.OrderWire])
_ALGO = msgspec.json.Decoder(wire.AlgoWire)
_ALGOS = msgspec.json.Decoder(list[wire.AlgoWire])
_POSITIONS = msgspec.json.Decoder(list[wire.PositionWire])
_LISTEN_KEY = msgspec.json.Decoder(_ListenKey)
_ANYTHING = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Usdm:
    """One account of Binance USD-M futures. It remembers when positions began, and nothing else."""

    venue = Venue.BINANCE
    kind = AccountKind.USDM
    keepalive = requests.server_time()
    #: Protection has a namespace of its own here, and wants a position.
    attaches = False
    readings_per_minute = weights.READINGS_PER_MINUTE

    def __init__(self) -> None:
        self._openings = Openings()

    signer = Signer
    public = staticmethod(requests.public)
    pace_s = staticmethod(weights.pace_s)
    rest_s = staticmethod(weights.rest_s)

    # orders

    def place_order(
        self,
        instrument: Instrument,
        *,
        side: Side,
        size: Decimal,
        client_id: str,
        position_mode: PositionMode,
        margin_mode: MarginMode,
        order_type: OrderType = OrderType.MARKET,
        price: Decimal | None = None,
        force: Force = Force.GTC,
        reduce_only: bool = False,
        take_profit: Decimal | None = None,
        stop: Decimal | None = None,
    ) -> Call:
        del margin_mode  # a setting of the symbol, not of the order
        if take_profit is not None or stop is not None:
            raise RefusedError(
                "attached", "no protection can ride on an order here: it is placed on the fill"
            )
        return requests.place_order(
            instrument,
            side=side,
            size=size,
            client_id=client_id,
            position_mode=position_mode,
            order_type=order_type,
            price=price,
            force=force,
            reduce_only=reduce_only,
        )

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
        return requests.place_protection(
            instrument,
            kind=kind,
            position=position,
            position_mode=position_mode,
            trigger_price=trigger_price,
            client_id=client_id,
            trigger=trigger,
        )

    def parse_ack(self, body: bytes, status: int, client_id: str) -> OrderAck:
        raw = wire.data_of(body, status, _ACK)
        number, named = raw.order_id or raw.algo_id, raw.client_order_id or raw.client_algo_id
        if not number or named != client_id:
            raise ProtocolError("the answer names another order, or none")
        return OrderAck(client_id=client_id, order_id=str(number))

    def check(self, body: bytes, status: int) -> None:
        wire.data_of(body, status, _ANYTHING)

    def cancel_order(self, symbol: str, *, client_id: str = "", order_id: str = "") -> Call:
        return requests.cancel_order(symbol, client_id=client_id, order_id=order_id)

    def cancel_protection(self, plan: PlanReport) -> Call:
        return requests.cancel_protection(plan.order_id)

    def classify(self, code: str, status: int = 200) -> Outcome:
        return codes.classify(code, status)

    def reason(self, code: str) -> Kind:
        return codes.kind(code)

    def advice(self, code: str) -> str:
        return codes.advice(code)

    def settings(
        self, symbol: str, leverage: int, *, margin_mode: MarginMode, position_mode: PositionMode
    ) -> tuple[Call, ...]:
        del position_mode  # both sides have one leverage
        return requests.set_margin_mode(symbol, margin_mode), requests.set_leverage(symbol, leverage)

    # questions

    async def order(
        self, ask: Ask, symbol: str, *, client_id: str = "", order_id: str = ""
    ) -> tuple[OrderReport, int]:
        answer = await ask(requests.order(symbol, client_id=client_id, order_id=order_id))
        return read.order(wire.data_of(answer.body, answer.status, _ORDER)), answer.received_ns

    async def ended_order(self, ask: Ask, symbol: str, client_id: str) -> tuple[OrderReport, int] | None:
        """The history is not searched by client id: :meth:`recent_orders` has what it holds."""
        del ask, symbol, client_id
        return None

    async def resting_orders(self, ask: Ask, symbol: str = "") -> tuple[list[OrderReport], bool]:
        rows = _orders(await ask(requests.open_orders(symbol)))
        return [read.order(row) for row in rows], True

    async def recent_orders(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[OrderReport], bool]:
        resting, _ = await self.resting_orders(ask, symbol)
        rows, complete = await read_upward(
            ask,
            start_ms,
            between=partial(requests.orders_between, symbol),
            onward=partial(requests.orders_from, symbol),
            parse=_orders,
            number=lambda row: row.order_id,
        )
        newest = {order.order_id: order for order in resting}
        newest |= {str(row.order_id): read.order(row) for row in rows}
        return list(newest.values()), complete

    async def order_fills(
        self, ask: Ask, symbol: str, order_id: str, *, wanted: Decimal | None = None
    ) -> list[FillReport]:
        """Fills older than seven days are not told with their order."""
        del wanted  # one page nearly always holds them all
        found: dict[str, FillReport] = {}
        newest = -1
        for _ in range(_MAX_PAGES):
            page = parse_trades(await ask(requests.order_trades(symbol, order_id, newest + 1)))
            found |= {str(row.id): read.trade(row) for row in page if str(row.order_id) == order_id}
            last = max((row.id for row in page), default=newest)
            if len(page) < requests.PAGE or last <= newest:
                return list(found.values())
            newest = last
        log.warning("fills.not_all_read", symbol=symbol, order_id=order_id, fills=len(found))
        return list(found.values())

    async def recent_fills(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[FillReport], bool]:
        rows, complete = await trades_since(ask, symbol, start_ms)
        return [read.trade(row) for row in rows], complete

    async def positions(self, ask: Ask, symbol: str = "") -> list[PositionReport]:
        answer = await ask(requests.positions(symbol))
        rows = wire.data_of(answer.body, answer.status, _POSITIONS)
        held = [row for row in rows if read.position_amount(row) != 0]
        self._openings.keep(((row.symbol, row.position_side) for row in held), symbol)
        if not held:
            return []
        configs = await account.configs(ask, symbol)
        return [read.position(row, configs, await self._openings.opened_ns(ask, row)) for row in held]

    async def ended_positions(self, ask: Ask, symbol: str, start_ms: int) -> list[EndedPosition]:
        return await ended.ended_positions(ask, symbol, start_ms)

    async def resting_protection(self, ask: Ask, symbol: str = "") -> list[PlanReport]:
        plans = (read.plan(row) for row in _algos(await ask(requests.open_algo_orders(symbol))))
        return [plan for plan in plans if plan is not None]

    async def ended_protection(self, ask: Ask, symbol: str, client_id: str) -> EndedPlan | None:
        """Algo orders have ids of their own: no symbol is asked for."""
        del symbol
        answer = await ask(requests.algo_order(client_id))
        try:
            raw = wire.data_of(answer.body, answer.status, _ALGO)
        except VenueRefusedError as refusal:
            if self.classify(refusal.code, refusal.status) is Outcome.NOT_FOUND:
                return None
            raise
        if raw.client_algo_id != client_id:
            raise ProtocolError("the answer tells of another algo order")
        return read.ended_plan(raw)

    async def account(self, ask: Ask, symbol: str) -> AccountReport:
        return await account.modes(ask, symbol, await account.money(ask))

    async def money(self, ask: Ask) -> AccountReport:
        return await account.money(ask)

    async def leverage_limits(self, ask: Ask) -> dict[str, int]:
        answer = await ask(requests.leverage_brackets())
        return instruments.parse_leverages(answer.body, answer.status)

    # events

    def private_stream(self, signer: RequestSigner, ask: Ask) -> PrivateStream:
        """A listen key is asked for before each connection: it may have died with the one before."""
        del signer

        async def address() -> str:
            answer = await ask(requests.listen_key())
            key = wire.data_of(answer.body, answer.status, _LISTEN_KEY).listen_key
            if not key.isalnum() or not key.isascii():
                raise ProtocolError("the exchange gave no listen key")
            return f"/private/ws?listenKey={key}"

        async def renew() -> None:
            answer = await ask(requests.keep_listen_key())
            self.check(answer.body, answer.status)

        return PrivateStream(address=address, renew=renew, renew_s=RENEW_S, ping=None)

    def parse_private(self, payload: bytes | memoryview) -> Told:
        return push.parse_private(payload)


def _orders(answer: Response) -> list[wire.OrderWire]:
    return wire.data_of(answer.body, answer.status, _ORDERS)


def _algos(answer: Response) -> list[wire.AlgoWire]:
    return wire.data_of(answer.body, answer.status, _ALGOS)
