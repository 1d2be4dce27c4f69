"""Positions: ``positionRisk`` (versions 2 and 3), margin of isolated positions and its history, ADL."""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import PositionSide
from trader.paper.contract import ContractSpec
from trader.paper.engine import maths
from trader.paper.engine.batch import Query
from trader.paper.engine.model import Bill, BillKind, MarginMode, PositionMode
from trader.paper.engine.money import ZERO, text
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.faces.binance import brackets, exposure, numbers
from trader.paper.faces.binance.calls import Call, signed
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.exposure import Exposure, Stake
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.orderwords import position_side
from trader.paper.faces.binance.spans import span
from trader.paper.faces.binance.words import MARGIN_WORDS, PositionSideWord

_HISTORY_DAYS = 30
_ADD, _TAKE = 1, 2
_KINDS = {BillKind.ADD_MARGIN: _ADD, BillKind.AUTO_MARGIN: _ADD, BillKind.REMOVE_MARGIN: _TAKE}


def _named(call: Call) -> list[ContractSpec] | None:
    return [call.state().spec] if call.params.has("symbol") else None


@signed("GET", "/fapi/v3/positionRisk", 5)
def position_risk(call: Call) -> object:
    """Only what has a position or an order."""
    found = exposure.measure(call.engine, call.account, _named(call))
    return [_row(call, found, stake) for stake in found.stakes if stake.busy]


def _row(call: Call, found: Exposure, stake: Stake) -> dict[str, object]:
    return {
        **_common(call, found, stake),
        "marginAsset": stake.spec.quote,
        "initialMargin": numbers.rounded(stake.initial + stake.reserved),
        "maintMargin": numbers.rounded(stake.maintenance),
        "positionInitialMargin": numbers.rounded(stake.initial),
        "openOrderInitialMargin": numbers.rounded(stake.reserved),
        "adl": 0,
        "bidNotional": text(stake.bids),
        "askNotional": text(stake.asks),
    }


def _common(call: Call, found: Exposure, stake: Stake) -> dict[str, object]:
    """What both versions show. ``isolatedMargin`` includes unrealised profit, ``isolatedWallet`` does not."""
    spec, position = stake.spec, stake.position
    entry = break_even = liquidation = ZERO
    if position is not None:
        entry, break_even = position.entry, maths.break_even(spec, position)
        liquidation = call.engine.liquidation_price(call.account, position, found.funds)
    isolated = stake.wallet + stake.unrealised if stake.isolated else ZERO
    return {
        "symbol": spec.symbol,
        "positionSide": stake.side,
        "positionAmt": numbers.size(spec, stake.amount),
        "entryPrice": plain(spec, entry),
        "breakEvenPrice": plain(spec, break_even),
        "markPrice": numbers.money(stake.mark),
        "unRealizedProfit": numbers.rounded(stake.unrealised),
        "liquidationPrice": numbers.rounded(liquidation) if liquidation > 0 else "0",
        "isolatedMargin": numbers.rounded(isolated),
        "notional": text(stake.notional),
        "isolatedWallet": numbers.rounded(stake.wallet) if stake.wallet else "0",
        "updateTime": ms(position.updated_ns) if position else 0,
    }


def plain(spec: ContractSpec, value: Decimal) -> str:
    """An average of prices: 8 decimals at most, as many as the price has at least."""
    return numbers.padded(Decimal(numbers.rounded(value)), spec.price_places)


@signed("GET", "/fapi/v2/positionRisk", 5)
def position_risk_v2(call: Call) -> object:
    """Every symbol, held or not."""
    specs = _named(call) or [state.spec for state in call.states()]
    found = exposure.measure(call.engine, call.account, specs)
    return [
        {
            **_common(call, found, stake),
            "marginType": MARGIN_WORDS[stake.margin_mode],
            "isAutoAddMargin": "true" if stake.position and stake.position.auto_margin else "false",
            "leverage": str(stake.leverage),
            "maxNotionalValue": text(brackets.largest(stake.spec, stake.leverage)),
        }
        for stake in found.stakes
    ]


@signed("GET", "/fapi/v1/adlQuantile", 5)
def adl_quantile(call: Call) -> object:
    """Nobody is ever deleveraged here, so everybody stands at 0. HEDGE only says that both sides are shown."""
    symbol = call.state().symbol if call.params.has("symbol") else ""
    hedge = call.account.record.position_mode is PositionMode.HEDGE
    quantile = {"LONG": 0, "SHORT": 0, "HEDGE" if hedge else "BOTH": 0}
    held = dict.fromkeys(position.symbol for position in call.account.positions.values())
    return [{"symbol": name, "adlQuantile": quantile} for name in held if symbol in ("", name)]


# margin of isolated positions


def wanted_side(call: Call) -> PositionSide | None:
    """``positionSide`` of a call about a held position; ``None`` in one-way mode. -4061 when it does not fit."""
    word = call.params.choice("positionSide", PositionSideWord, -4060, PositionSideWord.BOTH)
    hedge = call.account.record.position_mode is PositionMode.HEDGE
    if hedge is (word is PositionSideWord.BOTH):
        raise refusal(-4061)
    return PositionSide(word.value.lower()) if hedge else None


@signed("POST", "/fapi/v1/positionMargin")
def change_margin(call: Call) -> object:
    params = call.params
    state, amount, kind = call.state(), params.need_decimal("amount"), params.need_integer("type")
    if kind not in (_ADD, _TAKE):
        raise refusal(-1130, "type")
    if amount <= 0:
        raise refusal(-4055)
    side = wanted_side(call)
    try:
        call.engine.adjust_margin(call.account, state.symbol, side, amount if kind == _ADD else -amount)
    except Refused as refused:
        if refused.reason is Reason.NO_POSITION:
            crossed = call.account.settings(state.spec).margin_mode is MarginMode.CROSSED
            raise refusal(-4049 if crossed else -4054) from None
        if refused.reason is Reason.NO_BALANCE:
            raise refusal(-4050) from None
        raise
    return {
        "amount": float(amount),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }


@signed("GET", "/fapi/v1/positionMargin/history")
def margin_history(call: Call) -> object:
    """Newest first."""
    params, state = call.params, call.state()
    wanted, limit = params.integer("type"), params.limit(500, 1000)
    if wanted not in (0, _ADD, _TAKE):
        raise refusal(-1130, "type")
    since_ns, until_ns = span(call, _HISTORY_DAYS, _HISTORY_DAYS)
    found: list[Bill] = []
    for kind, number in _KINDS.items():
        if wanted in (0, number):
            query = Query(
                symbol=state.symbol, kind=kind.value, since_ns=since_ns, until_ns=until_ns, limit=limit
            )
            found += call.engine.bills(call.account, query)
    found.sort(key=lambda bill: -bill.id)
    mode = call.account.record.position_mode
    return [
        {
            "symbol": bill.symbol,
            "type": _KINDS[bill.kind],
            "deltaType": "AUTO_ADD" if bill.kind is BillKind.AUTO_MARGIN else "USER_ADJUST",
            "amount": text(abs(bill.amount)),
            "asset": bill.coin,
            "time": ms(bill.ns),
            "positionSide": position_side(mode, bill.side) if bill.side else "BOTH",
        }
        for bill in found[:limit]
    ]
