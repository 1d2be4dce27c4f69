from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from dashboards.web import cot_data, data
from dashboards.web.reader import MAX_SCOPES, Reader
from shared import clock
from shared.db import schema
from shared.db.embedded import EmbeddedPostgres
from shared.domain.cot import Report
from shared.errors import DatabaseError
from tests.dashboards.cot_rows import BITCOIN, CotWorld, row
from tests.dashboards.world import KEY, US, World

ALL = data.Scope()
DAY = 86_400 * clock.SECOND


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    made = World(postgres_url)
    yield made
    made.close()


@pytest.fixture
def reader(postgres_url: str) -> Iterator[Reader]:
    made = Reader(lambda: nullcontext(postgres_url))
    yield made
    made.close()


class Later:
    """Moves both clocks, so that a reader asks again without a wait."""

    def __init__(self) -> None:
        self.by_ns = 0

    def move(self, seconds: float) -> None:
        self.by_ns += int(seconds * clock.SECOND)


@pytest.fixture
def later() -> Iterator[Later]:
    moved = Later()
    real_now, real_monotonic = clock._now, clock._monotonic
    with clock.use(lambda: real_now() + moved.by_ns, lambda: real_monotonic() + moved.by_ns):
        yield moved


def snapshot(reader: Reader, scope: data.Scope = ALL) -> data.Snapshot:
    found = reader.read(scope).snapshot
    assert found is not None
    return found


def test_everything_on_the_page_is_read(world: World, reader: Reader) -> None:
    world.fill()
    found = snapshot(reader)
    alice, bob = world.accounts["alice"][1], world.accounts["bob"][1]
    assert [row.user_name for row in found.accounts] == ["alice", "bob", "chia-ling"]
    assert [(row.account_id, row.equity) for row in found.equity] == [
        (alice, Decimal("10004.02")),
        (bob, Decimal("24990.5")),
    ]
    assert {row.account_id: row.base for row in found.days} == {alice: Decimal(10000), bob: Decimal(25000)}
    assert {row.symbol for row in found.positions} == {"KITEUSDT", "BTCUSDT"}
    assert [row.key for row in found.notices] == [KEY, "upbit:999", "upbit:998"]
    arrivals = found.notices[0].arrivals
    assert [(row.host, row.first) for row in arrivals] == [("127.0.0.1:9500", True), ("other.example", False)]
    orders = {row.account_id: row for row in found.notices[0].orders}
    assert (orders[alice].state, orders[bob].state) == ("filled", "rejected")
    assert orders[alice].written_ns - orders[alice].seen_ns == 139 * US
    assert found.ticks == {
        "bitget:perp:BTC-USDT": Decimal("0.1"),
        "bitget:perp:KITE-USDT": Decimal("0.00001"),
    }
    assert {row.service for row in found.heartbeats} == {"trader", "up"}


def test_a_scope_hides_every_row_of_money_of_others(world: World, reader: Reader) -> None:
    world.fill()
    world.order("chia-ling", "unknown")
    bob = world.accounts["bob"][1]
    reading = reader.read(data.Scope((bob,)))
    found = reading.snapshot
    assert found is not None
    orders = [order for notice in found.notices for order in notice.orders]
    for owned in (found.equity, found.days, found.positions, orders):
        assert [row.account_id for row in owned] == [bob]
    assert [row.id for row in found.accounts] == [bob]
    assert found.unknown_orders == []
    assert set(reading.series) == {bob}
    assert snapshot(reader, data.Scope(())).accounts == []


def test_the_day_is_measured_from_the_last_equity_before_midnight(
    world: World, reader: Reader, later: Later
) -> None:
    world.account("alice")
    midnight = world.now_ns - world.now_ns % DAY
    for value, at_ns in (("1", midnight - 3 * DAY), ("100", midnight - 5), ("107", midnight + 5)):
        world.equity("alice", value, at_ns=at_ns)
    world.transfer("alice", "50", midnight - 6)
    world.transfer("alice", "4", midnight + 1)
    (row,) = snapshot(reader).days
    assert (row.base, row.transferred) == (Decimal(100), Decimal(4))


