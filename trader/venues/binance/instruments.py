"""``exchangeInfo`` as instruments.

Steps and limits come from the filters; a market order must pass those of ``MARKET_LOT_SIZE`` too. Fees are
those of a new user, and the largest leverage is the venue's own: both depend on the account and are not told here.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.instrument import Instrument, InstrumentStatus, Market, Venue, instrument_id
from shared.errors import ProtocolError
from trader.venues.binance import wire
from trader.venues.coins import base_coin
from trader.venues.model import Contracts
from trader.venues.numbers import is_multiple, positive, unsigned
from trader.venues.strict import decode, word

MAX_LEVERAGE = 125
TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")

STATUS = {
    "PENDING_TRADING": InstrumentStatus.PENDING,
    "TRADING": InstrumentStatus.TRADING,
    "PRE_SETTLE": InstrumentStatus.REDUCE_ONLY,
    "SETTLING": InstrumentStatus.HALTED,
    "PRE_DELIVERING": InstrumentStatus.REDUCE_ONLY,
    "DELIVERING": InstrumentStatus.HALTED,
    "DELIVERED": InstrumentStatus.GONE,
    "CLOSE": InstrumentStatus.GONE,
}


class _Filter(wire.Wire):
    filter_type: str
    tick_size: str = ""
    step_size: str = ""
    min_qty: str = ""
    max_qty: str = ""
    notional: str = ""


class _Contract(wire.Wire):
    symbol: str
    contract_type: str
    status: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    onboard_date: int
    filters: list[_Filter]


class _Info(wire.Wire):
    symbols: list[msgspec.Raw]


class _Bracket(wire.Wire):
    initial_leverage: int


class _Brackets(wire.Wire):
    symbol: str
    brackets: list[_Bracket]


_INFO = msgspec.json.Decoder(_Info)
_ROW = msgspec.json.Decoder(_Contract)
_BRACKETS = msgspec.json.Decoder(list[_Brackets])


def parse_contracts(body: bytes, status: int) -> Contracts:
    """Perpetuals in USDT; delivery, stock and other contracts and coins are left out silently."""
    instruments: dict[str, Instrument] = {}
    problems: list[str] = []
    for row in wire.data_of(body, status, _INFO).symbols:
        symbol = "a contract"
        try:
            contract = decode(_ROW, row, "a contract")
            symbol = contract.symbol
            if (contract.contract_type, contract.quote_asset, contract.margin_asset) == (
                "PERPETUAL",
                "USDT",
                "USDT",
            ):
                _add(instruments, _instrument(contract))
        except ProtocolError as error:
            problems.append(f"{symbol[:40]}: {error}")
    return Contracts(list(instruments.values()), problems)


def parse_leverages(body: bytes, status: int) -> dict[str, int]:
    """The largest leverage of each symbol."""
    found = {}
    for row in wire.data_of(body, status, _BRACKETS):
        if not row.brackets:
            raise ProtocolError(f"{row.symbol[:40]}: no leverage brackets")
        found[row.symbol] = max(bracket.initial_leverage for bracket in row.brackets)
    return found


def _add(instruments: dict[str, Instrument], instrument: Instrument) -> None:
    other = instruments.get(instrument.id)
    if other is not None:
        raise ProtocolError(f"the same instrument as {other.symbol}")
    instruments[instrument.id] = instrument


def _instrument(contract: _Contract) -> Instrument:
    filters = {each.filter_type: each for each in contract.filters}
    try:
        price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
        market, notional = filters["MARKET_LOT_SIZE"], filters["MIN_NOTIONAL"]
    except KeyError as missing:
        raise ProtocolError(f"no filter {missing.args[0]}") from None
    if not contract.base_asset or contract.base_asset != contract.base_asset.strip():
        raise ProtocolError(f"not a coin: {contract.base_asset[:40]!r}")
    coin, multiplier = base_coin(contract.base_asset)
    return Instrument(
        id=instrument_id(Venue.BINANCE, Market.PERP, coin, contract.quote_asset),
        venue=Venue.BINANCE,
        market=Market.PERP,
        symbol=wire.symbol(contract.symbol),
        base=coin,
        quote=contract.quote_asset,
        tick=positive(price.tick_size, "tickSize"),
        step=_step(lot, market),
        min_size=max(unsigned(lot.min_qty, "minQty"), unsigned(market.min_qty, "minQty")),
        min_notional=unsigned(notional.notional, "notional"),
        max_market_size=unsigned(market.max_qty, "maxQty"),
        max_leverage=MAX_LEVERAGE,
        taker_fee=TAKER_FEE,
        maker_fee=MAKER_FEE,
        multiplier=multiplier,
        status=word(STATUS, contract.status, "status"),
        open_ns=wire.stamp_ns(contract.onboard_date, "onboardDate"),
    )


def _step(lot: _Filter, market: _Filter) -> Decimal:
    """A size that both kinds of order take. 0 in the market filter means that it has no step of its own."""
    one, other = positive(lot.step_size, "stepSize"), unsigned(market.step_size, "stepSize")
    if other == 0:
        return one
    coarse, fine = max(one, other), min(one, other)
    if not is_multiple(coarse, fine):
        raise ProtocolError(f"the steps of market and limit orders do not fit: {other} and {one}")
    return coarse
