"""What the journal holds: one struct per kind of record, tagged, in MessagePack.

Times are UTC nanoseconds, money is Decimal, sizes are in base coin. A record is never changed;
a new kind may be added, a field may be added with a default.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.account import Mode
from shared.domain.instrument import Instrument
from shared.domain.notice import Notice, ParsedTitle
from shared.domain.order import OrderState, OrderType, Side, Step


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """First record of every segment: which journal this is and where it continues."""

    journal_id: str
    segment: int
    ns: int


class NoticeSeen(msgspec.Struct, frozen=True, tag="notice"):
    """A notice at first sight, with what we decided: ``acted``, ``seeded`` or ``ignored``."""

    notice: Notice
    parsed: ParsedTitle
    decision: str
    reason: str


class Arrival(msgspec.Struct, frozen=True, tag="arrival"):
    """A notice reached us, for the first time or again (another host, an edit)."""

    notice: Notice
    first: bool


class Intent(msgspec.Struct, frozen=True, kw_only=True, tag="intent"):
    """An order we are about to send. It holds all that is needed to find or finish it later.

    The instrument is embedded: the record must be understood when the venue has forgotten it.
    """

    client_id: str
    user_id: int
    account_id: int
    mode: Mode
    strategy_id: str
    instrument: Instrument
    cause: str
    leg: int
    step: Step
    attempt: int
    side: Side
    order_type: OrderType
    size: Decimal
    price: Decimal | None
    reference_price: Decimal
    margin: Decimal
    leverage: int
    take_profit: Decimal | None
    """Trigger price of the take profit this order needs, attached or not."""
    take_profit_percent: Decimal
    """What the user asked for, in percent of margin: with it the target follows from the true entry price."""
    attached: bool
    """Whether the take profit rides on this very order."""
    stop: Decimal | None
    reduce_only: bool
    seen_ns: int
    decoded_ns: int
    decided_ns: int
    created_ns: int


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """The request's bytes were handed to the kernel."""

    client_id: str
    signed_ns: int
    journaled_ns: int
    written_ns: int


class Update(msgspec.Struct, frozen=True, kw_only=True, tag="update"):
    """Where an order stands now; ``acknowledged_ns`` and ``filled_ns`` are 0 when not reached.

    In the journal it is the whole standing after the change, so the last one of an order is enough.
    """

    client_id: str
    state: OrderState
    venue_order_id: str = ""
    filled_size: Decimal = Decimal(0)
    average_price: Decimal | None = None
    code: str = ""
    text: str = ""
    acknowledged_ns: int = 0
    filled_ns: int = 0
    ns: int = 0


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """One fill of one of our orders; ``fee`` positive = paid."""

    client_id: str
    venue_fill_id: str
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_currency: str
    taker: bool
    filled_ns: int


class Protected(msgspec.Struct, frozen=True, tag="protected"):
    """The venue confirmed that this entry's take profit rests with it, or no longer does."""

    client_id: str
    ns: int
    resting: bool = True


class Alarm(msgspec.Struct, frozen=True, kw_only=True, tag="alarm"):
    """What a user must be told besides news of orders; ``over`` takes back what stood."""

    account_id: int
    user_id: int
    kind: str
    key: str
    """One event makes one message: unique among all alarms of all times."""
    text: str
    ns: int
    over: bool = False


Record = Opened | NoticeSeen | Arrival | Intent | Sent | Update | Fill | Protected | Alarm

encode = msgspec.msgpack.Encoder(decimal_format="string").encode
decode = msgspec.msgpack.Decoder(Record).decode
