"""Orders that this journal does not know and Postgres does: of another machine, or of a journal that is gone.

They are taken over with their ids: written into our journal, then settled like any other. Who holds the lease of
the account does this, before anything else is done for it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import structlog
from psycopg import AsyncConnection

from shared.domain.order import TERMINAL, OrderState
from trader.faultpoints import fault_point
from trader.orders import records
from trader.orders.tracker import Tracker
from trader.patience import answered

log = structlog.get_logger(__name__)

#: Orders read at once; a history of more unfinished ones than that does not exist.
LIMIT = 20_000
_CONNECT_S = 5

_COLUMNS = """
select i.record, o.state, o.venue_order_id, o.filled_size, o.average_price, o.reason_code, o.reason,
    o.acknowledged_ns, o.filled_ns, o.updated_ns, o.signed_ns, o.journaled_ns, o.written_ns, o.protected
from orders o join intents i on i.client_id = o.client_id
"""

#: Orders about which the venue still has something to say, and all others of their group (attempts are counted).
UNFINISHED = f"""
{_COLUMNS}
where i.record is not null and o.account_id = any(%(accounts)s) and (o.account_id, i.cause, i.leg) in (
    select o.account_id, i.cause, i.leg from orders o join intents i on i.client_id = o.client_id
    where o.account_id = any(%(accounts)s) and (
        o.state <> all(%(terminal)s)
        or (o.filled_size > 0 and i.take_profit_price is not null and not o.protected)
        or o.filled_size > coalesce((select sum(f.size) from fills f where f.client_id = o.client_id), 0)))
order by i.created_ns limit %(limit)s
"""  # noqa: S608  (constants)
NAMED = (
    f"{_COLUMNS} where i.record is not null and o.account_id = %(account_id)s and o.client_id = any(%(ids)s)"
)
FILLS = """
select client_id, venue_fill_id, price, size, fee, fee_currency, liquidity = 'taker', filled_ns
from fills where client_id = any(%(ids)s) order by filled_ns
"""

STATEMENTS = {"unfinished": UNFINISHED, "named": NAMED, "fills": FILLS}


async def unfinished(url: str, tracker: Tracker, accounts: Collection[int]) -> int:
    """Take over what is unfinished of these accounts; how many orders. Raises ``psycopg.Error`` and ``OSError``."""
    values = {"accounts": sorted(accounts), "terminal": [state.value for state in TERMINAL], "limit": LIMIT}
    return await _adopt(url, tracker, UNFINISHED, values)


async def named(url: str, tracker: Tracker, account_id: int, ids: Collection[str]) -> int:
    """Take over these orders of an account, as far as Postgres knows them; how many. Raises as above."""
    return await _adopt(url, tracker, NAMED, {"account_id": account_id, "ids": sorted(ids)})


async def _adopt(url: str, tracker: Tracker, sql: str, values: dict[str, Any]) -> int:
    connection: AsyncConnection[Any]
    async with await AsyncConnection.connect(url, connect_timeout=_CONNECT_S) as connection:
        with answered(connection):
            rows = await (await connection.execute(sql, values)).fetchall()
            whole = ((_intent(row), row) for row in rows)
            strangers = [(intent, row) for intent, row in whole if intent.client_id not in tracker]
            ids = [intent.client_id for intent, _ in strangers]
            fills = await (await connection.execute(FILLS, {"ids": ids})).fetchall() if ids else []
    if strangers:
        fault_point("takeover.read")
    for intent, row in strangers:
        mine = [records.Fill(**_fill(fill)) for fill in fills if fill[0] == intent.client_id]
        tracker.adopt(
            intent, _sent(intent.client_id, row), _update(intent.client_id, row), mine, protected=row[13]
        )
        fault_point("takeover.adopted")
    if strangers:
        log.warning("takeover.adopted", orders=len(strangers), first=ids[0])
    return len(strangers)


def _intent(row: Sequence[Any]) -> records.Intent:
    record = records.decode(bytes(row[0]))
    assert isinstance(record, records.Intent)
    return record


def _sent(client_id: str, row: Sequence[Any]) -> records.Sent | None:
    return records.Sent(client_id, row[10], row[11], row[12]) if row[12] else None


def _update(client_id: str, row: Sequence[Any]) -> records.Update:
    return records.Update(
        client_id=client_id,
        state=OrderState(row[1]),
        venue_order_id=row[2],
        filled_size=row[3],
        average_price=row[4],
        code=row[5],
        text=row[6],
        acknowledged_ns=row[7],
        filled_ns=row[8],
        ns=row[9],
    )


def _fill(row: Sequence[Any]) -> dict[str, Any]:
    names = ("client_id", "venue_fill_id", "price", "size", "fee", "fee_currency", "taker", "filled_ns")
    return dict(zip(names, row, strict=True))
