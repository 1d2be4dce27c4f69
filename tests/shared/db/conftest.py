from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.db.embedded import EmbeddedPostgres

#: Root lends the server another account: only root can show that, so only root collects it.
collect_ignore = [] if os.geteuid() == 0 else ["test_embedded_as_root.py"]

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes small servers and stops them after the test."""
    made: list[EmbeddedPostgres] = []

    def factory(home: Path, **extra: str) -> EmbeddedPostgres:
        server = EmbeddedPostgres(home, max_connections=20, shared_buffers_mb=16, extra=extra)
        made.append(server)
        return server

    yield factory
    for server in made:
        server.stop()
