from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.sources import packed
from shared.errors import SourceDataError
from tests.flows.cot_files import gzipped, zipped

TEXT = b"one\r\ntwo\n\nlast"


def lines(content: bytes, name: str = "f.txt") -> list[tuple[str, int, bytes, bool]]:
    return [
        (text.name, line.number, line.content, line.ended)
        for text in packed.texts(io.BytesIO(content), name)
        for line in text.lines()
    ]


def test_the_lines_are_the_same_however_they_are_packed() -> None:
    plain = lines(TEXT)
    assert plain == [
        ("f.txt", 1, b"one", True),
        ("f.txt", 2, b"two", True),
        ("f.txt", 3, b"", True),
        ("f.txt", 4, b"last", False),
    ]
    assert lines(gzipped(TEXT)) == plain
    assert [line[1:] for line in lines(zipped({"annual.txt": TEXT}), "y.zip")] == [line[1:] for line in plain]
    assert lines(zipped({"annual.txt": TEXT}), "y.zip")[0][0] == "y.zip/annual.txt"


def test_a_zip_gives_all_its_text_files_and_nothing_else() -> None:
    content = zipped({"a/ANNUAL.TXT": b"1", "readme.pdf": b"%PDF", "b.csv": b"2", "folder/": b""})
    assert [line[0] for line in lines(content, "y.zip")] == ["y.zip/a/ANNUAL.TXT", "y.zip/b.csv"]


@pytest.mark.parametrize("files", [{}, {"xl/workbook.xml": b"<xml>"}, {f"{n}.txt": b"" for n in range(65)}])
def test_a_zip_that_is_none_of_theirs_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(SourceDataError, match="not one of the CFTC's"):
        lines(zipped(files))


def test_a_bomb_is_defused() -> None:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("annual.txt", "w", force_zip64=True) as file,
    ):
        for _ in range(520):
            file.write(bytes(1 << 20))
    assert len(out.getvalue()) < 1 << 20
    with pytest.raises(SourceDataError, match="holds more than 512 MB of text"):
        lines(out.getvalue())


def test_all_members_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MAX_TEXT", 1000)
    assert len(lines(zipped({"a.txt": b"x" * 500, "b.txt": b"x" * 500}))) == 2
    with pytest.raises(SourceDataError):
        lines(zipped({"a.txt": b"x" * 500, "b.txt": b"x" * 501}))
    with pytest.raises(SourceDataError):
        lines(gzipped(b"x" * 1001))


def test_a_line_without_an_end_is_cut_and_told() -> None:
    content = b"head\n" + b"x" * 200_000 + b"\nnext\n" + b"y" * packed.MAX_LINE
    found = list(next(packed.texts(io.BytesIO(content), "f")).lines())
    assert [(line.number, len(line.content), line.ended, line.too_long) for line in found] == [
        (1, 4, True, False),
        (2, packed.MAX_LINE, True, True),
        (3, 4, True, False),
        (4, packed.MAX_LINE, False, True),
    ]


def test_an_encrypted_zip_says_so() -> None:
    content = bytearray(zipped({"annual.txt": TEXT}))
    content[6] |= 1  # the flag in the local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    with pytest.raises(SourceDataError, match=r"annual\.txt is encrypted"):
        lines(bytes(content))


ARCHIVES = [gzipped(TEXT * 50), zipped({"annual.txt": TEXT * 50, "b.csv": TEXT})]


@given(st.sampled_from(ARCHIVES), st.data())
def test_a_cut_archive_is_damaged_and_nothing_else(archive: bytes, data: st.DataObject) -> None:
    cut = archive[: data.draw(st.integers(4, len(archive) - 1))]
    with pytest.raises(SourceDataError, match="damaged"):
        lines(cut)


@given(
    st.sampled_from(ARCHIVES),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=6),
)
@example(ARCHIVES[1], [(0, 1)])
def test_a_damaged_archive_raises_nothing_else(archive: bytes, changes: list[tuple[int, int]]) -> None:
    content = bytearray(archive)
    for place, change in changes:
        content[place % len(content)] ^= change
    try:
        lines(bytes(content))
    except SourceDataError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is fine, another error is not
