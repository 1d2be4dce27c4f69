"""Secrets out of text and data, before they reach a log: by registered value, by name, by shape.

A value given to :func:`hide` is found wherever a piece of :data:`PIECE` characters of it appears:
plain, percent-encoded, in JSON, base64 or hex. Names (``secret``, ``passphrase``, ...) and shapes
(URL passwords, signatures, private keys) catch what nobody registered. A secret that is neither
registered nor named nor of a known shape looks like any other word and is not found.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

import msgspec

HIDDEN = "[hidden]"
GRAM = 8
STRIDE = 4
#: Any stretch of a registered value (or of one of its encodings) this long is found.
PIECE = GRAM + STRIDE - 1
SHORTEST = 4
MOST_VALUES = 20_000
MAX_TEXT = 65_536
"""Characters looked at; what is longer is cut here first."""
MAX_DEPTH = 8
MAX_ITEMS = 256

_NAME_PARTS = re.compile(
    "secret|passphrase|password|passwd|(?:api|access|private|master|listen)key|signature|accesssign"
    "|authorization|cookie|credential|token|databaseurl"
)
_NAMES = frozenset({"sign", "auth", "pass", "pwd", "pw", "dsn", "sealed"})

_QUOTE = r"""(?:\\{0,4}["']|%22|%27)"""
_SPACE = r"(?:\s|%20|\+)"
#: ``name = value`` in all its dresses: ``"name": "value"``, ``name=value&``, ``('name', b'value')``.
_NAMED = re.compile(
    r"(?i)((?:secret|pass-?phrase|password)[a-z_-]{0,16}|passwd|pwd|token|cookie|credentials?|authorization|signature"
    r"|(?:api|access|private|master|listen)[-_ ]?key|(?<![a-z])sign)"
    rf"({_QUOTE}?{_SPACE}{{0,4}}(?:=>|[=:]|%3D|%3A|(?<=[\"']),(?=\s?b?\\{{0,4}}[\"'])){_SPACE}{{0,4}}(?:b(?=[\"']))?)"
    rf"(?:({_QUOTE})(?:.{{0,4096}}?)(?=(?<!\\)\3|$)|(?!\[hidden)(?:(?:bearer|basic)\s)?[^\s,;&\"'}}\])<>]{{1,4096}})"
)
#: What stands before the host of a URL. It is looked for first: where a registered URL has a beginning in common
#: with this one, hiding that would leave the rest of it without its shape.
_URL = (re.compile(r"(?i)((?<=[a-z0-9])(?:://|%3A%2F%2F))[^\s\"'<>]{0,512}(?:@|%40)"), rf"\1{HIDDEN}@")
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}-----|$)", re.DOTALL),
        HIDDEN,
    ),
    _URL,
    (
        re.compile(r"(?i)\b(cookie|authorization)(\s{0,4}:\s{0,4})(?![\s\"'])[^\r\n\"'}]{1,4096}"),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\bbot\d{6,20}(?::|%3A)[A-Za-z0-9_-]{20,}"), f"bot{HIDDEN}"),
    (re.compile(r"\bgAAAAA[A-Za-z0-9_-]{20,}={0,2}"), HIDDEN),
    (re.compile(r"\bbg_[0-9a-f]{16,}"), HIDDEN),
    (re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}(?:=|%3D)"), HIDDEN),
    (re.compile(r"(?<![A-Za-z0-9])[0-9a-fA-F]{64}(?![A-Za-z0-9])"), HIDDEN),
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9+/=._~-]{8,}")


