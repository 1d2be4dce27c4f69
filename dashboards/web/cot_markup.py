"""The sections of the COT page as HTML, from view structs."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from dashboards.web import figures
from dashboards.web.cot_status import Timing, when_in_words
from dashboards.web.cot_study import Member
from dashboards.web.cot_views import HIGH, LOW, Gauge, Row
from dashboards.web.cot_words import meaning
from dashboards.web.elements import attribute, change, code, number, table
from dashboards.web.figures import THIN
from shared import clock
from shared.domain.cot import Market
from shared.rules.cot import WINDOWS

SMALLEST_SCALE = 20.0
"""Percent of open interest at which a bar is full, unless a market is beyond."""


def exact(value: float | None) -> Decimal | None:
    """A float as ``data-value`` carries it: every digit."""
    return None if value is None else Decimal(repr(value))


def welcome(flows_url: str) -> str:
    """The page before any report was read."""
    steps = (
        (
            "Let the flow fetch it",
            f"It asks the CFTC after each release. To run it now: `full` of the flow `cot` in the Prefect UI, {flows_url}.",
            "kestrel flows",
        ),
        (
            "Or read files",
            "Yearly files of the CFTC (zip, txt, csv), legacy or TFF, futures only.",
            "kestrel cot import FILE…",
        ),
    )
    shown = "".join(
        f"<li><strong>{escape(title)}</strong><p>{code(text)}</p><pre>{escape(command)}</pre></li>"
        for title, text, command in steps
    )
    return (
        '<div class="k-welcome" data-testid="empty-cot"><h2>No report yet</h2>'
        f'<p class="k-dim">This page fills by itself as soon as there is one.</p><ol>{shown}</ol></div>'
    )


def paragraph(text: str) -> str:
    return f'<p class="k-dim c-note">{code(text)}</p>'


MARKET_COLUMNS = (
    "Market",
    "Net, % of open interest",
    "On the week",
    *(f"Index {w} w" for w in WINDOWS),
    "As of",
)


def markets(rows: tuple[Row, ...]) -> str:
    shares = [abs(row.gauge.share) for row in rows if row.gauge.share is not None]
    full = max([SMALLEST_SCALE, *shares])
    return table("cot-markets", MARKET_COLUMNS, (_market(row, full) for row in rows))


def _market(row: Row, full: float) -> tuple[str, list[str]]:
    found = row.gauge
    old = ' <span class="k-tag k-warning">old</span>' if row.stale else ""
    as_of = figures.day(row.as_of, week_day=False) if row.as_of else "no rows"
    cells = [
        f"<strong>{escape(row.market.name)}</strong>",
        f"{_share(found)}{_bar(found.share, full)}",
        _share_change(found),
        *(_index(f"index-{window}", found.index[window]) for window in WINDOWS),
        f'<span class="k-num k-small">{as_of}</span>{old}',
    ]
    attributes = (
        f'data-testid="cot-market" data-market="{attribute(row.market.key)}" data-as-of="{row.as_of or ""}"'
    )
    return attributes, cells


def _share(found: Gauge) -> str:
    text = figures.NONE if found.share is None else f"{figures.points(found.share, signed=True)}{THIN}%"
    return number("share", exact(found.share), text, coloured=True)


def _share_change(found: Gauge) -> str:
    shown = figures.points(found.share_change, signed=True)
    unit = "" if found.share_change is None else f"{THIN}<span class='k-dim'>pp</span>"
    return change("share-change", exact(found.share_change), shown + unit)


def _index(name: str, value: float | None) -> str:
    """A COT index; one beyond the bands is marked as a label besides."""
    tone = (
        "" if value is None else " k-tag k-up" if value >= HIGH else " k-tag k-down" if value <= LOW else ""
    )
    side = "crowded long" if "k-up" in tone else "crowded short" if "k-down" in tone else ""
    title = f' title="{side}"' if side else ""
    return (
        f'<span class="k-num c-index{tone}"{title} data-testid="{name}" data-value="{attribute(exact(value))}">'
        f"{figures.points(value, 0)}</span>"
    )


def _bar(share: float | None, full: float) -> str:
    """A bar from the middle: to the right for net long, to the left for net short."""
    if share is None:
        return '<span class="c-bar" aria-hidden="true"></span>'
    width = abs(share) / full * 50
    left = 50.0 if share >= 0 else 50 - width
    tone = "up" if share >= 0 else "down"
    return (
        f'<span class="c-bar" aria-hidden="true"><i class="c-{tone}" style="left:{left:.1f}%;width:{width:.1f}%"></i>'
        "</span>"
    )


def tiles(when: Timing, two: tuple[tuple[str, Gauge], ...], interest: tuple[Decimal | None, Decimal | None],
          unit: str, now_ns: int) -> str:  # fmt: skip
    """When the report came and comes, the two groups that tell most, and how much is open."""
    shown = _as_of(when, now_ns) + _next(when, now_ns)
    shown += "".join(_gauge(role, found) for role, found in two)
    total, moved = interest
    shown += _tile(
        "interest",
        "Open interest",
        f"{number('interest', total, figures.compact(total))} <span class='k-dim k-small'>{escape(unit)}</span>",
        f"{change('interest-change', moved, figures.compact(moved, signed=True))} on the week",
    )
    scores = "".join(
        f'<div class="k-row"><span class="k-dim">{escape(found.name)}</span>'
        f"{number(f'score-{found.group}', exact(found.score), figures.points(found.score, 2, signed=True), coloured=True)}"
        "</div>"
        for _, found in two
    )
    return f'<ul class="c-tiles">{shown}{_tile("scores", "z-score, 52 weeks", "", scores)}</ul>'


def _tile(name: str, title: str, big: str, below: str) -> str:
    big = f'<div class="c-big">{big}</div>' if big else ""
    return (
        f'<li class="c-tile c-{name}" data-testid="cot-tile-{name}"><span class="c-title">{escape(title)}</span>{big}'
        f'<div class="c-below">{below}</div></li>'
    )


def _as_of(when: Timing, now_ns: int) -> str:
    if when.as_of is None:
        return _tile("as-of", "Positions as of", figures.NONE, "No row of this market yet.")
    revised = ""
    if when.revised:
        times = "" if when.revised == 1 else f" {when.revised} times"
        revised = (
            f' <span class="k-tag k-warning" data-testid="revision" data-value="{when.revised}">revised{times}, '
            f"{figures.day(clock.utc(when.revised_ns).date(), week_day=False)}</span>"
        )
    big = f'<span data-testid="as-of-now" data-value="{when.as_of}">{figures.day(when.as_of)}</span>'
    below = (
        f'<span data-testid="released" data-value="{when.released_ns}">due from the CFTC {when_in_words(when.released_ns)}'
        f'</span><br><span data-testid="first-seen" data-value="{when.seen_ns}">first seen here '
        f"{figures.clock_time(when.seen_ns, now_ns)}</span>{revised}"
    )
    return _tile("as-of", "Positions as of", big, below)


def _next(when: Timing, now_ns: int) -> str:
    big = (
        f'<span data-testid="next-release" data-value="{when.next_ns}">'
        f"{figures.until(when.next_ns - now_ns)}</span>"
    )
    below = f"{when_in_words(when.next_ns)}<br>positions as of {figures.day(when.next_as_of)}"
    if when.due is not None:
        below += (
            f'<br><span class="k-tag k-warning" data-testid="due" data-value="{when.due}">'
            f"{figures.day(when.due, week_day=False)} is due and not here</span>"
        )
    return _tile("next", "Next release", big, below)


def _gauge(role: str, found: Gauge) -> str:
    meters = "".join(
        f'<div class="c-meter"><span class="k-dim">{window} w</span>{_meter(found.index[window])}'
        f"{_index(f'index-{window}', found.index[window])}</div>"
        for window in WINDOWS
    )
    side = "" if not found.share else ", net long" if found.share > 0 else ", net short"
    return (
        f'<li class="c-tile c-gauge" data-testid="cot-gauge" data-group="{found.group}"><div class="k-row">'
        f'<span class="c-title">{escape(found.name)}</span><span class="k-tag k-idle">{escape(role)}</span></div>'
        f'<div class="c-big">{_share(found)} <span class="k-dim k-small">of open interest{side}</span></div>'
        f'<div class="c-below">{_share_change(found)} on the week</div>'
        f'<div class="c-meters"><span class="k-dim k-small">COT index: place in the range of the last weeks</span>{meters}</div></li>'
    )


def _meter(value: float | None) -> str:
    mark = "" if value is None else f'<i style="left:{value:.1f}%"></i>'
    return f'<span class="c-track" aria-hidden="true">{mark}</span>'


GROUP_COLUMNS = (
    "Group", "Long", "Short", "Spread", "Net", "On the week", "Net, % of OI", "On the week, pp",
    *(f"Index {w} w" for w in WINDOWS), "z-score",
)  # fmt: skip


def groups(found: tuple[Gauge, ...], unit: str) -> str:
    """All numbers of the newest whole week."""
    return table("cot-groups", GROUP_COLUMNS, (_group(one, unit) for one in found))


def _group(found: Gauge, unit: str) -> tuple[str, list[str]]:
    cells = [
        f'<strong title="{attribute(unit)}">{escape(found.name)}</strong>',
        *(
            number(name, value, figures.compact(value))
            for name, value in (("long", found.long), ("short", found.short), ("spread", found.spread))
        ),
        number("net", found.net, figures.compact(found.net, signed=True), coloured=True),
        change("net-change", found.net_change, figures.compact(found.net_change, signed=True)),
        _share(found),
        change("share-change", exact(found.share_change), figures.points(found.share_change, signed=True)),
        *(_index(f"index-{window}", found.index[window]) for window in WINDOWS),
        number("score", exact(found.score), figures.points(found.score, 2, signed=True), coloured=True),
    ]
    return f'data-testid="cot-group" data-group="{found.group}"', cells


def meanings(found: tuple[Gauge, ...], market: Market) -> str:
    shown = "".join(
        f"<div><dt>{escape(one.name)}</dt><dd>{escape(meaning(one.group, market.section))}</dd></div>"
        for one in found
    )
    return f'<dl class="c-meanings">{shown}</dl>'


def members(found: tuple[Member, ...], unit: str) -> str:
    """Which contracts are summed, in which size and since when."""
    shown = "".join(
        f'<li data-testid="cot-member" data-code="{attribute(one.code)}" data-units="{attribute(one.units)}" '
        f'data-first="{one.first or ""}" data-last="{one.last or ""}"><strong>{escape(one.name)}</strong> '
        f'<span class="k-dim">code {escape(one.code)}, {figures.plain(one.units)} {escape(unit)} a contract, '
        f"{f'{one.first} to {one.last}' if one.first else 'no rows'}</span></li>"
        for one in found
    )
    return f'<ul class="c-list">{shown}</ul>'


def gaps(sentences: list[str]) -> str:
    if not sentences:
        return '<p class="c-note" data-testid="cot-gaps" data-value="0">No week is missing.</p>'
    shown = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<ul class="c-list" data-testid="cot-gaps" data-value="{len(sentences)}">{shown}</ul>'
