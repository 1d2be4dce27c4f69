"""Starts an exchange and shows every kind of fault acting on a real client, one line each.

    python -m tests.verify.faults [KIND ...] [--tls]

Ends non-zero when one does not act, or when the exchange logged a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys

import uvloop

from tests.trader.paper.client import Client
from tests.trader.paper.process import Process
from tests.verify.fault_probes import PROBES, Bench
from trader.paper.faults.kinds import NAMES


async def show(process: Process, kinds: list[str]) -> int:
    ready = process.ready
    context = ssl.create_default_context(cafile=ready["ca_file"]) if ready["ca_file"] else None
    failed = 0
    async with Client(ready, ready["accounts"][0], context) as client:
        bench = Bench(client, context)
        for kind in kinds:
            try:
                said = await asyncio.wait_for(PROBES[kind](bench), 30)
                print(f"ok    {kind:<17} {said}", flush=True)
            except Exception as error:  # noqa: BLE001  (whatever a probe meets is its finding)
                failed += 1
                print(f"FAIL  {kind:<17} {type(error).__name__}: {error}", flush=True)
            await bench.clean()
        state = await client.control("/state")
    if state["failures"]:
        print(f"FAIL  the exchange counted {state['failures']} failures of its own")
    return failed + int(state["failures"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*NAMES, []], help="only these")
    parser.add_argument("--tls", action="store_true", help="the same under TLS")
    given = parser.parse_args()
    missing = [name for name in NAMES if name not in PROBES]
    if missing:
        print(f"FAIL  no probe for {', '.join(missing)}")
        return 1
    process = Process("--accounts", "1", *(["--tls"] if given.tls else []))
    try:
        failed = uvloop.run(show(process, given.kinds or list(NAMES)))
    finally:
        process.end(signal.SIGTERM)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
