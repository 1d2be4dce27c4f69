"""Private topics of the unified websocket: what stored changes look like to the account they concern.

Contracts and pairs share the topics. ``position`` begins with all that is held and then has what changed, a
closed one for the last time as ``ended``; ``account`` is whole every time.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from shared.domain.order import OrderType
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import Fill, Order, Plan, PlanState, Position, exit_side
from trader.paper.engine.money import text
from trader.paper.engine.spot_model import SpotFill, SpotOrder
from trader.paper.faces.bitget.dialect import Push
from trader.paper.faces.bitget.shapes import COIN, ms
from trader.paper.faces.bitget.v3 import account as assets
from trader.paper.faces.bitget.v3 import rows, strategyrows
from trader.paper.faces.bitget.v3.calls import CATEGORIES, Row

UTA = "UTA"
#: ``adl-notification`` is acknowledged and stays silent: nothing is auto-deleveraged here.
TOPICS = frozenset(
    {"account", "position", "order", "fill", "fast-fill", "strategy-order", "adl-notification"}
)

_HIDDEN = ("category", "liquidationPrice", "totalFunding", "positionBalance", "total")
_FAST = (
    "category", "symbol", "orderId", "clientOid", "execId", "side", "holdSide", "execPrice", "execQty",
    "tradeScope", "execTime", "updatedTime",
)  # fmt: skip


class Changes:
    """What batches that were stored together hold for one account."""

    def __init__(self, engine: Engine, account: Account, batches: list[Batch]) -> None:
        self._engine = engine
        self._account = account
        self._batches = batches

    def pushes(self, wanted: Container[tuple[str, str]]) -> Iterator[Push]:
        """Orders, then fills, positions, the account, strategy orders."""
        if (UTA, "order") in wanted:
            yield from (Push((UTA, "order"), [order_row(order)]) for order in self._orders())
        fills = list(self._fills())
        if (UTA, "fast-fill") in wanted:
            for fill in fills:
                row = fill_row(fill)
                yield Push((UTA, "fast-fill"), {name: row[name] for name in _FAST}, "update")
        if fills and (UTA, "fill") in wanted:
            yield Push((UTA, "fill"), [fill_row(fill) for fill in fills])
        if (UTA, "position") in wanted:
            changed = self._positions()
            if changed:
                yield Push((UTA, "position"), changed, "update")
        if (UTA, "account") in wanted and self._moved():
            yield Push((UTA, "account"), [account_row(self._engine, self._account)])
        if (UTA, "strategy-order") in wanted:
            strategies = self._strategies()
            if strategies:
                yield Push((UTA, "strategy-order"), strategies)

    def _orders(self) -> Iterator[Order]:
        number = self._account.id
        for batch in self._batches:
            yield from (step.order for step in batch.steps if step.order.account == number)
            yield from (step.order for step in batch.spot.steps if step.order.account == number)

    def _fills(self) -> Iterator[Fill | SpotFill]:
        number = self._account.id
        for batch in self._batches:
            yield from (fill for fill in batch.fills if fill.account == number)
            yield from (fill for fill in batch.spot.fills if fill.account == number)

    def _positions(self) -> list[Row]:
        """As they are now; those that are gone as they ended."""
        number, held = self._account.id, self._account.positions
        touched: dict[tuple[str, str], Position] = {}
        for batch in self._batches:
            for (account, symbol, side), position in batch.positions.items():
                if account == number:
                    touched[symbol, side] = position
        ended = [p for batch in self._batches for p in batch.closed if p.account == number]
        shown = [ended_row(self._engine, position) for position in ended]
        open_now = [p for p in touched.values() if held.get((p.symbol, p.side)) is p]
        return shown + position_rows(self._engine, self._account, open_now)

    def _moved(self) -> bool:
        number = self._account.id
        return any(number in batch.accounts or batch.spot.coins.get(number) for batch in self._batches)

    def _strategies(self) -> list[Row]:
        number = self._account.id
        latest: dict[int, Plan] = {}
        for batch in self._batches:
            latest |= {plan.id: plan for plan in batch.plan_steps if plan.account == number}
        made: list[Row] = []
        for halves in strategyrows.strategies(latest.values()):
            whole = strategyrows.whole(self._engine, self._account, halves[0])
            now = [latest.get(plan.id, plan) for plan in whole]
            made.append(strategy_row(self._account, now))
        return made


def account_row(engine: Engine, account: Account) -> Row:
    totals = assets.totals(engine, account)
    row: Row = {name: totals[name] for name in ("effEquity", "mmr", "imr", "mgnRatio", "positionMgnRatio")}
    row |= {"totalEquity": totals["accountEquity"], "unrealisedPnL": totals["unrealisedPnl"]}
    row["coin"] = [_coin(assets.asset(engine, account, coin)) for coin in assets.coins(account)]
    return row


def _coin(asset: Row) -> Row:
    return {name: value for name, value in asset.items() if name != "debt"} | {"debts": "0", "borrow": "0"}


def position_rows(engine: Engine, account: Account, positions: list[Position]) -> list[Row]:
    funds = engine.funds(account)
    return [_position(rows.position(engine, account, position, funds)) for position in positions]


def _position(row: Row) -> Row:
    shown = {name: value for name, value in row.items() if name not in _HIDDEN}
    return shown | {
        "liqPrice": row["liquidationPrice"],
        "totalFundingFee": row["totalFunding"],
        "marginSize": row["positionBalance"],
        "size": row["total"],
        "positionStatus": "opening",
    }


def ended_row(engine: Engine, position: Position) -> Row:
    """A position that is closed: what is no more is empty or 0."""
    return {
        "symbol": position.symbol,
        "leverage": str(position.leverage),
        "openFeeTotal": text(position.open_fee),
        "mmr": "",
        "breakEvenPrice": "",
        "available": "0",
        "liqPrice": "",
        "marginMode": position.margin_mode.value,
        "unrealisedPnl": "0",
        "markPrice": text(engine.core.mark(position)),
        "createdTime": ms(position.created_ns),
        "avgPrice": "0",
        "totalFundingFee": text(position.funding),
        "updatedTime": ms(position.updated_ns),
        "marginCoin": COIN,
        "frozen": "0",
        "profitRate": "",
        "closeFeeTotal": text(position.close_fee),
        "marginSize": "0",
        "curRealisedPnl": text(position.profit),
        "size": "0",
        "positionStatus": "ended",
        "posSide": position.side.value,
        "holdMode": position.mode.value,
    }


def order_row(order: Order) -> Row:
    """``qty`` of a market buy of a pair is 0 and ``amount`` what it spends, as over REST."""
    spot = isinstance(order, SpotOrder)
    budget = order.budget if isinstance(order, SpotOrder) else None
    status = rows.status(order)
    return {
        "category": CATEGORIES[order.market].value.lower(),
        "symbol": order.symbol,
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "price": text(order.price) if order.type is OrderType.LIMIT else "",
        "qty": "0" if budget else text(order.size),
        "amount": text(budget) if budget else "0",
        "holdMode": "" if spot else order.mode.value,
        "holdSide": rows.position_side(order),
        "delegateType": rows.delegate_type(order),
        "tradeSide": rows.trade_side(order),
        "orderType": order.type.value,
        "timeInForce": order.force.value,
        "side": order.side.value,
        "marginMode": order.margin_mode.value,
        "marginCoin": "" if spot else COIN,
        "reduceOnly": "yes" if order.reduce_only else "no",
        "cumExecQty": text(order.filled),
        "cumExecValue": text(order.value),
        "avgPrice": text(order.average),
        "totalProfit": text(order.profit),
        "orderStatus": "new" if status == "live" else status,
        "cancelReason": rows.cancel_reason(order),
        "leverage": "" if spot else str(order.leverage),
        "feeDetail": rows.fee_detail(order.gets if isinstance(order, SpotOrder) else COIN, order.fee),
        "createdTime": ms(order.created_ns),
        "updatedTime": ms(order.updated_ns),
        "stpMode": order.self_trade.value,
    }


def fill_row(fill: Fill | SpotFill) -> Row:
    row = rows.fill(fill)
    del row["createdTime"]
    return row | {
        "category": str(row["category"]).lower(),
        "execTime": ms(fill.ns),
        "holdSide": fill.position_side.value if isinstance(fill, Fill) else "",
    }


def strategy_row(account: Account, halves: list[Plan]) -> Row:
    """What the list over REST shows, with the trade that it will make."""
    first, row = halves[0], strategyrows.row(account, halves)
    trade = exit_side(first.side) if first.trade is None else first.trade
    return row | {
        "category": str(row["category"]).lower(),
        "side": trade.value,
        "reduceOnly": "yes" if first.reduce_only or first.kind.protects else "no",
        "type": "tpsl" if first.kind.protects else "trigger",
        "triggerType": _trigger_type(halves) if first.kind.protects else "",
    }


def _trigger_type(halves: list[Plan]) -> str:
    """The half that was executed; while none was, the take profit when there is one."""
    done = [plan for plan in halves if plan.state is PlanState.EXECUTED] or halves
    return "takeProfit" if any(plan.kind.takes_profit for plan in done) else "stopLoss"