class _Registry:
    """Registered values, indexed by every fourth piece of eight characters.

    A stretch of eleven characters of a value holds one of those pieces whole, so one look-up per
    position of a text is enough, however many values there are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._pieces: dict[str, tuple[tuple[str, int], ...]] = {}
        self._short: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        with self._lock:
            if value in self._known or len(self._known) >= MOST_VALUES:
                return
            self._known.add(value)
            for form in _forms(value):
                if len(form) < PIECE:
                    self._short = tuple(sorted({*self._short, form}, key=len, reverse=True))
                if len(form) >= GRAM:
                    last = len(form) - GRAM
                    for start in {*range(0, last + 1, STRIDE), last}:
                        piece = form[start : start + GRAM]
                        self._pieces[piece] = (*self._pieces.get(piece, ()), (form, start))

    def clean(self, text: str) -> str:
        if not self._known:
            return text
        for value in self._short:
            if value in text:
                text = text.replace(value, HIDDEN)
        pieces = self._pieces
        out: list[str] = []
        done = position = 0
        end = len(text) - GRAM + 1
        while position < end:
            found = pieces.get(text[position : position + GRAM])
            if found is None:
                position += 1
                continue
            left = right = position
            for form, start in found:
                lower, upper = _stretch(text, position, form, start)
                if upper - lower >= min(PIECE, len(form)):  # less may be a word that others use too
                    left, right = min(left, lower), max(right, upper)
            if right == position:
                position += 1
                continue
            out += [text[done : max(done, left)], HIDDEN]
            done = position = right
        return "".join(out) + text[done:] if out else text


def _stretch(text: str, position: int, form: str, start: int) -> tuple[int, int]:
    """How far the match of ``form[start:]`` at ``text[position:]`` reaches to both sides."""
    left = 0
    while left < min(position, start) and text[position - left - 1] == form[start - left - 1]:
        left += 1
    right = GRAM
    while (
        position + right < len(text)
        and start + right < len(form)
        and text[position + right] == form[start + right]
    ):
        right += 1
    return position - left, position + right


def _forms(value: str) -> set[str]:
    """A value as it looks after the encodings that text goes through on its way to a log."""
    raw = value.encode("utf-8", "surrogatepass")
    forms = {
        value,
        quote(value, safe=""),
        quote(value, safe="").lower(),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(json.dumps(value))[3:-3],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(raw)[2:-1],
        raw.hex(),
        raw.hex().upper(),
    }
    for shift in range(3):  # base64 looks different at each of three alignments
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        begin = (0, 2, 3)[shift]
        end = len(coded) - (4 if (len(raw) + shift) % 3 else 0)
        if end - begin >= GRAM:
            forms |= {coded[begin:end], coded[begin:end].replace("+", "-").replace("/", "_")}
    return forms


_registry = _Registry()


def hide(value: str) -> None:
    """Never show this value, a piece of it or an encoding of it again. Values under 4 characters are ignored."""
    if len(value) >= SHORTEST:
        _registry.add(value)


def text(value: str) -> str:
    """The same text without secrets; longer than :data:`MAX_TEXT` is cut."""
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT] + f" [{len(value) - MAX_TEXT} more characters cut]"
    value = _registry.clean(_URL[0].sub(_URL[1], value))
    for pattern, replacement in _SHAPES:
        value = pattern.sub(replacement, value)
    value = _NAMED.sub(rf"\1\2\3{HIDDEN}", value)
    return _BEARER.sub(rf"\1 {HIDDEN}", value)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value looks like."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain in _NAMES or _NAME_PARTS.search(plain) is not None


def data(value: object, depth: int = 0) -> object:
    """The same data, made of plain types, without secrets: bounded in depth and number of items."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    if depth >= MAX_DEPTH:
        return "[too deep]"
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [data(item, depth + 1) for item in list(value)[:MAX_ITEMS]]
        return items if len(value) <= MAX_ITEMS else [*items, f"[{len(value) - MAX_ITEMS} more items cut]"]
    return text(_as_text(value))


def _as_text(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value[:MAX_TEXT]).decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  (a stranger's __str__ may raise anything; logging never fails)
        return f"[{type(value).__name__} that cannot be shown: {type(error).__name__}]"


def _mapping(value: Mapping[object, object], depth: int) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for key, item in list(value.items())[:MAX_ITEMS]:
        name = key if isinstance(key, str) else str(data(key, depth + 1))
        cleaned[text(name)] = (
            HIDDEN if is_secret_name(name) and item not in (None, "") else data(item, depth + 1)
        )
    return cleaned
