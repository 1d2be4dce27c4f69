"""Named places where a test may end the process at once, as a power cut would.

``TRADER_FAULT_POINT=gateway.journaled:2`` kills the process by SIGKILL the second time it comes
there. Without the variable a call costs one comparison. Production never sets it.
"""

from __future__ import annotations

import os
import signal

_NAME, _, _NTH = os.environ.get("TRADER_FAULT_POINT", "").partition(":")
_remaining = int(_NTH or 1)

#: Every fault point, so that a test can run them all and notice one that is never reached. The
#: recorder passes its points only with a batch that holds an intent.
NAMES = (
    "gateway.decided",
    "gateway.journaled",
    "gateway.written",
    "gateway.answered",
    "tracker.recorded",
    "protect.journaled",
    "protect.written",
    "protect.answered",
    "recorder.applied",
    "recorder.committed",
)


def fault_point(name: str) -> None:
    """End the process here if the environment names this point."""
    global _remaining
    if name != _NAME:
        return
    _remaining -= 1
    if _remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)
