"""``kestrel flows``: Prefect's server and our worker alone, with the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os

import httpx

from kestrel import preflight, services
from kestrel.database import POSTGRES, Database, PostgresKeeper
from kestrel.flow_services import FlowPorts, FlowServices
from kestrel.flows import NAMES, Flows
from kestrel.progress import Progress
from kestrel.stopping import Stop
from kestrel.supervisor import Reaper, Supervisor
from kestrel.tasks import together
from shared import clock, logs
from shared.db import history
from shared.errors import DatabaseError
from shared.settings import Settings

log = logging.getLogger(__name__)

BEAT_S = 1.0


def run(settings: Settings) -> int:
    """Start, stay until told to stop, stop; the exit code."""
    home = preflight.prepare_home(settings.home)
    settings = settings.model_copy(update={"home": home})
    with preflight.only_one(home, preflight.FLOWS):
        logs.setup(preflight.FLOWS, settings, terminal=False)
        others = [] if preflight.running_pid(home) else [preflight.UP]
        left = []
        for name in (preflight.FLOWS, *others):
            preflight.await_reaper(home, name)
            left += preflight.clear_leftovers(home, name)
        chosen = preflight.choose_ports(preflight.flow_ports(settings))
        alone = Alone(settings, FlowPorts(server=chosen["prefect"], worker=chosen["worker"]))
        if left:
            alone.progress.say(f"ended what an earlier run left behind: {', '.join(left)}")
        return asyncio.run(alone.main())


class Alone:
    """One run. ``main`` returns the exit code and leaves nothing running."""

    def __init__(self, settings: Settings, ports: FlowPorts) -> None:
        self.settings = settings
        self.ports = ports
        self.home = settings.home
        self.progress = Progress([POSTGRES, *NAMES])
        self.started_ns = clock.now_ns()
        self._reaper = Reaper(self.home, preflight.FLOWS)
        self._supervisor = Supervisor(self.home, self._reaper, self.progress, name=preflight.FLOWS)
        self._database = Database(settings)
        self._flows: Flows | None = None

    async def main(self) -> int:
        stop = Stop(self.progress, self._supervisor.kill)
        stop.listen()
        self._reaper.start()
        self.progress.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            self._flows = Flows(
                FlowServices(self.settings, self.home, self.ports, client), self._supervisor, self.progress
            )
            try:
                await stop.until(self._live(self._flows))
            finally:
                self.progress.finish()
                await self._end(self._flows)
        return 0

    async def _live(self, flows: Flows) -> None:
        await self._database.start(self.progress)
        flows.start(self._database)
        async with together() as group:
            group.create_task(self._announce(flows))
            group.create_task(self._beat())
            if self.settings.database_url is None:
                group.create_task(PostgresKeeper(self.settings, self.progress).stay(BEAT_S))

    async def _announce(self, flows: Flows) -> None:
        problem = await flows.first
        self.progress.finish()
        page = services.url(self.ports.server)
        if not problem:
            self.progress.say(f"\nall healthy after {self.progress.elapsed_s():.1f} s")
        self.progress.say(f"\n  Prefect   {page}  {self.home / 'logs' / 'prefect.out'}")
        self.progress.say(f"  Postgres  {self._database.address}\n\nCtrl-C stops everything.\n")

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
            "processes": {name: one.value for name, one in self._supervisor.states.items()},
            "restarts": dict(self._supervisor.restarts),
        }
        with self._database.transaction() as session:
            history.beat(session, preflight.FLOWS, os.getpid(), state, detail, self.started_ns)

    async def _end(self, flows: Flows) -> None:
        await flows.stop()
        with contextlib.suppress(DatabaseError):
            await asyncio.to_thread(self._heartbeat, "stopped")
        await self._database.stop(self.progress)
        self._reaper.bye()
