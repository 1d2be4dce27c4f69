"""The paper exchange as a server: one port for REST, websockets, the control API and the notice board."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import ssl
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import trustme
from aiohttp import web

from shared.errors import PortBusyError, StartError, TapeError, UsageError
from trader.paper import symbolchange
from trader.paper.clientfaults import expect, server_log
from trader.paper.contract import FUTURES, SPOT, default_spec
from trader.paper.control.accounts import credentials, make_account
from trader.paper.control.api import Control
from trader.paper.control.faults import FaultControl
from trader.paper.control.pace import PaceControl
from trader.paper.door import Door
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind
from trader.paper.faces.binance.rest import RestFace as BinanceRest
from trader.paper.faces.binance.streampaths import ROUTES as STREAM_PATHS
from trader.paper.faces.binance.streams import StreamFace
from trader.paper.faces.binance.wsapi import PATH as WS_API_PATH
from trader.paper.faces.binance.wsapi import WsApiFace
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faces.bitget.ws import WsFace
from trader.paper.faults.wire import Wire
from trader.paper.gate import Gate
from trader.paper.latency import Latency, Ways
from trader.paper.lockstep import LockStep
from trader.paper.market import FundingDue, MarketEvent, MarketHub
from trader.paper.notices import NoticeBoard
from trader.paper.state import SqliteStore
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import open_tape

log = logging.getLogger(__name__)

START_LABEL = "start"
_KEEPALIVE_S = 75.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """``home`` is the product's home; state goes to ``home/paper``. Without one nothing survives.

    ``accounts`` accounts of one ``kind`` with ``balance`` USDT exist at start; after a restart they are the
    same ones. ``start_ns`` is where tape time starts (now, when it is not given). ``limits`` off lifts all limits of pace (benches); ``venue`` sets the limits one by one.
    """

    port: int = 9500
    tape: str = "synthetic:1"
    speed: float = 1.0
    accounts: int = 0
    kind: AccountKind = AccountKind.CLASSIC
    balance: Decimal = Decimal(10_000)
    tls: bool = False
    home: Path | None = None
    host: str = "127.0.0.1"
    limits: bool = True
    latency: Ways = Ways()
    start_ns: int | None = None
    venue: VenueLimits = VenueLimits()


class PaperServer:
    """Everything wired; ``start`` listens, ``run`` plays the tape until it fails or is cancelled."""

    def __init__(self, options: Options) -> None:
        self.options = options
        folder = options.home / "paper" if options.home is not None else None
        self.clock = TapeClock(options.speed, start_ns=options.start_ns)
        self.hub = MarketHub(self.clock)
        self.tape = open_tape(options.tape, self.hub, self.clock)
        self.tape.prepare()
        self.store = SqliteStore(folder)
        self.engine = Engine(self.hub, self.store)
        self._restore_market()
        self.hub.subscribe(self._settled)
        self.engine.arm()
        self.board = NoticeBoard(folder / "notices.json" if folder is not None else None)
        self.door = Door(self.engine)
        venue = options.venue if options.limits else options.venue.unpaced()
        lockstep = LockStep(self.clock, self.tape)
        self.gate = Gate(self.clock, Latency(options.latency), lockstep)
        self.rest = RestFace(
            self.engine,
            self.hub,
            limits=options.limits,
            venue=venue,
            wall=self.door.wall,
            gate=self.gate,
            store=self.store,
        )
        self.ws = WsFace(self.rest, self.door, venue)
        self.binance = BinanceRest(
            self.engine, self.hub, venue=venue, wall=self.door.wall, gate=self.gate, store=self.store
        )
        self.streams = StreamFace(self.binance, self.door, venue)
        self.ws_api = WsApiFace(self.binance, self.door, venue)
        self.ready: dict[str, object] = {}
        self._folder = folder
        self._broken: asyncio.Future[None] | None = None
        self._failure: StartError | None = None
        self.store.on_failure = self._state_failed
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    def _restore_market(self) -> None:
        """Symbols and held prices of the control API; symbols that are traded but left the tape."""
        for kept in self.store.symbols():
            if self.hub.get(kept.spec.market, kept.spec.symbol) is None:
                self.hub.add(kept.spec, kept.price)
        for symbol, price in self.engine.unheard():
            log.warning("the tape does not carry %s, which is traded: it stands at %s", symbol, price)
            self.hub.add(default_spec(symbol, price), price)
        for symbol, price in self.engine.spot.unheard():
            log.warning("the tape does not carry %s, which has spot orders: it stands at %s", symbol, price)
            self.hub.add(default_spec(symbol, price, market=SPOT), price)
        marks = self.store.marks()
        for symbol, price in self.store.prices().items():
            if self.hub.get("futures", symbol) or self.hub.get("spot", symbol):
                self.hub.override_price(symbol, price, marks.get(symbol))
        for key, change in self.store.changes().items():
            if key in self.hub.states:
                try:
                    symbolchange.restore(self.hub, self.hub.states[key], change)
                except UsageError as error:
                    log.warning("%s: its change is left out, it does not fit any more: %s", key[1], error)
        for state in self.hub.states.values():
            state.settled.extend(self.store.settlements(state.symbol) if state.market == FUTURES else ())

    def _settled(self, event: MarketEvent) -> None:
        """Keep the history of funding; settlements missed while no market ran are none."""
        if isinstance(event, FundingDue) and event.state.settled:
            self.store.keep_settlement(event.symbol, event.state.settled[-1])

    async def start(self) -> dict[str, object]:
        """Listen; returns the ready line's content. ``PortBusyError`` when the port is taken."""
        runner = web.AppRunner(self._app(), access_log=None, logger=server_log)
        await runner.setup()
        self._runner = runner
        self.store.group(asyncio.get_running_loop().call_soon)
        context, ca_file = self._tls() if self.options.tls else (None, None)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._protocol, self.options.host, self.options.port, ssl=context, backlog=1024
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusyError(
                    f"port {self.options.port} on {self.options.host} is taken: "
                    "stop what listens there, or choose another with --port"
                ) from None
            raise StartError(f"cannot listen on {self.options.host}:{self.options.port}: {error}") from None
        port = self._listener.sockets[0].getsockname()[1]
        self.ready = self._describe(port, ca_file)
        self.store.flush()  # who reads the line may count on the accounts in it
        return self.ready

    def _protocol(self) -> Wire:
        assert self._runner is not None
        assert self._runner.server is not None
        return self.door.protocol(
            self._runner.server, access_log=None, keepalive_timeout=_KEEPALIVE_S, logger=server_log
        )

    def _describe(self, port: int, ca_file: Path | None) -> dict[str, object]:
        secure = "s" if ca_file else ""
        at = f"{self.options.host}:{port}"
        return {
            "rest": f"http{secure}://{at}",
            "ws_public": f"ws{secure}://{at}/v2/ws/public",
            "ws_private": f"ws{secure}://{at}/v2/ws/private",
            "ws_v3_public": f"ws{secure}://{at}/v3/ws/public",
            "ws_v3_private": f"ws{secure}://{at}/v3/ws/private",
            "binance": {
                "rest": f"http{secure}://{at}",
                "ws_api": f"ws{secure}://{at}/ws-fapi/v1",
                "streams": f"ws{secure}://{at}",
            },
            "control": f"http{secure}://{at}/control",
            "notices": f"http{secure}://{at}",
            "ca_file": str(ca_file) if ca_file else None,
            "accounts": self._start_accounts(),
        }

    def _start_accounts(self) -> list[dict[str, object]]:
        """The accounts of ``--accounts N``: made once, found again after a restart."""
        start = (
            START_LABEL if self.options.kind is AccountKind.CLASSIC else f"{START_LABEL}-{self.options.kind}"
        )
        labels = [f"{start}-{number}" for number in range(1, self.options.accounts + 1)]
        known = {account.record.label: account for account in reversed(self.engine.accounts)}
        for label in labels:
            if label not in known:
                known[label] = make_account(
                    self.engine, kind=self.options.kind, balance=self.options.balance, label=label
                )
        return [credentials(known[label]) | {"kind": known[label].record.kind} for label in labels]

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 20)
        control = Control(
            engine=self.engine,
            hub=self.hub,
            clock=self.clock,
            tape=self.tape,
            store=self.store,
            board=self.board,
            status=self.status,
            lockstep=self.gate.lockstep,
        )
        guard = self.door.guard
        app.add_routes(
            [
                web.RouteDef(made.method, made.path, guard(made.handler), made.kwargs)
                for made in self.board.routes()
            ]
        )
        parts = {**FaultControl(self.door).routes(), **PaceControl(self.engine, self.gate).routes()}
        app.add_routes(control.routes(parts))
        app.router.add_get("/v2/ws/public", guard(self.ws.handle), expect_handler=expect)
        app.router.add_get("/v2/ws/private", guard(self.ws.handle), expect_handler=expect)
        app.router.add_get("/v3/ws/public", guard(self.ws.handle_v3), expect_handler=expect)
        app.router.add_get("/v3/ws/private", guard(self.ws.handle_v3), expect_handler=expect)
        for path in STREAM_PATHS:
            app.router.add_get(path, guard(self.streams.handle), expect_handler=expect)
        app.router.add_get(WS_API_PATH, guard(self.ws_api.handle), expect_handler=expect)
        for root in ("fapi", "sapi"):
            path = f"/{root}/{{tail:.*}}"
            app.router.add_route("*", path, guard(self.binance.handle), expect_handler=expect)
        app.router.add_route("*", "/{tail:.*}", guard(self.rest.handle), expect_handler=expect)
        return app

    @property
    def _sockets(self) -> tuple[WsFace, StreamFace, WsApiFace]:
        return self.ws, self.streams, self.ws_api

    def status(self) -> dict[str, object]:
        return {
            "tape": self.tape.name,
            "connections": sum(len(face.connections) for face in self._sockets),
            "dropped": sum(face.dropped for face in self._sockets),
            "failures": sum(face.failures for face in (self.rest, self.binance, *self._sockets)),
        }

    def _tls(self) -> tuple[ssl.SSLContext, Path]:
        """A throwaway CA for this run; its certificate is written where clients can read it."""
        authority = trustme.CA(organization_name="Kestrel paper exchange")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
        folder = self._folder
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="kestrel-paper-")
            folder = Path(self._temporary.name)
        path = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return context, path

    def _state_failed(self, error: BaseException) -> None:
        self._failure = StartError(f"the state cannot be written ({error}): free the disk, start again")
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(self._failure)

    async def run(self) -> None:
        """Play the tape. Ends only cancelled, or with an error of the tape or of the state file."""
        loop = asyncio.get_running_loop()
        if self._failure is not None:
            raise self._failure
        self._broken = loop.create_future()
        tape = loop.create_task(self.tape.run())
        try:
            await asyncio.wait({tape, self._broken}, return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            tape.result()
            raise TapeError(f"the tape {self.tape.name} has ended: start the exchange again")
        finally:
            tape.cancel()
            await asyncio.wait({tape})
            self._broken.cancel()

    async def stop(self) -> None:
        self.door.close()
        if self._listener is not None:
            self._listener.close()
        for face in self._sockets:
            await face.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.engine.keep_trails()
        self.store.close()
        if self._temporary is not None:
            self._temporary.cleanup()


async def serve(options: Options, announce: Callable[[dict[str, object]], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; ``announce`` gets the ready line's content (default: prints it).

    Raises ``PortBusyError``, ``TapeError``, ``AlreadyRunningError`` or ``StartError``, one clear line each.
    """
    server = PaperServer(options)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tape: asyncio.Task[None] | None = None
    try:
        ready = await server.start()
        _calm_collector()
        tape = loop.create_task(server.run())
        (announce or _print)(ready)
        waiting = loop.create_task(stopping.wait())
        await asyncio.wait({tape, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if tape.done():
            tape.result()
    finally:
        if tape is not None:
            tape.cancel()
            await asyncio.wait({tape})
        await server.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _calm_collector() -> None:
    """The usual thresholds look for cycles at every few hundred levels of a book: look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _print(ready: dict[str, object]) -> None:
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
