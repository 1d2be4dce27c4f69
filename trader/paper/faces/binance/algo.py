"""Algo orders: stops, take profits and trailing stops, a namespace of their own beside the orders."""

from __future__ import annotations

from trader.paper.engine.batch import PlanQuery
from trader.paper.engine.model import Plan, PlanKind
from trader.paper.faces.binance import algoform, algorows
from trader.paper.faces.binance.algoform import AlgoWord
from trader.paper.faces.binance.calls import Call, by_symbol, signed
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.orders import ALL_CANCELLED
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.spans import span

_DAYS = 7
_KINDS = tuple(kind for kind in PlanKind if kind.algo)


@signed("POST", "/fapi/v1/algoOrder", 0, 1)
def place(call: Call) -> object:
    plan = call.engine.place_algo(call.account, algoform.new_algo(call, call.params))
    return algorows.placed(call.state(plan.symbol).spec, plan)


@signed("DELETE", "/fapi/v1/algoOrder")
def cancel(call: Call) -> object:
    """One that waits; what has been triggered is an order, and cancelled as one."""
    number, name = _named(call.params)
    plan = call.engine.live_plan(call.account, number, name)
    if plan is None:
        raise refusal(-2011)
    call.engine.cancel_plan(call.account, plan)
    return algorows.cancelled(call.state(plan.symbol).spec, plan)


def _named(params: Params) -> tuple[int, str]:
    """(algoId, clientAlgoId), one of which is given: -1102 when none is."""
    number = params.id("algoId")
    name = "" if number else params.text("clientAlgoId")
    if not number and not name:
        raise refusal(-1102, "clientAlgoId' or 'algoId")
    return max(0, number), name


@signed("DELETE", "/fapi/v1/algoOpenOrders")
def cancel_all(call: Call) -> object:
    call.engine.cancel_algos(call.account, call.state().symbol)
    return ALL_CANCELLED


@signed("GET", "/fapi/v1/algoOrder")
def query(call: Call) -> object:
    """Any one, waiting or ended."""
    number, name = _named(call.params)
    plan = call.engine.plan(call.account, number, name)
    if plan is None:
        raise refusal(-2013)
    return algorows.found(call.state(plan.symbol).spec, call.account, plan)


@signed("GET", "/fapi/v1/openAlgoOrders", by_symbol(1, 40))
def open_orders(call: Call) -> object:
    """Those that wait, oldest first."""
    params = call.params
    params.choice("algoType", AlgoWord, -1130, AlgoWord.CONDITIONAL)
    symbol = call.state().symbol if params.has("symbol") else ""
    number = params.id("algoId")
    return [
        algorows.waiting(call.state(plan.symbol).spec, call.account, plan)
        for plan in call.account.plans.values()
        if symbol in ("", plan.symbol) and number in (0, plan.id)
    ]


@signed("GET", "/fapi/v1/allAlgoOrders", 5)
def all_orders(call: Call) -> object:
    """Oldest first: from a named one or start on, else the newest of the last 7 days. ``page`` counts from 0."""
    state, params = call.state(), call.params
    limit, first, page = params.limit(500, 1000), params.id("algoId"), params.integer("page")
    if not 0 <= page <= 1000:
        raise refusal(-1130, "page")
    since_ns, until_ns = (0, 0) if first else span(call, _DAYS, _DAYS)
    upward = bool(first or params.time("startTime"))
    wanted = PlanQuery(
        symbol=state.symbol,
        kinds=_KINDS,
        first=max(0, first),
        since_ns=since_ns,
        until_ns=until_ns,
        limit=limit * (page + 1),
        upward=upward,
    )
    found = [call.account.fired.get(plan.id, plan) for plan in call.engine.plans(call.account, wanted)]
    found += [
        plan
        for plan in call.account.plans.values()
        if plan.symbol == state.symbol and plan.id >= first and _within(plan, since_ns, until_ns)
    ]
    found.sort(key=lambda plan: plan.id, reverse=not upward)
    rows = found[limit * page : limit * (page + 1)]
    rows.sort(key=lambda plan: plan.id)
    return [algorows.found(state.spec, call.account, plan) for plan in rows]


def _within(plan: Plan, since_ns: int, until_ns: int) -> bool:
    return plan.created_ns >= since_ns and (not until_ns or plan.created_ns <= until_ns)
