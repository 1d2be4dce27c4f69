from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
import trustme
from aiohttp import web

from flows.sources import http
from shared import clock
from shared.errors import KestrelError, SourceAwayError, SourceDataError, SourceRefusedError
from tests.flows.socrata_server import SocrataServer

ZIP = "deacot2025.zip"
NOON = clock.from_datetime(clock.utc(0).replace(year=2026, month=11, day=21, hour=12))


async def test_an_answer_comes_whole_with_its_date(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.files[ZIP] = b"x" * 300_000
    server.last_modified = "Fri, 20 Nov 2026 20:30:05 GMT"
    answer = await http.get(client, f"{server.files_url}/{ZIP}")
    assert answer.content == b"x" * 300_000
    assert clock.iso(answer.last_modified_ns) == "2026-11-20T20:30:05.000000Z"
    assert server.requests[0].headers["User-Agent"].startswith("kestrel/")


async def test_an_answer_without_a_date_has_none(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.files[ZIP] = b"x"
    assert (await http.get(client, f"{server.files_url}/{ZIP}")).last_modified_ns == 0
    server.last_modified = "yesterday"
    assert (await http.get(client, f"{server.files_url}/{ZIP}")).last_modified_ns == 0


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (202, SourceAwayError),
        (204, SourceDataError),
        (301, SourceRefusedError),
        (302, SourceRefusedError),
        (400, SourceRefusedError),
        (401, SourceRefusedError),
        (403, SourceRefusedError),
        (404, SourceRefusedError),
        (408, SourceAwayError),
        (410, SourceRefusedError),
        (429, SourceAwayError),
        (500, SourceAwayError),
        (502, SourceAwayError),
        (503, SourceAwayError),
    ],
)
async def test_a_status_says_whether_asking_again_helps(
    server: SocrataServer, client: httpx.AsyncClient, status: int, error: type[KestrelError]
) -> None:
    server.fault("status", status=status)
    with pytest.raises(error) as caught:
        await http.get(client, f"{server.url}/resource/6dca-aqww.json")
    assert type(caught.value) is error
    assert f"answered {status}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


async def test_the_sources_own_words_are_told_on_one_line(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    server.fault(
        "status",
        status=400,
        body='{"message": "No such\\ncolumn: x", "errorCode": "query.soql.no-such-column"}',
    )
    server.fault(
        "status",
        status=403,
        body='{"code": "permission_denied", "error": true, "message": "Invalid app_token"}',
    )
    server.fault("status", status=500, body="<html>" + "x" * 200_000)
    said = []
    for _ in range(3):
        with pytest.raises(KestrelError) as caught:
            await http.get(client, f"{server.url}/resource/6dca-aqww.json")
        said.append(str(caught.value).partition(" ")[2])
    assert said == [
        "answered 400: query.soql.no-such-column No such column: x",
        "answered 403: Invalid app_token",
        "answered 500",
    ]


async def test_a_redirect_is_not_followed_but_named(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.fault(
        "status", status=302, headers={"Location": "https://user:secret@elsewhere.example/login?x=1"}
    )
    with pytest.raises(SourceRefusedError, match=r"points to elsewhere\.example, not followed") as caught:
        await http.get(client, f"{server.url}/resource/6dca-aqww.json")
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 12:02:00 -0000", 120.0),
        ("999999999999", 86_400.0),
        ("Sat, 21 Nov 2099 12:00:00 GMT", 86_400.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("Sat, 99 Nov 2026 12:02:00 GMT", 0.0),
    ],
)
def test_retry_after_in_both_forms(header: str, seconds: float) -> None:
    with clock.use(now=lambda: NOON):
        assert http.retry_after_s(header) == seconds


@pytest.mark.parametrize("status", [429, 503])
async def test_the_pause_that_a_busy_source_asks_for_is_kept(
    server: SocrataServer, client: httpx.AsyncClient, status: int
) -> None:
    server.fault("status", status=status, headers={"Retry-After": "33"})
    with pytest.raises(SourceAwayError) as caught:
        await http.get(client, f"{server.url}/resource/6dca-aqww.json")
    assert caught.value.retry_after_s == 33.0


@pytest.mark.parametrize("kind", ["reset", "drop"])
async def test_a_connection_that_breaks_is_away(
    server: SocrataServer, client: httpx.AsyncClient, kind: str
) -> None:
    server.files[ZIP] = b"x" * 100_000
    server.fault(kind)
    with pytest.raises(SourceAwayError, match="gave no whole answer"):
        await http.get(client, f"{server.files_url}/{ZIP}")
    assert (await http.get(client, f"{server.files_url}/{ZIP}")).content == b"x" * 100_000


async def test_nobody_listening_is_away(server: SocrataServer, client: httpx.AsyncClient) -> None:
    url = server.url
    await server.__aexit__()
    with pytest.raises(SourceAwayError, match="gave no whole answer"):
        await http.get(client, url)


async def test_silence_is_away_after_the_timeout(server: SocrataServer) -> None:
    server.fault("slow")
    async with http.client(0.2, trust_env=False) as impatient:
        with pytest.raises(SourceAwayError, match=r"does not answer in time \(read timeout\)"):
            await http.get(impatient, f"{server.url}/resource/6dca-aqww.json")


async def test_an_answer_that_drips_for_ever_ends_at_the_deadline(client: httpx.AsyncClient) -> None:
    stop = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not stop.is_set() and request.transport is not None:
            await response.write(b"x")
            await asyncio.sleep(0.02)
        return response

    async with _app(drip) as url:
        with pytest.raises(SourceAwayError, match=r"did not finish its answer within 0\.3 s"):
            await http.get(client, url, deadline_s=0.3)
        stop.set()


async def test_too_much_is_not_what_was_asked_for(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.files[ZIP] = b"x" * 3_000_000
    with pytest.raises(SourceDataError, match="sends more than 2 MB"):
        await http.get(client, f"{server.files_url}/{ZIP}", max_body=2 << 20)


async def test_a_packed_answer_that_does_not_unpack_is_away(client: httpx.AsyncClient) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})

    async with _app(answer) as url:
        with pytest.raises(SourceAwayError):
            await http.get(client, url)


async def test_a_header_that_cannot_be_sent_is_never_shown(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    with pytest.raises(SourceRefusedError) as caught:
        await http.get(client, server.url, headers={"X-App-Token": "sec\nret"})
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["ftp://host/x", "host/x", "", "http://[::1/x"])
async def test_an_address_that_is_none_is_refused(client: httpx.AsyncClient, url: str) -> None:
    with pytest.raises(SourceRefusedError):
        await http.get(client, url)


async def test_a_certificate_that_is_not_trusted_is_refused(client: httpx.AsyncClient) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text="[]")

    async with _app(answer, context) as url:
        with pytest.raises(SourceRefusedError, match="its certificate is not valid here"):
            await http.get(client, url)


class _app:  # noqa: N801 - reads like a function where it is used
    """A server with one answer; its address."""

    def __init__(self, handler: object, context: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_get("/", handler)  # type: ignore[arg-type]
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._context = context

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        host, port = self._runner.addresses[0][:2]
        return f"{'https' if self._context else 'http'}://{host}:{port}/"

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()
