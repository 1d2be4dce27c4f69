"""The stream sockets: market streams and user data, on the three paths and on the legacy roots.

{"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}   ->   {"result": null, "id": 1}
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from trader.paper.door import Door
from trader.paper.engine.batch import Batch
from trader.paper.faces.binance import streampaths, userdata, userevents
from trader.paper.faces.binance.feed import Feed
from trader.paper.faces.binance.listenkeys import ListenKeys
from trader.paper.faces.binance.margincalls import MarginCalls
from trader.paper.faces.binance.orderwords import LIQUIDATIONS
from trader.paper.faces.binance.rest import RestFace
from trader.paper.faces.binance.sockets import SocketFace
from trader.paper.faces.binance.streamsocket import StreamConnection
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.faults.wire import Wire
from trader.paper.market import BookChanged, MarketEvent

log = logging.getLogger(__name__)

_JUDGE_S = 0.2


class StreamFace(SocketFace):
    """All stream sockets; hears the market and the engine."""

    def __init__(self, rest: RestFace, door: Door, limits: VenueLimits) -> None:
        super().__init__(door, limits)
        self.engine = rest.engine
        self.keys: ListenKeys = rest.keys
        self.feed = Feed(rest.hub, door.wall.now_ms)
        self.private: dict[int, dict[StreamConnection, None]] = {}
        self._chronicle = userdata.Chronicle(rest.engine, door.wall.now_ms)
        self._calls = MarginCalls(rest.engine)
        self._judging: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.keys.on_end = self._ended
        self.engine.listen(self._on_stored)
        rest.hub.subscribe(self._on_market)
        door.passing_secrets.append(lambda: self.keys.all)

    def connection(
        self, request: web.Request, socket: web.WebSocketResponse, wire: Wire
    ) -> StreamConnection | None:
        wanted = streampaths.read(request.raw_path)
        most = self.limits.binance_ws_streams
        if wanted is None or (most and len(wanted.names) > most):
            return None
        return StreamConnection(self, self, socket, wire, wanted)

    async def close(self) -> None:
        for timer in (self._expiry, self._judging):
            if timer is not None:
                timer.cancel()
        await super().close()

    # user data

    def listen(self, account: int, connection: StreamConnection) -> None:
        self.private.setdefault(account, {})[connection] = None
        self._chronicle.begin(account)
        self.watch_keys()

    def unlisten(self, account: int, connection: StreamConnection) -> None:
        listeners = self.private.get(account, {})
        listeners.pop(connection, None)
        if not listeners:
            self.private.pop(account, None)
            self._chronicle.end(account)

    def watch_keys(self) -> None:
        """Look for expired keys when the first of them may be, as long as somebody listens."""
        if self.private and self._expiry is None:
            # a moment later than due, so that what is due is over
            delay = self.keys.soonest_s() + 0.005
            self._expiry = asyncio.get_running_loop().call_later(delay, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self.keys.expire()
        self.watch_keys()

    def _ended(self, key: str, account: int, expired: bool) -> None:
        for connection in list(self.private.get(account, ())):
            if expired:
                connection.push(key, account, userevents.listen_key_expired(key, self.door.wall.now_ms()))
            connection.key_ended(key)

    def _on_stored(self, batches: list[Batch]) -> None:
        for batch in batches:
            for order in batch.orders.values():
                if order.source in LIQUIDATIONS and order.filled and not order.live:
                    self.feed.liquidated(order)
        try:
            told = self._chronicle.of(batches)
        except Exception:  # what is stored stays done, whatever becomes of its push
            self.failures += 1
            log.exception("user data could not be told")
            return
        for number, events in told.items():
            for connection in list(self.private[number]):
                for event in events:
                    connection.push("", number, event)
                connection.outbox.check()

    # warnings

    def _on_market(self, event: MarketEvent) -> None:
        """Prices move: look at who listens, soon and once for many moves."""
        if self.private and self._judging is None and isinstance(event, BookChanged):
            self._judging = asyncio.get_running_loop().call_later(_JUDGE_S, self._judge)

    def _judge(self) -> None:
        self._judging = None
        for number, warning in self._calls.of(list(self.private), self.door.wall.now_ms()):
            for connection in list(self.private[number]):
                connection.push("", number, warning)
