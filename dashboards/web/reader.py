"""The one reader of this server: every open page shares its last picture.

Postgres is asked at most once per ``REFRESH_NS``, however many pages are open. When it is away the
last picture stays, marked with the moment since when it is old, and reading goes on by itself.
What is kept is bounded: one picture and one chart per scope and span, and short rings of prices.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from decimal import Decimal, InvalidOperation
from threading import Lock
from typing import TypeVar

import msgspec
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from dashboards.web import cot_data, data
from shared import clock
from shared.db.rows import HeartbeatRow
from shared.domain.cot import Report
from shared.errors import DatabaseError

REFRESH_NS = 800 * clock.MILLISECOND
COT_REFRESH_NS = 2 * clock.SECOND
"""Between two questions whether anything of a weekly report changed."""
SPANS: dict[str, int] = {
    "1 h": 3_600 * clock.SECOND,
    "24 h": 86_400 * clock.SECOND,
    "7 d": 7 * 86_400 * clock.SECOND,
    "30 d": 30 * 86_400 * clock.SECOND,
}
DEFAULT_SPAN = "24 h"
MAX_SCOPES = 64
MAX_SYMBOLS = 1_500
RING = 90
"""Prices kept per symbol: as many seconds, at one heartbeat a second."""
MOVED_NS = 10 * clock.SECOND
"""Away for longer than this, the database is looked up anew instead of only tried again."""
TRADER = "trader"

K = TypeVar("K")
V = TypeVar("V")

log = structlog.get_logger("web")


class Away(msgspec.Struct, frozen=True):
    """Postgres gives no picture: since when, and the line that says what to do."""

    since_ns: int
    message: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    snapshot: data.Snapshot | None
    series: data.SeriesByAccount
    prices: dict[str, list[Decimal]]
    away: Away | None


class CotReading(msgspec.Struct, frozen=True, kw_only=True):
    picture: cot_data.Picture | None
    away: Away | None


class PriceRings:
    """The last prices that the trader told, one short ring per symbol: what a sparkline shows."""

    def __init__(self) -> None:
        self._rings: dict[str, deque[Decimal]] = {}
        self._last_ns = 0

    def feed(self, heartbeats: list[HeartbeatRow]) -> None:
        beat = next((beat for beat in heartbeats if beat.service == TRADER), None)
        if beat is None or beat.at_ns <= self._last_ns:
            return
        self._last_ns = beat.at_ns
        told = beat.detail.get("prices")
        prices = told if isinstance(told, dict) else {}
        for symbol in [symbol for symbol in self._rings if symbol not in prices]:
            del self._rings[symbol]
        for symbol, text in list(prices.items())[:MAX_SYMBOLS]:
            price = positive_decimal(text)
            if price is not None:
                self._rings.setdefault(str(symbol), deque(maxlen=RING)).append(price)

    def copy(self) -> dict[str, list[Decimal]]:
        return {symbol: list(ring) for symbol, ring in self._rings.items()}


def positive_decimal(value: object) -> Decimal | None:
    """A price out of JSON, or ``None`` where there is no usable one."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None


class _Chart(msgspec.Struct):
    read_ns: int
    series: data.SeriesByAccount


