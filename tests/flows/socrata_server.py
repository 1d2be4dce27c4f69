"""The CFTC's two hosts on 127.0.0.1: Socrata's query service as it is documented, and the yearly zips.

In a test: ``async with SocrataServer() as server``, then ``server.publish(rows)``, ``server.fault(...)``,
``server.requests``. For other processes: ``python -m tests.flows.socrata_server --port 0`` prints ``{"url": ...}``
when it listens, and is driven over ``/control/rows``, ``/control/files``, ``/control/faults``, ``/control/requests``.

Of Socrata: ``$where`` with ``in(...)``, comparisons and ``AND``; ``$order``, ``$limit`` (1,000 when absent, 400 above
50,000), ``$offset``; rows in another order each time when none is asked for; numbers as strings, empty fields absent;
errors in its two forms; ``X-App-Token``. The zips hold the same rows, all but the faults that were put into them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from shared.domain.cot import Positions, Report
from tests.flows import cot_files

DATASETS = {"6dca-aqww": Report.LEGACY, "gpe5-46if": Report.TFF}
FILES = "/files/dea/history"
DEFAULT_LIMIT = 1_000
MAX_LIMIT = 50_000
_BUNDLES = {"deacot1986_2016.zip": Report.LEGACY, "fin_fut_txt_2006_2016.zip": Report.TFF}
_YEARLY = re.compile(r"(deacot|fut_fin_txt_)(\d{4})\.zip")
_MEMBERS = {Report.LEGACY: "annual.txt", Report.TFF: "FinFutYY.txt"}
_CONDITION = re.compile(
    r"\s*(?P<field>[:a-z_0-9]+)\s*(?:(?P<op>>=|<=|!=|=|>|<)\s*'(?P<value>(?:[^']|'')*)'"
    r"|in\s*\((?P<values>\s*'(?:[^']|'')*'(?:\s*,\s*'(?:[^']|'')*')*\s*)\))\s*",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_COMPARE: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
}
Row = dict[str, Any]


@dataclass
class Fault:
    """What happens instead of, or to, an answer.

    ``kind``: ``status`` (with ``status``, ``headers``, ``body``), ``truncate`` (half the body, as if it were all),
    ``reset`` (half the promised body, then the connection is gone), ``drop`` (no byte at all), ``slow`` (``seconds``
    before the answer), ``empty`` (no rows), ``body`` (a 200 with ``body``).
    """

    kind: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 60.0
    path: str = ""
    """Only for requests whose path holds this."""
    after: int = 0
    """So many matching requests are answered first."""
    times: int = 1
    """So many requests are hit; -1 = all from then on."""


@dataclass
class Asked:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: str
    """Path and query as they came."""


class SoqlError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SocrataServer:
    """``url`` is both the query service's base and, with :data:`FILES`, that of the zips (``files_url``)."""

    def __init__(self, *, port: int = 0, seed: int = 7) -> None:
        self.rows: dict[Report, list[Row]] = {report: [] for report in Report}
        self.files: dict[str, bytes | None] = {}
        """By name, instead of the zip made of the rows; ``None`` = not there."""
        self.last_modified = ""
        self.tokens: set[str] | None = None
        """Tokens that are known; ``None`` = any."""
        self.faults: list[Fault] = []
        self.requests: list[Asked] = []
        self.url = ""
        self._port = port
        self._random = random.Random(seed)
        self._ids = 0
        self._changed = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def files_url(self) -> str:
        return f"{self.url}{FILES}"

    def publish(self, rows: Iterable[Positions]) -> None:
        """Add rows, in the order in which they were released."""
        for one in rows:
            self.add(one.report, cot_files.socrata(one))

    def add(self, report: Report, row: Mapping[str, Any]) -> None:
        """Add a row as it is, good or bad."""
        self._ids += 1
        self.rows[report].append(dict(row) | {":id": f"row-{self._random.getrandbits(24):06x}-{self._ids}"})

    def revise(self, one: Positions) -> None:
        """Replace the row of this code and date, in its place and with its id, as a correction does."""
        new = cot_files.socrata(one)
        for row in self.rows[one.report]:
            if row["id"] == new["id"]:
                row.update(new)

    def fault(self, kind: str, **options: Any) -> None:
        self.faults.append(Fault(kind, **options))

    async def asked(self, times: int) -> None:
        """Return when this many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= times)

    async def __aenter__(self) -> SocrataServer:
        app = web.Application(client_max_size=256 << 20)
        app.router.add_get("/resource/{dataset}.json", self._resource)
        app.router.add_get(f"{FILES}/{{name}}", self._file)
        app.router.add_post("/control/{what}", self._control)
        app.router.add_get("/control/requests", self._told)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._runner is not None
        self._stopping.set()
        await self._runner.cleanup()

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._query)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._zip)

    async def _answer(
        self, request: web.Request, make: Callable[[web.Request], web.Response]
    ) -> web.StreamResponse:
        self.requests.append(
            Asked(request.path, dict(request.query), dict(request.headers), request.raw_path)
        )
        async with self._changed:
            self._changed.notify_all()
        fault = self._due(request.path)
        if fault is None:
            return make(request)
        if fault.kind == "slow":
            try:
                await asyncio.wait_for(self._stopping.wait(), fault.seconds)
            except TimeoutError:
                return make(request)
            return web.Response(status=503)
        return await self._spoil(request, fault, make)

    async def _spoil(
        self, request: web.Request, fault: Fault, make: Callable[[web.Request], web.Response]
    ) -> web.StreamResponse:
        if fault.kind == "status":
            body = fault.body or json.dumps(
                {"code": "error", "error": True, "message": f"scripted {fault.status}"}
            )
            return web.Response(status=fault.status, headers=fault.headers, text=body)
        if fault.kind == "body":
            return web.Response(headers=fault.headers, text=fault.body, content_type="application/json")
        if fault.kind == "empty":
            return web.json_response([])
        whole = make(request)
        content = whole.body if isinstance(whole.body, bytes) else b""
        half = content[: max(len(content) // 2, 1)]
        if fault.kind == "truncate":
            return web.Response(body=half, content_type=whole.content_type)
        assert request.transport is not None
        if fault.kind == "reset":
            response = web.StreamResponse(headers={"Content-Length": str(len(content))})
            await response.prepare(request)
            await response.write(half)
            request.transport.abort()
            return response
        assert fault.kind == "drop", f"no such fault: {fault.kind}"
        request.transport.abort()
        return web.Response(status=499)

    def _due(self, path: str) -> Fault | None:
        """The first fault that this request meets; those that wait for a later one count it."""
        for fault in list(self.faults):
            if fault.path not in path:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            if fault.times == 0:
                self.faults.remove(fault)
            return fault
        return None

    def _query(self, request: web.Request) -> web.Response:
        token = request.headers.get("X-App-Token")
        if token is not None and self.tokens is not None and token not in self.tokens:
            return _said(
                403, {"code": "permission_denied", "error": True, "message": "Invalid app_token specified"}
            )
        report = DATASETS.get(request.match_info["dataset"])
        if report is None:
            return _said(404, {"code": "dataset.missing", "error": True, "message": "Not found"})
        try:
            return web.json_response(self._select(report, dict(request.query)))
        except SoqlError as error:
            return _said(400, {"message": str(error), "errorCode": error.code, "data": {}})

    def _select(self, report: Report, query: dict[str, str]) -> list[Row]:
        unknown = set(query) - {"$where", "$order", "$limit", "$offset"}
        if unknown:
            raise SoqlError("query.soql.no-such-parameter", f"Unrecognized arguments {sorted(unknown)}")
        limit, offset = _whole(query, "$limit", DEFAULT_LIMIT), _whole(query, "$offset", 0)
        if limit > MAX_LIMIT:
            raise SoqlError("query.limit", f"Limit may not be larger than {MAX_LIMIT}")
        known = {name for row in self.rows[report] for name in row} | set(cot_files.socrata(_MODEL[report]))
        keep = _where(query.get("$where", ""), known)
        found = [row for row in self.rows[report] if keep(row)]
        self._random.shuffle(found)
        for name, descending in reversed(_order(query.get("$order", ""), known)):
            found.sort(key=lambda row: str(row.get(name, "")), reverse=descending)
        return [
            {name: value for name, value in row.items() if name != ":id" and value is not None}
            for row in found[offset : offset + limit]
        ]

    def _zip(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        content = self.files[name] if name in self.files else self._year(name)
        if content is None:
            return web.Response(
                status=404, text="<html><body>Page not found</body></html>", content_type="text/html"
            )
        headers = {"Last-Modified": self.last_modified} if self.last_modified else {}
        return web.Response(body=content, headers=headers, content_type="application/zip")

    def _year(self, name: str) -> bytes | None:
        """The zip of a year, or of all to 2016, made of the rows; the newest week first in each, as there."""
        match = _YEARLY.fullmatch(name)
        report = _BUNDLES.get(name)
        if match is not None:
            report = Report.LEGACY if match[1] == "deacot" else Report.TFF
        if report is None:
            return None
        rows = [cot_files.from_socrata(report, row) for row in self.rows[report]]
        rows = [one for one in rows if (one.as_of.year == int(match[2]) if match else one.as_of.year <= 2016)]
        if not rows:
            return None
        rows.sort(key=lambda one: (one.code, -one.as_of.toordinal()))
        return cot_files.zipped({_MEMBERS[report]: cot_files.text(rows)})

    async def _control(self, request: web.Request) -> web.Response:
        """``rows``: ``{"report", "rows", "replace"}``; ``files``: ``{name: base64 or null}``; ``faults``: a list."""
        told = await request.json()
        match request.match_info["what"]:
            case "rows":
                report = Report(told["report"])
                if told.get("replace"):
                    self.rows[report].clear()
                for row in told["rows"]:
                    self.add(report, row)
            case "files":
                self.files |= {name: text and base64.b64decode(text) for name, text in told.items()}
            case "faults":
                self.faults = [Fault(**one) for one in told]
            case what:
                return web.Response(status=404, text=f"no control {what}")
        return web.json_response({"rows": {report: len(rows) for report, rows in self.rows.items()}})

    async def _told(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(one) for one in self.requests])


_MODEL = {Report.LEGACY: cot_files.BITCOIN, Report.TFF: cot_files.EURO}


def _said(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.json_response(body, status=status)


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise SoqlError("query.soql.invalid-parameter", f"Invalid value for {name}: {text}")
    return int(text)


def _known(name: str, known: set[str]) -> str:
    if name not in known:
        raise SoqlError(
            "query.soql.no-such-column",
            f"Query coordinator error: query.soql.no-such-column; No such column: {name}",
        )
    return name


def _where(text: str, known: set[str]) -> Callable[[Row], bool]:
    conditions: list[Callable[[Row], bool]] = []
    place = 0
    while place < len(text):
        match = _CONDITION.match(text, place)
        if match is None:
            raise SoqlError("query.compiler.malformed", f"Could not parse SoQL query at character {place}")
        conditions.append(_condition(_known(match["field"], known), match))
        place = match.end()
        if place < len(text):
            if text[place : place + 4].upper() != "AND ":
                raise SoqlError("query.compiler.malformed", f"Expected AND at character {place}")
            place += 4
    return lambda row: all(condition(row) for condition in conditions)


def _condition(name: str, match: re.Match[str]) -> Callable[[Row], bool]:
    if match["values"] is not None:
        allowed = {value.replace("''", "'") for value in _LITERAL.findall(match["values"])}
        return lambda row: row.get(name) in allowed
    compare, value = _COMPARE[match["op"]], match["value"].replace("''", "'")
    return lambda row: name in row and compare(str(row[name]), value)


def _order(text: str, known: set[str]) -> list[tuple[str, bool]]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, way = part.partition(" ")
        found.append((_known(name, known | {":id"}), way.strip().upper() == "DESC"))
    return found


async def _serve(port: int) -> None:
    async with SocrataServer(port=port) as server:
        sys.stdout.write(json.dumps({"url": server.url, "files_url": server.files_url}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args().port))
