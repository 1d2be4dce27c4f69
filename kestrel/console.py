"""What the commands print: one JSON object a line for scripts, a readable table for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from enum import Enum
from typing import Any

import typer

from shared import clock

BROKEN_PIPE = 141
"""128 + SIGPIPE: what a shell reports for a program whose reader went away."""

_READABLE = Context(prec=10)


def line(text: str = "") -> None:
    """One line on stdout; a reader that went away ends the command quietly."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
        raise typer.Exit(BROKEN_PIPE) from None


def complain(text: str) -> None:
    """One line on stderr."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        pass  # nobody is left to be told


def silence() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def json_lines(rows: Iterable[Any]) -> None:
    """One JSON object a line; decimals are strings; nothing when there are no rows."""
    import msgspec

    encode = msgspec.json.Encoder(decimal_format="string").encode
    for row in rows:
        line(encode(row).decode())


def show(rows: Sequence[Any], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Print typed rows (msgspec structs or dicts): all fields as JSON, or ``columns`` as a table.

    ``empty`` is what a person reads on stderr when there is nothing; a script reads nothing.
    """
    if as_json:
        json_lines(rows)
    elif rows:
        table([[cell(field(row, name), name) for name in columns] for row in rows], columns)
    else:
        complain(empty)


def field(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)


def cell(value: Any, name: str) -> str:
    """One value for people: times without nanoseconds, numbers without needless zeros."""
    if name.endswith("_ns") and isinstance(value, int):
        return clock.iso(value)[:19].replace("T", " ") if value else "-"
    if isinstance(value, Decimal):
        return f"{_READABLE.plus(value).normalize():f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(item) for item in value)
    return "-" if value is None or value == "" else str(value)


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """A table on stdout: as wide as a terminal, unbounded for a file or a pipe."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 400, highlight=False, markup=False)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name.removesuffix("_ns").replace("_", " "), overflow="fold")
    for row in rows:
        made.add_row(*row)
    try:
        with console.capture() as capture:
            console.print(made)
    except BrokenPipeError:
        silence()
        raise typer.Exit(BROKEN_PIPE) from None
    line("\n".join(text.rstrip() for text in capture.get().strip("\n").split("\n")))
