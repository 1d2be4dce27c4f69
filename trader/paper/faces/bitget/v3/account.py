"""Signed v3 calls about the account: settings, key, assets, fees, what could be opened."""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.engine import spot
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.estimates import Wanted
from trader.paper.engine.model import PositionMode
from trader.paper.engine.money import ZERO, divided, text, times, to_step
from trader.paper.faces.bitget.account import in_bitcoin
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.reference import USER_FACTOR, largest_value
from trader.paper.faces.bitget.shapes import COIN, ms
from trader.paper.faces.bitget.v3.calls import (
    Category,
    Row,
    category,
    contract,
    paged,
    signed_get,
    signed_post,
    traded,
)
from trader.paper.faces.bitget.v3.errors import refusal
from trader.paper.market import MarketState

_CENT_OF_CENT = Decimal("1e-8")


@signed_get("account/settings")
def settings(call: Call) -> object:
    """``symbolConfigList`` has the symbols that were set or traded; the others are as nobody touched them."""
    record = call.account.record
    return {
        "uid": str(record.id),
        "accountMode": "unified",
        "assetMode": "multi_assets",
        "accountLevel": "advanced",
        "holdMode": record.position_mode.value,
        "stpMode": "none",
        "symbolConfigList": [
            {
                "category": Category.FUTURES.value,
                "symbol": symbol,
                "marginMode": chosen.margin_mode.value,
                "leverage": str(chosen.leverage(chosen.margin_mode, PositionSide.LONG)),
            }
            for symbol, chosen in sorted(record.settings.items())
        ],
        "coinConfigList": [],
    }


@signed_get("account/info", 5)
def key_info(call: Call) -> object:
    record = call.account.record
    return {
        "userId": str(record.id),
        "inviterId": "",
        "parentId": "",
        "channelCode": "",
        "channel": "",
        "ips": "",
        "permType": "read-and-write",
        "permissions": ["uta_mgt", "uta_trade"],
        "regisTime": ms(record.created_ns),
    }


# assets


def coins(account: Account) -> list[str]:
    """What is held; USDT always."""
    return sorted({coin for coin, total in account.record.spot.items() if total} | {COIN})


def asset(engine: Engine, account: Account, coin: str) -> Row:
    """One coin. Profits and losses of contracts at mark belong to the equity of USDT."""
    core = engine.core
    balance = account.spot.total(coin)
    funds = engine.funds(account)
    equity = funds.equity if coin == COIN else balance
    free = max(ZERO, spot.free(core, account, coin))
    return {
        "coin": coin,
        "equity": text(equity),
        "usdValue": text(spot.in_usdt(core, coin, equity) or ZERO),
        "balance": text(balance),
        "available": text(free),
        "debt": "0",
        "locked": text(account.spot.frozen(coin)),
    }


def totals(engine: Engine, account: Account) -> Row:
    """The account as a whole. A USDT counts as a USD; only USDT margins positions."""
    funds = engine.funds(account)
    worth = funds.equity
    for coin in coins(account):
        if coin != COIN:
            worth += spot.in_usdt(engine.core, coin, account.spot.total(coin)) or ZERO
    gain = funds.isolated_unrealised + funds.crossed_unrealised
    backing, needed = engine.crossed_margins(account, funds)
    ratio = text(divided(needed, backing)) if needed and backing > 0 else "0"
    return {
        "accountEquity": text(worth),
        "usdtEquity": text(worth),
        "btcEquity": text(in_bitcoin(engine, worth)),
        "unrealisedPnl": text(gain),
        "usdtUnrealisedPnl": text(gain),
        "btcUnrealizedPnl": text(in_bitcoin(engine, gain)),
        "effEquity": text(backing),
        "mmr": text(needed),
        "imr": text(funds.crossed + account.locked),
        "mgnRatio": ratio,
        "positionMgnRatio": ratio,
    }


@signed_get("account/assets")
def assets(call: Call) -> object:
    wanted = call.params.text("coin").upper()
    shown = [asset(call.engine, call.account, coin) for coin in coins(call.account) if wanted in {"", coin}]
    return totals(call.engine, call.account) | {"assets": shown}


@signed_get("account/funding-assets")
def funding_assets(call: Call) -> object:
    """There is no funding account here, so it holds nothing."""
    del call
    return []


