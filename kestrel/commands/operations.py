"""``db``, ``doctor``, ``journal``: keeping an installation healthy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

db = typer.Typer(help="The database.", no_args_is_help=True)
journal = typer.Typer(help="The trader's journal.", no_args_is_help=True)


@db.command("migrate")
def db_migrate() -> None:
    """Bring the database's schema to what this version needs."""
    from kestrel import operations

    operations.migrate()


@journal.command("show")
def journal_show(
    folder: Annotated[
        Path | None, typer.Argument(help="Journal folder or one file. Default: of this home.")
    ] = None,
    as_json: Json = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the last so many records. Default: all.")
    ] = None,
) -> None:
    """Show the records of the trader's journal, oldest first."""
    from kestrel import operations

    operations.show_journal(folder, as_json=as_json, limit=limit)


def doctor(as_json: Json = False) -> None:
    """Check this installation and say what to do.

    Every line is ok, warn or FAIL; one FAIL makes the exit code 1.
    """
    from kestrel import doctor as implementation
    from shared.settings import load

    raise typer.Exit(implementation.run(load(), as_json=as_json))


def register(app: typer.Typer) -> None:
    app.add_typer(db, name="db")
    app.add_typer(journal, name="journal")
    app.command("doctor")(doctor)
