"""The worker as a process of ours: ``python -m flows.runtime.worker``.

It waits for the server, settles what an earlier worker left behind, and then starts a process for each flow run
that is due, as many at a time as ``KESTREL_FLOWS__LIMIT`` says. Told to stop, it does not wait for them: flow
runs may be ended at any point, and these are scheduled again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable
from typing import NoReturn

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from flows.runtime import health, pool, processes, redaction, run
from flows.runtime.settling import Settled, Settler
from flows.runtime.waiting import until_up
from shared import installation
from shared.errors import KestrelError
from shared.settings import Settings

BEAT_S = 15.0
STOP_S = 3.0
FAILURES = (httpx.HTTPError, PrefectException)
log = logging.getLogger("prefect.kestrel")  # below Prefect's own logger, so that its configuration applies


class Daemon:
    """One life of the worker."""

    def __init__(self, settings: Settings) -> None:
        self.home = settings.home.expanduser().resolve()
        self.port = settings.flows.worker_port
        self.missing = "waits for the server"
        self.settler: Settler | None = None
        self.worker = ProcessWorker(
            work_pool_name=pool.POOL,
            name=f"kestrel-{installation.prefix(self.home)}",
            limit=settings.flows.limit,
            create_pool_if_not_found=False,
        )

    async def main(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with health.served(self.port, self.problem):
            life = asyncio.create_task(self.life())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await self.leave()
            await life

    async def life(self) -> None:
        async with get_client() as client:
            await until_up(client)
            self.missing = "settles what an earlier worker left"
            await pool.ensure(client)
            settler = Settler(client, self.home, self.worker.name)
            tell(await settler.at_start())
            self.settler, self.missing = settler, ""
            async with asyncio.TaskGroup() as group:
                group.create_task(self.work())
                group.create_task(keep(settler))

    async def leave(self) -> NoReturn:
        """Freeze the flow runs, schedule them again, kill them, and be gone before anybody can object."""
        processes.send(processes.running(self.home), signal.SIGSTOP)
        try:
            async with asyncio.timeout(STOP_S):
                tell(await self.settler.at_stop() if self.settler else [])
        except (*FAILURES, TimeoutError):
            log.warning("the server does not answer: the next start schedules again what was running")
        processes.end(self.home)
        os._exit(0)

    async def work(self) -> None:
        await self.worker.start(printer=log.info)
        raise RuntimeError("the worker stopped by itself")

    def problem(self) -> str | None:
        if self.missing:
            return self.missing
        if not self.worker.is_setup:
            return "is starting"
        seconds = get_current_settings().worker.query_seconds
        return None if self.worker.is_worker_still_polling(seconds) else "does not reach the server"


async def keep(settler: Settler) -> None:
    """Settle on a slow beat, for ever; a server that is away is asked again at the next beat."""
    while True:
        await asyncio.sleep(BEAT_S)
        try:
            tell(await settler.on_beat())
        except FAILURES as error:
            log.warning("flow runs could not be looked at: %s", error)


def tell(done: Iterable[Settled]) -> None:
    for one in done:
        log.warning("flow run %s %s", one.run, one.what)


def main() -> int:
    settings = redaction.install()
    os.environ[run.WORKER_PID] = str(os.getpid())
    try:
        asyncio.run(Daemon(settings).main())
    except KestrelError as error:
        print(error, flush=True)  # noqa: T201  (the parent tells the last line)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
