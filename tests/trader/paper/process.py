"""The paper exchange as a process of its own, for tests that kill it or talk to it from threads."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any


class Process:
    """``python -m trader.paper`` with the ready line read."""

    def __init__(self, *arguments: str, limits: bool = False) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "trader.paper",
                "--port",
                "0",
                "--tape",
                "manual",
                *(() if limits else ("--no-limits",)),
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        self.ready: dict[str, Any] = json.loads(line)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code


class Processes:
    def __init__(self) -> None:
        self.started: list[Process] = []

    def start(self, *arguments: str, limits: bool = False) -> Process:
        self.started.append(Process(*arguments, limits=limits))
        return self.started[-1]

    def stop_all(self) -> None:
        for one in self.started:
            if one.process.returncode is None:
                one.end(signal.SIGKILL)
