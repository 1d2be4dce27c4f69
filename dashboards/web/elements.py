"""The smallest pieces of HTML that every page is made of.

Everything that came from outside is escaped. Numbers that tests and scripts may read carry
``data-testid`` and the exact value in ``data-value``.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from html import escape
from urllib.parse import quote

from dashboards.web import figures

_ARROW = {"up": "▲", "down": "▼"}


def attribute(value: object) -> str:
    """The exact value for ``data-value``: a Decimal without exponent, empty for none."""
    if value is None:
        return ""
    return escape(f"{value:f}" if isinstance(value, Decimal) else str(value), quote=True)


def number(name: str, value: Decimal | None, text: str, *, coloured: bool = False, tag: str = "span") -> str:
    tone = f" k-{figures.direction(value)}" if coloured else ""
    return f'<{tag} class="k-num{tone}" data-testid="{name}" data-value="{attribute(value)}">{text}</{tag}>'


def sparkline(points: tuple[float, ...], title: str) -> str:
    """A line without axes in the colour of the text around it.

    Streamlit removes ``<svg>`` from HTML, so the drawing is the mask of a box of that colour.
    """
    if len(points) < 2:
        return '<span class="k-spark" style="background:none"></span>'
    width, height = 120, 32
    low, high = min(points), max(points)
    room, step = high - low, width / (len(points) - 1)
    drawn = " ".join(
        f"{index * step:.1f},{2 + (height - 4) * ((high - point) / room if room else 0.5):.1f}"
        for index, point in enumerate(points)
    )
    picture = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' preserveAspectRatio='none'>"
        f"<polyline points='{drawn}' fill='none' stroke='black' stroke-width='1.6' stroke-linejoin='round' "
        "vector-effect='non-scaling-stroke'/></svg>"
    )
    return (
        f'<span class="k-spark" role="img" aria-label="{attribute(title)}" '
        f'style="mask-image:url(&quot;data:image/svg+xml,{quote(picture)}&quot;)"></span>'
    )


def code(text: str) -> str:
    """Escaped text in which ```words``` between back-ticks are set as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def section(title: str, note: str = "") -> str:
    return f'<div class="k-section"><h2>{escape(title)}</h2><span class="k-dim">{escape(note)}</span></div>'


def empty(name: str, title: str, text: str) -> str:
    return (
        f'<div class="k-empty" data-testid="empty-{name}"><strong>{escape(title)}</strong>'
        f"<p>{code(text)}</p></div>"
    )


def change(name: str, value: Decimal | None, text: str) -> str:
    """A number that says by sign, arrow and colour which way it went."""
    tone = figures.direction(value)
    arrow = f'<span class="k-arrow" aria-hidden="true">{_ARROW[tone]}</span>' if tone in _ARROW else ""
    return f'<span class="k-num k-{tone}" data-testid="{name}" data-value="{attribute(value)}">{arrow}{text}</span>'


def table(name: str, columns: tuple[str, ...], rows: Iterable[tuple[str, list[str]]]) -> str:
    """Rows of ready cells; on a narrow screen each row is a card that repeats the names of the columns."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f"<tr {attributes}>"
        + "".join(
            f'<td data-label="{escape(column)}"><span>{cell}</span></td>'
            for column, cell in zip(columns, cells, strict=True)
        )
        + "</tr>"
        for attributes, cells in rows
    )
    return (
        f'<div class="k-scroll"><table class="k-table" data-testid="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
