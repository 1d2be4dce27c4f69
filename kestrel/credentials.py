"""Exchange keys come from a prompt, a file or stdin: never from arguments, which everybody can read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from shared.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from shared.vault import Credentials

MOST_BYTES = 64 * 1024
FORM = 'JSON like {"key": "...", "secret": "...", "passphrase": "..."}, or lines KEY=..., SECRET=..., PASSPHRASE=...'
_NAMES = ("key", "secret", "passphrase")
#: What names in a file may begin with.
_VENUES = ("bitget_", "binance_")
_ALIASES = {
    "apikey": "key",
    "api_key": "key",
    "apisecret": "secret",
    "api_secret": "secret",
    "secretkey": "secret",
    "secret_key": "secret",
    "password": "passphrase",
    "api_passphrase": "passphrase",
}


def read(source: Path | None, *, passphrase: bool = True) -> Credentials:
    """From the file, from stdin for ``-``, else asked for at the terminal without echo.

    ``passphrase``: whether the exchange gives one out with its keys.
    """
    if source is None:
        return _ask(passphrase=passphrase)
    if str(source) == "-":
        return parse(sys.stdin.read(MOST_BYTES + 1), "stdin")
    path = source.expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise NotFoundError(f"there is no secret file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the secret file {path} cannot be read: {type(error).__name__}") from None
    if path.stat().st_mode & 0o077:
        from kestrel import console

        console.complain(f"warning: others can read {path}: chmod 600 it, or delete it now")
    return parse(text, str(path))


def parse(text: str, where: str) -> Credentials:
    """JSON or NAME=VALUE lines; messages name what is missing and never quote what was read."""
    from shared.vault import Credentials

    if len(text) > MOST_BYTES:
        raise UsageError(f"{where} is too large for credentials: it takes {FORM}")
    fields = _json(text) if text.lstrip().startswith("{") else _lines(text)
    if fields is None:
        raise UsageError(f"{where} cannot be understood: it takes {FORM}")
    found: dict[str, str] = {}
    for name, value in fields.items():
        plain = name.strip().lower().replace("-", "_")
        for venue in _VENUES:
            plain = plain.rpartition(venue)[2]
        found[_ALIASES.get(plain, plain)] = value.strip()
    missing = [name for name in _NAMES[:2] if not found.get(name)]
    if missing:
        raise UsageError(f"{where} holds no {' and no '.join(missing)}: it takes {FORM}")
    return Credentials(key=found["key"], secret=found["secret"], passphrase=found.get("passphrase", ""))


def _json(text: str) -> dict[str, str] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _lines(text: str) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for raw in text.splitlines():
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            return None
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        fields[name] = value
    return fields


def _ask(*, passphrase: bool) -> Credentials:
    from shared.vault import Credentials

    if not sys.stdin.isatty():
        raise UsageError(
            "no terminal to ask at: give --secret-file FILE, or --secret-file - and the keys on stdin"
        )
    key = typer.prompt("API key", hide_input=True)
    secret = typer.prompt("API secret", hide_input=True)
    words = ""
    if passphrase:
        words = typer.prompt(
            "Passphrase (empty if there is none)", hide_input=True, default="", show_default=False
        )
    return Credentials(key=key.strip(), secret=secret.strip(), passphrase=words.strip())
