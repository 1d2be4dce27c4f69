"""A flow run dies with its worker, whichever of them began first to die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from shared import clock, procfs

CHILD = """
import os, sys, time
from flows.runtime.run import die_with
die_with(int(sys.argv[1]))
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = f"""
import os, subprocess, sys
subprocess.run([sys.executable, "-c", {CHILD!r}, str(os.getpid())])
"""


def test_the_kernel_ends_it_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert procfs.start_time(child) is not None
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = clock.monotonic_ns() + 5 * clock.SECOND
    while procfs.start_time(child) is not None:
        assert clock.monotonic_ns() < deadline
        time.sleep(0.01)


def test_it_does_not_begin_when_its_parent_is_gone() -> None:
    command = [sys.executable, "-c", CHILD, str(os.getppid())]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert answer.returncode != 0
    assert answer.stdout == ""
    assert "is gone" in answer.stderr
