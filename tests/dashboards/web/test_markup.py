from decimal import Decimal
from html.parser import HTMLParser

import msgspec

from dashboards.web import charts, elements, markup, notice_markup
from dashboards.web.timeline import Timeline
from dashboards.web.views import Banner, Card, Line
from tests.dashboards.world import HOSTILE


class Tags(HTMLParser):
    """Collects the tags, so that text which became a tag is found."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


CARD = Card(
    account_id=1,
    user="alice",
    label="main",
    venue="bitget",
    mode="paper",
    state="armed",
    why="",
    currency="USDT",
    equity=Decimal("10004.0200000"),
    available=Decimal(1),
    unrealised=None,
    day_change=Decimal(-4),
    day_fraction=None,
    points=(),
)


def card(**changes: str) -> Card:
    return msgspec.structs.replace(CARD, **changes)


def test_what_comes_from_outside_never_becomes_markup() -> None:
    hostile = HOSTILE + "\"'"
    shown = markup.cards((card(user=hostile, label=hostile, state=hostile, why=hostile, currency=hostile),))
    shown += markup.banners([Banner("x", "info", hostile, hostile)])
    shown += elements.empty("x", hostile, hostile) + elements.section(hostile, hostile)
    shown += elements.table("x", (hostile,), [("", [elements.number("n", Decimal(1), "1")])])
    found = Tags(shown)
    assert "img" not in found.tags
    assert "script" not in found.tags


def test_the_exact_value_stands_beside_the_rounded_one() -> None:
    shown = elements.number("equity", Decimal("1E-8"), "0.00")
    assert 'data-value="0.00000001"' in shown
    assert 'data-value=""' in elements.number("equity", None, "—")


def test_a_change_is_told_by_sign_and_arrow_not_by_colour_alone() -> None:
    assert "▲" in elements.change("x", Decimal(1), "+1")
    assert "▼" in elements.change("x", Decimal(-1), "−1")
    assert "▲" not in elements.change("x", Decimal(0), "0")


def test_the_headline_of_a_notice_is_no_markdown() -> None:
    escaped = notice_markup.plain_markdown("a*b_[c](d):red[e]$x$`")
    assert escaped == "a\\*b\\_\\[c\\]\\(d\\)\\:red\\[e\\]\\$x\\$\\`"


def test_a_reason_is_shown_for_an_account_that_does_not_trade() -> None:
    assert "by hand" in markup.cards((card(why="by hand"),))
    assert 'data-testid="why"' not in markup.cards((card(),))


def test_a_line_of_equal_points_is_drawn() -> None:
    assert "mask-image" in elements.sparkline((1.0, 1.0, 1.0), "flat")
    assert "mask-image" not in elements.sparkline((1.0,), "nothing to draw")


def test_the_chart_has_one_line_per_account_in_milliseconds() -> None:
    lines = [Line("alice", [(1_000_000_000, Decimal("1.5"))]), Line("bob", [(2_000_000_000, Decimal(2))])]
    option = charts.equity_chart(lines, "USDT")
    assert [(found["name"], found["data"]) for found in option["series"]] == [
        ("alice", [[1000, 1.5]]),
        ("bob", [[2000, 2.0]]),
    ]
    assert option["useUTC"] is True
    assert charts.equity_chart(lines, "USDT", percent=True)["yAxis"]["axisLabel"]["formatter"] == "{value} %"


def test_the_first_page_says_what_to_do() -> None:
    text = " ".join(Tags(markup.welcome()).texts)
    for command in ('make up ARGS="--demo"', "kestrel users add", "kestrel accounts add"):
        assert command in text


def test_stages_are_drawn_for_orders_that_got_somewhere() -> None:
    assert notice_markup.stages(Timeline((), None, None)) == ""
