"""``kestrel listings parse``: titles on stdin, one JSON object a line on stdout.

Every line that holds anything but blanks gives exactly one object, in order; blank lines are skipped.
Bytes that are not UTF-8 are replaced, and a line too long to be a title is ``other``, so that odd input
never stops the stream. Lines end at ``\\n`` (``\\r\\n``) alone: a title may hold Unicode's other separators.
"""

from __future__ import annotations

from typing import IO, Any, BinaryIO, Final

import msgspec

from trader.listings import titles

_MAX_LINE: Final = 1 << 20
"""Bytes read for one line; the rest of a longer one is skipped."""

_encode: Final = msgspec.json.Encoder().encode


def run(stdin: BinaryIO | IO[str], stdout: BinaryIO | IO[str]) -> int:
    """Read to the end; returns the exit code 0. Both streams may be binary or text (``sys.stdin``)."""
    reader: Any = getattr(stdin, "buffer", stdin)
    writer: Any = getattr(stdout, "buffer", stdout)
    binary_out = not hasattr(writer, "encoding")
    while line := reader.readline(_MAX_LINE):
        newline = b"\n" if isinstance(line, bytes) else "\n"
        rest = line
        while not rest.endswith(newline) and len(rest) == _MAX_LINE:
            rest = reader.readline(_MAX_LINE)
        title = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        if not title.strip():
            continue
        answer = one(title.rstrip("\r\n")) + b"\n"
        writer.write(answer if binary_out else answer.decode())
        writer.flush()
    return 0


def one(title: str) -> bytes:
    """The JSON of one title: kind, symbols, markets, markets_by_symbol, amended."""
    parsed = titles.parse(title)
    return _encode(
        {
            "kind": parsed.kind,
            "symbols": parsed.symbols,
            "markets": parsed.markets,
            "markets_by_symbol": parsed.markets_by_symbol,
            "amended": parsed.amended,
        }
    )
