"""A title as text with brackets: normalised, cut into tags, running text and bracket groups.

Nothing here knows what a listing is. All patterns work on text whose blanks are single spaces and
whose length is capped, so that their cost is bounded whatever a source sends.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

MAX_TITLE: Final = 1_000
"""Characters. Real titles have at most about 200; a longer text than this is no title at all."""

MARK: Final = "\x01"
"""Stands in :attr:`Title.text` for one bracket group."""

_TAG: Final = re.compile(r" ?\[([^\[\]]{0,80})\] ?")
_BRACKET: Final = re.compile(r"[()\[\]]")
_OTHER_BRACKETS: Final = str.maketrans(
    {"【": "[", "】": "]", "〔": "[", "〕": "]", "〈": "[", "〉": "]", "《": "[", "》": "]"}
    | {"「": "[", "」": "]", "『": "[", "』": "]", "{": "(", "}": ")"}
)
_INVISIBLE: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


_LATIN: Final = re.compile(r"[A-Za-z]{3}")


class Words:
    """A Korean and an English pattern, each tried only where it can match (half of the cost is saved so)."""

    __slots__ = ("_english", "_korean")

    def __init__(self, korean: str, english: str) -> None:
        self._korean = re.compile(korean)
        self._english = re.compile(english, re.IGNORECASE)

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        found = None if text.isascii() else self._korean.search(text, start)
        if found is None and _LATIN.search(text, start):
            found = self._english.search(text, start)
        return found


class Group(NamedTuple):
    """One outermost bracket group. ``at`` is the index of its :data:`MARK` in the running text."""

    text: str
    at: int
    attached: bool
    """No blank before it: ``도지(DOGE)``, not ``추가 (DOGE)``."""


class Title(NamedTuple):
    """``[tag] running text (group) …``; ``text`` has one :data:`MARK` for each group."""

    tags: str
    text: str
    groups: tuple[Group, ...]


def normalise(title: str) -> str:
    """NFKC (full width → ASCII, composed Hangul), no invisible characters, single blanks."""
    if not title.isascii():
        title = unicodedata.normalize("NFKC", title)
        title = _INVISIBLE.sub("", title).translate(_OTHER_BRACKETS)
    return " ".join(_CONTROL.sub(" ", title).split())


def split(title: str) -> Title | None:
    """Cut a title; ``None`` when the text is too long to be one.

    An unclosed bracket reaches to the end; a closing one without an opening one is dropped.
    """
    if len(title) > MAX_TITLE:
        return None
    rest = normalise(title)
    tags = []
    while match := _TAG.match(rest):
        tags.append(match[1])
        rest = rest[match.end() :]
    text, groups = _groups(rest)
    return Title(" ".join(tags), text, groups)


def _groups(rest: str) -> tuple[str, tuple[Group, ...]]:
    pieces: list[str] = []
    groups: list[Group] = []
    length = depth = done = opened = 0
    for match in _BRACKET.finditer(rest):
        at = match.start()
        if rest[at] in "([":
            if depth == 0:
                pieces.append(rest[done:at])
                length += at - done
                opened = at
            depth += 1
            continue
        if depth == 0:  # stray
            pieces.append(rest[done:at])
            length += at - done
            done = at + 1
            continue
        depth -= 1
        if depth == 0:
            groups.append(_group(rest, opened, at, length))
            pieces.append(MARK)
            length += 1
            done = at + 1
    if depth:
        groups.append(_group(rest, opened, len(rest), length))
        pieces.append(MARK)
    else:
        pieces.append(rest[done:])
    return "".join(pieces), tuple(groups)


def _group(rest: str, opened: int, closed: int, at: int) -> Group:
    attached = opened > 0 and rest[opened - 1] != " "
    return Group(rest[opened + 1 : closed].strip(), at, attached)
