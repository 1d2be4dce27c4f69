"""Rows in, what a page shows out: pure functions, no Streamlit, no clock, no database."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from dashboards.web import data
from dashboards.web.figures import age, clock_time
from dashboards.web.reader import TRADER, Away, Reading
from dashboards.web.timeline import Timeline, timeline
from shared import clock
from shared.db.accounts import AccountRow
from shared.db.rows import EquityRow, HeartbeatRow, NoticeRow, OrderRow, PositionRow

STALE_NS = 10 * clock.SECOND
FORGOTTEN_NS = 60 * clock.SECOND
"""What a process said of itself is not believed longer than this after its last sign of life."""
UNKNOWN_NS = 2 * clock.SECOND
"""An order may be unknown for a moment; longer than this is said in a banner."""
MAX_TILES = 12
MAX_ACTED = 15
MAX_SHOWN_ORDERS = 60
"""Of one notice; how many there are is always said."""
SPARK_POINTS = 60
FAVOURITES = ("BTCUSDT", "ETHUSDT")
QUOTES = ("USDT", "USDC", "BTC", "EUR", "USD")


class Banner(msgspec.Struct, frozen=True):
    """``kind`` is ``info``, ``warning`` or ``error``; ``name`` is stable for tests."""

    name: str
    kind: str
    title: str
    text: str


class Pill(msgspec.Struct, frozen=True):
    """One word about the system; ``tone`` is ``good``, ``warning``, ``bad`` or ``idle``."""

    name: str
    label: str
    value: str
    tone: str


class Tile(msgspec.Struct, frozen=True):
    symbol: str
    base: str
    quote: str
    price: Decimal
    places: int
    """Decimals of the finest price lately, so that a number keeps its width while it moves."""
    change: Decimal | None
    points: tuple[float, ...]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One account. Money is ``None`` until the exchange told it."""

    account_id: int
    user: str
    label: str
    venue: str
    mode: str
    state: str
    why: str
    """Why it does not trade; empty when it does."""
    currency: str
    equity: Decimal | None
    available: Decimal | None
    unrealised: Decimal | None
    day_change: Decimal | None
    day_fraction: Decimal | None
    points: tuple[float, ...]


class PositionView(msgspec.Struct, frozen=True):
    row: PositionRow
    account: str
    tick: Decimal | None
    base: str
    quote: str
    roe: Decimal | None


class OrderView(msgspec.Struct, frozen=True):
    """``slippage`` is a fraction of the reference price, positive = worse for us."""

    row: OrderRow
    account: str
    tick: Decimal | None
    base: str
    quote: str
    slippage: Decimal | None
    timeline: Timeline


class Arrival(msgspec.Struct, frozen=True):
    host: str
    behind_ns: int


class NoticeView(msgspec.Struct, frozen=True):
    row: NoticeRow
    orders: tuple[OrderView, ...]
    arrivals: tuple[Arrival, ...]
    total: int
    """Orders that it led to, whether shown or not."""
    reaction_ns: int | None
    """First bytes of the notice to the last of its entries handed to the kernel."""


class Line(msgspec.Struct, frozen=True):
    """One line of a chart: (UTC ns, value), oldest first, and the money that was transferred meanwhile."""

    name: str
    points: list[tuple[int, Decimal]]
    transfers: list[tuple[int, Decimal]] = []


class Page(msgspec.Struct, frozen=True, kw_only=True):
    now_ns: int
    pills: tuple[Pill, ...]
    banners: tuple[Banner, ...]
    empty: bool
    fresh: bool
    """Whether the prices below are of now: the trader told them within the last seconds."""
    tiles: tuple[Tile, ...]
    symbols: int
    cards: tuple[Card, ...]
    positions: tuple[PositionView, ...]
    acted: tuple[NoticeView, ...]
    other: tuple[NoticeView, ...]


def page(reading: Reading, now_ns: int) -> Page:
    """The whole overview of one reading."""
    snapshot = reading.snapshot or data.Snapshot(taken_ns=now_ns)
    notices = [_notice(row, snapshot.ticks) for row in snapshot.notices]
    held = [row.symbol for row in snapshot.positions]
    held += [view.row.symbol for notice in notices for view in notice.orders]
    return Page(
        now_ns=now_ns,
        pills=pills(snapshot, reading.away, now_ns),
        banners=banners(snapshot, reading.away, now_ns),
        empty=reading.snapshot is not None and not snapshot.accounts,
        fresh=reading.away is None and _is_fresh(_beat(snapshot, TRADER), now_ns),
        tiles=tiles(reading.prices, held),
        symbols=len(reading.prices),
        cards=cards(snapshot, reading.series),
        positions=tuple(_position(row, snapshot.ticks) for row in snapshot.positions),
        acted=tuple(view for view in notices if view.orders or view.row.decision == "acted")[:MAX_ACTED],
        other=tuple(view for view in notices if not view.orders and view.row.decision != "acted"),
    )


