"""python-binance without its one import of a deprecated package, and pointed at an exchange here."""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    # it asks ``websockets`` for the protocol class of its ``legacy`` package, when it is imported and never again
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="websockets|binance")
    warnings.filterwarnings("ignore", message="websockets.legacy is deprecated", category=DeprecationWarning)
    from binance import AsyncClient, BinanceSocketManager
    from binance.exceptions import BinanceAPIException
    from binance.ws.reconnecting_websocket import ReconnectingWebsocket

#: How often its sockets look whether they are to end: a closing one waits that long.
ReconnectingWebsocket.TIMEOUT = 0.2

__all__ = ["AsyncClient", "BinanceAPIException", "BinanceSocketManager", "client", "sockets"]


def client(ready: dict[str, Any], account: dict[str, Any]) -> AsyncClient:
    """Made without ``create``, whose first call goes to the spot exchange."""
    at = ready["binance"]
    made = AsyncClient(account["key"], account["secret"])
    made.FUTURES_URL = f"{at['rest']}/fapi"
    made.FUTURES_DATA_URL = f"{at['rest']}/futures/data"
    made.ws_future._url = at["ws_api"]
    return made


def sockets(ready: dict[str, Any], made: AsyncClient) -> BinanceSocketManager:
    found = BinanceSocketManager(made)
    found.FSTREAM_URL = f"{ready['binance']['streams']}/"
    return found
