from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shared import files, installation
from shared.domain.ids import ALPHABET, client_id
from shared.errors import StartError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_get_their_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.folder(files.make_home(tmp_path / "a" / "home") / "run")
    finally:
        os.umask(before)
    assert [mode(tmp_path / part) for part in ("a", "a/home", "a/home/run")] == [0o711, 0o711, 0o700]


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    files.make_home(tmp_path)
    files.folder(tmp_path)
    assert mode(tmp_path) == 0o750


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    assert files.write_atomic(path, b"one")
    assert mode(path) == 0o600

    def fail(handle: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            files.write_atomic(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
    assert not files.write_atomic(path, b"three", replace=False)
    assert path.read_bytes() == b"one"
    assert files.write_atomic(path, b"four")
    assert path.read_bytes() == b"four"


def test_an_installation_has_one_mark_for_ever(tmp_path: Path) -> None:
    mark = installation.prefix(tmp_path / "home")
    assert len(mark) == 4
    assert set(mark) <= set(ALPHABET)
    assert installation.prefix(tmp_path / "home") == mark
    assert client_id(mark, 1, "listing:upbit:1:NMR", 0, "entry").startswith(mark)
    assert installation.prefix(tmp_path / "other") != mark or installation.prefix(tmp_path / "third") != mark


@pytest.mark.parametrize("wrong", [b"", b"{}", b'{"prefix": "ab"}', b'{"prefix": "ab!d"}', b"[1]", b"\xff"])
def test_a_damaged_mark_is_never_made_anew(tmp_path: Path, wrong: bytes) -> None:
    path = tmp_path / "installation.json"
    path.write_bytes(wrong)
    with pytest.raises(StartError, match="put it back from a backup"):
        installation.prefix(tmp_path)
    assert path.read_bytes() == wrong
