"""``cot``: the slow facts by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

cot = typer.Typer(help="Commitments of Traders of the CFTC.", no_args_is_help=True)


@cot.command("import")
def cot_import(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="Text, csv, .gz or .zip as the CFTC publishes them, or folders of them."
        ),
    ],
    code: Annotated[
        str | None, typer.Option("--code", help="The contract market code, for a file that does not name it.")
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(
            "--snapshot",
            metavar="TIME",
            help="When the files were published, UTC, e.g. 2025-01-13 or 2025-01-13T20:30. "
            "Default: the release of the newest report in each.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring in reports from files; what is stored already and newer stays."""
    from kestrel import facts

    raise typer.Exit(facts.import_cot(files, code=code, snapshot=snapshot, as_json=as_json))


def register(app: typer.Typer) -> None:
    app.add_typer(cot, name="cot")