class Reader:
    """Reads for all pages of this server.

    ``lease`` opens the use of the database and yields its URL (``shared.db.embedded.lease``); it may raise
    ``DatabaseError``. It is held until :meth:`close`, and taken anew when Postgres stays away, because
    the server may have moved to another port.
    """

    def __init__(self, lease: Callable[[], AbstractContextManager[str]]) -> None:
        self._lease = lease
        self._held = ExitStack()
        self._url = ""
        self._engine: Engine | None = None
        self._lock = Lock()
        self._tried: OrderedDict[data.Scope, int] = OrderedDict()
        self._snapshots: OrderedDict[data.Scope, data.Snapshot] = OrderedDict()
        self._charts: OrderedDict[tuple[data.Scope, str], _Chart] = OrderedDict()
        self._cot: dict[Report, cot_data.Picture] = {}
        self._cot_tried: dict[Report, int] = {}
        self._rings = PriceRings()
        self._away: Away | None = None

    def close(self) -> None:
        """Give the connections and the lease back."""
        with self._lock:
            self._disconnect()
            self._release()

    def read(self, scope: data.Scope, span: str = DEFAULT_SPAN) -> Reading:
        """The newest picture that can be had now. Never raises because Postgres is away."""
        with self._lock:
            now_ns = clock.monotonic_ns()
            due = now_ns - self._tried.get(scope, -REFRESH_NS) >= REFRESH_NS
            wanted = self._away is None and (scope, span) not in self._charts  # another span was chosen
            if due or wanted:
                self._refresh(scope, span, due=due)
                self._keep(self._tried, scope, clock.monotonic_ns())
            chart = self._charts.get((scope, span))
            return Reading(
                snapshot=self._snapshots.get(scope),
                series=chart.series if chart else {},
                prices=self._rings.copy(),
                away=self._away,
            )

    def cot(self, report: Report) -> CotReading:
        """The newest picture of a report; its rows are only read again when something changed."""
        with self._lock:
            now_ns = clock.monotonic_ns()
            if now_ns - self._cot_tried.get(report, -COT_REFRESH_NS) >= COT_REFRESH_NS:
                with self._noticing():
                    self._cot[report] = cot_data.read(self._connected(), report, self._cot.get(report))
                self._cot_tried[report] = clock.monotonic_ns()
            return CotReading(picture=self._cot.get(report), away=self._away)

    def _refresh(self, scope: data.Scope, span: str, *, due: bool) -> None:
        with self._noticing():
            source = self._connected()
            if due or scope not in self._snapshots:
                snapshot = data.read(source, scope)
                self._keep(self._snapshots, scope, snapshot)
                self._rings.feed(snapshot.heartbeats)
            self._chart(source, scope, span)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Whatever is asked inside, remember whether Postgres answered."""
        try:
            yield
        except ProgrammingError as error:
            self._lost(
                "Postgres answers, but its tables are missing or of another version: run `kestrel db migrate`",
                error,
            )
        except (SQLAlchemyError, DatabaseError) as error:
            self._lost("Postgres is away", error)
        else:
            if self._away is not None:
                log.info("postgres is back", away_s=(clock.now_ns() - self._away.since_ns) / clock.SECOND)
            self._away = None

    def _chart(self, source: Engine, scope: data.Scope, span: str) -> None:
        """Re-read a chart when a point of it has gone by, and append the newest equity until then."""
        length = SPANS[span]
        snapshot = self._snapshots[scope]
        accounts = [row.id for row in snapshot.accounts]
        chart = self._charts.get((scope, span))
        now_ns = clock.now_ns()
        if (
            chart is None
            or now_ns - chart.read_ns > max(clock.SECOND, length // 2_000)
            or now_ns < chart.read_ns
        ):
            chart = _Chart(
                read_ns=now_ns, series=data.read_series(source, scope, accounts, now_ns - length, now_ns)
            )
        self._keep(self._charts, (scope, span), chart)
        for row in snapshot.equity:
            points = chart.series.setdefault(row.account_id, data.Series()).points
            if row.taken_ns >= now_ns - length and (not points or points[-1][0] < row.taken_ns):
                points.append((row.taken_ns, row.equity))
                del points[: -data.MAX_POINTS]

    def _lost(self, message: str, error: Exception) -> None:
        """Remember since when; the next read makes new connections."""
        if self._away is None:
            self._away = Away(clock.now_ns(), message)
            log.warning("postgres is away", error=type(error).__name__)
        elif self._away.message != message:
            self._away = Away(self._away.since_ns, message)
        self._disconnect()
        if clock.now_ns() - self._away.since_ns > MOVED_NS:
            self._release()

    def _connected(self) -> Engine:
        if not self._url:
            self._url = self._held.enter_context(self._lease())
        if self._engine is None:
            self._engine = data.engine(self._url)
        return self._engine

    def _disconnect(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _release(self) -> None:
        self._url = ""
        try:
            self._held.close()
        except DatabaseError as error:
            log.warning("the database was not left cleanly", error=str(error))

    @staticmethod
    def _keep(store: OrderedDict[K, V], key: K, value: V) -> None:
        store[key] = value
        store.move_to_end(key)
        while len(store) > MAX_SCOPES:
            store.popitem(last=False)
