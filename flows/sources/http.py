"""One question over HTTP to a source of facts, answered whole or with an error that says whether asking again helps.

Nothing is retried here, and no redirect is followed: a token in a header would go along to wherever it points.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Final

import httpx
import msgspec

from flows.sources.cot_reading import plain
from shared import clock
from shared.errors import SourceAwayError, SourceDataError, SourceRefusedError

MAX_BODY: Final = 64 << 20
"""Bytes of one answer. The largest expected are 5,000 rows of JSON and the zip of 1986 to 2016, under 30 MB each."""
MAX_COMPLAINT: Final = 64 << 10
DEADLINE_S: Final = 600.0
"""For one whole answer, however steadily it drips."""
MAX_RETRY_AFTER_S: Final = 86_400.0
_HEALS: Final = frozenset({202, 408, 425, 429})
"""Besides every 5xx. Socrata answers 202 while it is still at work on a query."""


class Answer(msgspec.Struct, frozen=True):
    content: bytes
    last_modified_ns: int = 0
    """When the source says it last changed this, 0 when it does not say."""


class _Complaint(msgspec.Struct):
    """Socrata's error object, in both of its forms."""

    message: str = ""
    error_code: str = msgspec.field(name="errorCode", default="")


def client(timeout_s: float, *, trust_env: bool = True) -> httpx.AsyncClient:
    """A client for one run; use it with ``async with``.

    :param timeout_s: seconds to connect, and between two pieces of an answer.
    :param trust_env: heed ``HTTPS_PROXY`` and ``SSL_CERT_FILE``: many desks sit behind a proxy.
    """
    return httpx.AsyncClient(
        timeout=timeout_s,
        headers={"User-Agent": f"kestrel/{metadata.version('kestrel')}"},
        follow_redirects=False,
        trust_env=trust_env,
        limits=httpx.Limits(max_connections=4),
    )


async def get(
    client: httpx.AsyncClient,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    max_body: int = MAX_BODY,
    deadline_s: float = DEADLINE_S,
) -> Answer:
    """The answer to one GET.

    :raises SourceAwayError: no answer, only a part of one, or one that says *later*.
    :raises SourceRefusedError: an answer that asking again would not change.
    :raises SourceDataError: more than ``max_body`` bytes, or a status that means nothing here.
    """
    host = _host(url)
    try:
        async with (
            asyncio.timeout(deadline_s),
            client.stream("GET", url, params=params, headers=headers) as response,
        ):
            if response.status_code != 200:
                await _raise(response, host)
            content = await _body(response, max_body, host)
    except TimeoutError as error:
        raise SourceAwayError(f"{host} did not finish its answer within {deadline_s:g} s") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise SourceRefusedError(f"{host}: not an address that begins with https://") from error
    except httpx.LocalProtocolError:
        # its words would hold the header that they complain about, and that may be a token
        raise SourceRefusedError(
            f"{host}: the request could not be written: check the address and token"
        ) from None
    except httpx.TimeoutException as error:
        raise SourceAwayError(f"{host} does not answer in time ({_words(type(error).__name__)})") from error
    except httpx.HTTPError as error:
        if _certificate(error):
            raise SourceRefusedError(
                f"{host}: its certificate is not valid here: {plain(str(error))}"
            ) from error
        reason = plain(str(error)) or _words(type(error).__name__)
        raise SourceAwayError(f"{host} gave no whole answer: {reason}") from error
    return Answer(content, _moment_ns(response.headers.get("last-modified", "")))


def retry_after_s(header: str) -> float:
    """Seconds to wait by a ``Retry-After``: a number of them, or an HTTP date. 0 when it says nothing usable."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    moment = _moment_ns(text)
    wait_s = (moment - clock.now_ns()) / clock.SECOND if moment else 0.0
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def _moment_ns(header: str) -> int:
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, IndexError, OverflowError):
        return 0
    return clock.from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


async def _body(response: httpx.Response, limit: int, host: str) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > limit:
            raise SourceDataError(f"{host} sends more than {limit >> 20} MB: not what was asked for")
    return bytes(body)


async def _raise(response: httpx.Response, host: str) -> None:
    """The error that a status other than 200 means."""
    status = response.status_code
    said = f"{host} answered {status}{await _complaint(response)}"
    if status in _HEALS or status >= 500:
        raise SourceAwayError(said, retry_after_s(response.headers.get("retry-after", "")))
    if 300 <= status < 400:
        where = _host(response.headers.get("location", ""))
        raise SourceRefusedError(f"{said} and points to {where}, not followed: check the address")
    if status >= 400:
        raise SourceRefusedError(said)
    raise SourceDataError(f"{said}, which means nothing here")


async def _complaint(response: httpx.Response) -> str:
    """What the source says about it, in its own words."""
    try:
        found = msgspec.json.decode(await _body(response, MAX_COMPLAINT, ""), type=_Complaint)
    except (msgspec.DecodeError, SourceDataError):
        return ""
    words = " ".join(word for word in (found.error_code, found.message) if word)
    return f": {plain(words, 200)}" if words else ""


def _host(url: str) -> str:
    """Host and port: an address may carry a password."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "an unreadable address"
    return (parsed.netloc.decode("ascii", "replace") or plain(parsed.path, 60)) or "nowhere"


def _certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _words(name: str) -> str:
    """``ConnectTimeout`` → ``connect timeout``."""
    return "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in name).strip()
