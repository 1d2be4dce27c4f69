"""The Prefect server as a process of ours: ``python -m flows.runtime.server``.

Everything it needs comes from its environment (``kestrel/flows.py`` makes it): nothing private is an
argument, because arguments are visible to everybody on the machine.
"""

from __future__ import annotations

import sys

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings

from flows.runtime import redaction
from flows.runtime.gate import Gate

STOP_S = 2
"""Seconds for open requests when it is told to stop; a page that stays open must not hold it."""


def main() -> int:
    settings = redaction.install()
    server = get_current_settings().server
    uvicorn.run(
        Gate(create_app(final=True), server.api.port, redaction.secrets(settings)),
        host=server.api.host,
        port=server.api.port,
        timeout_keep_alive=server.api.keepalive_timeout,
        timeout_graceful_shutdown=STOP_S,
        log_config=None,  # Prefect has configured logging by now
        access_log=False,
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
