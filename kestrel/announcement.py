"""What ``kestrel up`` says when everything runs: a banner, the addresses, what to do next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shared.settings import PREFIX


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the announcement is made of."""

    home: Path
    tape: str
    tape_note: str
    demo: bool
    live_setting: bool
    seconds: float
    addresses: Sequence[tuple[str, str, str]]
    """(what, address, file of its log)"""
    users: int
    flows_problem: str = ""
    """Why flows are not there yet; empty = they are, or were not asked for."""


def banner(tape: str, note: str, *, demo: bool) -> str:
    """One line that says what the numbers on the page are made of."""
    kinds = {"live": "live public market data", "manual": "prices by hand"}
    what = kinds.get(
        tape, "a seeded generator, not a real market" if tape.startswith("synthetic") else "a recording"
    )
    text = f"PAPER MODE: no real money. Tape {tape}: {what}"
    text += f" ({note})" if note else ""
    return text + (" — DEMO: a story on invented coins" if demo else "")


def lines(facts: Facts) -> list[str]:
    """The announcement, ready to print."""
    told = [
        "",
        banner(facts.tape, facts.tape_note, demo=facts.demo),
        f"{'trading' if facts.flows_problem else 'all'} healthy after {facts.seconds:.1f} s",
        *([f"flows are not up yet: {facts.flows_problem}"] if facts.flows_problem else []),
        "",
    ]
    widths = [max(len(row[column]) for row in facts.addresses) for column in range(2)]
    told += [f"  {what:<{widths[0]}}  {where:<{widths[1]}}  {log}" for what, where, log in facts.addresses]
    told += ["", f"logs: {facts.home / 'logs'} (NAME.log: events, NAME.out: what it printed)"]
    if facts.live_setting:
        told.append("live accounts do not trade under `up`: run `kestrel trade` for them")
    if not facts.users and not facts.demo:
        told += ["", "There is no user yet. In a second terminal:"]
        told += [f"  {command}" for command in first_steps()]
        told.append("or stop this and see the demonstration first: kestrel up --demo")
    return [*told, "Ctrl-C stops everything.", ""]


def first_steps() -> list[str]:
    me = program()
    return [
        f"{me} users add anna",
        f"{me} accounts add --user anna --paper --balance 10000",
        f"{me} settings set listing.amount 50 --user anna",
    ]


def program() -> str:
    """How to call us from this shell: with the home that is in force, by a path when not on PATH."""
    found = shutil.which("kestrel")
    beside = Path(sys.executable).parent / "kestrel"
    if found and Path(found).resolve() == beside.resolve():
        name = "kestrel"
    else:
        try:
            name = str(beside.relative_to(Path.cwd()))
        except ValueError:
            name = str(beside)
    home = os.environ.get(f"{PREFIX}HOME")
    return (f"{PREFIX}HOME={shlex.quote(home)} " if home else "") + shlex.quote(name)
