"""Positions and equity as rows: what the venue reported last, and when a position was gone.

These are snapshots, not events: only the newest matters, so they bypass the journal and are simply
written again after an outage of Postgres.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shared.domain.account import Account
from shared.domain.instrument import Instrument
from shared.domain.order import PositionSide
from trader.orders.projection import INSTRUMENT, instrument_row

#: Results that a snapshot carries at most.
MAX_RESULTS = 1000

POSITION_UPSERT = """
insert into positions (user_id, account_id, mode, strategy_id, instrument_id, side, state, size, entry_price,
    mark_price, margin, leverage, unrealised, realised, liquidation_price, take_profit_price, stop_price,
    opened_ns, updated_ns, closed_ns)
values (%(user_id)s, %(account_id)s, %(mode)s, %(strategy_id)s, %(instrument_id)s, %(side)s, 'ACTIVE', %(size)s,
    %(entry_price)s, %(mark_price)s, %(margin)s, %(leverage)s, %(unrealised)s, %(realised)s,
    %(liquidation_price)s, %(take_profit_price)s, %(stop_price)s, %(opened_ns)s, %(updated_ns)s, 0)
on conflict (account_id, instrument_id, side) where closed_ns = 0 do update set
    strategy_id = excluded.strategy_id, size = excluded.size, entry_price = excluded.entry_price,
    mark_price = excluded.mark_price, margin = excluded.margin, leverage = excluded.leverage,
    unrealised = excluded.unrealised, realised = excluded.realised,
    liquidation_price = excluded.liquidation_price, take_profit_price = excluded.take_profit_price,
    stop_price = excluded.stop_price, updated_ns = excluded.updated_ns
"""

POSITIONS_GONE = """
update positions set state = 'CLOSED', closed_ns = %(at_ns)s, updated_ns = %(at_ns)s, unrealised = 0
where account_id = %(account_id)s and closed_ns = 0 and updated_ns < %(at_ns)s
    and not (instrument_id || '/' || side || '/' || opened_ns = any(%(open)s))
    and not exists (select 1 from instruments i where i.id = positions.instrument_id
        and i.symbol || '/' || side = any(%(unnamed)s))
"""

POSITION_RESULT = """
update positions set realised = %(realised)s, mark_price = %(close_price)s, closed_ns = %(closed_ns)s
where id = (select id from positions where account_id = %(account_id)s and instrument_id = %(instrument_id)s
    and side = %(side)s and opened_ns = %(opened_ns)s and closed_ns > 0 order by id desc limit 1)
"""

EQUITY = """
insert into equity_snapshots (user_id, account_id, mode, strategy_id, currency, equity, available, unrealised,
    taken_ns)
values (%(user_id)s, %(account_id)s, %(mode)s, 'account', %(currency)s, %(equity)s, %(available)s,
    %(unrealised)s, %(taken_ns)s)
"""

EQUITY_THIN = """
delete from equity_snapshots e where account_id = %(account_id)s and taken_ns < %(before_ns)s
    and exists (select 1 from equity_snapshots f where f.account_id = e.account_id
        and f.taken_ns > e.taken_ns and f.taken_ns / 60000000000 = e.taken_ns / 60000000000)
"""

STATEMENTS = {
    "position_upsert": POSITION_UPSERT,
    "positions_gone": POSITIONS_GONE,
    "position_result": POSITION_RESULT,
    "equity": EQUITY,
    "equity_thin": EQUITY_THIN,
}


class OpenPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position as the venue reports it. Sizes in base coin, money in quote currency."""

    instrument: Instrument
    side: PositionSide
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    margin: Decimal
    leverage: int
    unrealised: Decimal
    realised: Decimal
    liquidation_price: Decimal | None
    take_profit_price: Decimal | None
    stop_price: Decimal | None
    opened_ns: int
    strategy_id: str

    @property
    def key(self) -> str:
        return f"{self.instrument.id}/{self.side.value}"


class Equity(msgspec.Struct, frozen=True, kw_only=True):
    """Wallet balance plus unrealised profit, and what may be used, in ``currency``."""

    currency: str
    equity: Decimal
    available: Decimal
    unrealised: Decimal


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to notice that a position ended, and to ask the venue how.

    ``opened_ns`` is the venue's stamp: a position that was closed and opened again is another one.
    """

    symbol: str
    instrument_id: str
    side: PositionSide
    opened_ns: int

    @property
    def key(self) -> str:
        return f"{self.instrument_id}/{self.side.value}"


class ClosedPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How a position ended, by the venue's own history; ``realised`` is net of fees and funding."""

    instrument_id: str
    side: PositionSide
    opened_ns: int
    close_price: Decimal
    realised: Decimal
    closed_ns: int


class AccountSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All open positions of an account and its equity, read at ``taken_ns``.

    ``closed`` are results that became known with this reading, also of positions that were gone before.
    ``unnamed`` are open positions as ``SYMBOL/side`` whose instrument we have never known: there is no
    row to write for them, and none of them may be taken for closed.
    """

    account: Account
    positions: tuple[OpenPosition, ...]
    equity: Equity
    closed: tuple[ClosedPosition, ...]
    taken_ns: int
    unnamed: tuple[str, ...] = ()

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol on which the account holds something."""
        return frozenset(
            [position.instrument.symbol for position in self.positions]
            + [name.partition("/")[0] for name in self.unnamed]
        )


def merged(before: AccountSnapshot | None, after: AccountSnapshot) -> AccountSnapshot:
    """The newer snapshot with the results of one that was never stored: those come only once."""
    if before is None or not before.closed:
        return after
    known = {(result.instrument_id, result.side, result.opened_ns) for result in after.closed}
    kept = [
        result
        for result in before.closed
        if (result.instrument_id, result.side, result.opened_ns) not in known
    ]
    return msgspec.structs.replace(after, closed=(*kept, *after.closed)[-MAX_RESULTS:])


def _owner(account: Account) -> dict[str, Any]:
    return {"user_id": account.user_id, "account_id": account.id, "mode": account.mode.value}


async def write(connection: AsyncConnection[Any], snapshot: AccountSnapshot) -> None:
    """Store a snapshot in one transaction: close what is gone, upsert what is open, add the equity.

    Closing comes first: a position that was closed and opened again gets a row of its own.
    """
    owner = _owner(snapshot.account)
    at = snapshot.taken_ns
    async with connection.transaction():
        gone = {
            "at_ns": at,
            "open": [f"{position.key}/{position.opened_ns}" for position in snapshot.positions],
            "unnamed": list(snapshot.unnamed),
        }
        await connection.execute(POSITIONS_GONE, owner | gone)
        for position in snapshot.positions:
            await connection.execute(INSTRUMENT, instrument_row(position.instrument, at))
            row = msgspec.structs.asdict(position)
            row |= owner | {
                "instrument_id": position.instrument.id,
                "side": position.side.value,
                "updated_ns": at,
            }
            del row["instrument"]
            await connection.execute(POSITION_UPSERT, row)
        for closed in snapshot.closed:
            await connection.execute(
                POSITION_RESULT, owner | msgspec.structs.asdict(closed) | {"side": closed.side.value}
            )
        equity = msgspec.structs.asdict(snapshot.equity)
        await connection.execute(EQUITY, owner | equity | {"taken_ns": at})


async def thin(connection: AsyncConnection[Any], account_id: int, before_ns: int) -> None:
    """Keep one equity snapshot a minute of what is older than ``before_ns``."""
    await connection.execute(EQUITY_THIN, {"account_id": account_id, "before_ns": before_ns})
