"""The two key rings.

*Data ring*: keys of data sources, encrypted with the master key (:class:`DataKeys`, Fernet), for
the process that fetches. *Exchange ring*: account credentials, sealed to the trader's public key
(libsodium sealed box): anybody can :func:`seal`, only the trader opens them (:class:`TraderKeys`).
The trader's private half lies encrypted under a key derived from the master key.

::

    home/keys/master.key   Fernet keys, one a line, the first is current
    home/keys/trader.key   private halves, encrypted, one a line, the first is current
    home/keys/trader.pub   the current public half

Rotation is two steps, each safe to repeat and to interrupt: *rotate* adds a new key in front (old
data still opens), then the data is encrypted anew, then *retire* drops the old keys, and refuses
while something still needs them. This module loads PyNaCl; ``cryptography`` only with DataKeys.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox

from shared import files, redact
from shared.errors import UsageError, VaultError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_BYTES = 32
LONGEST = 8192
OTHERS = 0o077


class Credentials(msgspec.Struct, frozen=True):
    """What an exchange gave a user. Shows nothing of itself, whoever prints it.

    Raises :class:`UsageError` for a key or passphrase that cannot go into an HTTP header.
    """

    key: str
    secret: str
    passphrase: str = ""

    def __post_init__(self) -> None:
        for name, value in (("API key", self.key), ("API secret", self.secret)):
            if not value.strip():
                raise UsageError(f"the {name} is empty")
        for name, value in (("API key", self.key), ("passphrase", self.passphrase)):
            if value != value.strip() or not (value.isascii() and value.isprintable()):
                raise UsageError(f"the {name} has blanks around it or characters that no exchange gives out")
        if max(len(self.key), len(self.secret), len(self.passphrase)) > LONGEST:
            raise UsageError(f"an API key or secret is longer than {LONGEST} characters")

    def __repr__(self) -> str:
        return "Credentials(hidden)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


def ensure_keys(home: Path) -> None:
    """Make the key files of a home that has none, and the public half when only that is missing.

    Raises :class:`VaultError` when one half of a ring is there and the other is not: new keys
    would make what is stored unreadable for ever.
    """
    with _locked(home) as folder:
        master, trader = folder / "master.key", folder / "trader.key"
        if not master.exists():
            if trader.exists():
                raise VaultError(f"{master} is missing but {trader} is there: put it back from a backup")
            files.write_atomic(master, _new_master() + b"\n")
        masters = _masters(folder)
        if not trader.exists():
            _write_privates(folder, [PrivateKey.generate()], masters[0])
        current = _privates(folder, masters)[0]
        if not (folder / "trader.pub").exists() or public_key(home) != bytes(current.public_key):
            _write_public(folder, current)


def public_key(home: Path) -> bytes:
    """The 32 bytes that credentials are sealed to."""
    path = _folder(home) / "trader.pub"
    lines = _lines(path)
    return _decode(path, lines[0], KEY_BYTES)


def seal(public: bytes, credentials: Credentials) -> bytes:
    """Encrypt credentials so that only the trader can read them; each call gives another text."""
    if len(public) != KEY_BYTES:
        raise VaultError("the trader's public key is damaged: run `kestrel doctor`")
    return SealedBox(PublicKey(public)).encrypt(msgspec.json.encode(credentials))


class TraderKeys:
    """The trader's private halves, in memory. Never leaves the trader."""

    __slots__ = ("_boxes", "_public")

    def __init__(self, privates: list[PrivateKey]) -> None:
        self._boxes = [SealedBox(private) for private in privates]
        self._public = bytes(privates[0].public_key)

    @classmethod
    def open(cls, home: Path) -> TraderKeys:
        folder = _folder(home)
        return cls(_privates(folder, _masters(folder)))

    def __reduce__(self) -> str:
        raise TypeError("private keys are not copied to other processes")

    @property
    def public_key(self) -> bytes:
        return self._public

    def unseal(self, blob: bytes) -> Credentials:
        """The credentials, whose values are registered with the log's redaction from here on."""
        credentials = self._open(blob)[0]
        for value in (credentials.key, credentials.secret, credentials.passphrase):
            redact.hide(value)
        return credentials

    def reseal(self, blob: bytes) -> bytes | None:
        """The same credentials sealed to the current key, or ``None`` if they already are."""
        credentials, box = self._open(blob)
        return None if box == 0 else seal(self._public, credentials)

    def _open(self, blob: bytes) -> tuple[Credentials, int]:
        for number, box in enumerate(self._boxes):
            try:
                plain = box.decrypt(blob)
            except (CryptoError, ValueError, TypeError):
                continue
            try:
                return msgspec.json.decode(plain, type=Credentials), number
            except (msgspec.MsgspecError, UnicodeDecodeError, UsageError):
                break
        raise VaultError(
            "these exchange keys are damaged or were sealed for another installation: enter them again "
            "with `kestrel accounts set`, or put this home's keys folder back from a backup"
        )


