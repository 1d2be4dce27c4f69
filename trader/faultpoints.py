"""Named places where a test may end the process at once, as a power cut would.

``TRADER_FAULT_POINT=gateway.journaled:2`` kills the process by SIGKILL the second time it comes
there, and says on standard error how often each point was passed until then. Without the variable a call
costs one comparison. Production never sets it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_NAME, _, _NTH = os.environ.get("TRADER_FAULT_POINT", "").partition(":")
_LAST = int(_NTH or 1)
_hits: Counter[str] = Counter()

#: Every fault point, so that a test can run them all and notice one that is never reached. The
#: recorder passes its points only with a batch that holds an intent; the takeover only when Postgres knows
#: orders that the journal does not.
NAMES = (
    "app.replayed",
    "takeover.read",
    "takeover.adopted",
    "reconciler.read",
    "settler.found",
    "settler.absent",
    "gateway.decided",
    "gateway.journaled",
    "gateway.written",
    "gateway.answered",
    "tracker.recorded",
    "protect.journaled",
    "protect.written",
    "protect.answered",
    "protect.confirmed",
    "cancel.decided",
    "cancel.answered",
    "recorder.applied",
    "recorder.committed",
)


def fault_point(name: str) -> None:
    """End the process here if the environment names this point."""
    if not _NAME:
        return
    _hits[name] += 1
    if name == _NAME and _hits[name] == _LAST:
        passed = " ".join(f"{point}={count}" for point, count in sorted(_hits.items()))
        os.write(2, f"fault points passed: {passed}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
