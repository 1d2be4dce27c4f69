"""Signed calls around the spot wallet: coins, statement, transfers, and what all wallets are worth."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from trader.paper.engine.money import ZERO, text
from trader.paper.engine.spot import in_usdt
from trader.paper.faces.bitget import spot_shapes
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.shapes import COIN
from trader.paper.faces.bitget.spot_calls import page, spot_get, spot_post

_WALLETS = {name: wallet for wallet, name in spot_shapes.WALLETS.items()}


class _AssetType(StrEnum):
    HELD = "hold_only"
    ALL = "all"


class _Account(StrEnum):
    """Every account type of the venue; money moves between spot and USDT futures only."""

    SPOT = "spot"
    P2P = "p2p"
    COIN_FUTURES = "coin_futures"
    USDT_FUTURES = "usdt_futures"
    USDC_FUTURES = "usdc_futures"
    CROSSED = "crossed_margin"
    ISOLATED = "isolated_margin"


@spot_get("/api/v2/spot/account/assets")
def assets(call: Call) -> object:
    """Coins that are held (USDT always), or with ``assetType`` all every coin that is traded here."""
    wanted, account = call.params.text("coin").upper(), call.account
    everything = call.params.choice("assetType", _AssetType, _AssetType.HELD) is _AssetType.ALL
    known = {coin for coin, total in account.record.spot.items() if total} | {COIN}
    if everything or wanted:
        states = call.hub.states.values()
        known |= {coin for state in states for coin in (state.spec.base, state.spec.quote)}
    return [spot_shapes.asset_row(account, coin) for coin in sorted(known) if wanted in {"", coin}]


@spot_get("/api/v2/spot/account/bills")
def bills(call: Call) -> object:
    """The statement, newest first, by coin, group and business."""
    params = call.params
    query = msgspec.structs.replace(
        page(params, 100, 500),
        symbol="",
        order_id=0,
        coin=params.text("coin").upper(),
        group=params.text("groupType").lower(),
        business=params.text("businessType").lower().replace("-", "_"),
    )
    return [spot_shapes.bill_row(bill) for bill in call.engine.spot.store.bills(call.account.id, query)]


@spot_post("/api/v2/spot/wallet/transfer")
def transfer(call: Call) -> object:
    """USDT between spot and usdt_futures; a client id that was used already is refused."""
    params = call.params
    source, target = params.choice("fromType", _Account), params.choice("toType", _Account)
    if source.value not in _WALLETS:
        raise refusal("40020", "fromType")
    if target.value not in _WALLETS or target is source:
        raise refusal("40020", "toType")
    if params.need("coin").upper() != COIN:
        raise refusal("40020", "coin")
    done = call.engine.spot.transfer(
        call.account,
        _WALLETS[source.value],
        _WALLETS[target.value],
        params.need_decimal("amount"),
        params.text("clientOid"),
    )
    return {"transferId": str(done.id), "clientOid": done.client_id}


@spot_get("/api/v2/spot/account/transferRecords", 20)
def transfer_records(call: Call) -> object:
    params = call.params
    source = params.choice("fromType", _Account).value if params.text("fromType") else ""
    query = msgspec.structs.replace(
        page(params, 100, 500),
        symbol="",
        order_id=0,
        coin=params.text("coin").upper(),
        source=_WALLETS.get(source, source),
        client_id=params.text("clientOid"),
    )
    found = call.engine.spot.store.transfers(call.account.id, query)
    return [spot_shapes.transfer_row(done) for done in found]


@spot_get("/api/v2/spot/wallet/transfer-coin-info")
def transfer_coins(call: Call) -> object:
    """What may be transferred between two account types."""
    source, target = call.params.choice("fromType", _Account), call.params.choice("toType", _Account)
    return [COIN] if {source.value, target.value} == set(_WALLETS) else []


@spot_get("/api/v2/account/all-account-balance", 1)
def all_balances(call: Call) -> object:
    """What each wallet is worth in USDT; coins without a price count nothing."""
    account = call.account
    worth = ZERO
    for coin, total in account.record.spot.items():
        worth += in_usdt(call.engine.core, coin, total) or ZERO
    values = {"spot": worth, "futures": call.engine.funds(account).equity}
    return [
        {"accountType": name, "usdtBalance": text(values.get(name, ZERO))}
        for name in ("spot", "futures", "funding", "earn", "bots", "margin")
    ]


@spot_get("/api/v2/account/funding-assets")
def funding_assets(call: Call) -> object:
    """There is no funding account here, so it holds nothing."""
    del call
    return []


@spot_get("/api/v2/spot/account/deduct-info", 5)
def deduction(call: Call) -> object:
    """Fees are never paid in another coin here."""
    del call
    return {"deduct": "off"}
