"""What a process inherits: a user's own database and workflow variables are not ours to read.

libpq reads ``PG*`` silently (``PGHOST``, ``PGPASSWORD``, ``PGOPTIONS``, ...) and Prefect reads
``PREFECT_*``; both would bend our connections without a word. They are removed from this process and
from everything it starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

FOREIGN = ("PG", "PREFECT_")


def scrub(environment: MutableMapping[str, str]) -> None:
    """Remove the foreign variables in place."""
    for name in [name for name in environment if name.startswith(FOREIGN)]:
        del environment[name]


def for_child(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child: ours without the foreign variables, with this home, then ``extra``."""
    environment = dict(os.environ)
    scrub(environment)
    environment["KESTREL_HOME"] = str(home)
    environment["PREFECT_HOME"] = str(home / "prefect")
    environment["PYTHONUNBUFFERED"] = "1"
    environment.update(extra or {})
    return environment
