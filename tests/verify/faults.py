"""Starts an exchange and shows every kind of fault acting on a real client, one line each.

    python -m tests.verify.faults [KIND ...] [--face FACE ...] [--tls]

Every kind meets each of the three faces, unless some are named. Ends non-zero when one does not act, or when the exchange logged a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys
from collections.abc import Mapping

import uvloop

from tests.trader.paper.client import Client
from tests.trader.paper.process import Process
from tests.verify.fault_faces import FACES, account_of
from tests.verify.fault_orders import ORDER_PROBES
from tests.verify.fault_probes import PROBES, Bench, Probe
from trader.paper.faults.kinds import NAMES


async def show(process: Process, kinds: list[str], faces: list[str]) -> int:
    ready = process.ready
    context = ssl.create_default_context(cafile=ready["ca_file"]) if ready["ca_file"] else None
    failed = 0
    async with Client(ready, None, context) as control:
        for face in faces:
            account = await account_of(control, face)
            async with Client(ready, account, context) as client:
                bench = Bench(client, context, FACES[face])
                for kind in kinds:
                    failed += await probed(bench, face, kind, PROBES)
                    if kind in ORDER_PROBES:
                        failed += await probed(bench, f"{face} order socket", kind, ORDER_PROBES)
        state = await control.control("/state")
    if state["failures"]:
        print(f"FAIL  the exchange counted {state['failures']} failures of its own")
    return failed + int(state["failures"])


async def probed(bench: Bench, face: str, kind: str, probes: Mapping[str, Probe]) -> int:
    """1 when the kind did not act as it should."""
    failed = 0
    try:
        said = await asyncio.wait_for(probes[kind](bench), 30)
        print(f"ok    {face:<20} {kind:<17} {said}", flush=True)
    except Exception as error:  # noqa: BLE001  (whatever a probe meets is its finding)
        failed = 1
        print(f"FAIL  {face:<20} {kind:<17} {type(error).__name__}: {error}", flush=True)
    await bench.clean()
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*NAMES, []], help="only these")
    parser.add_argument("--face", nargs="*", choices=[*FACES], default=[*FACES], help="only through these")
    parser.add_argument("--tls", action="store_true", help="the same under TLS")
    given = parser.parse_args()
    missing = [name for name in NAMES if name not in PROBES]
    if missing:
        print(f"FAIL  no probe for {', '.join(missing)}")
        return 1
    process = Process(*(["--tls"] if given.tls else []))
    try:
        failed = uvloop.run(show(process, given.kinds or list(NAMES), given.face))
    finally:
        process.end(signal.SIGTERM)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
