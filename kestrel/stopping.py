"""How a command that stays is told to stop: Ctrl-C and its kin, once in order, twice at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine

from kestrel.progress import Progress
from shared import clock

SAME_SIGNAL_S = 0.3
KILLED = 130


class Stop:
    """Set by the first signal; the second one calls ``kill`` and ends the process."""

    def __init__(self, progress: Progress, kill: Callable[[], None]) -> None:
        self._progress = progress
        self._kill = kill
        self._event = asyncio.Event()
        self._since_ns = 0

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        now_ns = clock.monotonic_ns()
        if not self._event.is_set():
            self._since_ns = now_ns
            self._progress.say("stopping (once more kills everything at once)")
            self._event.set()
            return
        if now_ns - self._since_ns < SAME_SIGNAL_S * clock.SECOND:
            return  # one Ctrl-C can arrive twice: from the terminal, and passed on by `make` or a service manager
        # the second one: no more waiting. The reaper sees our end and stops Postgres.
        self._progress.finish()
        self._kill()
        self._progress.say("killed")
        os._exit(KILLED)

    async def until(self, work: Coroutine[None, None, None]) -> bool:
        """Run a coroutine until it is done (True) or a stop is asked for (False)."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._event.wait())
        try:
            await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
                return not self._event.is_set()
            return False
        finally:
            for one in (task, stop):
                one.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)
