"""Events of algo orders: ALGO_UPDATE, and CONDITIONAL_ORDER_TRIGGER_REJECT for one whose order was refused."""

from __future__ import annotations

from collections.abc import Iterable

from trader.paper import shortids
from trader.paper.contract import ContractSpec
from trader.paper.engine.model import Ended, Plan, PlanState
from trader.paper.engine.money import ZERO, text
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.faces.binance import algorows, numbers, orderwords
from trader.paper.faces.binance.errors import from_engine
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.userevents import Event, Row, event

#: What is told before the order that it becomes; everything else after it.
BEFORE = frozenset({PlanState.TRIGGERING, PlanState.TRIGGERED})
_REASONS = frozenset(reason.value for reason in Reason)
_ENDS: dict[str, str] = {
    Ended.POSITION_CLOSED: "the position is closed",
    Ended.EXPIRED: "goodTillDate is over",
}


def of_plan(spec: ContractSpec, plan: Plan, now: int) -> Iterable[Event]:
    """One change of an algo order."""
    yield event("ALGO_UPDATE", {"T": ms(plan.updated_ns), "E": now, "o": _row(spec, plan)})
    if plan.state is PlanState.FAILED:
        rejected: Row = {"s": plan.symbol, "i": shortids.shown(plan.id), "r": why(plan)}
        body: Row = {"E": now, "T": ms(plan.updated_ns), "or": rejected}
        yield event("CONDITIONAL_ORDER_TRIGGER_REJECT", body)


def why(plan: Plan) -> str:
    """What became of one that ended without an order."""
    if plan.failure in _REASONS:
        return from_engine(Refused(Reason(plan.failure), plan.failure_detail)).text
    return _ENDS.get(plan.failure, plan.failure)


def _row(spec: ContractSpec, plan: Plan) -> Row:
    assert plan.trade is not None
    made = plan.execute_order_id
    actual = ("LIMIT" if algorows.limit(plan) else "MARKET") if made else "0"
    row: Row = {
        "caid": plan.client_id,
        "aid": shortids.shown(plan.id),
        "at": algorows.ALGO_TYPE,
        "o": algorows.order_type(plan),
        "s": plan.symbol,
        "S": plan.trade.value.upper(),
        "ps": orderwords.position_side(plan.mode, plan.side),
        "f": algorows.time_in_force(plan),
        "q": numbers.size(spec, plan.size),
        "X": algorows.status(plan),
        "ai": str(shortids.shown(made)) if made else "",
        "ap": numbers.average(spec, plan.executed_price),
        "aq": numbers.size(spec, plan.executed_size),
        "act": actual,
        "tp": numbers.price(spec, plan.trigger),
        "p": numbers.price(spec, plan.execute or ZERO),
        "V": orderwords.SELF_TRADES[plan.self_trade],
        "wt": algorows.working_type(plan),
        "pm": orderwords.price_match(plan),
        "cp": plan.closes_all,
        "pP": plan.price_protect,
        "R": algorows.reduces(plan),
        "tt": ms(plan.triggered_ns),
        "gtd": ms(plan.expires_ns),
    }
    if plan.kind.trails:
        row |= {"AP": numbers.price(spec, plan.trigger), "cr": text(plan.ratio)}
    if plan.failure:
        row["rm"] = why(plan)
    return row