def test_a_first_day_is_measured_from_its_first_equity(world: World, reader: Reader) -> None:
    world.account("alice")
    midnight = world.now_ns - world.now_ns % DAY
    world.equity("alice", "100", at_ns=midnight + 1)
    world.equity("alice", "103", at_ns=midnight + 2)
    (row,) = snapshot(reader).days
    assert (row.base, row.transferred) == (Decimal(100), Decimal(0))


def test_closed_positions_are_not_open(world: World, reader: Reader) -> None:
    world.instrument("KITE", "0.00001")
    world.account("alice")
    world.position("alice", closed_ns=5, state="CLOSED")
    assert snapshot(reader).positions == []


def test_a_chart_is_thinned_by_the_server_and_keeps_the_newest(world: World, reader: Reader) -> None:
    account = world.account("alice")
    with world.engine.connect() as connection:
        connection.exec_driver_sql(
            "insert into equity_snapshots (user_id, account_id, mode, strategy_id, currency, equity, available, unrealised,"
            " taken_ns) select %s, %s, 'paper', 's', 'USDT', n, n, 0, %s - (20000 - n) * 4000000000"
            " from generate_series(1, 20000) n",
            (world.accounts["alice"][0], account, world.now_ns),
        )
        connection.commit()
    points = reader.read(ALL, "24 h").series[account].points
    assert 2_000 < len(points) <= data.MAX_POINTS + 1
    assert points[-1] == (world.now_ns, Decimal(20000))
    assert points == sorted(points)
    assert len(reader.read(ALL, "1 h").series[account].points) == 900


def test_a_chart_grows_between_two_reads_of_it(world: World, reader: Reader, later: Later) -> None:
    account = world.account("alice")
    world.equity("alice", "100", at_ns=world.now_ns - clock.SECOND)
    assert len(reader.read(ALL).series[account].points) == 1
    later.move(2)
    world.equity("alice", "101", at_ns=world.now_ns + clock.SECOND)
    assert [value for _, value in reader.read(ALL).series[account].points] == [Decimal(100), Decimal(101)]


def test_the_database_is_asked_once_a_second_however_many_pages_are_open(
    world: World, reader: Reader, later: Later
) -> None:
    world.tick("1")
    first = snapshot(reader)
    world.tick("2")
    assert snapshot(reader) is first
    later.move(1)
    assert snapshot(reader) is not first


def test_an_unknown_order_is_read_whatever_led_to_it(world: World, reader: Reader) -> None:
    world.instrument("KITE", "0.00001")
    world.account("alice")
    client_id = world.order("alice", "unknown")
    found = snapshot(reader)
    assert found.notices == []
    assert [row.client_id for row in found.unknown_orders] == [client_id]


def test_what_is_kept_is_bounded(world: World, reader: Reader) -> None:
    world.account("alice")
    for number in range(MAX_SCOPES + 20):
        reader.read(data.Scope((number,)))
    assert len(reader._snapshots) == len(reader._tried) == MAX_SCOPES
    assert len(reader._charts) == MAX_SCOPES


def test_a_page_cannot_write(postgres_url: str) -> None:
    engine = data.engine(postgres_url)
    with engine.connect() as connection, pytest.raises(SQLAlchemyError, match="read-only"):
        connection.exec_driver_sql("delete from heartbeats")
    engine.dispose()


def test_a_database_without_tables_says_what_to_do(postgres_url: str, reader: Reader) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    reading = reader.read(ALL)
    assert reading.snapshot is None
    assert reading.away is not None
    assert "kestrel db migrate" in reading.away.message


