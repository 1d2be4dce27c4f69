"""One flow run as a process of ours: what the worker starts for each (``python -m flows.runtime.run``).

It dies with its worker, however that ends: the next worker starts the run again, and it must never be
running twice.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

from flows.runtime import redaction

WORKER_PID = "FLOW_WORKER_PID"
_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end now when it has ended already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the worker {parent} is gone")


def main() -> None:
    if WORKER_PID in os.environ:
        die_with(int(os.environ[WORKER_PID]))
    redaction.install()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
