"""Complete HTTP/1.1 requests as bytes, built ahead or in a microsecond."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.errors import UsageError

_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_TARGET = re.compile(r"/[\x21-\x7e]*")


def header_value(name: str, value: str) -> str:
    """The value, or :class:`UsageError` when it cannot stand in a header (its text is not repeated)."""
    if _SAFE.fullmatch(value) is None:
        raise UsageError(f"the value of {name} is empty or holds characters that cannot be sent in a header")
    return value


def build_get(host: str, path_query: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A GET. ``host`` is the Host header (:attr:`Origin.authority`), ``path_query`` is sent as given."""
    return _head("GET", host, path_query, headers) + b"\r\n"


def build_post(host: str, path_query: str, headers: Mapping[str, str] | None, body: bytes) -> bytes:
    """A POST with its body and content-length."""
    return _head("POST", host, path_query, headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _head(method: str, host: str, path_query: str, headers: Mapping[str, str] | None) -> bytes:
    if _TARGET.fullmatch(path_query) is None:
        raise UsageError("a request path begins with / and holds printable ASCII without blanks")
    lines = [f"{method} {path_query} HTTP/1.1", f"Host: {header_value('Host', host)}"]
    lines += [f"{name}: {header_value(name, value)}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")
