"""The same tape and story on two fresh exchanges: one ledger, whatever the machine does meanwhile."""

from __future__ import annotations

import signal

from tests.trader.paper.process import Processes
from tests.trader.paper.story import ARGUMENTS, play


async def test_ten_clients_in_lock_step_leave_the_same_ledger_twice(processes: Processes) -> None:
    runs = []
    for seed, noise in ((7, 1), (7, 2), (8, 1)):
        process = processes.start("--tape", f"synthetic:{seed}", *ARGUMENTS)
        runs.append(await play(process.ready, noise=noise, rounds=4, most_s=0.003))
        process.end(signal.SIGTERM)
    first, second, other = runs
    assert first == second
    assert first.entries > 20
    assert first.sha256 != other.sha256