def account_name(user: str, label: str) -> str:
    return user if label in ("", user) else f"{user} · {label}"


def split(symbol: str) -> tuple[str, str]:
    """``BTCUSDT`` is ``("BTC", "USDT")``; a symbol with an unknown quote stays whole."""
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    return symbol, ""


def thin(points: list[float], limit: int) -> tuple[float, ...]:
    """At most ``limit`` of the points, evenly spaced, always with the newest."""
    if len(points) <= limit:
        return tuple(points)
    step = (len(points) - 1) / (limit - 1)
    return tuple(points[round(index * step)] for index in range(limit))


def _beat(snapshot: data.Snapshot, service: str) -> HeartbeatRow | None:
    return next((beat for beat in snapshot.heartbeats if beat.service == service), None)


def _told(snapshot: data.Snapshot, name: str) -> str:
    """A text that a living process tells in its heartbeat, the newest first; empty when none does."""
    for beat in sorted(snapshot.heartbeats, key=lambda beat: -beat.at_ns):
        if beat.state == "stopped" or snapshot.taken_ns - beat.at_ns > FORGOTTEN_NS:
            continue
        value = beat.detail.get(name)
        if value and isinstance(value, str | bool):
            return value if isinstance(value, str) else name
    return ""


def _is_fresh(beat: HeartbeatRow | None, now_ns: int) -> bool:
    return beat is not None and now_ns - beat.at_ns <= STALE_NS


def pills(snapshot: data.Snapshot, away: Away | None, now_ns: int) -> tuple[Pill, ...]:
    """Trader, market and database, in one word each."""
    beat = _beat(snapshot, TRADER)
    if beat is None:
        trader = Pill("trader", "Trader", "not started", "idle")
    elif not _is_fresh(beat, now_ns):
        trader = Pill("trader", "Trader", "silent", "bad")
    else:
        trader = Pill("trader", "Trader", beat.state, "good" if beat.state == "armed" else "warning")
    tape = _told(snapshot, "tape")
    market = Pill("market", "Market", tape or "no tape", "good" if tape else "idle")
    database = (
        Pill("database", "Database", "away", "bad") if away else Pill("database", "Database", "ok", "good")
    )
    return trader, market, database


def banners(snapshot: data.Snapshot, away: Away | None, now_ns: int) -> tuple[Banner, ...]:
    """What a person must know before believing the numbers below, the worst first."""
    found = []
    if away is not None:
        since = f"since {clock_time(away.since_ns, now_ns)} ({age(now_ns - away.since_ns)})"
        text = f"{since}. What is below is the last picture; it comes back by itself. The trader goes on without it."
        found.append(Banner("away", "error", away.message, text))
    beat = _beat(snapshot, TRADER)
    if away is None and beat is not None and not _is_fresh(beat, now_ns):
        text = (
            f"The trader has been silent since {clock_time(beat.at_ns, now_ns)} ({age(now_ns - beat.at_ns)}): "
            "prices and positions are as of then. See `kestrel doctor`."
        )
        found.append(Banner("stale", "warning", "Stale data", text))
    lost = [row for row in snapshot.unknown_orders if now_ns - max(row.written_ns, row.seen_ns) > UNKNOWN_NS]
    if lost:
        ids = ", ".join(row.client_id for row in lost[:3])
        what = "1 order has" if len(lost) == 1 else f"{len(lost)} orders have"
        text = f"The exchange has not answered yet; the trader keeps asking and sends nothing twice. {ids}"
        found.append(Banner("unknown", "warning", f"{what} an unknown outcome", text))
    if told := _told(snapshot, "tape_note"):
        found.append(Banner("tape", "info", "Market", told))
    if demo := _told(snapshot, "demo"):
        text = "Paper money, and a story played on symbols of its own." if demo == "demo" else demo
        found.append(Banner("demo", "info", "Demo", text))
    return tuple(found)


def tiles(prices: dict[str, list[Decimal]], held: list[str]) -> tuple[Tile, ...]:
    """What we hold or trade first, then the favourites, then the alphabet: a steady order."""
    order = dict.fromkeys([*held, *FAVOURITES, *sorted(prices)])
    found = []
    for symbol in [symbol for symbol in order if prices.get(symbol)][:MAX_TILES]:
        ring = prices[symbol]
        change = ring[-1] / ring[0] - 1 if len(ring) > 1 else None
        places = max(-int(price.normalize().as_tuple().exponent) for price in ring)
        points = thin([float(price) for price in ring], SPARK_POINTS)
        found.append(Tile(symbol, *split(symbol), ring[-1], max(0, places), change, points))
    return tuple(found)


def cards(snapshot: data.Snapshot, series: data.SeriesByAccount) -> tuple[Card, ...]:
    """One card per account. The day's change leaves out what was transferred."""
    equity = {row.account_id: row for row in snapshot.equity}
    days = {row.account_id: row for row in snapshot.days}
    hindered = _hindered(_beat(snapshot, TRADER))
    return tuple(
        _card(
            account, equity.get(account.id), days.get(account.id), series, hindered.get(str(account.id), "")
        )
        for account in snapshot.accounts
    )


