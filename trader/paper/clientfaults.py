"""What a client does wrong below the venue's protocol is no error of ours and leaves no stack in the log.

The HTTP library logs a stack for a request line that is no request line, a body that is not in the coding
it claims, and an answer that finds its connection gone. Anybody can cause these at will: they become one line
at debug level, while everything else is logged as it was.
"""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

CLIENT_FAULTS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


def quiet(record: logging.LogRecord) -> bool:
    """A filter: lets everything pass but stacks of clients' faults, of which a line remains."""
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, CLIENT_FAULTS):
        return True
    log.debug("a client's fault: %s", " ".join(str(error).split())[:200])
    return False


log = logging.getLogger(__name__)

#: For the HTTP library instead of its own.
server_log = logging.getLogger(f"{__name__}.http")
server_log.addFilter(quiet)


async def expect(request: web.Request) -> None:
    """Who waits for "100 Continue" gets it; other expectations are not ours to judge."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
