"""The contract list as instruments.

``tick`` = priceEndStep x 10^-pricePlace. ``step`` = sizeMultiplier, or one unit of the last decimal
that volumePlace allows when that is coarser.
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from shared.domain.instrument import Instrument, InstrumentStatus, Market, Venue, instrument_id
from shared.errors import ProtocolError
from trader.venues.bitget import wire
from trader.venues.coins import base_coin
from trader.venues.model import Contracts
from trader.venues.numbers import is_multiple, optional_price, positive, stamp_ns, unsigned, whole

_COIN = re.compile(r"[0-9A-Z]{1,30}")
_MAX_PLACES = 20

STATUS = {
    "listed": InstrumentStatus.PENDING,
    "normal": InstrumentStatus.TRADING,
    "maintain": InstrumentStatus.HALTED,
    "limit_open": InstrumentStatus.REDUCE_ONLY,
    "restrictedAPI": InstrumentStatus.HALTED,
    "off": InstrumentStatus.GONE,
}


class _Contract(wire.Wire):
    symbol: str
    base_coin: str
    quote_coin: str
    maker_fee_rate: str
    taker_fee_rate: str
    min_trade_num: str
    price_end_step: str
    volume_place: str
    price_place: str
    size_multiplier: str
    symbol_type: str
    min_notional: str = msgspec.field(name="minTradeUSDT")
    symbol_status: str = msgspec.field(name="symbolStatus")
    max_lever: str = msgspec.field(name="maxLever")
    max_market_order_qty: str | None = ""
    launch_time: str | None = ""
    open_time: str | None = ""


_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ROW = msgspec.json.Decoder(_Contract)


def parse_contracts(body: bytes, status: int) -> Contracts:
    """Read the contract list; delivery contracts and other quote coins are left out silently."""
    instruments: dict[str, Instrument] = {}
    problems: list[str] = []
    for row in wire.data_of(body, status, _ROWS):
        symbol = "a contract"
        try:
            contract = wire.decode(_ROW, row, "a contract")
            symbol = contract.symbol
            if _wanted(contract):
                _add(instruments, _instrument(contract))
        except ProtocolError as error:
            problems.append(f"{symbol[:40]}: {error}")
    return Contracts(list(instruments.values()), problems)


def _wanted(contract: _Contract) -> bool:
    if contract.symbol_type not in ("perpetual", "delivery"):
        raise ProtocolError(f"a kind of contract that is not documented: {contract.symbol_type[:40]!r}")
    return contract.symbol_type == "perpetual" and contract.quote_coin == "USDT"


def _add(instruments: dict[str, Instrument], instrument: Instrument) -> None:
    other = instruments.get(instrument.id)
    if other is not None:
        raise ProtocolError(f"the same instrument as {other.symbol}")
    instruments[instrument.id] = instrument


def _instrument(contract: _Contract) -> Instrument:
    if _COIN.fullmatch(contract.base_coin) is None or not contract.symbol:
        raise ProtocolError(f"not a coin: {contract.base_coin[:40]!r}")
    coin, multiplier = base_coin(contract.base_coin)
    return Instrument(
        id=instrument_id(Venue.BITGET, Market.PERP, coin, contract.quote_coin),
        venue=Venue.BITGET,
        market=Market.PERP,
        symbol=contract.symbol,
        base=coin,
        quote=contract.quote_coin,
        tick=_tick(contract),
        step=_step(contract),
        min_size=positive(contract.min_trade_num, "minTradeNum"),
        min_notional=unsigned(contract.min_notional, "minTradeUSDT"),
        max_market_size=optional_price(contract.max_market_order_qty or "", "maxMarketOrderQty")
        or Decimal(0),
        max_leverage=whole(contract.max_lever, "maxLever"),
        taker_fee=unsigned(contract.taker_fee_rate, "takerFeeRate"),
        maker_fee=unsigned(contract.maker_fee_rate, "makerFeeRate"),
        multiplier=multiplier,
        status=wire.word(STATUS, contract.symbol_status, "symbolStatus"),
        open_ns=stamp_ns(contract.open_time or contract.launch_time or "", "openTime"),
    )


def _tick(contract: _Contract) -> Decimal:
    return positive(contract.price_end_step, "priceEndStep").scaleb(
        -_places(contract.price_place, "pricePlace")
    )


def _step(contract: _Contract) -> Decimal:
    multiple = positive(contract.size_multiplier, "sizeMultiplier")
    decimals = Decimal(1).scaleb(-_places(contract.volume_place, "volumePlace"))
    coarse, fine = max(multiple, decimals), min(multiple, decimals)
    if not is_multiple(coarse, fine):
        raise ProtocolError(f"sizeMultiplier {multiple} does not fit {contract.volume_place} decimals")
    return coarse


def _places(text: str, name: str) -> int:
    places = whole(text, name)
    if not 0 <= places <= _MAX_PLACES:
        raise ProtocolError(f"{name} is not a number of decimals: {places}")
    return places
