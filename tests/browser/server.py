"""The web page as a process of its own, for the tests in a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from shared import clock
from shared.settings import ROOT

APP = ROOT / "dashboards" / "web" / "app.py"
START_S = 60.0
STOP_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class WebServer:
    """``streamlit run`` on a free port. ``database_url`` None means the embedded one of ``home``."""

    def __init__(self, home: Path, database_url: str | None) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / "web.out"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KESTREL_", "STREAMLIT_"))
        }
        environment |= {"KESTREL_HOME": str(home), "HOME": str(home / "streamlit")}
        if database_url is not None:
            environment["KESTREL_DATABASE_URL"] = database_url
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(self.port)],
                env=environment,
                cwd=home,  # no .env and no .streamlit of a checkout
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = clock.monotonic_ns() + int(START_S * clock.SECOND)
        with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=1)) as client:
            while clock.monotonic_ns() < deadline:
                assert self.process.poll() is None, f"the page's server ended: {self.said()}"
                try:
                    if client.get(f"{self.url}/_stcore/health", timeout=1).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                try:  # the only event of a starting process is its end
                    self.process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        raise AssertionError(f"the page's server did not start: {self.said()}")

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM and its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return int(self.process.returncode)
