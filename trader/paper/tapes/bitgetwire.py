"""What Bitget's public market data looks like, and what of it the paper exchange takes over.

Decimals are text, an empty text means "not set", times are milliseconds as text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

import aiohttp
import msgspec

from shared.errors import TapeError
from trader.paper.book import TextLevel
from trader.paper.contract import FUTURES, ContractSpec, tiers_for
from trader.paper.market import Status

T = TypeVar("T")

MAX_BODY = 16_000_000
"""bytes: no answer is read beyond this"""
PRODUCT = "USDT-FUTURES"
STATUS: dict[str, Status] = {
    "listed": "pre_open", "normal": "open", "maintain": "maintain", "limit_open": "limit_open",
    "restrictedAPI": "maintain", "off": "off",
}  # fmt: skip


class Contract(msgspec.Struct, rename="camel"):
    """A row of ``/api/v2/mix/market/contracts``: decimals as text, "" for unset."""

    symbol: str
    base_coin: str
    quote_coin: str
    price_place: str
    price_end_step: str
    size_multiplier: str
    min_trade_num: str
    min_trade_usdt: str = msgspec.field(name="minTradeUSDT", default="5")
    maker_fee_rate: str = "0.0002"
    taker_fee_rate: str = "0.0006"
    buy_limit_price_ratio: str = "0.05"
    sell_limit_price_ratio: str = "0.05"
    symbol_type: str = "perpetual"
    symbol_status: str = "normal"
    fund_interval: str = "8"
    max_lever: str = "50"
    max_market_order_qty: str | None = None
    max_order_qty: str | None = None
    open_time: str | None = None
    launch_time: str | None = None


class Ticker(msgspec.Struct, rename="camel"):
    """Fields that REST and websocket tickers share."""

    last_pr: str
    symbol: str = ""
    inst_id: str = ""
    mark_price: str | None = None
    index_price: str | None = None
    funding_rate: str | None = None
    next_funding_time: str | None = None
    base_volume: str | None = None
    usdt_volume: str | None = None
    quote_volume: str | None = None
    high24h: str | None = None
    low24h: str | None = None


class Depth(msgspec.Struct):
    asks: list[TextLevel]
    bids: list[TextLevel]


class Trade(msgspec.Struct, rename="camel"):
    price: str
    size: str
    side: str
    trade_id: str = ""


class Envelope(msgspec.Struct):
    code: str
    msg: str | None = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Arg(msgspec.Struct, rename="camel"):
    channel: str = ""
    inst_id: str = ""


class Push(msgspec.Struct):
    event: str = ""
    action: str = ""
    arg: Arg | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    code: int | str = ""
    msg: str = ""


async def get(session: aiohttp.ClientSession, url: str) -> bytes:
    """``data`` of a successful answer; ``TapeError`` for anything else."""
    try:
        async with session.get(url) as response:
            body = await response.content.read(MAX_BODY)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TapeError(
            f"{url.partition('?')[0]} does not answer ({str(error) or type(error).__name__})"
        ) from None
    envelope = decode(body, Envelope, url.partition("?")[0])
    if envelope.code != "00000":
        raise TapeError(f"{url.partition('?')[0]} answers {envelope.code}: {envelope.msg}")
    return bytes(envelope.data)


def decode(body: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise TapeError(f"{what}: not the documented answer ({error})") from None


def spec_of(row: Contract) -> ContractSpec:
    """``ValueError`` or ``ArithmeticError`` for numbers that are none."""
    leverage = max(1, int(row.max_lever))
    opens = row.open_time or row.launch_time or "0"
    largest = Decimal(row.max_order_qty or "0") or Decimal(10_000_000)
    return ContractSpec(
        symbol=row.symbol,
        market=FUTURES,
        base=row.base_coin,
        quote=row.quote_coin,
        tick=Decimal(row.price_end_step) * Decimal(1).scaleb(-int(row.price_place)),
        step=Decimal(row.size_multiplier),
        min_size=Decimal(row.min_trade_num),
        min_notional=Decimal(row.min_trade_usdt or "5"),
        max_market_size=Decimal(row.max_market_order_qty or "0") or largest,
        max_size=largest,
        taker_fee=Decimal(row.taker_fee_rate),
        maker_fee=Decimal(row.maker_fee_rate),
        max_leverage=leverage,
        tiers=tiers_for(leverage),
        funding_interval_h=max(1, int(row.fund_interval)),
        buy_limit_ratio=Decimal(row.buy_limit_price_ratio),
        sell_limit_ratio=Decimal(row.sell_limit_price_ratio),
        open_time_ms=max(0, int(opens)),
    )


def volatility_of(ticker: Ticker) -> float:
    """From the day's range, as a standard deviation (Parkinson's factor 1.665)."""
    low, high = as_float(ticker.low24h), as_float(ticker.high24h)
    return max(0.005, (high / low - 1) / 1.665) if low > 0 and high > low else 0.05


def as_float(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
