"""Money and modes."""

from __future__ import annotations

import msgspec

from shared.errors import ProtocolError
from trader.net.response import Response
from trader.venues.binance import read, requests, wire
from trader.venues.dialect import Ask
from trader.venues.model import AccountReport, PositionMode
from trader.venues.numbers import number

COIN = "USDT"


class _Asset(wire.Wire):
    asset: str
    margin_balance: str
    available_balance: str
    unrealized_profit: str


class _Account(wire.Wire):
    assets: list[_Asset]


class _AccountConfig(wire.Wire):
    dual_side_position: bool


_ACCOUNT = msgspec.json.Decoder(_Account)
_ACCOUNT_CONFIG = msgspec.json.Decoder(_AccountConfig)
_CONFIGS = msgspec.json.Decoder(list[wire.ConfigWire])


async def money(ask: Ask) -> AccountReport:
    """Equity counts what isolated positions stand at, which the list of balances does not."""
    return parse_money(await ask(requests.account()))


def parse_money(answer: Response) -> AccountReport:
    for row in wire.data_of(answer.body, answer.status, _ACCOUNT).assets:
        if row.asset == COIN:
            available = number(row.available_balance, "availableBalance")
            return AccountReport(
                coin=COIN,
                equity=number(row.margin_balance, "marginBalance"),
                available=available,
                max_isolated=available,
                max_crossed=available,
                unrealized=number(row.unrealized_profit, "unrealizedProfit"),
            )
    raise ProtocolError(f"the exchange tells no {COIN} account")


async def modes(ask: Ask, symbol: str, report: AccountReport) -> AccountReport:
    """The report with the account's position mode, and the margin mode and leverage of one symbol."""
    answer = await ask(requests.account_config())
    dual = wire.data_of(answer.body, answer.status, _ACCOUNT_CONFIG).dual_side_position
    config = (await configs(ask, symbol)).get(symbol)
    if config is None:
        raise ProtocolError(f"the exchange tells no margin mode of {symbol[:40]}")
    return msgspec.structs.replace(
        report,
        position_mode=PositionMode.HEDGE if dual else PositionMode.ONE_WAY,
        margin_mode=read.margin_mode(config),
        crossed_leverage=config.leverage,
        long_leverage=config.leverage,
        short_leverage=config.leverage,
    )


async def configs(ask: Ask, symbol: str = "") -> dict[str, wire.ConfigWire]:
    """Margin mode and leverage by symbol."""
    answer = await ask(requests.symbol_config(symbol))
    return {row.symbol: row for row in wire.data_of(answer.body, answer.status, _CONFIGS)}
