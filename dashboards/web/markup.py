"""The sections of the overview as HTML, from view structs."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from dashboards.web import figures
from dashboards.web.elements import attribute, change, code, number, sparkline, table
from dashboards.web.views import Banner, Card, Pill, PositionView, Tile
from shared import clock

_TONE_SIGN = {"good": "●", "warning": "▲", "bad": "■", "idle": "○"}


def brand() -> str:
    return '<div class="k-brand"><span class="k-logo" aria-hidden="true"></span><h1>Kestrel</h1></div>'


def header(pills: tuple[Pill, ...], now_ns: int, *, seconds: bool = True) -> str:
    """The state of the system and the time, to the second where the page is drawn as often."""
    now = figures.clock_time(now_ns, now_ns) if seconds else f"{clock.utc(now_ns):%H:%M} UTC"
    shown = "".join(
        f'<li class="k-pill k-{pill.tone}" data-testid="pill-{pill.name}" data-value="{attribute(pill.value)}">'
        f'<span class="k-sign" aria-hidden="true">{_TONE_SIGN[pill.tone]}</span>'
        f'<span class="k-dim">{escape(pill.label)}</span> {escape(pill.value)}</li>'
        for pill in pills
    )
    return f'<ul class="k-pills">{shown}<li class="k-clock k-num" data-testid="clock">{now}</li></ul>'


def banners(found: Iterable[Banner]) -> str:
    """Always one element, so that nothing below moves to another place in the page."""
    shown = "".join(
        f'<div class="k-banner k-{banner.kind}" role="{"alert" if banner.kind == "error" else "status"}" '
        f'data-testid="banner-{banner.name}"><strong>{escape(banner.title)}</strong> '
        f"<span>{code(banner.text)}</span></div>"
        for banner in found
    )
    return f'<div class="k-banners" data-testid="banners">{shown}</div>'


def welcome() -> str:
    """The page before anybody has an account."""
    steps = (
        (
            "See it work",
            "A demo with paper money: three users, a listing, their orders.",
            'make up ARGS="--demo"',
        ),
        ("Add a user", "Every account belongs to a user.", "kestrel users add NAME"),
        (
            "Add an account",
            "On the paper exchange that runs here. With --live it takes a key, sealed for the trader alone.",
            "kestrel accounts add --user NAME --paper",
        ),
    )
    shown = "".join(
        f"<li><strong>{escape(title)}</strong><p>{escape(text)}</p><pre>{escape(command)}</pre></li>"
        for title, text, command in steps
    )
    return (
        '<div class="k-welcome" data-testid="empty-accounts"><h2>No account yet</h2>'
        f'<p class="k-dim">This page fills by itself as soon as there is one.</p><ol>{shown}</ol></div>'
    )


def end(now_ns: int) -> str:
    """The last element of each refresh: whoever reads the page by program waits for it."""
    return f'<span hidden data-testid="drawn" data-value="{now_ns}"></span>'


def market(tiles: tuple[Tile, ...]) -> str:
    shown = "".join(
        f'<li class="k-tile" data-testid="tile" data-symbol="{attribute(tile.symbol)}">'
        f'<div class="k-row"><strong>{escape(tile.base)}</strong><span class="k-dim k-small">{escape(tile.quote)}</span>'
        f"</div>{number('price', tile.price, figures.amount(tile.price, tile.places))}"
        f'<div class="k-row k-small">{change("change", tile.change, figures.percent(tile.change))}'
        f'<span class="k-{figures.direction(tile.change)} k-grow">{sparkline(tile.points, f"{tile.symbol} lately")}'
        "</span></div></li>"
        for tile in tiles
    )
    return f'<ul class="k-tiles">{shown}</ul>'


def cards(found: tuple[Card, ...]) -> str:
    return f'<ul class="k-cards">{"".join(_card(card) for card in found)}</ul>'


def _card(card: Card) -> str:
    tone = {"armed": "good", "paused": "warning"}.get(card.state, "bad")
    state = f'<span class="k-tag k-{tone}">{escape(card.state)}</span>'
    why = f'<p class="k-why" data-testid="why">{escape(card.why)}</p>' if card.why else ""
    label = "" if card.label in ("", card.user) else f' <span class="k-dim">{escape(card.label)}</span>'
    day = figures.amount(card.day_change, signed=True)
    if card.day_fraction is not None:
        day += f' <span class="k-small">({figures.percent(card.day_fraction)})</span>'
    lines = "".join(
        f"<div><dt>{name}</dt><dd>{number}</dd></div>"
        for name, number in (
            ("Available", number("available", card.available, figures.amount(card.available))),
            (
                "Unrealised",
                change("unrealised", card.unrealised, figures.amount(card.unrealised, signed=True)),
            ),
            ("Today", change("day-change", card.day_change, day)),
        )
    )
    return (
        f'<li class="k-card" data-testid="account" data-account="{card.account_id}" data-label="{attribute(card.label)}" '
        f'data-user="{attribute(card.user)}"><div class="k-row"><strong class="k-cut">{escape(card.user)}{label}</strong>'
        f'<span class="k-tags"><span class="k-tag k-{"mode-live" if card.mode == "live" else "idle"}">'
        f"{escape(card.mode)}</span>{state}</span></div>"
        f'<div class="k-big">{number("equity", card.equity, figures.amount(card.equity))} '
        f'<span class="k-dim k-small">{escape(card.currency)}</span></div>'
        f'<div class="k-{figures.direction(card.day_change)}">{sparkline(card.points, "equity lately")}</div>'
        f'<dl class="k-facts">{lines}</dl>{why}</li>'
    )


POSITION_COLUMNS = (
    "Account",
    "Instrument",
    "Size",
    "Entry",
    "Mark",
    "Unrealised",
    "ROE",
    "Take profit",
    "Liquidation",
)


def positions(found: tuple[PositionView, ...]) -> str:
    return table("positions", POSITION_COLUMNS, (_position(view) for view in found))


def _position(view: PositionView) -> tuple[str, list[str]]:
    row = view.row
    tone = "up" if row.side == "long" else "down"
    cells = [
        f"<strong>{escape(view.account)}</strong>",
        f'<strong>{escape(view.base)}</strong> <span class="k-tag k-{tone}">{escape(row.side)} {row.leverage}×</span>',
        f'{number("size", row.size, figures.plain(row.size))} <span class="k-dim k-small">{escape(view.base)}</span>',
        number("entry", row.entry_price, figures.price(row.entry_price, view.tick)),
        number("mark", row.mark_price, figures.price(row.mark_price, view.tick)),
        change("unrealised", row.unrealised, figures.amount(row.unrealised, signed=True)),
        number("roe", view.roe, figures.percent(view.roe), coloured=True),
        number("take-profit", row.take_profit_price, figures.price(row.take_profit_price, view.tick)),
        number("liquidation", row.liquidation_price, figures.price(row.liquidation_price, view.tick)),
    ]
    attributes = (
        f'data-testid="position" data-account="{row.account_id}" data-symbol="{attribute(row.symbol)}" '
        f'data-side="{attribute(row.side)}"'
    )
    return attributes, cells
