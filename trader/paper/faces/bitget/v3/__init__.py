"""Bitget's unified account: the calls under ``/api/v3``."""

from trader.paper.faces.bitget.v3 import (
    account,
    bills,
    lists,
    market,
    orders,
    positions,
    settings,
    strategy,
)

#: Importing them enters their routes.
HANDLERS = (account, bills, lists, market, orders, positions, settings, strategy)
