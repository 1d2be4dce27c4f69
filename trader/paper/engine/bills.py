"""The statement of an account: one line per movement of money, drawn from a batch before it is stored.

A fill is one line (its profit and its fee), whatever the number of its ledger entries; funding, a
deposit or a transfer is one each. What a liquidation gives to or takes from the insurance belongs to
the line of the fill (or of the funding) that caused it. So the sum of ``amount + fee`` over all lines
but the moves of margin is the wallet; of a unified account together with the USDT lines of its spot
statement.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.domain.order import PositionSide, Side
from trader.paper.engine.batch import Batch
from trader.paper.engine.model import Bill, BillKind, Entry, Fill, Kind, PositionMode, Source
from trader.paper.engine.money import ZERO, plus

_OF_FILLS = frozenset({Kind.OPEN_FEE, Kind.CLOSE_FEE, Kind.REALISED_PNL})
_FEES = frozenset({Kind.OPEN_FEE, Kind.CLOSE_FEE})
#: Trades of a unified account's one wallet on the spot market: they have their lines in the spot statement.
_OF_SPOT = frozenset({Kind.SPOT_BUY, Kind.SPOT_SELL, Kind.SPOT_FEE})
_SETTLING = frozenset({Kind.LIQUIDATION_FEE, Kind.INSURANCE})

#: In hedge mode by (long, how), in one-way mode by (buy, how).
_HEDGE = {
    (True, "open"): BillKind.OPEN_LONG,
    (False, "open"): BillKind.OPEN_SHORT,
    (True, "close"): BillKind.CLOSE_LONG,
    (False, "close"): BillKind.CLOSE_SHORT,
    (True, "reduced"): BillKind.REDUCED_LONG,
    (False, "reduced"): BillKind.REDUCED_SHORT,
    (True, "liquidated"): BillKind.LIQUIDATED_LONG,
    (False, "liquidated"): BillKind.LIQUIDATED_SHORT,
}
_ONE_WAY = {
    (True, "reduced"): BillKind.REDUCED_BUY,
    (False, "reduced"): BillKind.REDUCED_SELL,
    (True, "liquidated"): BillKind.LIQUIDATED_BUY,
    (False, "liquidated"): BillKind.LIQUIDATED_SELL,
}


def draw(batch: Batch, next_id: Callable[[], int]) -> None:
    """Add the lines of the batch's ledger entries to it, in the order of the ledger."""
    fills = {str(fill.id): fill for fill in batch.fills} if batch.entries else {}
    last: dict[int, Bill] = {}
    refs: dict[int, str] = {}
    for entry in batch.entries:
        if entry.wallet != "futures" or entry.kind in _OF_SPOT:
            continue
        bill = last.get(entry.account)
        same = entry.kind in _OF_FILLS and refs.get(entry.account) == entry.ref
        if bill is None or not (same or entry.kind in _SETTLING):
            bill = last[entry.account] = Bill(
                id=next_id(),
                account=entry.account,
                ns=entry.ns,
                kind=_kind(entry, fills.get(entry.ref)),
                symbol=entry.symbol,
                amount=ZERO,
                fee=ZERO,
                balance=entry.balance,
            )
            batch.bills.append(bill)
            refs[entry.account] = entry.ref
        if entry.kind in _FEES:
            bill.fee = plus(bill.fee, entry.amount)
        else:
            bill.amount = plus(bill.amount, entry.amount)
        bill.balance = entry.balance


def _kind(entry: Entry, fill: Fill | None) -> BillKind:
    if entry.kind in _OF_FILLS and fill is not None:
        return _of_fill(fill)
    if entry.kind is Kind.FUNDING:
        return BillKind.FUNDING
    return BillKind.TRANSFER_IN if entry.amount > 0 else BillKind.TRANSFER_OUT


def _of_fill(fill: Fill) -> BillKind:
    how = {Source.LIQUIDATION: "liquidated", Source.REDUCTION: "reduced"}.get(fill.source)
    if fill.mode is PositionMode.HEDGE:
        how = how or ("close" if fill.closing else "open")
        return _HEDGE[fill.position_side is PositionSide.LONG, how]
    buys = fill.side is Side.BUY
    if how is None:
        return BillKind.BUY if buys else BillKind.SELL
    return _ONE_WAY[buys, how]
