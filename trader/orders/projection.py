"""The journal as rows: plain SQL that applies records to Postgres exactly once.

The rows and the journal's progress move in one transaction, so a crash between them cannot exist:
a record is either applied and counted, or neither. A record that Postgres will never take (it names
an account that a restored database does not have) is left out, told, and does not hold up the others.
Every statement may be applied again, in the order of the journal, without an effect: a journal that
went on under a new id is applied from its first record. A test prepares every statement here against
the migrated schema.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import AsyncConnection, DataError, IntegrityError
from psycopg.types.json import Jsonb

from shared import clock
from shared.domain.instrument import Instrument
from shared.domain.order import PRESUMED_CODES, PROOF, RANK
from trader.faultpoints import fault_point
from trader.orders import records
from trader.orders.journal import Entry

#: A venue may give a symbol to another coin: who had it before keeps its row, under its id as symbol.
INSTRUMENT = """
with moved as (
    update instruments set symbol = id where venue = %(venue)s and market = %(market)s
        and symbol = %(symbol)s and id <> %(id)s and updated_ns <= %(updated_ns)s
    returning 1)
insert into instruments (id, venue, market, symbol, base, quote, tick, step, min_size, min_notional,
    max_market_size, max_leverage, taker_fee, maker_fee, multiplier, status, open_ns, updated_ns)
select %(id)s, %(venue)s, %(market)s,
    case when exists (select from instruments where venue = %(venue)s and market = %(market)s
        and symbol = %(symbol)s and id <> %(id)s and updated_ns > %(updated_ns)s) then %(id)s else %(symbol)s end,
    %(base)s, %(quote)s, %(tick)s, %(step)s, %(min_size)s, %(min_notional)s, %(max_market_size)s,
    %(max_leverage)s, %(taker_fee)s, %(maker_fee)s, %(multiplier)s, %(status)s, %(open_ns)s, %(updated_ns)s
from (select count(*) from moved) as first
on conflict (id) do update set symbol = excluded.symbol, tick = excluded.tick, step = excluded.step,
    min_size = excluded.min_size, min_notional = excluded.min_notional,
    max_market_size = excluded.max_market_size, max_leverage = excluded.max_leverage,
    taker_fee = excluded.taker_fee, maker_fee = excluded.maker_fee, status = excluded.status,
    open_ns = excluded.open_ns, updated_ns = excluded.updated_ns
where instruments.updated_ns <= excluded.updated_ns
"""

NOTICE = """
insert into notices (key, source, title, category, kind, symbols, markets, amended, first_listed_ns,
    first_seen_ns, decision, reason)
values (%(key)s, %(source)s, %(title)s, %(category)s, %(kind)s, %(symbols)s, %(markets)s, %(amended)s,
    %(first_listed_ns)s, %(first_seen_ns)s, %(decision)s, %(reason)s)
on conflict (key) do nothing
"""

ARRIVAL = """
insert into notice_arrivals (notice_key, source, host, title, received_ns, decoded_ns, first)
select %(notice_key)s, %(source)s, %(host)s, %(title)s, %(received_ns)s, %(decoded_ns)s, %(first)s
where exists (select from notices where key = %(notice_key)s)
on conflict (notice_key, source, host, received_ns) do nothing
"""

INTENT = """
insert into intents (client_id, user_id, account_id, mode, strategy_id, instrument_id, cause, leg, step,
    attempt, side, order_type, size, price, reference_price, margin, leverage, take_profit_price, stop_price,
    reduce_only, created_ns, record)
values (%(client_id)s, %(user_id)s, %(account_id)s, %(mode)s, %(strategy_id)s, %(instrument_id)s, %(cause)s,
    %(leg)s, %(step)s, %(attempt)s, %(side)s, %(order_type)s, %(size)s, %(price)s, %(reference_price)s,
    %(margin)s, %(leverage)s, %(take_profit_price)s, %(stop_price)s, %(reduce_only)s, %(created_ns)s, %(record)s)
on conflict (client_id) do nothing
"""

ORDER = """
insert into orders (client_id, user_id, account_id, mode, strategy_id, instrument_id, side, state, size,
    filled_size, average_price, fee, seen_ns, decoded_ns, decided_ns, signed_ns, journaled_ns, written_ns,
    acknowledged_ns, filled_ns, updated_ns)
