"""Lives through a schedule of one minute while worker, server and database are killed once each; prints figures.

    python -m tests.verify.schedule [BEATS]

Thirty beats are half an hour. Ends non-zero when a beat was missed for good or a row was stored twice.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.flows.schedule_story import Story


def main() -> int:
    beats = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    place = Path(tempfile.mkdtemp(prefix="kestrel-schedule-"))
    place.chmod(0o711)
    kills = {beats // 6: "worker", beats * 13 // 30: "server", beats * 21 // 30: "database"}
    try:
        told = asyncio.run(Story(place / "home", beat_s=60, beats=beats, kills=kills).live())
    finally:
        shutil.rmtree(place)
    print(json.dumps(told))
    print("holds")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
