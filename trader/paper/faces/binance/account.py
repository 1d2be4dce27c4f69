"""Balances, the account as a whole, income."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from trader.paper import shortids
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import FUTURES_WALLET, QUOTE_COIN, Entry, Kind, MarginMode, PositionMode
from trader.paper.engine.money import text
from trader.paper.faces.binance import brackets, exposure, numbers
from trader.paper.faces.binance.calls import Call, signed
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.exposure import Exposure, Stake
from trader.paper.faces.binance.numbers import money, ms, rounded
from trader.paper.faces.binance.positions import plain
from trader.paper.faces.binance.spans import span

_INCOME_DAYS = 7
_CHUNK = 1000
_ALIAS_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

_INCOME = {
    Kind.DEPOSIT: "TRANSFER",
    Kind.TRANSFER_IN: "TRANSFER",
    Kind.TRANSFER_OUT: "TRANSFER",
    Kind.REALISED_PNL: "REALIZED_PNL",
    Kind.FUNDING: "FUNDING_FEE",
    Kind.OPEN_FEE: "COMMISSION",
    Kind.CLOSE_FEE: "COMMISSION",
    Kind.LIQUIDATION_FEE: "INSURANCE_CLEAR",
    Kind.INSURANCE: "INSURANCE_CLEAR",
}
_INCOME_TYPES = frozenset(
    {
        "TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "COMMISSION", "INSURANCE_CLEAR",
        "REFERRAL_KICKBACK", "COMMISSION_REBATE", "API_REBATE", "CONTEST_REWARD", "CROSS_COLLATERAL_TRANSFER",
        "OPTIONS_PREMIUM_FEE", "OPTIONS_SETTLE_PROFIT", "INTERNAL_TRANSFER", "AUTO_EXCHANGE",
        "DELIVERED_SETTELMENT", "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "POSITION_LIMIT_INCREASE_FEE",
        "STRATEGY_UMFUTURES_TRANSFER", "FEE_RETURN", "BFUSD_REWARD",
    }
)  # fmt: skip
#: Lines whose reference is a trade.
_OF_TRADES = frozenset({Kind.REALISED_PNL, Kind.OPEN_FEE, Kind.CLOSE_FEE})


def _alias(account: Account) -> str:
    """A short name, as the venue gives each account one."""
    number, letters = account.id + 10_000, ""
    while number:
        number, at = divmod(number, len(_ALIAS_LETTERS))
        letters += _ALIAS_LETTERS[at]
    return letters


def _updated(engine: Engine, account: Account) -> int:
    """Milliseconds of the last line of the ledger."""
    newest = engine.entries(account, account.record.seq - 1, 1) if account.record.seq else []
    return ms(newest[-1].ns) if newest else 0


@signed("GET", "/fapi/v3/balance", 5)
def balance(call: Call) -> object:
    found = exposure.measure(call.engine, call.account)
    return [
        {
            "accountAlias": _alias(call.account),
            "asset": QUOTE_COIN,
            "balance": money(found.funds.wallet),
            "crossWalletBalance": money(found.cross_wallet),
            "crossUnPnl": money(found.funds.crossed_unrealised),
            "availableBalance": money(found.free),
            "maxWithdrawAmount": money(found.free),
            "marginAvailable": True,
            "updateTime": _updated(call.engine, call.account),
        }
    ]


@signed("GET", "/fapi/v2/balance", 5)
def balance_v2(call: Call) -> object:
    return balance(call)


@signed("GET", "/fapi/v3/account", 5)
def account_info(call: Call) -> object:
    """Positions: only what has one or an order."""
    found = exposure.measure(call.engine, call.account)
    return {
        **_totals(found),
        "assets": [_asset(call, found)],
        "positions": [_position(stake) for stake in found.stakes],
    }


def _totals(found: Exposure) -> dict[str, object]:
    funds = found.funds
    return {
        "totalInitialMargin": rounded(found.initial + funds.locked),
        "totalMaintMargin": rounded(found.maintenance),
        "totalWalletBalance": money(funds.wallet),
        "totalUnrealizedProfit": money(found.unrealised),
        "totalMarginBalance": money(funds.equity),
        "totalPositionInitialMargin": rounded(found.initial),
        "totalOpenOrderInitialMargin": rounded(funds.locked),
        "totalCrossWalletBalance": money(found.cross_wallet),
        "totalCrossUnPnl": money(funds.crossed_unrealised),
        "availableBalance": money(found.free),
        "maxWithdrawAmount": money(found.free),
    }


def _asset(call: Call, found: Exposure) -> dict[str, object]:
    funds = found.funds
    return {
        "asset": QUOTE_COIN,
        "walletBalance": money(funds.wallet),
        "unrealizedProfit": money(found.unrealised),
        "marginBalance": money(funds.equity),
        "maintMargin": rounded(found.maintenance),
        "initialMargin": rounded(found.initial + funds.locked),
        "positionInitialMargin": rounded(found.initial),
        "openOrderInitialMargin": rounded(funds.locked),
        "crossWalletBalance": money(found.cross_wallet),
        "crossUnPnl": money(funds.crossed_unrealised),
        "availableBalance": money(found.free),
        "maxWithdrawAmount": money(found.free),
        "updateTime": _updated(call.engine, call.account),
    }


def _position(stake: Stake) -> dict[str, object]:
    isolated = stake.wallet + stake.unrealised if stake.isolated else stake.wallet
    return {
        "symbol": stake.spec.symbol,
        "positionSide": stake.side,
        "positionAmt": numbers.size(stake.spec, stake.amount),
        "unrealizedProfit": rounded(stake.unrealised),
        "isolatedMargin": rounded(isolated),
        "notional": text(stake.notional),
        "isolatedWallet": rounded(stake.wallet) if stake.wallet else "0",
        "initialMargin": rounded(stake.initial + stake.reserved),
        "maintMargin": rounded(stake.maintenance),
        "updateTime": ms(stake.position.updated_ns) if stake.position else 0,
    }


@signed("GET", "/fapi/v2/account", 5)
def account_info_v2(call: Call) -> object:
    """Positions of every symbol."""
    found = exposure.measure(call.engine, call.account, [state.spec for state in call.states()])
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **_totals(found),
        "assets": [_asset(call, found) | {"marginAvailable": True}],
        "positions": [_position_v2(stake) for stake in found.stakes],
    }


def _position_v2(stake: Stake) -> dict[str, object]:
    spec = stake.spec
    return {
        "symbol": spec.symbol,
        "initialMargin": rounded(stake.initial + stake.reserved),
        "maintMargin": rounded(stake.maintenance),
        "unrealizedProfit": rounded(stake.unrealised),
        "positionInitialMargin": rounded(stake.initial),
        "openOrderInitialMargin": rounded(stake.reserved),
        "leverage": str(stake.leverage),
        "isolated": stake.margin_mode is MarginMode.ISOLATED,
        "entryPrice": plain(spec, stake.position.entry) if stake.position else plain(spec, stake.amount),
        "maxNotional": text(brackets.largest(spec, stake.leverage)),
        "bidNotional": text(stake.bids),
        "askNotional": text(stake.asks),
        "positionSide": stake.side,
        "positionAmt": numbers.size(spec, stake.amount),
        "updateTime": ms(stake.position.updated_ns) if stake.position else 0,
    }


@signed("GET", "/fapi/v1/accountConfig", 5)
def account_config(call: Call) -> object:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.record.position_mode is PositionMode.HEDGE,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


# income


@signed("GET", "/fapi/v1/income", 30)
def income(call: Call) -> object:
    """The ledger, oldest first: from a named start on, else the newest lines of the last 7 days."""
    params = call.params
    kind, limit, page = params.text("incomeType"), params.limit(100, 1000), params.integer("page", 1)
    if kind and kind not in _INCOME_TYPES:
        raise refusal(-1130, "incomeType")
    if not 1 <= page <= 100_000:
        raise refusal(-1130, "page")
    since, until = span(call, 0, _INCOME_DAYS)
    symbol, wanted, skip = params.text("symbol").upper(), limit * page, limit * (page - 1)
    forward = bool(params.time("startTime"))
    found: list[Entry] = []
    for entry in _lines(call.engine, call.account, since, until, forward=forward):
        if (not kind or _INCOME[entry.kind] == kind) and symbol in ("", entry.symbol):
            found.append(entry)
            if len(found) == wanted:
                break
    rows = [_income_row(entry) for entry in found[skip:]]
    return rows if forward else rows[::-1]


def _income_row(entry: Entry) -> dict[str, object]:
    kind = _INCOME[entry.kind]
    return {
        "symbol": entry.symbol,
        "incomeType": kind,
        "income": money(entry.amount),
        "asset": entry.coin,
        "info": kind,
        "time": ms(entry.ns),
        "tranId": entry.seq,
        "tradeId": str(shortids.shown(int(entry.ref))) if entry.kind in _OF_TRADES else "",
    }


def _lines(engine: Engine, account: Account, since: int, until: int, *, forward: bool) -> Iterator[Entry]:
    """The futures wallet's ledger lines between two times, oldest (or newest) first, read piece by piece."""
    last = account.record.seq
    numbers_of_lines = range(1, last + 1)

    def ns_of(number: int) -> int:
        return engine.entries(account, number - 1, 1)[0].ns

    low = bisect_left(numbers_of_lines, since, key=ns_of) + 1 if since and last else 1
    high = bisect_left(numbers_of_lines, until + 1, key=ns_of) if until and last else last
    starts = range(low - 1, high, _CHUNK)
    for start in starts if forward else reversed(starts):
        lines = engine.entries(account, start, min(_CHUNK, high - start))
        for entry in lines if forward else reversed(lines):
            if entry.wallet == FUTURES_WALLET:
                yield entry
