"""What ends by itself when its time has come: orders and plans with an end, and countdowns.

A countdown cancels all resting orders of one symbol, or with no symbol (``""``) all of the account on both
markets; plans that wait for a price stay.
"""

from __future__ import annotations

from trader.paper.engine import orders, plans, spot_orders
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import Ended, Order, PlanState
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.timers import Due, Timer

LONGEST_COUNTDOWN_NS = 400 * 86_400_000_000_000


def countdown(core: Core, account: Account, symbol: str, ns: int) -> None:
    """Start, put off, or (0) stop the countdown of a symbol."""
    if symbol:
        core.spec(symbol)
    if not 0 <= ns <= LONGEST_COUNTDOWN_NS:
        raise Refused(Reason.BAD_VALUE, "countdownTime")
    record = account.record
    due = core.now_ns + ns if ns else 0
    if due:
        record.countdowns[symbol] = due
    elif record.countdowns.pop(symbol, None) is None:
        return
    core.timers.set(Timer(Due.COUNTDOWN, account.id, symbol), due)
    core.touch(account)


def run(core: Core) -> list[str]:
    """Do what is due now; the symbols that it touched."""
    touched: dict[str, None] = {}
    while (timer := core.timers.pop(core.now_ns)) is not None:
        if timer.what is Due.ORDER:
            order = core.live_orders[timer.number]
            touched[order.symbol] = None
            orders.cancel(core, core.accounts[order.account], order, Ended.EXPIRED)
        elif timer.what is Due.PLAN:
            plan = core.live_plans[timer.number]
            touched[plan.symbol] = None
            plan.failure = Ended.EXPIRED
            plans.end(core, core.accounts[plan.account], plan, PlanState.EXPIRED)
        else:
            for order in _count_down(core, core.accounts[timer.number], timer.symbol):
                touched[order.symbol] = None
    return list(touched)


def _count_down(core: Core, account: Account, symbol: str) -> list[Order]:
    """The contract orders that it cancelled."""
    account.record.countdowns.pop(symbol, None)
    core.touch(account)
    found = [order for order in account.orders.values() if symbol in {"", order.symbol}]
    for order in found:
        orders.cancel(core, account, order, Ended.COUNTDOWN)
    for spot_order in [] if symbol else list(account.spot.orders.values()):
        spot_orders.cancel(core, account, spot_order, Ended.COUNTDOWN)
    return found


def arm(core: Core) -> None:
    """After a restart: countdowns start again where they were. Orders and plans enter theirs themselves."""
    for account in core.accounts.values():
        for symbol, due in account.record.countdowns.items():
            core.timers.set(Timer(Due.COUNTDOWN, account.id, symbol), due)
