"""``kestrel cot``: files into the database, and what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from flows import keeping
from flows.sources import cot_text
from kestrel import console
from kestrel.database import prepare
from shared import clock
from shared.db import cot_store, embedded, engine, source_runs
from shared.db.source_runs import COUNTS, Part
from shared.errors import KestrelError, NotFoundError, SourceDataError, UsageError
from shared.settings import load

SUFFIXES = (".txt", ".csv", ".gz", ".zip")


def import_cot(paths: Sequence[Path], *, code: str | None, snapshot: str | None, as_json: bool) -> int:
    """Each reading in a transaction of its own; 0, or the exit code for a file that could not be used."""
    snapshot_ns = None if snapshot is None else _moment(snapshot)
    files = list(_files(paths))
    settings = load()
    failed: list[KestrelError] = []
    with embedded.lease(settings) as url:
        prepare(settings, url)
        with engine.transaction(url) as connection:
            run_id = source_runs.start(connection, cot_store.SOURCE, "import")
        for file in files:
            try:
                for reading in cot_text.read_file(file, code=code, snapshot_ns=snapshot_ns):
                    part = keeping.keep(url, run_id, reading)
                    if as_json:
                        console.json_lines([_fields(part)])
            except SourceDataError as error:
                failed.append(error)
                console.complain(f"kestrel: {error}")
        with engine.transaction(url) as connection:
            run = source_runs.finish(connection, run_id, failed[0].args[0] if failed else "")
    for one in run.detail.refusals:
        console.complain(f"refused: {one.where}: {one.reason}")
    if run.refused_rows > len(run.detail.refusals):
        console.complain(f"refused: {run.refused_rows - len(run.detail.refusals)} more")
    if not as_json:
        total = Part(name="all", **msgspec.to_builtins(run.counts))
        console.show(
            [_fields(part) for part in [*run.detail.sources, total]],
            ["file", "report", *COUNTS],
            as_json=False,
            empty="",
        )
    return failed[0].exit_code if failed else 0


def _fields(part: Part) -> dict[str, object]:
    return {"file": part.name, "report": part.report, **{name: getattr(part, name) for name in COUNTS}}


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files themselves, and of a folder all that may be reports, in the order of their names."""
    for path in paths:
        if path.is_dir():
            found = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and one.is_file())
            if not found:
                raise NotFoundError(f"there is no {', '.join(SUFFIXES)} file in {path}")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise NotFoundError(f"there is no file {path}")


def _moment(text: str) -> int:
    """A date or a time in UTC, as nanoseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--snapshot {text!r} is no time: write 2025-01-13 or 2025-01-13T20:30 (UTC)"
        ) from None
    moment_ns = clock.from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if moment_ns > clock.now_ns():
        raise UsageError(f"--snapshot {text} lies in the future")
    return moment_ns
