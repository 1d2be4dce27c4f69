"""``kestrel up``: everything on one machine in paper mode, from one command to one Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
from collections.abc import Coroutine
from pathlib import Path

import httpx
import msgspec

from kestrel import announcement, preflight, services, status
from kestrel.database import POSTGRES, Database, PostgresKeeper
from kestrel.progress import Progress
from kestrel.supervisor import Reaper, State, Supervisor
from kestrel.tasks import together
from shared import clock, logs, vault
from shared.db import history, users
from shared.errors import DatabaseError, KestrelError, StartError, UsageError
from shared.settings import Settings

log = logging.getLogger(__name__)

LIVE_PROBE_S = 3.0
FALLBACK_TAPE = "synthetic:1"
BEAT_S = 1.0
SAME_SIGNAL_S = 0.3
STOP_ORDER = ["trader", "web", "exchange"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for; ``tape`` None = live if it answers, else synthetic."""

    demo: bool = False
    tape: str | None = None
    speed: float = 1.0
    browser: bool = False


def run(settings: Settings, options: Options) -> int:
    """Start, stay until told to stop, stop; the exit code."""
    if not (math.isfinite(options.speed) and options.speed > 0):
        raise UsageError(f"--speed {options.speed:g} is wrong: it is a number above 0, 1 = real time")
    if options.tape is not None:
        preflight.check_tape(options.tape)
    home = preflight.prepare_home(settings.home)
    settings = settings.model_copy(update={"home": home})
    with preflight.only_one(home):
        logs.setup("up", settings, terminal=False)
        preflight.await_reaper(home)
        left = preflight.clear_leftovers(home)
        ports = choose_ports(settings)
        up = Up(settings, options, ports)
        if left:
            up.progress.say(f"ended what an earlier run left behind: {', '.join(left)}")
        return asyncio.run(up.main())


def choose_ports(settings: Settings) -> services.Ports:
    """The configured ports when they are free, any free one for 0; :class:`PortBusyError` names who sits there."""
    wanted = {
        "exchange": (settings.exchange.port, "the paper exchange", "KESTREL_EXCHANGE__PORT"),
        "trader": (settings.trader.ops_port, "the trader's health", "KESTREL_TRADER__OPS_PORT"),
        "web": (settings.web.port, "the web page", "KESTREL_WEB__PORT"),
    }
    chosen: dict[str, int] = {}
    for name, (port, what, setting) in wanted.items():
        if port:
            preflight.check_port(port, what, setting)
        chosen[name] = port or preflight.free_port()
    doubled = [name for name, port in chosen.items() if list(chosen.values()).count(port) > 1]
    if doubled:
        settings_named = " and ".join(wanted[name][2] for name in doubled)
        raise StartError(f"{settings_named} name the same port {chosen[doubled[0]]}: change one")
    return services.Ports(**chosen)