class DataKeys:
    """Encrypts what belongs to the data ring. Old master keys still decrypt until they are retired."""

    def __init__(self, home: Path) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  (the trader never loads it)

        self._ring: MultiFernet = MultiFernet([Fernet(key) for key in _masters(_folder(home))])

    def encrypt(self, value: bytes) -> bytes:
        return self._ring.encrypt(value)

    def decrypt(self, token: bytes) -> bytes:
        """Raises :class:`VaultError` for a token that no key of this ring opens."""
        return self._try(self._ring.decrypt, token)

    def rotate(self, token: bytes) -> bytes:
        """The same value under the current key, with its original time."""
        return self._try(self._ring.rotate, token)

    @staticmethod
    def _try(act: Callable[[bytes], bytes], token: bytes) -> bytes:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        try:
            return act(token)
        except (InvalidToken, TypeError):
            raise VaultError(
                "a stored data-source key is damaged or of another installation: enter it again, or put "
                "this home's keys folder back from a backup"
            ) from None


def rotate_master(home: Path) -> None:
    """A new master key in front; the trader's private halves move under it at once.

    Then pass every stored data value through :meth:`DataKeys.rotate`, then :func:`retire_master`.
    """
    with _locked(home) as folder:
        masters = _masters(folder)
        privates = _privates(folder, masters)
        fresh = _new_master()
        files.write_atomic(folder / "master.key", b"\n".join([fresh, *masters]) + b"\n")
        _write_privates(folder, privates, fresh)


def retire_master(home: Path, tokens: Iterable[bytes]) -> None:
    """Drop all master keys but the current one.

    ``tokens`` are all stored values of the data ring: :class:`VaultError` if one of them, or the
    trader's key, would no longer open.
    """
    from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415

    with _locked(home) as folder:
        current = _masters(folder)[0]
        _privates(folder, [current])
        ring = Fernet(current)
        for token in tokens:
            try:
                ring.decrypt(token)
            except InvalidToken:
                raise VaultError(
                    "a stored data-source key still needs an old master key: rotate it first"
                ) from None
        files.write_atomic(folder / "master.key", current + b"\n")


def rotate_trader(home: Path) -> bytes:
    """A new key pair in front; returns its public half. Old private halves are kept.

    Then pass every account through :meth:`TraderKeys.reseal`, then :func:`retire_trader`.
    """
    with _locked(home) as folder:
        masters = _masters(folder)
        fresh = PrivateKey.generate()
        _write_privates(folder, [fresh, *_privates(folder, masters)], masters[0])
        _write_public(folder, fresh)
        return bytes(fresh.public_key)


def retire_trader(home: Path, blobs: Iterable[bytes]) -> None:
    """Drop all private halves but the current one.

    ``blobs`` are the sealed credentials of *every* account: :class:`VaultError` if one of them
    would no longer open.
    """
    with _locked(home) as folder:
        masters = _masters(folder)
        current = _privates(folder, masters)[0]
        keys = TraderKeys([current])
        for blob in blobs:
            try:
                keys.unseal(blob)
            except VaultError:
                raise VaultError(
                    "an account's keys are still sealed to an old key: re-seal all accounts first"
                ) from None
        _write_privates(folder, [current], masters[0])


def _folder(home: Path) -> Path:
    return home.expanduser().resolve() / "keys"


@contextmanager
def _locked(home: Path) -> Iterator[Path]:
    """One writer of key files at a time."""
    folder = files.folder(files.make_home(home) / "keys")
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)


def _new_master() -> bytes:
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES))


def _masters(folder: Path) -> list[bytes]:
    path = folder / "master.key"
    lines = _lines(path)
    for line in lines:
        _decode(path, line, KEY_BYTES)
    return lines


def _box(master: bytes) -> SecretBox:
    raw = base64.urlsafe_b64decode(master)
    return SecretBox(hashlib.blake2b(raw, digest_size=SecretBox.KEY_SIZE, person=b"kestrel-trader").digest())


def _privates(folder: Path, masters: list[bytes]) -> list[PrivateKey]:
    path = folder / "trader.key"
    privates = []
    for line in _lines(path):
        blob = _decode(path, line)
        for master in masters:
            try:
                privates.append(PrivateKey(_box(master).decrypt(blob)))
                break
            except (CryptoError, ValueError, TypeError):
                continue
        else:
            raise VaultError(
                f"{path} is damaged or master.key is of another installation: put both back from one backup"
            )
    return privates


def _write_privates(folder: Path, privates: list[PrivateKey], master: bytes) -> None:
    box = _box(master)
    lines = [base64.urlsafe_b64encode(box.encrypt(bytes(private))) for private in privates]
    files.write_atomic(folder / "trader.key", b"\n".join(lines) + b"\n")


def _write_public(folder: Path, private: PrivateKey) -> None:
    files.write_atomic(folder / "trader.pub", base64.urlsafe_b64encode(bytes(private.public_key)) + b"\n")


def _lines(path: Path) -> list[bytes]:
    """The lines of a key file; it must be there, private, and not empty."""
    try:
        mode = path.stat().st_mode
        lines = [line.strip() for line in path.read_bytes().splitlines() if line.strip()]
    except FileNotFoundError:
        raise VaultError(
            f"{path} is missing: put it back from a backup, or run `kestrel up` if this home is new"
        ) from None
    except PermissionError:
        raise VaultError(f"{path} belongs to another user: run as that user") from None
    if mode & OTHERS and path.name != "trader.pub":
        raise VaultError(f"{path} can be read by others: run `chmod 600 {path}`")
    if not lines:
        raise VaultError(f"{path} is empty: put it back from a backup")
    return lines


def _decode(path: Path, line: bytes, length: int = 0) -> bytes:
    try:
        raw = base64.b64decode(line, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or (length and len(raw) != length):
        raise VaultError(f"{path} is damaged: put it back from a backup")
    return raw
