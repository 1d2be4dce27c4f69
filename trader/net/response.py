"""Reading one HTTP/1.1 answer, byte split by byte split, without a socket.

The rules are those of RFC 9112 as h11 reads them (a test compares the two at every split), with
three stricter points: the version must be 1.x, the number of interim answers and the sizes of head
and body are bounded. Whatever does not fit raises :class:`ProtocolError`; the caller turns that into
"unknown", because the request had left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import msgspec

from shared.errors import ProtocolError

MAX_BODY = 4 * 1024 * 1024
MAX_HEAD = 32 * 1024
MAX_INTERIM = 16

_BLANK_LINE = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([0-9]{3})(?: [^\x00\r\n\x0b\x0c]*)?")
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_FORBIDDEN_IN_VALUE = re.compile(rb"[\x00\r\n\x0b\x0c]")
_DIGITS = re.compile(rb"[0-9]{1,20}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;.*)?[ \t]*")
_FIRST_PRINTABLE = 0x21


class Response(msgspec.Struct):
    """One answer. Header names are lower case, doubles are joined by a comma; stamps are UTC ns.

    ``first_byte_ns`` is when its first byte reached us, ``received_ns`` when it was complete.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    first_byte_ns: int = 0
    received_ns: int = 0


class ResponseParser:
    """Feed it bytes until :attr:`complete`; then read status, headers, body.

    ``head`` says that the request was a HEAD, whose answer never has a body. :attr:`excess` holds
    bytes that came after the answer: nobody asked for them, the connection cannot be trusted.
    """

    __slots__ = (
        "_buffer",
        "_chunk",
        "_head",
        "_interim",
        "_max_body",
        "_max_head",
        "_remaining",
        "_scanned",
        "_step",
        "body",
        "complete",
        "headers",
        "keep_alive",
        "status",
    )

    def __init__(self, *, head: bool = False, max_body: int = MAX_BODY, max_head: int = MAX_HEAD) -> None:
        self._head = head
        self._max_body = max_body
        self._max_head = max_head
        self._buffer = bytearray()
        self._scanned = 0
        self._interim = 0
        self._remaining = 0
        self._chunk = 0
        self._step: Callable[[], bool] = self._read_head
        self.complete = False
        self.keep_alive = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take bytes; return whether the answer is complete. Raise :class:`ProtocolError` on garbage."""
        self._buffer += data
        while not self.complete and self._step():
            pass
        return self.complete

    def eof(self) -> None:
        """The peer closed in an orderly way: fine for a body that runs until then, else an error."""
        if self._step == self._read_until_close:
            self.complete = True
        if not self.complete:
            raise ProtocolError("the connection was closed in the middle of the answer")

    @property
    def excess(self) -> bytes:
        return bytes(self._buffer)

    # Each step consumes what it can and returns whether another step may follow at once.

    def _read_head(self) -> bool:
        if self._buffer and self._buffer[0] < _FIRST_PRINTABLE:
            raise ProtocolError("the answer does not begin with a status line")
        lines = self._lines()
        if lines is None:
            return False
        match = _STATUS_LINE.fullmatch(lines[0])
        if match is None:
            raise ProtocolError("the answer has no valid HTTP/1.x status line")
        status = int(match[2])
        fields, framing = _read_fields(lines[1:])
        if status < 200:
            return self._skip_interim(status)
        self.status = status
        self.headers = fields
        self.keep_alive = match[1] != b"0" and not framing.close
        if self._head or status in (204, 304):
            return self._finish()
        if framing.chunked:
            self._step = self._read_chunk_size
        elif framing.length is not None:
            self._check_size(framing.length)
            self._remaining = framing.length
            self._step = self._read_length
        else:
            self.keep_alive = False
            self._step = self._read_until_close
        return True

    def _skip_interim(self, status: int) -> bool:
        self._interim += 1
        if status < 100 or status == 101 or self._interim > MAX_INTERIM:
            raise ProtocolError(f"an interim answer that nobody asked for (status {status})")
        return True

    def _read_length(self) -> bool:
        self._take()
        return self._finish() if self._remaining == 0 else False

    def _read_until_close(self) -> bool:
        self._check_size(len(self._buffer))
        self.body += self._buffer
        self._buffer.clear()
        return False

    def _read_chunk_size(self) -> bool:
        end = self._buffer.find(b"\r\n", max(0, self._scanned - 1))
        if end < 0:
            self._scanned = len(self._buffer)
            self._check_head()
            return False
        match = _CHUNK_SIZE.fullmatch(self._buffer, 0, end)
        if match is None:
            raise ProtocolError("a chunk begins without a valid size")
        self._remaining = int(match[1], 16)
        self._discard(end + 2)
        if self._remaining == 0:
            self._step = self._read_trailers
        else:
            self._check_size(self._remaining)
            self._step = self._read_chunk
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._remaining:
            return False
        self._step = self._read_chunk_end
        return True

    def _read_chunk_end(self) -> bool:
        end = bytes(self._buffer[:2])
        if not b"\r\n".startswith(end):
            raise ProtocolError("a chunk is longer than it said")
        if len(end) < 2:
            return False
        self._discard(2)
        self._step = self._read_chunk_size
        return True

    def _read_trailers(self) -> bool:
        for blank in (b"\n", b"\r\n"):
            if self._buffer.startswith(blank):
                self._discard(len(blank))
                return self._finish()
        lines = self._lines()
        if lines is None:
            return False
        _read_fields(lines)
        return self._finish()

    # What the steps share.

    def _lines(self) -> list[bytes] | None:
        """The lines before the first blank one, cut from the buffer, or None when it has not come yet."""
        match = _BLANK_LINE.search(self._buffer, self._scanned)
        if match is None:
            self._scanned = max(0, len(self._buffer) - 2)
            self._check_head()
            return None
        lines = bytes(self._buffer[: match.start()]).split(b"\n")
        self._discard(match.end())
        return [line.removesuffix(b"\r") for line in lines]

    def _take(self) -> None:
        piece = self._buffer[: self._remaining]
        self.body += piece
        self._remaining -= len(piece)
        self._discard(len(piece))

    def _discard(self, count: int) -> None:
        del self._buffer[:count]
        self._scanned = 0

    def _finish(self) -> bool:
        self.complete = True
        return False

    def _check_size(self, more: int) -> None:
        if len(self.body) + more > self._max_body:
            raise ProtocolError(f"the answer is larger than {self._max_body} bytes")

    def _check_head(self) -> None:
        if len(self._buffer) > self._max_head:
            raise ProtocolError(f"the head of the answer is larger than {self._max_head} bytes")


class _Framing:
    """What the header fields say about where the body ends."""

    __slots__ = ("chunked", "close", "length")

    def __init__(self) -> None:
        self.chunked = False
        self.close = False
        self.length: int | None = None


def _read_fields(lines: Iterable[bytes]) -> tuple[dict[str, str], _Framing]:
    fields: dict[str, str] = {}
    framing = _Framing()
    length: bytes | None = None
    for line in _unfold(lines):
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None:
            raise ProtocolError("the answer has an invalid header line")
        value = value.strip(b" \t")
        if _FORBIDDEN_IN_VALUE.search(value):
            raise ProtocolError("the answer has an invalid header value")
        name = name.lower()
        if name == b"content-length":
            value = _content_length(value, length)
            length = value
            framing.length = int(value)
        elif name == b"transfer-encoding":
            value = value.lower()
            if framing.chunked or value != b"chunked":
                raise ProtocolError("the answer has a transfer encoding other than chunked")
            framing.chunked = True
        elif name == b"connection":
            framing.close |= b"close" in (part.strip() for part in value.lower().split(b","))
        key, text = name.decode("ascii"), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {text}" if key in fields and name != b"content-length" else text
    return fields, framing


def _unfold(lines: Iterable[bytes]) -> Iterable[bytes]:
    """Join continuation lines (obsolete, but servers may still send them) to the line before."""
    before: bytes | None = None
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if before is None:
                raise ProtocolError("the headers of the answer begin with a continuation line")
            before += b" " + line.lstrip(b" \t")
            continue
        if before is not None:
            yield before
        before = line
    if before is not None:
        yield before


def _content_length(value: bytes, before: bytes | None) -> bytes:
    """The one length that all mentions agree on."""
    lengths = {part.strip() for part in value.split(b",")}
    if before is not None:
        lengths.add(before)
    length = lengths.pop()
    if lengths or _DIGITS.fullmatch(length) is None:
        raise ProtocolError("the answer has no single valid content-length")
    return length