def test_a_reader_outlives_its_database(home: Path, later: Later) -> None:
    server = EmbeddedPostgres(home, max_connections=20, shared_buffers_mb=16)
    url = server.start()
    try:
        schema.migrate(url)
        world = World(url)
        world.account("alice")
        world.close()
        reader = Reader(lambda: nullcontext(server.url()))
        assert reader.read(ALL).away is None
        server.stop()
        later.move(1)
        away = reader.read(ALL)
        assert away.away is not None
        assert [row.user_name for row in away.snapshot.accounts] == ["alice"] if away.snapshot else False
        since_ns = away.away.since_ns
        later.move(5)
        again = reader.read(ALL).away
        assert again is not None
        assert again.since_ns == since_ns
        server.start()
        later.move(1)
        assert reader.read(ALL).away is None
        reader.close()
    finally:
        server.stop()


def test_a_reader_waits_for_a_database_that_was_never_there(later: Later) -> None:
    tries = []

    def lease() -> AbstractContextManager[str]:
        tries.append(clock.monotonic_ns())
        raise DatabaseError("the database does not answer")

    reader = Reader(lease)
    first = reader.read(ALL)
    assert first.snapshot is None
    assert first.away is not None
    reader.read(ALL)
    assert len(tries) == 1
    later.move(1)
    reader.read(ALL)
    assert len(tries) == 2


def test_a_database_that_moved_is_found_again(postgres_url: str, later: Later) -> None:
    urls = ["postgresql://kestrel:x@127.0.0.1:1/kestrel", postgres_url]
    left = []

    @contextmanager
    def lease() -> Iterator[str]:
        url = urls.pop(0)
        yield url
        left.append(url)

    reader = Reader(lease)
    assert reader.read(ALL).away is not None
    later.move(5)
    assert reader.read(ALL).away is not None
    assert left == []
    later.move(6)
    reader.read(ALL)
    later.move(1)
    assert reader.read(ALL).away is None
    reader.close()
    assert left == ["postgresql://kestrel:x@127.0.0.1:1/kestrel", postgres_url]


@pytest.fixture
def reports(postgres_url: str) -> Iterator[CotWorld]:
    made = CotWorld(postgres_url)
    yield made
    made.close()


def picture(reader: Reader, report: Report = Report.TFF) -> cot_data.Picture:
    found = reader.cot(report).picture
    assert found is not None
    return found


def test_a_report_is_read_again_only_when_something_came_in(
    reports: CotWorld, reader: Reader, later: Later
) -> None:
    assert picture(reader).empty
    reports.rows([row(BITCOIN, reports.newest)])
    assert picture(reader).empty  # asked a moment ago
    later.move(4)
    first = picture(reader)
    assert (first.empty, first.studies["bitcoin"].newest) == (False, reports.newest)
    later.move(4)
    assert picture(reader) is first
    reports.run(refused=1, state="failed")
    later.move(4)
    second = picture(reader)
    assert second is not first
    assert second.run is not None
    assert second.done is not None
    assert (second.run.state, second.done.new_rows) == ("failed", 1)


def test_the_two_reports_are_read_apart(reports: CotWorld, reader: Reader) -> None:
    reports.rows([row(BITCOIN, reports.newest, report=Report.LEGACY)])
    assert picture(reader, Report.LEGACY).studies["bitcoin"].newest == reports.newest
    assert picture(reader, Report.TFF).studies["bitcoin"].newest is None
    assert not picture(reader, Report.TFF).empty


def test_a_report_outlives_its_database(reports: CotWorld, postgres_url: str, later: Later) -> None:
    urls = [postgres_url]
    reader = Reader(lambda: nullcontext(urls[0]))
    reports.rows([row(BITCOIN, reports.newest)])
    assert reader.cot(Report.TFF).away is None
    reader._lost("Postgres is away", DatabaseError("x"))
    urls[0] = "postgresql://kestrel:x@127.0.0.1:1/kestrel"
    reader._url = urls[0]
    later.move(4)
    reading = reader.cot(Report.TFF)
    assert reading.away is not None
    assert reading.picture is not None
    assert reading.picture.studies["bitcoin"].newest == reports.newest
    urls[0] = postgres_url
    reader._url = postgres_url
    later.move(4)
    assert reader.cot(Report.TFF).away is None
    reader.close()
