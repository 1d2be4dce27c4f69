"""Prefect's server and our worker beside the rest: started when the database is up, and never in anybody's way.

Nothing here raises: what does not start is said in one line and tried again, while everything else runs on.
"""

from __future__ import annotations

import asyncio
import logging

from kestrel import prefect_database, status
from kestrel.database import Database
from kestrel.flow_services import DEPLOY, SERVER, STOP_ORDER, WORKER, FlowServices
from kestrel.services import url
from kestrel.supervisor import Reporter, State, Supervisor
from shared.errors import DatabaseError, StartError

log = logging.getLogger(__name__)

NAMES = [SERVER, DEPLOY, WORKER]


class Flows:
    """One life of the three; :attr:`first` is how the start went: empty = all healthy, else what is missing."""

    def __init__(self, services: FlowServices, supervisor: Supervisor, reporter: Reporter) -> None:
        self.first: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._services = services
        self._supervisor = supervisor
        self._reporter = reporter
        self._task: asyncio.Task[None] | None = None

    def start(self, database: Database) -> None:
        """Begin; ``database`` is open. Wait for :attr:`first` to know."""
        made = self._services
        status.write_flows(made.home, url(made.ports.server), url(made.ports.worker))
        self._task = asyncio.create_task(self._run(database), name="flows")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._supervisor.stop(STOP_ORDER)
        status.flows_path(self._services.home).unlink(missing_ok=True)

    async def _run(self, database: Database) -> None:
        """All three at once: worker and deployments wait for the server themselves, and load meanwhile."""
        database_url = await self._database_url(database)
        await self._supervisor.keep(self._services.server(database_url))
        await self._supervisor.keep(self._services.worker())
        deploy = asyncio.create_task(self._deploy())
        try:
            for name in (SERVER, WORKER):
                state = await self._supervisor.until(name, State.HEALTHY, State.RESTARTING, State.GIVEN_UP)
                if state is not State.HEALTHY:
                    self._tell(f"the {name} process ends at its start")
                    await self._supervisor.until(name, State.HEALTHY)
            await deploy
            self._tell("")
        finally:
            deploy.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What was not foreseen must not go by in silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("flows ended", exc_info=error)
            self._reporter.say(f"flows: unexpected {type(error).__name__}; the rest keeps running")
            self._tell(f"unexpected {type(error).__name__}")

    def _tell(self, problem: str) -> None:
        if not self.first.done():
            self.first.set_result(problem)

    async def _database_url(self, database: Database) -> str:
        tries = 0
        told = ""
        while True:
            try:
                return await asyncio.to_thread(
                    prefect_database.prepare, self._services.settings, database.url
                )
            except DatabaseError as error:
                tries += 1
                told = await self._again(SERVER, str(error), told, tries)

    async def _deploy(self) -> None:
        told = ""
        for tries in range(1, self._supervisor.policy.most + 1):
            try:
                await self._supervisor.run(self._services.deploy())
            except StartError as error:
                told = await self._again(DEPLOY, str(error), told, tries)
            else:
                return
        self._reporter.state(DEPLOY, State.GIVEN_UP)
        self._reporter.say("the deployments stay as they were: mend what was said and start again")

    async def _again(self, name: str, problem: str, told: str, tries: int) -> str:
        """Say what is wrong, once, and wait before the next try."""
        wait_s = self._supervisor.policy.wait_s(tries)
        self._reporter.state(name, State.RESTARTING, f"in {wait_s:g} s")
        if problem != told:
            self._reporter.say(f"{problem}; the rest runs on, tried again in {wait_s:g} s")
        self._tell(problem)
        await asyncio.sleep(wait_s)
        return problem
