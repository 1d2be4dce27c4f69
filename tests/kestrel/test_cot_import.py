"""``kestrel cot import``: what a person does with files, on a database of its own."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kestrel import facts
from shared.domain.cot import Positions, Report
from shared.errors import NotFoundError, UsageError
from tests.flows import cot_files

WEEK = date(2025, 1, 14)
FRIDAY = "2025-01-17"


@pytest.fixture
def url(postgres_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KESTREL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("KESTREL_HOME", str(home))
    return postgres_url


def bring(*paths: Path, snapshot: str | None = None) -> int:
    return facts.import_cot(paths, code=None, snapshot=snapshot, as_json=True)


def written(path: Path, *rows: Positions) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cot_files.text(rows))
    return path


def row(as_of: date = WEEK, size: int = 0) -> Positions:
    return cot_files.row(Report.LEGACY, "133741", as_of, size)


def query(url: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


def test_files_of_one_name_in_many_folders_all_come_in(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "2023" / "annual.txt", row(date(2023, 1, 3)))
    written(tmp_path / "2024" / "annual.txt", row(date(2024, 1, 2)))
    assert bring(tmp_path) == 0
    assert query(url, "select as_of, source from cot_legacy order by 1") == [
        (date(2023, 1, 3), "2023/annual.txt"),
        (date(2024, 1, 2), "2024/annual.txt"),
    ]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["file"], line["new"]) for line in lines] == [("2023/annual.txt", 1), ("2024/annual.txt", 1)]


def test_a_file_that_cannot_be_used_is_told_and_the_others_are_stored(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.txt").write_text("to be or not to be\n")
    (tmp_path / "c.txt").symlink_to(tmp_path / "gone")
    good = [written(tmp_path / name, row(date(2025, 1, day))) for name, day in (("a.txt", 7), ("d.txt", 14))]
    assert (
        facts.import_cot([good[0], tmp_path / "b.txt", good[1]], code=None, snapshot=None, as_json=False) == 9
    )
    assert query(url, "select count(*) from cot_legacy") == [(2,)]
    assert query(url, "select state, new_rows from source_runs") == [("failed", 2)]
    told = capsys.readouterr()
    assert "b.txt" in told.err
    assert "all" in told.out
    assert bring(tmp_path) == 9, "a link that leads nowhere is told too"


def test_refused_rows_are_told_by_file_and_line(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "annual.txt", row(), row(date(2025, 1, 21)))
    content = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*content, content[1].replace("22315", "22316")]))
    assert bring(path) == 0
    assert "annual.txt line 4" in capsys.readouterr().err


def test_a_day_as_snapshot_means_its_end(url: str, tmp_path: Path) -> None:
    """A correction that was published on the day of the release is newer than the release."""
    assert bring(written(tmp_path / "annual.txt", row())) == 0
    assert bring(written(tmp_path / "corrected.txt", row(size=5)), snapshot=FRIDAY) == 0
    assert query(url, "select open_interest, revision, source from cot_legacy") == [
        (22320, 1, str(tmp_path / "corrected.txt"))
    ]


def test_a_snapshot_before_the_rows_could_exist_is_refused(url: str, tmp_path: Path) -> None:
    assert bring(written(tmp_path / "annual.txt", row()), snapshot="2025-01-15") == 9
    assert query(url, "select count(*) from cot_legacy") == [(0,)]


@pytest.mark.parametrize("text", ["yesterday", "2025-13-01", "2999-01-01"])
def test_a_snapshot_that_is_no_time_is_one_clear_line(url: str, tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="--snapshot"):
        bring(written(tmp_path / "annual.txt", row()), snapshot=text)


def test_what_is_not_there_is_one_clear_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        bring(tmp_path / "nothing.txt")
    with pytest.raises(NotFoundError, match="cannot be read"):
        bring(tmp_path / ("n" * 300))
    with pytest.raises(NotFoundError, match=r"there is no \.txt"):
        bring(tmp_path)


@contextmanager
def ordinary() -> Iterator[None]:
    """Root may read everything: be somebody else for a moment."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_closed_folder_is_not_skipped_in_silence(tmp_path: Path) -> None:
    written(tmp_path / "open" / "annual.txt", row())
    written(tmp_path / "closed" / "annual.txt", row())
    (tmp_path / "closed").chmod(0)
    with ordinary(), pytest.raises(NotFoundError, match="cannot be read"):
        list(facts.files([tmp_path]))


def test_what_a_mac_adds_to_an_archive_is_left_out(url: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "deacot2025.zip", "w") as archive:
        archive.writestr("annual.txt", cot_files.text([row()]))
        archive.writestr("__MACOSX/._annual.txt", b"\x00\x05\x16\x07")
    (tmp_path / "._annual.txt").write_bytes(b"\x00\x05\x16\x07")
    assert bring(tmp_path) == 0
    assert query(url, "select source from cot_legacy") == [("deacot2025.zip/annual.txt",)]