@signed_get("account/funding-financial-records", 10)
def funding_records(call: Call) -> object:
    del call
    return paged([], "id")


@signed_get("account/max-transferable", 3)
def max_transferable(call: Call) -> object:
    """What is free; there is nowhere to transfer it to."""
    coin = call.params.need("coin").upper()
    free = text(max(ZERO, spot.free(call.engine.core, call.account, coin)))
    return {"coin": coin, "maxTransfer": free, "borrowMaxTransfer": free}


@signed_get("account/deduct-info", 1)
def deduction(call: Call) -> object:
    """Fees are never paid in another coin here."""
    del call
    return {"deduct": "off"}


# fees and limits


def _fees(state: MarketState) -> Row:
    return {"makerFeeRate": text(state.spec.maker_fee), "takerFeeRate": text(state.spec.taker_fee)}


@signed_get("account/fee-rate", 3)
def fee_rate(call: Call) -> object:
    _, state = traded(call)
    return _fees(state)


@signed_get("account/all-fee-rate", 3)
def fee_rates(call: Call) -> object:
    market = category(call.params).market
    states = [state for state in call.hub.states.values() if state.market == market]
    return [_fees(state) | {"symbol": state.symbol} for state in states]


@signed_get("account/open-interest-limit", 5)
def open_interest_limit(call: Call) -> object:
    """The largest position of the symbol's tiers in base coin, and five times that for a user."""
    state = contract(call)
    largest = to_step(largest_value(state) / state.mark, state.spec.step) if state.mark else ZERO
    return {
        "symbol": state.symbol,
        "singleUserLimit": text(largest),
        "masterSubLimit": text(largest * USER_FACTOR),
        "marketMakerLimit": "0",
    }


# what could be opened

_NOTHING: Row = dict.fromkeys(
    (
        "available",
        "maxOpen",
        "buyOpenCost",
        "sellOpenCost",
        "maxBuyOpen",
        "maxSellOpen",
        "maxBuyAvailable",
        "maxSellAvailable",
    ),
    "",
)


@signed_post("account/max-open-available", 5)
def max_open(call: Call) -> object:
    """The documents say POST, some clients GET: it is served either way."""
    found, state = traded(call)
    params, account = call.params, call.account
    side = params.choice("side", Side)
    kind = params.choice("orderType", OrderType)
    price = params.need_decimal("price") if kind is OrderType.LIMIT else None
    if price is not None and price <= 0:
        raise refusal("400172", "price")
    if found is Category.SPOT:
        coin = state.spec.quote if side is Side.BUY else state.spec.base
        return _NOTHING | {"available": text(max(ZERO, spot.free(call.engine.core, account, coin)))}
    size = params.decimal("size")
    row = _NOTHING | {"available": text(max(ZERO, call.engine.funds(account).free))}
    for name, held in (("Buy", PositionSide.LONG), ("Sell", PositionSide.SHORT)):
        opens = call.engine.max_open(account, Wanted(state.symbol, held, price))
        row[f"max{name}Open"] = text(opens)
        row[f"max{name}Available"] = text(opens + _closable(account, state, held))
        if size:
            row[f"{name.lower()}OpenCost"] = text(_cost(account, state, held, price, size))
    return row


@signed_get("account/max-open-available", 5)
def max_open_by_get(call: Call) -> object:
    return max_open(call)


def _closable(account: Account, state: MarketState, opened: PositionSide) -> Decimal:
    """In one-way mode an order closes the opposite position before it opens one."""
    if account.record.position_mode is PositionMode.HEDGE:
        return ZERO
    held = account.netted(state.symbol)
    return held.size if held is not None and held.side is not opened else ZERO


def _cost(
    account: Account, state: MarketState, side: PositionSide, price: Decimal | None, size: Decimal
) -> Decimal:
    """Margin and opening fee of ``size``, in quote currency."""
    best = state.book.best_ask if side is PositionSide.LONG else state.book.best_bid
    at = price or (best[0] if best else state.last)
    chosen = account.settings(state.spec)
    value = times(at, size)
    margin = divided(value, Decimal(chosen.leverage(chosen.margin_mode, side)))
    return margin + times(value, state.spec.taker_fee)
