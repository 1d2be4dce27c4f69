"""``kestrel cot``: files into the database, and what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from flows import keeping
from flows.sources import cot_text
from flows.sources.cot_reading import Reading
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
    found = list(files(paths))
    settings = load()
    failed: list[KestrelError] = []
    with embedded.lease(settings) as url:
        prepare(settings, url)
        with engine.transaction(url) as connection:
            run_id = source_runs.start(connection, cot_store.SOURCE, "import")
        try:
            for file, shown in found:
                try:
                    for reading in _readings(file, shown, code, snapshot_ns):
                        part = keeping.keep(url, run_id, reading, once=False)
                        if as_json:
                            console.json_lines([_fields(part)])
                except (SourceDataError, NotFoundError) as error:
                    failed.append(error)
                    console.complain(f"kestrel: {error}")
        except BaseException as error:
            _finish(url, run_id, str(error) or type(error).__name__)
            raise
        run = _finish(url, run_id, f"{failed[0]}" if failed else None)
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


def _readings(file: Path, shown: str, code: str | None, snapshot_ns: int | None) -> list[Reading]:
    """What is in a file, under the name that the user gave it: files of one name lie in many folders."""
    found = []
    for reading in cot_text.read_file(file, code=code, snapshot_ns=snapshot_ns):
        newest = max((row.as_of for row in reading.rows), default=None)
        if snapshot_ns is not None and newest is not None and snapshot_ns < _earliest(newest):
            raise SourceDataError(
                f"{shown} holds the report of {newest}, which was not published before {clock.iso(_earliest(newest))[:10]}:"
                " give a later --snapshot"
            )
        found.append(msgspec.structs.replace(reading, source=shown + reading.source.removeprefix(file.name)))
    return found


def _earliest(as_of: date) -> int:
    """No report was ever published within three days of the date that it is about."""
    return clock.from_datetime(datetime.combine(as_of + timedelta(days=3), time.min, UTC))


def _finish(url: str, run_id: int, failed: str | None) -> source_runs.Run:
    with engine.transaction(url) as connection:
        return source_runs.finish(connection, run_id, failed)


def _fields(part: Part) -> dict[str, object]:
    return {"file": part.name, "report": part.report, **{name: getattr(part, name) for name in COUNTS}}


def files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The files themselves, and of a folder all that may be reports, by name; each with what to call it."""
    for path in paths:
        try:
            is_folder, is_file = path.is_dir(), path.is_file()
        except OSError as error:
            raise NotFoundError(f"{path} cannot be read: {error.strerror}") from None
        if is_file:
            yield path, str(path)
        elif is_folder:
            yield from _within(path)
        else:
            raise NotFoundError(f"there is no file {path}")


def _within(folder: Path) -> Iterator[tuple[Path, str]]:
    def closed(error: OSError) -> None:
        raise NotFoundError(f"{error.filename} cannot be read: {error.strerror}")

    found = [
        Path(place) / name
        for place, _, names in os.walk(folder, onerror=closed)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith("._")
    ]
    if not found:
        raise NotFoundError(f"there is no {', '.join(SUFFIXES)} file in {folder}")
    yield from ((path, str(path.relative_to(folder))) for path in sorted(found))


def _moment(text: str) -> int:
    """A time in UTC, or the end of a day, as nanoseconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--snapshot {text!r} is no time: write 2025-01-13 or 2025-01-13T20:30 (UTC)"
        ) from None
    now_ns = clock.now_ns()
    moment_ns = clock.from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if moment_ns > now_ns:
        raise UsageError(f"--snapshot {text} lies in the future")
    if len(text) <= len("2025-01-13"):
        return min(moment_ns + 86_400 * clock.SECOND - 1, now_ns)
    return moment_ns