def _hindered(beat: HeartbeatRow | None) -> dict[str, str]:
    """Account id -> why the trader cannot trade it, as the trader itself tells."""
    told: dict[str, str] = {}
    for name in ("blocked", "left_out"):
        reasons = beat.detail.get(name) if beat is not None else None
        if isinstance(reasons, dict):
            told |= {str(account): str(reason) for account, reason in reasons.items()}
    return told


def _card(
    account: AccountRow,
    row: EquityRow | None,
    day: data.DayRow | None,
    series: data.SeriesByAccount,
    hindrance: str,
) -> Card:
    change = fraction = None
    state_reason = account.state_reason if account.state != "armed" else ""
    drawn = series[account.id].points if account.id in series else []
    if row is not None and day is not None:
        change = row.equity - day.base - day.transferred
        invested = day.base + max(day.transferred, Decimal(0))
        fraction = change / invested if invested > 0 else None
    return Card(
        account_id=account.id,
        user=account.user_name,
        label=account.label,
        venue=account.venue,
        mode=account.mode,
        state=account.state,
        why="; ".join(reason for reason in (state_reason, hindrance) if reason),
        currency=row.currency if row else "",
        equity=row.equity if row else None,
        available=row.available if row else None,
        unrealised=row.unrealised if row else None,
        day_change=change,
        day_fraction=fraction,
        points=thin([float(value) for _, value in drawn], SPARK_POINTS),
    )


def _position(row: PositionRow, ticks: dict[str, Decimal]) -> PositionView:
    roe = row.unrealised / row.margin if row.margin > 0 else None
    name = account_name(row.user_name, row.account_label)
    return PositionView(row, name, ticks.get(row.instrument_id), *split(row.symbol), roe)


def _order(row: OrderRow, ticks: dict[str, Decimal]) -> OrderView:
    slippage = None
    if row.average_price is not None and row.reference_price > 0:
        slippage = (row.average_price / row.reference_price - 1) * (1 if row.side == "buy" else -1)
    name = account_name(row.user_name, row.account_label)
    return OrderView(row, name, ticks.get(row.instrument_id), *split(row.symbol), slippage, timeline(row))


def _notice(row: NoticeRow, ticks: dict[str, Decimal]) -> NoticeView:
    led_to = tuple(sorted((_order(order, ticks) for order in row.orders), key=_by_account))
    race = tuple(
        Arrival(found.host, found.received_ns - row.arrivals[0].received_ns) for found in row.arrivals
    )
    sent = [
        view.timeline.here_ns
        for view in led_to
        if view.row.step == "entry" and view.timeline.here_ns is not None
    ]
    return NoticeView(row, led_to[:MAX_SHOWN_ORDERS], race, len(led_to), max(sent, default=None))


def _by_account(view: OrderView) -> tuple[str, int, str]:
    return view.account, view.row.seen_ns, view.row.client_id


def lines(snapshot: data.Snapshot, series: data.SeriesByAccount, limit: int = 8) -> list[Line]:
    """The lines of the equity chart: one per account, or their sum when they would be too many to tell apart."""
    drawn = [
        Line(account_name(row.user_name, row.label), series[row.id].points, series[row.id].transfers)
        for row in snapshot.accounts
        if row.id in series and series[row.id].points
    ]
    if len(drawn) <= limit or len({row.currency for row in snapshot.equity}) > 1:
        return drawn[:limit]
    transfers = sorted(transfer for line in drawn for transfer in line.transfers)
    return [Line("All accounts", total([line.points for line in drawn]), transfers)]


def relative(drawn: list[Line]) -> list[Line]:
    """Each line as percent of its first point, without what was transferred since: any size on one scale."""
    return [Line(line.name, _percents(line)) for line in drawn if line.points[0][1] > 0]


def _percents(line: Line) -> list[tuple[int, Decimal]]:
    start_ns, start = line.points[0]
    waiting = deque(transfer for transfer in line.transfers if transfer[0] > start_ns)
    moved, found = Decimal(0), []
    for at_ns, value in line.points:
        while waiting and waiting[0][0] <= at_ns:
            moved += waiting.popleft()[1]
        found.append((at_ns, ((value - moved) / start - 1) * 100))
    return found


def total(all_points: list[list[tuple[int, Decimal]]]) -> list[tuple[int, Decimal]]:
    """The sum at every moment at which one of them changed; each holds its last value, from its first on.

    Starts when every line has begun, so that a later account is not read as a gain.
    """
    start = max(points[0][0] for points in all_points)
    events = sorted(
        (at_ns, index, value) for index, points in enumerate(all_points) for at_ns, value in points
    )
    now: dict[int, Decimal] = {}
    summed: dict[int, Decimal] = {}
    for at_ns, index, value in events:
        now[index] = value
        if at_ns >= start:
            summed[at_ns] = sum(now.values(), Decimal(0))
    return list(summed.items())
