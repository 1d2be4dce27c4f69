"""Notices and what each led to, as HTML: decision, reason, orders and the bar of their stages."""

from __future__ import annotations

from html import escape

from dashboards.web import figures
from dashboards.web.elements import attribute, number, table
from dashboards.web.timeline import Stage, Timeline
from dashboards.web.views import NoticeView, OrderView

_KINDS = {"new_listing": "New listing", "market_addition": "New market", "delisting": "Delisting"}
_DECISIONS = {
    "acted": ("good", "Acted"),
    "seeded": ("idle", "Already there"),
    "ignored": ("idle", "Left alone"),
}
_ORDER_TONES = {
    "filled": "good",
    "live": "good",
    "partially_filled": "good",
    "unknown": "warning",
    "rejected": "bad",
    "denied": "bad",
}


def notice_label(view: NoticeView, now_ns: int) -> str:
    """The headline of a notice's expander, in Streamlit's markdown: its text must not be read as such."""
    coins = ", ".join(view.row.symbols[:4]) or view.row.source
    when = figures.clock_time(view.row.first_seen_ns, now_ns)
    count = view.total
    what = "no order" if not count else ("1 order" if count == 1 else f"{count} orders")
    return f"**{plain_markdown(coins)}** · {what} · {when}"


def plain_markdown(text: str) -> str:
    """Text with every character escaped that Streamlit's markdown gives a meaning."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-.!|~$:" else letter for letter in text)


def notice_head(view: NoticeView, now_ns: int) -> str:
    row = view.row
    tone, decision = _DECISIONS.get(row.decision, ("idle", row.decision))
    facts = [
        ("Source", escape(row.source)),
        (
            "Seen",
            f"{figures.clock_time(row.first_seen_ns, now_ns)}, {figures.age(now_ns - row.first_seen_ns)}",
        ),
        (
            "Age when seen",
            figures.span(row.first_seen_ns - row.first_listed_ns) if row.first_listed_ns else "unknown",
        ),
    ]
    if view.reaction_ns is not None:
        facts.append(("Notice to last order written", figures.duration(view.reaction_ns)))
    if len(view.arrivals) > 1:
        late = ", ".join(
            f"{escape(found.host)} +{figures.duration(found.behind_ns)}" for found in view.arrivals[1:4]
        )
        facts.append(("First host", f"{escape(view.arrivals[0].host)}, then {late}"))
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return (
        f'<div class="k-notice" data-testid="notice" data-key="{attribute(row.key)}" data-decision="{attribute(row.decision)}">'
        f'<p class="k-title">{escape(row.title)}</p>'
        f'<p><span class="k-tag k-{tone}">{escape(decision)}</span> '
        f'<span class="k-tag k-idle">{escape(_KINDS.get(row.kind, row.kind))}</span> '
        f'<span data-testid="reason">{escape(row.reason)}</span></p><dl class="k-facts k-inline">{shown}</dl></div>'
    )


def other_notices(found: tuple[NoticeView, ...], now_ns: int) -> str:
    def row(view: NoticeView) -> tuple[str, list[str]]:
        tone, decision = _DECISIONS.get(view.row.decision, ("idle", view.row.decision))
        cells = [
            f'<span class="k-num">{figures.clock_time(view.row.first_seen_ns, now_ns)}</span>',
            f'<span class="k-wrap">{escape(view.row.title)}</span>',
            f'<span class="k-tag k-{tone}">{escape(decision)}</span>',
            f'<span class="k-wrap k-dim">{escape(view.row.reason)}</span>',
        ]
        return (
            f'data-testid="notice" data-key="{attribute(view.row.key)}" data-decision="{attribute(view.row.decision)}"',
            cells,
        )

    return table("notices", ("Seen", "Notice", "Decision", "Why"), (row(view) for view in found))


def orders(view: NoticeView) -> str:
    """One block per order: what it is, how it went, and where its time went."""
    hidden = view.total - len(view.orders)
    more = (
        f'<p class="k-dim k-small" data-testid="more-orders">and {hidden} more: kestrel orders</p>'
        if hidden
        else ""
    )
    return f'<ul class="k-orders">{"".join(_order(order) for order in view.orders)}</ul>{more}'


def _order(view: OrderView) -> str:
    row = view.row
    tone = _ORDER_TONES.get(row.state, "idle")
    side = "up" if row.side == "buy" else "down"
    facts = [
        (
            "Filled",
            f"{number('filled', row.filled_size, figures.plain(row.filled_size))} {escape(view.base)}",
        ),
        ("Average", number("average", row.average_price, figures.price(row.average_price))),
        ("Slippage", number("slippage", view.slippage, figures.percent(view.slippage, 3))),
        (
            "Take profit",
            number("take-profit", row.take_profit_price, figures.price(row.take_profit_price, view.tick)),
        ),
        ("Margin", f"{number('margin', row.margin, figures.amount(row.margin))} × {row.leverage}"),
        ("Fee", number("fee", row.fee, figures.amount(row.fee, 4))),
    ]
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    why = " ".join(part for part in (row.reason_code, row.reason) if part)
    problem = f'<p class="k-problem" data-testid="order-reason">{escape(why)}</p>' if why else ""
    return (
        f'<li class="k-order" data-testid="order" data-account="{row.account_id}" data-client-id="{attribute(row.client_id)}" '
        f'data-symbol="{attribute(row.symbol)}" data-side="{attribute(row.side)}" data-step="{attribute(row.step)}" '
        f'data-state="{attribute(row.state)}" data-seen="{row.seen_ns}"><div class="k-row"><span><strong>{escape(view.account)}</strong> '
        f'<span class="k-{side}">{escape(row.side)}</span> {number("size", row.size, figures.plain(row.size))} '
        f"{escape(view.base)}"
        f' <span class="k-dim">{escape(_step(row.step, row.order_type))}</span></span>'
        f'<span class="k-tag k-{tone}">{escape(row.state.replace("_", " "))}</span></div>'
        f'<dl class="k-facts k-inline">{shown}</dl>{problem}{stages(view.timeline)}</li>'
    )


def _step(step: str, order_type: str) -> str:
    return f"{order_type} {step.replace('_', ' ')}"


def stages(line: Timeline) -> str:
    """Two bars, each to its own scale: microseconds in this machine, milliseconds at the exchange."""
    if len(line.stages) < 2:
        return ""
    parts = [
        ("here", "This machine", line.here, line.here_ns),
        ("venue", "Exchange", line.venue, line.venue_ns),
    ]
    shown = "".join(_bar(name, title, found, whole) for name, title, found, whole in parts if found)
    return f'<div class="k-stages" data-testid="stages">{shown}</div>'


def _bar(name: str, title: str, found: tuple[Stage, ...], whole_ns: int | None) -> str:
    bar = "".join(
        f'<i class="k-s{index}" style="flex-grow:{max(1, stage.took_ns)}" '
        f'title="{stage.name}: {figures.duration(stage.took_ns)}"></i>'
        for index, stage in enumerate(found)
    )
    legend = "".join(
        f'<li data-testid="stage" data-stage="{stage.name}" data-at="{stage.at_ns}" data-took="{stage.took_ns}" '
        f'title="{escape(stage.meaning)}"><i class="k-s{index}"></i>{stage.name} '
        f'<b class="k-num">{figures.duration(stage.took_ns)}</b></li>'
        for index, stage in enumerate(found)
    )
    whole = figures.duration(whole_ns) if whole_ns is not None else ""
    return (
        f'<div class="k-part k-part-{name}"><div class="k-row k-small"><span class="k-dim">{title}</span>'
        f'<b class="k-num" data-testid="{name}-ns" data-value="{attribute(whole_ns)}">{whole}</b></div>'
        f'<div class="k-bar" aria-hidden="true">{bar}</div><ol class="k-legend">{legend}</ol></div>'
    )