values (%(client_id)s, %(user_id)s, %(account_id)s, %(mode)s, %(strategy_id)s, %(instrument_id)s, %(side)s,
    'intended', %(size)s, 0, null, 0, %(seen_ns)s, %(decoded_ns)s, %(decided_ns)s, 0, 0, 0, 0, 0, %(created_ns)s)
on conflict (client_id) do nothing
"""

SENT = """
update orders set state = case when state = 'intended' then 'sent' else state end,
    signed_ns = %(signed_ns)s, journaled_ns = %(journaled_ns)s, written_ns = %(written_ns)s,
    updated_ns = greatest(updated_ns, %(written_ns)s)
where client_id = %(client_id)s
"""

#: The tracker's own rule once more, so that records that are applied again never move a row back.
UPDATE = """
update orders set state = %(state)s, venue_order_id = coalesce(nullif(venue_order_id, ''), %(venue_order_id)s),
    filled_size = %(filled_size)s, average_price = coalesce(%(average_price)s, average_price),
    reason_code = %(code)s, reason = %(text)s,
    acknowledged_ns = coalesce(nullif(acknowledged_ns, 0), %(acknowledged_ns)s),
    filled_ns = coalesce(nullif(filled_ns, 0), %(filled_ns)s), updated_ns = greatest(updated_ns, %(ns)s)
where client_id = %(client_id)s
    and %(filled_size)s >= filled_size and (%(venue_order_id)s <> '' or venue_order_id = '')
    and (state = %(state)s
        or state = any(%(lower)s)
        or (state in ('rejected', 'denied') and reason_code = any(%(presumed)s) and %(proof)s
            and (%(filled_size)s > filled_size or (%(venue_order_id)s <> '' and venue_order_id = ''))))
"""

PROTECTED = "update orders set protected = %(protected)s where client_id = %(client_id)s"

FILL = """
with inserted as (
    insert into fills (user_id, account_id, mode, strategy_id, client_id, instrument_id, venue_fill_id, side,
        price, size, fee, fee_currency, slippage, liquidity, filled_ns)
    select user_id, account_id, mode, strategy_id, client_id, instrument_id, %(venue_fill_id)s, side,
        %(price)s, %(size)s, %(fee)s, %(fee_currency)s,
        coalesce(case when side = 'buy' then 1 else -1 end * (%(price)s - reference_price)
            / nullif(reference_price, 0), 0),
        %(liquidity)s, %(filled_ns)s
    from intents where client_id = %(client_id)s
    on conflict (account_id, instrument_id, venue_fill_id) do nothing
    returning client_id, fee)
