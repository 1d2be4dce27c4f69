"""What the trader asks of a venue, and how one kind of account answers: the border between rules and wire.

A dialect builds requests, reads answers and pushes, and knows which questions make up an answer. It holds no
socket, clock or key: questions go through an ``ask`` that its caller hands in. Order forms, position modes and
second namespaces of orders are its business and nobody else's.

Questions raise what ``ask`` raises (``NotSentError``, ``OutcomeUnknownError``), ``VenueRefusedError`` and
``ProtocolError``; a question that failed says nothing about what was asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from shared.domain.account import AccountKind
from shared.domain.instrument import Instrument, Venue
from shared.domain.order import OrderType, PositionSide, Side
from trader.net.feed import Heard, Subscription
from trader.net.response import Response
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

#: Sends one signed call within the venue's pace.
Ask = Callable[[Call], Awaitable[Response]]


class ApiCredentials(Protocol):
    """What a signer needs of the credentials."""

    @property
    def key(self) -> str: ...
    @property
    def secret(self) -> str: ...
    @property
    def passphrase(self) -> str: ...


class RequestSigner(Protocol):
    """Complete, signed bytes for one key on one host. Holds secrets: never printed, logged or pickled."""

    def request(self, call: Call, now_ms: int) -> bytes: ...


class Told(msgspec.Struct, frozen=True):
    """News of a private stream. ``changed``: positions or money moved, read them again soon."""

    heard: Heard | str | None
    orders: Sequence[OrderReport] = ()
    fills: Sequence[FillReport] = ()
    """Fills that name our client id."""
    changed: bool = False
    problem: str = ""
    """What the venue complains of, with its code."""


class PrivateStream(msgspec.Struct, frozen=True):
    """How to hear an account's events. ``login`` builds the first frame, when there is one.

    ``address`` is asked before each connection and gives what is added to the venue's websocket address.
    ``renew`` is called every ``renew_s`` seconds while the stream lives.
    """

    login: Callable[[], bytes] | None = None
    subscriptions: Sequence[Subscription] = ()
    address: Callable[[], Awaitable[str]] | None = None
    renew: Callable[[], Awaitable[None]] | None = None
    renew_s: float = 0.0
    ping: bytes | None = b"ping"


class Dialect(Protocol):
    """One kind of account at one venue."""

    @property
    def venue(self) -> Venue: ...
    @property
    def kind(self) -> AccountKind: ...
    @property
    def keepalive(self) -> Call:
        """A call without a key that keeps a connection warm."""

    def signer(self, credentials: ApiCredentials, host: str) -> RequestSigner:
        """``host`` is the Host header. Raises ``UsageError`` for credentials that cannot sign."""

    def public(self, call: Call, host: str) -> bytes:
        """The bytes of a call that needs no key."""

    @property
    def readings_per_minute(self) -> int:
        """How many full readings of an account (orders, protection, positions, money) one address may ask for."""

    def pace_s(self, call: Call) -> float:
        """The least time between two calls of this one's endpoint."""

    def rest_s(self, answer: Response) -> float:
        """How long questions have to wait after an answer, by its headers and status."""

    # orders: built and read on the hot path

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
        """A new order. ``side`` is the true trade side. Raises ``RefusedError`` for what cannot be built."""

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
        """Take profit or stop of a whole position, at market; it dies with the position."""

    @property
    def attaches(self) -> bool:
        """Whether a take profit can ride on an entry."""

    def parse_ack(self, body: bytes, status: int, client_id: str) -> OrderAck:
        """The answer to an order or to protection."""

    def check(self, body: bytes, status: int) -> None:
        """Return when the venue did it; for calls whose answer does not matter."""

    def cancel_order(self, symbol: str, *, client_id: str = "", order_id: str = "") -> Call: ...
    def cancel_protection(self, plan: PlanReport) -> Call: ...

    # what refusals mean

    def classify(self, code: str, status: int = 200) -> Outcome: ...
    def reason(self, code: str) -> Kind: ...
    def advice(self, code: str) -> str: ...

    # settings

    def settings(
        self, symbol: str, leverage: int, *, margin_mode: MarginMode, position_mode: PositionMode
    ) -> tuple[Call, ...]:
        """The calls that set margin mode and leverage of one symbol, in order."""

    # questions

    async def order(
        self, ask: Ask, symbol: str, *, client_id: str = "", order_id: str = ""
    ) -> tuple[OrderReport, int]:
        """One order, and when the answer came (UTC ns). Unknown is a refusal of outcome ``NOT_FOUND``."""

    async def ended_order(self, ask: Ask, symbol: str, client_id: str) -> tuple[OrderReport, int] | None:
        """One order as the history has it, by its client id, where the venue can search for one."""

    async def resting_orders(self, ask: Ask, symbol: str = "") -> tuple[list[OrderReport], bool]:
        """All resting orders, and whether these are certainly all."""

    async def recent_orders(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[OrderReport], bool]:
        """All orders of a symbol, resting ones and those since a moment, and whether these are certainly all."""

    async def order_fills(
        self, ask: Ask, symbol: str, order_id: str, *, wanted: Decimal | None = None
    ) -> list[FillReport]:
        """Every fill of one order, each once; with ``wanted`` (base coin) as many as make up that size."""

    async def recent_fills(self, ask: Ask, symbol: str, start_ms: int) -> tuple[list[FillReport], bool]:
        """All fills of a symbol since a moment, whoever made them, and whether these are certainly all."""

    async def positions(self, ask: Ask, symbol: str = "") -> list[PositionReport]:
        """What is held (of one symbol)."""

    async def ended_positions(self, ask: Ask, symbol: str, start_ms: int) -> list[EndedPosition]:
        """Positions of a symbol that were closed since a moment, newest first."""

    async def resting_protection(self, ask: Ask, symbol: str = "") -> list[PlanReport]:
        """Trigger orders that wait (for one symbol), whoever placed them."""

    async def ended_protection(self, ask: Ask, symbol: str, client_id: str) -> EndedPlan | None:
        """How a trigger order of a symbol ended; None while it waits, or when the venue knows none."""

    async def account(self, ask: Ask, symbol: str) -> AccountReport:
        """Money and modes; leverages are those of ``symbol``."""

    async def money(self, ask: Ask) -> AccountReport:
        """Money of the margin coin alone."""

    async def leverage_limits(self, ask: Ask) -> dict[str, int]:
        """The largest leverage by symbol, where the contract list does not tell it; else nothing."""

    # events

    def private_stream(self, signer: RequestSigner, ask: Ask) -> PrivateStream: ...

    def parse_private(self, payload: bytes | memoryview) -> Told:
        """One frame; nothing that is returned points into it. Raises ``ProtocolError``."""
