"""The v3 statement: ``account/financial-records``."""

from __future__ import annotations

import msgspec

from trader.paper.engine import spot_model
from trader.paper.engine.batch import Query
from trader.paper.engine.model import Bill, BillKind
from trader.paper.engine.money import text
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.shapes import COIN, ms
from trader.paper.faces.bitget.v3.calls import Category, Row, category, page, paged, signed_get

_TYPES = {
    BillKind.BUY: "BUY_DEAL",
    BillKind.SELL: "SELL_DEAL",
    BillKind.REDUCED_LONG: "FORCE_CLOSE_LONG",
    BillKind.REDUCED_SHORT: "FORCE_CLOSE_SHORT",
    BillKind.LIQUIDATED_LONG: "BURST_CLOSE_LONG",
    BillKind.LIQUIDATED_SHORT: "BURST_CLOSE_SHORT",
    BillKind.REDUCED_BUY: "FORCE_BUY_SSM",
    BillKind.REDUCED_SELL: "FORCE_SELL_SSM",
    BillKind.LIQUIDATED_BUY: "BURST_BUY_SSM",
    BillKind.LIQUIDATED_SELL: "BURST_SELL_SSM",
    BillKind.ADD_MARGIN: "FIXED_INCREASE_MARGIN",
    BillKind.AUTO_MARGIN: "FIXED_INCREASE_MARGIN",
    BillKind.REMOVE_MARGIN: "FIXED_REDUCE_MARGIN",
}
#: Money that came or went: of no product.
_TRANSFERS = (BillKind.TRANSFER_IN, BillKind.TRANSFER_OUT)


def word(bill: Bill) -> str:
    """The venue's type."""
    if bill.kind is BillKind.FUNDING:
        return f"CONTRACT_MAIN_SETTLE_FEE_USER_{'IN' if bill.amount > 0 else 'OUT'}"
    return _TYPES.get(bill.kind, bill.kind.value.upper())


def spot_word(bill: spot_model.Bill) -> str:
    if bill.group == "transaction":
        return "ORDER_DEALT_IN" if bill.size > 0 else "ORDER_DEALT_FROZEN_OUT"
    return "TRANSFER_IN" if bill.size > 0 else "TRANSFER_OUT"


@signed_get("account/financial-records")
def records(call: Call) -> object:
    """Newest first. Deposits belong to no product: they are in ``OTHER``."""
    params, found, asked = call.params, category(call.params), page(call)
    wanted = _Wanted(found, params.text("coin").upper(), params.text("type").upper(), asked.symbol)
    asked = msgspec.structs.replace(asked, symbol="")
    shown: list[tuple[int, Row]] = []
    if found in (Category.FUTURES, Category.OTHER):
        shown += _of_contracts(call, asked, wanted)
    if found in (Category.SPOT, Category.OTHER):
        shown += _of_spot(call, asked, wanted)
    shown.sort(key=lambda item: -item[0])
    return paged([row for _, row in shown[: asked.limit]], "id")


class _Wanted(msgspec.Struct, frozen=True):
    """Empty text does not filter."""

    category: Category
    coin: str
    type: str
    symbol: str

    def fits(self, row: Row) -> bool:
        return (
            row["category"] == self.category.value
            and self.coin in {"", row["coin"]}
            and self.type in {"", row["type"]}
            and self.symbol in {"", row["symbol"]}
        )


def _of_contracts(call: Call, asked: Query, wanted: _Wanted) -> list[tuple[int, Row]]:
    shown: list[tuple[int, Row]] = []
    while True:
        bills = call.engine.bills(call.account, asked)
        shown += [(bill.id, row) for bill in bills if wanted.fits(row := _row(bill))]
        if len(bills) < asked.limit or len(shown) >= asked.limit:
            return shown
        asked = msgspec.structs.replace(asked, before=bills[-1].id)


def _of_spot(call: Call, asked: Query, wanted: _Wanted) -> list[tuple[int, Row]]:
    query = SpotQuery(
        before=asked.before,
        since_ns=asked.since_ns,
        until_ns=asked.until_ns,
        limit=asked.limit,
        coin=wanted.coin,
    )
    shown: list[tuple[int, Row]] = []
    while True:
        bills = call.engine.spot.store.bills(call.account.id, query)
        shown += [(bill.id, row) for bill in bills if wanted.fits(row := _spot_row(bill))]
        if len(bills) < query.limit or len(shown) >= query.limit:
            return shown
        query = msgspec.structs.replace(query, before=bills[-1].id)


def _row(bill: Bill) -> Row:
    return {
        "category": (Category.OTHER if bill.kind in _TRANSFERS else Category.FUTURES).value,
        "id": str(bill.id),
        "symbol": bill.symbol,
        "coin": COIN,
        "type": word(bill),
        "amount": text(bill.amount),
        "fee": text(bill.fee),
        "balance": text(bill.balance),
        "ts": ms(bill.ns),
    }


def _spot_row(bill: spot_model.Bill) -> Row:
    return {
        "category": (Category.SPOT if bill.group == "transaction" else Category.OTHER).value,
        "id": str(bill.id),
        "symbol": bill.symbol,
        "coin": bill.coin,
        "type": spot_word(bill),
        "amount": text(bill.size),
        "fee": text(bill.fee),
        "balance": text(bill.balance),
        "ts": ms(bill.ns),
    }
