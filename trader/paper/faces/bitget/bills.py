"""The statement: ``mix/account/bill``."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from shared.clock import MILLISECOND
from trader.paper.engine.model import Bill, BillKind
from trader.paper.engine.money import text
from trader.paper.faces.bitget.calls import Call, signed_get
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.shapes import COIN, ms

_DAY_NS = 86_400_000 * MILLISECOND
_SPAN_DAYS = 30
_KEPT_DAYS = 90

_WORDS = {
    BillKind.FUNDING: "contract_settle_fee",
    BillKind.TRANSFER_IN: "trans_from_exchange",
    BillKind.TRANSFER_OUT: "trans_to_exchange",
    BillKind.ADD_MARGIN: "append_margin",
    BillKind.REMOVE_MARGIN: "reduce_margin",
    BillKind.AUTO_MARGIN: "auto_append_margin",
    BillKind.REDUCED_LONG: "force_close_long",
    BillKind.REDUCED_SHORT: "force_close_short",
    BillKind.LIQUIDATED_LONG: "burst_long_loss_query",
    BillKind.LIQUIDATED_SHORT: "burst_short_loss_query",
    BillKind.REDUCED_BUY: "force_buy",
    BillKind.REDUCED_SELL: "force_sell",
    BillKind.LIQUIDATED_BUY: "burst_buy",
    BillKind.LIQUIDATED_SELL: "burst_sell",
}
_KINDS = {_WORDS.get(kind, kind.value): kind for kind in BillKind}


class _OnlyFunding(StrEnum):
    YES = "yes"
    NO = "no"


def word(kind: BillKind) -> str:
    """The venue's businessType."""
    return _WORDS.get(kind, kind.value)


@signed_get("/api/v2/mix/account/bill")
def bills(call: Call) -> object:
    """Newest first, 90 days back, at most 30 days in one call; a type that never occurs here is an empty page."""
    params = call.params
    served = params.served()
    page = params.page(20)
    if page.until_ns and page.since_ns > page.until_ns:
        raise refusal("40707")
    if page.since_ns and page.until_ns and page.until_ns - page.since_ns > _SPAN_DAYS * _DAY_NS:
        raise refusal("40705", str(_SPAN_DAYS))
    wanted = params.text("businessType").lower()
    if params.choice("onlyFunding", _OnlyFunding, _OnlyFunding.NO) is _OnlyFunding.YES:
        wanted = word(BillKind.FUNDING)
    kind = _KINDS.get(wanted)
    coin = params.text("coin", COIN).upper()
    if not served or coin != COIN or (wanted and kind is None):
        return {"bills": [], "endId": None}
    oldest = max(page.since_ns, call.engine.core.now_ns - _KEPT_DAYS * _DAY_NS, 0)
    query = msgspec.structs.replace(page, since_ns=oldest, kind=kind.value if kind else "", symbol="")
    found = call.engine.bills(call.account, query)
    return {"bills": [_row(bill) for bill in found], "endId": str(found[-1].id) if found else None}


def _row(bill: Bill) -> dict[str, str]:
    return {
        "billId": str(bill.id),
        "symbol": bill.symbol,
        "amount": text(bill.amount),
        "fee": text(bill.fee),
        "feeByCoupon": "",
        "businessType": word(bill.kind),
        "coin": bill.coin,
        "balance": text(bill.balance),
        "cTime": ms(bill.ns),
    }
