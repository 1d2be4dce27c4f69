"""``kestrel up``: everything on one machine in paper mode, from one command to one Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec

from kestrel import announcement, flows, preflight, services, status
from kestrel.database import POSTGRES, Database, PostgresKeeper
from kestrel.flow_services import FlowPorts, FlowServices
from kestrel.flows import Flows
from kestrel.progress import Progress
from kestrel.stopping import Stop
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
FLOWS_S = 60.0
"""How long the announcement waits for flows once trading is healthy."""
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
    with preflight.only_one(home), ExitStack() as stack:
        logs.setup("up", settings, terminal=False)
        preflight.await_reaper(home)
        left = preflight.clear_leftovers(home)
        told = [f"ended what an earlier run left behind: {', '.join(left)}"] if left else []
        if settings.flows.run:
            settings, note = hold_flows(settings, stack)
            told += [note] if note else []
        up = Up(settings, options, choose_ports(settings))
        for line in told:
            up.progress.say(line)
        return asyncio.run(up.main())


def hold_flows(settings: Settings, stack: ExitStack) -> tuple[Settings, str]:
    """Take the flows of this home for this run; what is in the way leaves them out, with a line that says so."""
    home = settings.home
    try:
        with ExitStack() as held:
            held.enter_context(preflight.only_one(home, preflight.FLOWS))
            preflight.await_reaper(home, preflight.FLOWS)
            preflight.clear_leftovers(home, preflight.FLOWS)
            preflight.choose_ports(preflight.flow_ports(settings))
            stack.push(held.pop_all())
    except StartError as error:
        without = settings.flows.model_copy(update={"run": False})
        return settings.model_copy(update={"flows": without}), f"flows are left out: {error}"
    return settings, ""


def choose_ports(settings: Settings) -> services.Ports:
    """The configured ports when they are free, any free one for 0; :class:`PortBusyError` names who sits there."""
    wanted = {
        "exchange": (settings.exchange.port, "the paper exchange", "KESTREL_EXCHANGE__PORT"),
        "trader": (settings.trader.ops_port, "the trader's health", "KESTREL_TRADER__OPS_PORT"),
        "web": (settings.web.port, "the web page", "KESTREL_WEB__PORT"),
    }
    if settings.flows.run:
        wanted |= preflight.flow_ports(settings)
    return services.Ports(**preflight.choose_ports(wanted))


class Up:
    """One run. ``main`` returns the exit code and leaves nothing running."""

    def __init__(self, settings: Settings, options: Options, ports: services.Ports) -> None:
        self.settings = settings
        self.options = options
        self.ports = ports
        self.home: Path = settings.home
        names = [POSTGRES, "exchange", "web", "trader"]
        self.progress = Progress([*names, *flows.NAMES] if settings.flows.run else names)
        self.tape = options.tape or ""
        self.tape_note = ""
        self.started_ns = clock.now_ns()
        self._reaper = Reaper(self.home)
        self._supervisor = Supervisor(self.home, self._reaper, self.progress)
        self._database = Database(settings)
        self._flows: Flows | None = None
        self._flows_problem = ""

    async def main(self) -> int:
        stop = Stop(self.progress, self._supervisor.kill)
        stop.listen()
        self._reaper.start()
        self.progress.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            if self.settings.flows.run:
                ports = FlowPorts(server=self.ports.prefect, worker=self.ports.worker)
                made = FlowServices(self.settings, self.home, ports, client)
                self._flows = Flows(made, self._supervisor, self.progress)
            try:
                if await stop.until(self._start(client)):
                    await stop.until(self._stay())
            finally:
                self.progress.finish()
                await self._end()
        return 0

    # ------------------------------------------------------------------ start

    async def _start(self, client: httpx.AsyncClient) -> None:
        """Postgres, exchange and page side by side; the trader when database and exchange are there.

        Flows come when all that trades is up: their start keeps a processor busy for seconds.
        """
        children = services.Services(self.settings, self.home, self.ports, client)
        async with together() as group:
            group.create_task(self._start_postgres())
            group.create_task(self._start_exchange(children))
            group.create_task(self._supervisor.start(children.web()))
        await self._supervisor.start(children.trader(self.tape))
        self._write_status()
        if self._flows is not None:
            self._flows.start(self._database)

    async def _start_postgres(self) -> None:
        await asyncio.to_thread(vault.ensure_keys, self.home)
        await self._database.start(self.progress)

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
        count = 0
        with contextlib.suppress(DatabaseError), self._database.transaction() as session:
            count = len(users.list_all(session))
        logs_folder = self.home / "logs"
        ports = self.ports
        addresses = [
            ("web page", services.url(ports.web), str(logs_folder / "web.out")),
            ("paper exchange", services.url(ports.exchange), str(logs_folder / "exchange.log")),
            ("trader health", services.url(ports.trader) + "/health", str(logs_folder / "trader.log")),
            ("Postgres", self._database.address, str(self.home / "postgres")),
        ]
        if self._flows is not None:
            addresses.insert(1, ("Prefect", services.url(ports.prefect), str(logs_folder / "prefect.out")))
        facts = announcement.Facts(
            home=self.home,
            tape=self.tape,
            tape_note=self.tape_note,
            demo=self.options.demo,
            live_setting=self.settings.live,
            seconds=self.progress.elapsed_s(),
            addresses=addresses,
            flows_problem=self._flows_problem,
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
        """The announcement, slow beats, and the story when it was asked for, until somebody stops us."""
        async with together() as group:
            group.create_task(self._beat())
            if self.settings.database_url is None:
                group.create_task(PostgresKeeper(self.settings, self.progress).stay(BEAT_S))
            await self._until_flows()
            self.progress.finish()
            self._announce()
            if self.options.demo:
                group.create_task(self._play())

    async def _until_flows(self) -> None:
        """Wait for the first word about flows, a while: trading runs already."""
        if self._flows is None:
            return
        try:
            async with asyncio.timeout(FLOWS_S):
                self._flows_problem = await asyncio.shield(self._flows.first)
        except TimeoutError:
            self._flows_problem = f"they are not healthy after {FLOWS_S:.0f} s"

    async def _beat(self) -> None:
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
        detail = {
            "tape": self.tape,
            "tape_note": self.tape_note,
            "demo": self.options.demo,
            "processes": {name: one.value for name, one in self._supervisor.states.items()},
            "restarts": dict(self._supervisor.restarts),
        }
        with self._database.transaction() as session:
            history.beat(session, "up", os.getpid(), state, detail, self.started_ns)

    async def _play(self) -> None:
        from kestrel import demo

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
        """Trader, page, exchange, flows beside them, then Postgres; then nothing of ours runs any more."""
        status.remove(self.home)
        stopping = [self._supervisor.stop(STOP_ORDER)]
        if self._flows is not None:
            stopping.append(self._flows.stop())
        await asyncio.gather(*stopping)
        with contextlib.suppress(DatabaseError):
            await asyncio.to_thread(self._heartbeat, "stopped")
        await self._database.stop(self.progress)
        self._reaper.bye()