update orders set fee = orders.fee + inserted.fee from inserted where orders.client_id = inserted.client_id
"""

OUTBOX = """
insert into outbox (user_id, account_id, dedupe_key, kind, body, created_ns)
select user_id, account_id, %(dedupe_key)s, %(kind)s, %(body)s, %(created_ns)s
from intents where client_id = %(client_id)s
on conflict (dedupe_key) do nothing
"""

ALARM = """
insert into outbox (user_id, account_id, dedupe_key, kind, body, created_ns)
values (%(user_id)s, %(account_id)s, %(dedupe_key)s, 'alarm', %(body)s, %(created_ns)s)
on conflict (dedupe_key) do nothing
"""

PROGRESS_READ = "select applied_seq from journal_progress where journal_id = %(journal_id)s for update"

PROGRESS_WRITE = """
insert into journal_progress (journal_id, applied_seq, applied_ns)
values (%(journal_id)s, %(applied_seq)s, %(applied_ns)s)
on conflict (journal_id) do update set applied_seq = excluded.applied_seq, applied_ns = excluded.applied_ns
"""

STATEMENTS = {
    "instrument": INSTRUMENT,
    "notice": NOTICE,
    "arrival": ARRIVAL,
    "intent": INTENT,
    "order": ORDER,
    "sent": SENT,
    "update": UPDATE,
    "protected": PROTECTED,
    "fill": FILL,
    "outbox": OUTBOX,
    "alarm": ALARM,
    "progress_read": PROGRESS_READ,
    "progress_write": PROGRESS_WRITE,
}

#: What Postgres says of contents that it will never take, however often they are offered.
POISON = (DataError, IntegrityError, UnicodeError)

#: States a user is told about, once per order.
_TOLD = {"filled", "rejected", "denied", "canceled", "unknown"}


_LOWER = {state: [below.value for below in RANK if RANK[below] < RANK[state]] for state in RANK}
_PRESUMED = sorted(PRESUMED_CODES)


Statement = tuple[str, dict[str, Any]]


def instrument_row(instrument: Instrument, updated_ns: int) -> dict[str, Any]:
    """The parameters of :data:`INSTRUMENT`."""
    return {
        "id": instrument.id,
        "venue": instrument.venue.value,
        "market": instrument.market.value,
        "symbol": instrument.symbol,
        "base": instrument.base,
        "quote": instrument.quote,
        "tick": instrument.tick,
        "step": instrument.step,
        "min_size": instrument.min_size,
        "min_notional": instrument.min_notional,
        "max_market_size": instrument.max_market_size,
        "max_leverage": instrument.max_leverage,
        "taker_fee": instrument.taker_fee,
        "maker_fee": instrument.maker_fee,
        "multiplier": instrument.multiplier,
        "status": instrument.status.value,
        "open_ns": instrument.open_ns,
        "updated_ns": updated_ns,
    }


def _notice(record: records.NoticeSeen) -> list[Statement]:
    notice, parsed = record.notice, record.parsed
    return [
        (
            NOTICE,
            {
                "key": notice.key,
                "source": notice.source,
                "title": notice.title,
                "category": notice.category,
                "kind": parsed.kind.value,
                "symbols": list(parsed.symbols),
                "markets": list(parsed.markets),
                "amended": parsed.amended,
                "first_listed_ns": notice.first_listed_ns,
                "first_seen_ns": notice.received_ns,
                "decision": record.decision,
                "reason": record.reason,
            },
        )
    ]


def _arrival(record: records.Arrival) -> list[Statement]:
    notice = record.notice
    return [
        (
            ARRIVAL,
            {
                "notice_key": notice.key,
                "source": notice.source,
                "host": notice.host,
                "title": notice.title,
                "received_ns": notice.received_ns,
                "decoded_ns": notice.decoded_ns,
                "first": record.first,
            },
        )
    ]


def _intent(record: records.Intent) -> list[Statement]:
    row = {
        "client_id": record.client_id,
        "user_id": record.user_id,
        "account_id": record.account_id,
        "mode": record.mode.value,
        "strategy_id": record.strategy_id,
        "instrument_id": record.instrument.id,
        "cause": record.cause,
        "leg": record.leg,
        "step": record.step.value,
        "attempt": record.attempt,
        "side": record.side.value,
        "order_type": record.order_type.value,
        "size": record.size,
        "price": record.price,
        "reference_price": record.reference_price,
        "margin": record.margin,
        "leverage": record.leverage,
        "take_profit_price": record.take_profit,
        "stop_price": record.stop,
        "reduce_only": record.reduce_only,
        "created_ns": record.created_ns,
        "record": records.encode(record),
        "seen_ns": record.seen_ns,
        "decoded_ns": record.decoded_ns,
        "decided_ns": record.decided_ns,
    }
    return [(INSTRUMENT, instrument_row(record.instrument, record.created_ns)), (INTENT, row), (ORDER, row)]


def _sent(record: records.Sent) -> list[Statement]:
    row = {
        "client_id": record.client_id,
        "signed_ns": record.signed_ns,
        "journaled_ns": record.journaled_ns,
        "written_ns": record.written_ns,
    }
    return [(SENT, row)]


def _update(record: records.Update) -> list[Statement]:
    row = {
        "client_id": record.client_id,
        "state": record.state.value,
        "lower": _LOWER[record.state],
        "presumed": _PRESUMED,
        "proof": record.state in PROOF,
        "venue_order_id": record.venue_order_id,
        "filled_size": record.filled_size,
        "average_price": record.average_price,
        "code": record.code,
        "text": record.text,
        "acknowledged_ns": record.acknowledged_ns,
        "filled_ns": record.filled_ns,
        "ns": record.ns,
    }
    statements = [(UPDATE, row)]
    if record.state.value in _TOLD:
        body = {
            "client_id": record.client_id,
            "state": record.state.value,
            "filled_size": str(record.filled_size),
            "average_price": None if record.average_price is None else str(record.average_price),
            "code": record.code,
            "text": record.text,
        }
        told: dict[str, Any] = {
            "client_id": record.client_id,
            "dedupe_key": f"order:{record.client_id}:{record.state.value}",
            "kind": "order",
            "body": Jsonb(clean(body)),
            "created_ns": record.ns,
        }
        statements.append((OUTBOX, told))
    return statements


def _protected(record: records.Protected) -> list[Statement]:
    return [(PROTECTED, {"client_id": record.client_id, "protected": record.resting})]


def _fill(record: records.Fill) -> list[Statement]:
    row = {
        "client_id": record.client_id,
        "venue_fill_id": record.venue_fill_id,
        "price": record.price,
        "size": record.size,
        "fee": record.fee,
        "fee_currency": record.fee_currency,
        "liquidity": "taker" if record.taker else "maker",
        "filled_ns": record.filled_ns,
    }
    return [(FILL, row)]


def _alarm(record: records.Alarm) -> list[Statement]:
    row = {
        "user_id": record.user_id,
        "account_id": record.account_id,
        "dedupe_key": f"alarm:{record.key}",
        "body": Jsonb(clean({"kind": record.kind, "text": record.text, "over": record.over})),
        "created_ns": record.ns,
    }
    return [(ALARM, row)]


_BUILDERS: dict[type, Callable[[Any], list[Statement]]] = {
    records.NoticeSeen: _notice,
    records.Arrival: _arrival,
    records.Intent: _intent,
    records.Sent: _sent,
    records.Update: _update,
    records.Fill: _fill,
    records.Protected: _protected,
    records.Alarm: _alarm,
}


def clean(value: Any) -> Any:
    """The value without NUL characters, which Postgres has no place for in text and JSON."""
    match value:
        case str():
            return value.replace("\0", "\ufffd") if "\0" in value else value
        case list() | tuple():
            return [clean(each) for each in value]
        case dict():
            return {clean(name): clean(each) for name, each in value.items()}
        case _:
            return value


def statements(record: records.Record) -> list[Statement]:
    """The SQL and parameters that a record becomes, in order; none for what Postgres need not know."""
    builder = _BUILDERS.get(type(record))
    return [(sql, clean(row)) for sql, row in builder(record)] if builder else []


async def applied_seq(connection: AsyncConnection[Any], journal_id: str) -> int:
    """How much of this journal Postgres already holds."""
    async with connection.transaction():
        return await _progress(connection, journal_id)


async def apply(
    connection: AsyncConnection[Any],
    journal_id: str,
    entries: Sequence[Entry],
    on_poison: Callable[[Entry, Exception], None],
) -> int:
    """Apply a batch in one transaction and return the seq reached.

    Entries that another run has applied meanwhile are skipped: the progress row is locked first. Where
    Postgres refuses one for its contents, the batch is applied record by record, and ``on_poison`` is
    told of each that had to be left out.
    """
    try:
        return await _apply(connection, journal_id, entries, None)
    except POISON:
        return await _apply(connection, journal_id, entries, on_poison)


async def _apply(
    connection: AsyncConnection[Any],
    journal_id: str,
    entries: Sequence[Entry],
    on_poison: Callable[[Entry, Exception], None] | None,
) -> int:
    """One transaction; with ``on_poison`` every record has a savepoint of its own."""
    poisoned: list[tuple[Entry, Exception]] = []
    async with connection.transaction():
        done = await _progress(connection, journal_id)
        for entry in entries:
            if entry.seq <= done:
                continue
            if on_poison is None:
                await _write(connection, entry)
            else:
                try:
                    async with connection.transaction():
                        await _write(connection, entry)
                except POISON as error:
                    poisoned.append((entry, error))
            done = entry.seq
        progress = {"journal_id": journal_id, "applied_seq": done, "applied_ns": clock.now_ns()}
        await connection.execute(PROGRESS_WRITE, progress)
        if any(isinstance(entry.record, records.Intent) for entry in entries):
            fault_point("recorder.applied")
    if on_poison is not None:
        for entry, refusal in poisoned:
            on_poison(entry, refusal)
    return done


async def _progress(connection: AsyncConnection[Any], journal_id: str) -> int:
    cursor = await connection.execute(PROGRESS_READ, {"journal_id": journal_id})
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _write(connection: AsyncConnection[Any], entry: Entry) -> None:
    for sql, parameters in statements(entry.record):
        await connection.execute(sql, parameters)
