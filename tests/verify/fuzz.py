"""Mutated requests and frames against a started paper exchange: ``python -m tests.verify.fuzz``.

Through each of the three faces. Seeds are signed requests of every call that the venue documents and of every call that is served. What is
sent is a seed with its method, path, query, headers, JSON or body damaged, or a websocket frame, or bytes
that are no HTTP at all. To hold: the process lives, ``failures`` is 0, nothing was logged with a
traceback, no answer is a 5xx, and a refused request leaves its account as it was: after each POST that is
refused the control API's picture of the account is compared with the one before it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.clock import SECOND, monotonic_ns
from tests.verify.fuzz_inputs import Sent, garbage, mutated
from tests.verify.fuzz_sockets import Reply, Web, raw_exchange
from tests.verify.fuzz_tongues import TONGUES, Tongue

#: Away from the prices that orders are given: what rests is not at the touch, where other accounts could meet it.
HELD = {"BTCUSDT": "60500", "ETHUSDT": "3000"}
WORKERS = 2  # per face
LEDGER_EVERY = 16
_RAISED = re.compile(r"[A-Za-z_.]+(Error|Exception|Message|Exit|Interrupt)\b")


class Broken(AssertionError):  # noqa: N818  (reads as what was found)
    """Something that must not happen did."""


@dataclass
class Report:
    """What was sent and what came back."""

    requests: int = 0
    frames: int = 0
    raw: int = 0
    compared: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    calls: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)


class Exchange:
    """The process under test; what it logs goes to a file, so that no pipe can fill.

    Its market stands still, so that no order that rests is filled by anything but a request.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "stderr"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "trader.paper",
                    "--port",
                    "0",
                    "--tape",
                    "manual",
                    "--no-limits",
                    "--speed",
                    "0",
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Broken(self.log.read_text())
        self.ready: dict[str, Any] = json.loads(line)

    def check(self) -> None:
        if self.process.poll() is not None:
            raise Broken(
                f"the exchange has ended with {self.process.returncode}: {self.log.read_text()[-2000:]}"
            )
        logged = self.log.read_text(errors="replace")
        if "Traceback" in logged or "Error handling request" in logged:
            kinds = Counter(line for line in logged.splitlines() if _RAISED.match(line))
            most = "\n".join(f"{number} x {line}" for line, number in kinds.most_common(20))
            raise Broken(f"unhandled exceptions in the log:\n{most}\nthe last of them:\n{logged[-3000:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Victim:
    """An account with money, orders, positions and plans, and the picture that only accepted calls may change."""

    def __init__(self, web: Web, tongue: Tongue, account: dict[str, Any]) -> None:
        self.web = web
        self.tongue = tongue
        self.account = account
        self.path = f"/control/accounts/{account['id']}"
        self.picture = b""
        self.ledger = b""
        self.compared = 0

    async def prepare(self) -> None:
        """Something resting, something held, something waiting."""
        whole = random.Random(1)  # nothing is damaged by it
        whole.random = lambda: 0.5  # type: ignore[method-assign]
        for method, path, fields in self.tongue.steps():
            sent = Sent(f"{method} {path}", method, path, b"")
            self.tongue.write(whole, sent, fields)
            made = self.tongue.sign(self.account, sent, whole)
            reply = await self.web.send(method, sent.target, made, sent.body)
            if not self.tongue.verdict(reply)[0]:
                raise Broken(f"an account could not be prepared: {sent.text()} -> {reply}")
        await self.look()

    async def look(self) -> None:
        self.picture = (await self.web.send("GET", self.path)).body
        self.ledger = (await self.web.send("GET", f"{self.path}/ledger")).body

    async def unchanged(self, what: str) -> None:
        """A refused request has changed nothing; the ledger is read only now and then, money is in the picture."""
        now = (await self.web.send("GET", self.path)).body
        if now != self.picture:
            raise Broken(f"a refused request changed the account: {what}\n{self.picture!r}\n{now!r}")
        self.compared += 1
        if self.compared % LEDGER_EVERY == 0:
            lines = (await self.web.send("GET", f"{self.path}/ledger")).body
            if lines != self.ledger:
                raise Broken(f"refused requests changed the ledger, the last of them: {what}")


class Fuzz:
    def __init__(self, exchange: Exchange, seed: int) -> None:
        self.exchange = exchange
        self.seed = seed
        self.report = Report()
        self.tongues = [tongue(exchange.ready) for tongue in TONGUES]
        self.base = urllib.parse.urlsplit(exchange.ready["rest"])

    async def victim(self, web: Web, tongue: Tongue) -> Victim:
        wanted = json.dumps({"balance": "10000", "kind": tongue.kind}).encode()
        made = await web.send("POST", "/control/accounts", {}, wanted)
        victim = Victim(web, tongue, json.loads(made.body))
        await victim.prepare()
        return victim

    def web(self) -> Web:
        assert self.base.hostname
        assert self.base.port
        return Web(self.base.hostname, self.base.port)

    async def run(self, count: int) -> Report:
        control = self.web()
        for symbol, price in HELD.items():
            body = json.dumps({"symbol": symbol, "price": price}).encode()
            await control.send("POST", "/control/price", {}, body)
        requests, frames, raw = count * 80 // 100, count * 18 // 100, count * 2 // 100
        each = len(self.tongues)
        parts = [self.garbage(raw)]
        for at, tongue in enumerate(self.tongues):
            parts.append(self.frames(tongue, at, frames // each))
            parts += [
                self.requests(tongue, at * WORKERS + number, requests // each // WORKERS)
                for number in range(WORKERS)
            ]
        jobs = [asyncio.create_task(part) for part in parts]
        await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
        for job in jobs:
            job.cancel()
        for found in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(found, Exception):
                raise found
        state = json.loads((await control.send("GET", "/control/state")).body)
        await control.close()
        self.exchange.check()
        if state["failures"]:
            raise Broken(f"{state['failures']} failures were counted")
        return self.report

    async def requests(self, tongue: Tongue, number: int, count: int) -> None:
        """One connection, one account; its picture is its own."""
        dice = random.Random(self.seed * 1000 + number)
        web = self.web()
        victim = await self.victim(web, tongue)
        for at in range(count):
            sent = mutated(dice, tongue.seeds, tongue.write)
            made = tongue.sign(victim.account, sent, dice)
            reply = await web.send(sent.method, sent.target, made, sent.body)
            await self.judge(victim, sent, reply)
            if at % 400 == 399:
                await self.renew(victim)
        await victim.look()
        await web.close()

    async def renew(self, victim: Victim) -> None:
        """Accounts run dry or full: another one, with everything in it."""
        fresh = await self.victim(victim.web, victim.tongue)
        victim.account, victim.path = fresh.account, fresh.path
        victim.picture, victim.ledger = fresh.picture, fresh.ledger

    async def judge(self, victim: Victim, sent: Sent, reply: Reply) -> None:
        report, what = self.report, sent.text()
        report.requests += 1
        report.statuses[reply.status] += 1
        report.calls.add(sent.call)
        if reply.status >= 500 or reply.status == 0:
            self.exchange.check()
            raise Broken(f"HTTP {reply.status} to {what}: {reply.body[:300]!r}")
        accepted, code = victim.tongue.verdict(reply)
        report.codes[code] += 1
        if accepted != (reply.status == 200):
            raise Broken(f"HTTP {reply.status} with code {code!r} to {what}: {reply.body[:300]!r}")
        if code == "" and not sent.beyond_http:
            raise Broken(f"none of the venue's answers, HTTP {reply.status}, to {what}: {reply.body[:300]!r}")
        if accepted:
            report.accepted.add(sent.call)
            if sent.method != "GET":
                await victim.look()
        elif sent.method != "GET":
            await victim.unchanged(f"{what} -> {code or reply.status}")
            report.compared += 1

    async def frames(self, tongue: Tongue, number: int, count: int) -> None:
        """Frames on one connection after the other: each starts anew when the exchange hangs up."""
        dice = random.Random(self.seed * 1000 + 500 + number)
        web = self.web()
        victim = await self.victim(web, tongue)
        left = count
        while left > 0:
            batch = [tongue.frame(dice, victim.account) for _ in range(min(left, dice.choice([1, 20, 100])))]
            left -= len(batch)
            self.report.frames += len(batch)
            answers = await tongue.talk(dice, victim.account, batch)
            if answers is None or tongue.may_have_acted(answers):
                await self.renew(victim)
            else:
                await victim.unchanged(f"frames {batch!r}"[:2000])
                self.report.compared += 1
        await web.close()

    async def garbage(self, count: int) -> None:
        """Bytes over bare sockets; afterwards the same exchange answers a well-formed question."""
        dice = random.Random(self.seed * 1000 + 600)
        web = self.web()
        for _ in range(count):
            assert self.base.hostname
            assert self.base.port
            data = garbage(dice, self.base.netloc)
            answer = await raw_exchange(self.base.hostname, self.base.port, data)
            if answer[9:10] == b"5" and answer[9:12] not in {b"501", b"505"}:
                raise Broken(f"{answer[:200]!r} to {data[:500]!r}")
            self.report.raw += 1
            alive = await web.send("GET", "/api/v2/public/time")
            if alive.status != 200:
                raise Broken(f"no time any more after {data[:500]!r}")
        await web.close()


def run(count: int, seed: int) -> Report:
    """Start an exchange, damage ``count`` requests and frames, stop it. ``Broken`` says what was found."""
    with tempfile.TemporaryDirectory(prefix="kestrel-fuzz-") as folder:
        exchange = Exchange(Path(folder))
        try:
            return asyncio.run(Fuzz(exchange, seed).run(count))
        finally:
            exchange.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.verify.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="requests and frames")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = monotonic_ns()
    try:
        report = run(given.count, given.seed)
    except Broken as broken:
        print(f"BROKEN (seed {given.seed}): {broken}")
        return 1
    seconds = (monotonic_ns() - started) / SECOND
    print(
        f"{report.requests} requests, {report.frames} frames, {report.raw} bare sockets in {seconds:.0f} s; "
        f"{report.compared} refusals compared, nothing changed; {len(report.accepted)} of "
        f"{len(report.calls)} calls were also accepted"
    )
    print("HTTP", dict(report.statuses.most_common()))
    print("codes", dict(report.codes.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
