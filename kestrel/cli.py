"""The command line ``kestrel``: its commands, exit codes, and how errors are told.

Everything a command needs is imported when it runs, never when its name is read, so that
``kestrel --help`` answers at once. Exit codes are those of ``shared.errors`` and of the table
in ``docs/cli.md``.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from kestrel import console, environment
from kestrel.commands import facts, operations, people, processes, reading
from shared.errors import KestrelError

UNEXPECTED = 1
USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    name="kestrel",
    help="Sees listings, fires orders, protects positions.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a stack trace when something fails.")] = False,
) -> None:
    """Sees listings, fires orders, protects positions."""


processes.register(app)
people.register(app)
reading.register(app)
facts.register(app)
operations.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    environment.scrub(os.environ)
    try:
        code = app(list(arguments), prog_name="kestrel", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        console.silence()
        return console.BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        return _tell(error)
    return code if isinstance(code, int) else 0


def _tell(error: Exception) -> int:
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    if isinstance(error, KestrelError):
        console.complain(f"kestrel: {error}")
        return error.exit_code
    if hasattr(error, "format_message"):  # how typer reports a wrong command line
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "kestrel"
        message = str(error.format_message()).strip()
        if "\n" in message:  # no command at all: typer answers with the help text
            console.complain(message)
        else:
            console.complain(f"kestrel: {message.rstrip('.')}; `{path} --help` shows what there is")
        return USAGE
    console.complain(
        f"kestrel: unexpected {type(error).__name__}; run it again with --debug for the stack trace"
    )
    return UNEXPECTED


def main() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(run(sys.argv[1:]))