class Up:
    """One run. ``main`` returns the exit code and leaves nothing running."""

    def __init__(self, settings: Settings, options: Options, ports: services.Ports) -> None:
        self.settings = settings
        self.options = options
        self.ports = ports
        self.home: Path = settings.home
        self.progress = Progress([POSTGRES, "exchange", "web", "trader"])
        self.tape = options.tape or ""
        self.tape_note = ""
        self.started_ns = clock.now_ns()
        self._stop = asyncio.Event()
        self._stopping_since_ns = 0
        self._reaper = Reaper(self.home)
        self._supervisor = Supervisor(self.home, self._reaper, self.progress)
        self._database: Database | None = None

    async def main(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        self._reaper.start()
        self.progress.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                if await self._until_stopped(self._start(client)):
                    self.progress.finish()
                    self._announce()
                    await self._until_stopped(self._stay())
            finally:
                self.progress.finish()
                await self._end()
        return 0

    def _on_signal(self) -> None:
        now_ns = clock.monotonic_ns()
        if not self._stop.is_set():
            self._stopping_since_ns = now_ns
            self.progress.say("stopping (once more kills everything at once)")
            self._stop.set()
            return
        if now_ns - self._stopping_since_ns < SAME_SIGNAL_S * clock.SECOND:
            return  # one Ctrl-C can arrive twice: from the terminal, and passed on by `make` or a service manager
        # the second one: no more waiting. The reaper sees our end and stops Postgres.
        self.progress.finish()
        self._supervisor.kill()
        self.progress.say("killed")
        os._exit(130)

    async def _until_stopped(self, work: Coroutine[None, None, None]) -> bool:
        """Run a coroutine until it is done (True) or a stop is asked for (False)."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                return not self._stop.is_set()
            return False
        finally:
            for one in (task, stop):
                one.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)

    # ------------------------------------------------------------------ start

    async def _start(self, client: httpx.AsyncClient) -> None:
        """Postgres, exchange and page side by side; the trader when database and exchange are there."""
        children = services.Services(self.settings, self.home, self.ports, client)
        async with together() as group:
            group.create_task(self._start_postgres())
            group.create_task(self._start_exchange(children))
            group.create_task(self._supervisor.start(children.web()))
        await self._supervisor.start(children.trader(self.tape))
        self._write_status()

    async def _start_postgres(self) -> None:
        self.progress.state(POSTGRES, State.STARTING)
        database = Database(self.settings)
        self._database = database
        opening = asyncio.create_task(asyncio.to_thread(self._open, database))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # a thread cannot be interrupted: what it started must be known before it is stopped
            await asyncio.gather(opening, return_exceptions=True)
            raise
        self.progress.state(POSTGRES, State.HEALTHY)

    def _open(self, database: Database) -> None:
        vault.ensure_keys(self.home)
        database.open()

    async def _start_exchange(self, children: services.Services) -> None:
        if self.options.tape is None:
            self.progress.state("exchange", State.STARTING, "asking for the live market")
            self.tape = "live" if await self._live_answers(children.client) else FALLBACK_TAPE
            if self.tape == FALLBACK_TAPE:
                self.tape_note = f"the live market did not answer within {LIVE_PROBE_S:.0f} s"
        try:
            await self._supervisor.start(children.exchange(self.tape, self.options.speed))
        except StartError as error:
            if self.options.tape is not None or self.tape == FALLBACK_TAPE:
                raise
            self.tape, self.tape_note = FALLBACK_TAPE, f"the live market failed: {error}"
            await self._supervisor.start(children.exchange(self.tape, self.options.speed))

    async def _live_answers(self, client: httpx.AsyncClient) -> bool:
        address = self.settings.bitget.rest_url.rstrip("/") + "/api/v2/public/time"
        try:
            async with asyncio.timeout(LIVE_PROBE_S):
                return (await client.get(address, timeout=LIVE_PROBE_S)).status_code == 200
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            return False

    def _announce(self) -> None:
        assert self._database is not None
        count = 0
        with contextlib.suppress(DatabaseError), self._database.transaction() as session:
            count = len(users.list_all(session))
        logs_folder = self.home / "logs"
        ports = self.ports
        facts = announcement.Facts(
            home=self.home,
            tape=self.tape,
            tape_note=self.tape_note,
            demo=self.options.demo,
            live_setting=self.settings.live,
            seconds=self.progress.elapsed_s(),
            addresses=[
                ("web page", services.url(ports.web), str(logs_folder / "web.out")),
                ("paper exchange", services.url(ports.exchange), str(logs_folder / "exchange.log")),
                ("trader health", services.url(ports.trader) + "/health", str(logs_folder / "trader.log")),
                ("Postgres", self._database.address, str(self.home / "postgres")),
            ],
            users=count,
        )
        for line in announcement.lines(facts):
            self.progress.say(line)
        if self.options.browser:
            import webbrowser

            webbrowser.open(services.url(ports.web))

    def _write_status(self) -> None:
        status.write(
            self.home,
            status.Status(
                pid=os.getpid(),
                started_ns=self.started_ns,
                tape=self.tape,
                demo=self.options.demo,
                exchange_url=services.url(self.ports.exchange),
                trader_url=services.url(self.ports.trader),
                web_url=services.url(self.ports.web),
            ),
        )

    # ------------------------------------------------------------------- stay

    async def _stay(self) -> None:
        """Slow beats, and the story when it was asked for, until somebody stops us."""
        async with together() as group:
            group.create_task(self._beat())
            if self.settings.database_url is None:
                group.create_task(self._keep_postgres())
            if self.options.demo:
                group.create_task(self._play())

    async def _beat(self) -> None:
        assert self._database is not None
        while True:
            if self._reaper.check():
                self.progress.say("the cleaning process was killed: started again")
            self._supervisor.trim()
            try:
                await asyncio.to_thread(self._heartbeat, "running")
            except DatabaseError:
                log.warning("no heartbeat written: the database is away")
            await asyncio.sleep(BEAT_S)

    def _heartbeat(self, state: str) -> None:
        assert self._database is not None
        detail = {
            "tape": self.tape,
            "tape_note": self.tape_note,
            "demo": self.options.demo,
            "processes": {name: one.value for name, one in self._supervisor.states.items()},
            "restarts": dict(self._supervisor.restarts),
        }
        with self._database.transaction() as session:
            history.beat(session, "up", os.getpid(), state, detail, self.started_ns)

    async def _keep_postgres(self) -> None:
        keeper = PostgresKeeper(self.settings, self.progress)
        while True:
            await asyncio.sleep(BEAT_S)
            await asyncio.to_thread(keeper.check)

    async def _play(self) -> None:
        from kestrel import demo

        assert self._database is not None
        story = demo.Story(
            home=self.home,
            database=self._database,
            exchange_url=services.url(self.ports.exchange),
            trader_url=services.url(self.ports.trader),
            say=self.progress.say,
        )
        try:
            await story.run()
        except Exception as error:  # a story that fails must not stop what it is told about
            log.exception("the demo ended")
            self.progress.say(
                f"the demo ended: {error}"
                if isinstance(error, KestrelError)
                else "the demo ended: see up.log"
            )

    # -------------------------------------------------------------------- end

    async def _end(self) -> None:
        """Trader, page, exchange, Postgres; then nothing of ours runs any more."""
        status.remove(self.home)
        await self._supervisor.stop(STOP_ORDER)
        if self._database is not None:
            with contextlib.suppress(DatabaseError):
                await asyncio.to_thread(self._heartbeat, "stopped")
            self.progress.state(POSTGRES, State.STOPPING)
            try:
                await asyncio.to_thread(self._database.close)
            except DatabaseError as error:
                self.progress.say(str(error))
            self.progress.state(POSTGRES, State.STOPPED)
        self._reaper.bye()
