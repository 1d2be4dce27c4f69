"""The paper exchange as a server: one port for REST, websockets, the control API and the notice board."""

from __future__ import annotations

import asyncio
import errno
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

from shared.errors import PortBusyError, StartError, TapeError
from trader.paper.clientfaults import expect, server_log
from trader.paper.contract import default_spec
from trader.paper.control import Control, credentials, make_account
from trader.paper.engine.engine import Engine
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faces.bitget.ws import WsFace, WsOptions
from trader.paper.market import MarketHub
from trader.paper.notices import NoticeBoard
from trader.paper.state import SqliteStore
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import open_tape

log = logging.getLogger(__name__)

START_LABEL = "start"
_KEEPALIVE_S = 75.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """``home`` is the product's home; state goes to ``home/paper``. Without one nothing survives.

    ``accounts`` classic accounts with ``balance`` USDT exist at start; after a restart they are the
    same ones. ``limits`` off lifts all request limits (benches).
    """

    port: int = 9500
    tape: str = "synthetic:1"
    speed: float = 1.0
    accounts: int = 0
    balance: Decimal = Decimal(10_000)
    tls: bool = False
    home: Path | None = None
    host: str = "127.0.0.1"
    limits: bool = True
    ws_idle_s: float = 120.0
    ws_life_s: float = 86_400.0


class PaperServer:
    """Everything wired; ``start`` listens, ``run`` plays the tape until it fails or is cancelled."""

    def __init__(self, options: Options) -> None:
        self.options = options
        folder = options.home / "paper" if options.home is not None else None
        self.clock = TapeClock(options.speed)
        self.hub = MarketHub(self.clock)
        self.tape = open_tape(options.tape, self.hub, self.clock)
        self.tape.prepare()
        self.store = SqliteStore(folder)
        self.engine = Engine(self.hub, self.store)
        self._restore_market()
        self.engine.arm()
        self.board = NoticeBoard(folder / "notices.json" if folder is not None else None)
        self.rest = RestFace(self.engine, self.hub, limits=options.limits)
        ws_options = WsOptions(options.ws_idle_s, options.ws_life_s, options.limits)
        self.ws = WsFace(self.engine, self.hub, ws_options)
        self.ready: dict[str, object] = {}
        self._folder = folder
        self._broken: asyncio.Future[None] | None = None
        self.store.on_failure = self._state_failed
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._runner: web.AppRunner | None = None

    def _restore_market(self) -> None:
        """Symbols and held prices of the control API; symbols that are traded but left the tape."""
        for kept in self.store.symbols():
            if self.hub.get(kept.spec.market, kept.spec.symbol) is None:
                self.hub.add(kept.spec, kept.price)
        for symbol, price in self.engine.unheard():
            log.warning("the tape does not carry %s, which is traded: it stands at %s", symbol, price)
            self.hub.add(default_spec(symbol, price), price)
        for symbol, price in self.store.prices().items():
            if self.hub.get("futures", symbol) or self.hub.get("spot", symbol):
                self.hub.override_price(symbol, price)

    async def start(self) -> dict[str, object]:
        """Listen; returns the ready line's content. ``PortBusyError`` when the port is taken."""
        runner = web.AppRunner(
            self._app(), access_log=None, keepalive_timeout=_KEEPALIVE_S, logger=server_log
        )
        await runner.setup()
        self._runner = runner
        context, ca_file = self._tls() if self.options.tls else (None, None)
        site = web.TCPSite(runner, self.options.host, self.options.port, ssl_context=context, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusyError(
                    f"port {self.options.port} on {self.options.host} is taken: "
                    "stop what listens there, or choose another with --port"
                ) from None
            raise StartError(f"cannot listen on {self.options.host}:{self.options.port}: {error}") from None
        port = runner.addresses[0][1]
        self.ready = self._describe(port, ca_file)
        return self.ready

    def _describe(self, port: int, ca_file: Path | None) -> dict[str, object]:
        secure = "s" if ca_file else ""
        at = f"{self.options.host}:{port}"
        return {
            "rest": f"http{secure}://{at}",
            "ws_public": f"ws{secure}://{at}/v2/ws/public",
            "ws_private": f"ws{secure}://{at}/v2/ws/private",
            "binance": None,
            "control": f"http{secure}://{at}/control",
            "notices": f"http{secure}://{at}",
            "ca_file": str(ca_file) if ca_file else None,
            "accounts": self._start_accounts(),
        }

    def _start_accounts(self) -> list[dict[str, object]]:
        """The accounts of ``--accounts N``: made once, found again after a restart."""
        labels = [f"{START_LABEL}-{number}" for number in range(1, self.options.accounts + 1)]
        known = {account.record.label: account for account in reversed(self.engine.accounts)}
        for label in labels:
            if label not in known:
                known[label] = make_account(
                    self.engine, kind="classic", balance=self.options.balance, label=label
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
        )
        app.add_routes(self.board.routes())
        app.add_routes(control.routes())
        app.router.add_get("/v2/ws/public", self.ws.handle, expect_handler=expect)
        app.router.add_get("/v2/ws/private", self.ws.handle, expect_handler=expect)
        app.router.add_route("*", "/{tail:.*}", self.rest.handle, expect_handler=expect)
        return app

    def status(self) -> dict[str, object]:
        return {
            "tape": self.tape.name,
            "connections": len(self.ws.connections),
            "dropped": self.ws.dropped,
            "failures": self.rest.failures + self.ws.failures,
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
        if self._broken is not None and not self._broken.done():
            self._broken.set_exception(
                StartError(f"the state cannot be written ({error}): free the disk, start again")
            )

    async def run(self) -> None:
        """Play the tape. Ends only cancelled, or with an error of the tape or of the state file."""
        loop = asyncio.get_running_loop()
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
        await self.ws.close()
        if self._runner is not None:
            await self._runner.cleanup()
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


def _print(ready: dict[str, object]) -> None:
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()
