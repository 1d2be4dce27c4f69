"""Money that comes in from outside, and money that moves between the two wallets of an account."""

from __future__ import annotations

import re
from decimal import Decimal

from trader.paper.engine import checks, spot
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import FUTURES_WALLET, QUOTE_COIN, SPOT_WALLET, Kind
from trader.paper.engine.money import ZERO, decimals, negated, text
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.engine.spot_model import Transfer

#: Coins that one account may hold.
MOST_COINS = 200
#: Decimals of an amount that is transferred.
_PLACES = 8
_COIN = re.compile(r"[0-9A-Z]{1,20}\Z")


def check_deposit(account: Account | None, wallet: str, coin: str, amount: Decimal) -> None:
    """The futures wallet takes USDT only, but one wallet takes all."""
    if wallet not in (FUTURES_WALLET, SPOT_WALLET):
        raise Refused(Reason.BAD_VALUE, "wallet")
    if account is not None:
        wallet = account.record.home(wallet, coin)
    if not _COIN.match(coin) or (wallet == FUTURES_WALLET and coin != QUOTE_COIN):
        raise Refused(Reason.BAD_VALUE, "coin")
    checks.number(amount, "amount")
    held = account.record.spot if account is not None else {}
    if wallet == SPOT_WALLET and coin not in held and len(held) >= MOST_COINS:
        raise Refused(Reason.BAD_VALUE, "coin")


def deposit(core: Core, account: Account, wallet: str, coin: str, amount: Decimal) -> None:
    """From outside; zero is none."""
    core.post(account, Kind.DEPOSIT, account.id, "", amount, coin=coin, wallet=wallet)
    if account.record.home(wallet, coin) == SPOT_WALLET and amount:
        spot.bill(core, account, coin, amount, group="deposit", business="deposit")


def transfer(
    core: Core, account: Account, source: str, target: str, amount: Decimal, *, client_id: str
) -> Transfer:
    """USDT between futures and spot. From futures goes what no margin binds, from spot what no order locks.

    An account with one wallet has nothing to move between.
    """
    if account.record.unified:
        raise Refused(Reason.ONE_WALLET)
    if client_id:
        checks.well_formed(account, client_id)
        if core.store.spot.transfers(account.id, SpotQuery(client_id=client_id, limit=1)):
            raise Refused(Reason.DUPLICATE_CLIENT_ID, client_id)
    checks.number(amount, "amount")
    if not amount:
        raise Refused(Reason.BAD_VALUE, "amount")
    if decimals(amount) > _PLACES:
        raise Refused(Reason.SIZE_DECIMALS, str(_PLACES))
    if source == SPOT_WALLET:
        free, short = account.spot.available(QUOTE_COIN), Reason.NO_BALANCE
    else:
        free, short = account.funds(core.mark).free, Reason.ABOVE_BALANCE
    if amount > free:
        raise Refused(short, text(max(ZERO, free)))
    done = Transfer(
        id=core.next_id(),
        account=account.id,
        client_id=client_id,
        coin=QUOTE_COIN,
        amount=amount,
        source=source,
        target=target,
        ns=core.now_ns,
    )
    core.post(account, Kind.TRANSFER_OUT, done.id, "", negated(amount), wallet=source)
    core.post(account, Kind.TRANSFER_IN, done.id, "", amount, wallet=target)
    size, business = (amount, "transfer_in") if target == SPOT_WALLET else (negated(amount), "transfer_out")
    spot.bill(core, account, QUOTE_COIN, size, group="transfer", business=business)
    core.batch.spot.transfers.append(done)
    return done
