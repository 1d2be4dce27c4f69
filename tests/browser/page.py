"""What the pages say, as data: read from stable attributes, never from the wording or the looks.

Every number on the page carries ``data-testid`` and its exact value in ``data-value``; these readers
return the exact values (``Decimal``) together with the text that a person sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from playwright.sync_api import Locator, Page, expect

READY_MS = 30_000

_CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => { for (let e = element; e; e = e.parentElement) {
    const found = rgba(getComputedStyle(e).backgroundColor); if (found[3] === 255) return found; } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.querySelector('[data-testid=stMain]'), NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || ['STYLE', 'SCRIPT'].includes(element.tagName)) continue;
    if (element.closest('[aria-hidden=true]')) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.data.trim().slice(0, 40)}`);
  }
  return found;
}
"""

_COLLECT = """
elements => elements.map(element => ({
  attributes: Object.fromEntries([...element.attributes].map(found => [found.name, found.value])),
  numbers: Object.fromEntries([...element.querySelectorAll('[data-testid][data-value]')].map(
    found => [found.dataset.testid, [found.dataset.value, found.textContent]])),
  stages: Object.fromEntries([...element.querySelectorAll('[data-testid=stage]')].map(
    found => [found.dataset.stage, [found.dataset.at, found.dataset.took]])),
}))
"""


@dataclass(frozen=True)
class Block:
    """One account card, position row, order or tile, read at one instant.

    ``attributes``: its ``data-*`` without the prefix. ``numbers``: exact values, ``None`` where the page
    shows a dash. ``texts``: the same as seen. ``stages``: name -> (UTC ns, ns since the stage before).
    """

    attributes: dict[str, str]
    numbers: dict[str, Decimal | None]
    texts: dict[str, str]
    stages: dict[str, tuple[int, int]]

    def __getitem__(self, name: str) -> Decimal:
        value = self.numbers[name]
        assert value is not None, f"the page shows no value for {name}: {self}"
        return value


def blocks(page: Page, testid: str) -> list[Block]:
    """Every block of one kind, all read in one step of the browser: never half of a refresh."""
    found = page.get_by_test_id(testid).evaluate_all(_COLLECT)
    return [
        Block(
            {
                name.removeprefix("data-"): value
                for name, value in one["attributes"].items()
                if name.startswith("data-")
            },
            {name: Decimal(exact) if exact else None for name, (exact, _) in one["numbers"].items()},
            {name: text for name, (_, text) in one["numbers"].items()},
            {name: (int(at_ns), int(took_ns)) for name, (at_ns, took_ns) in one["stages"].items()},
        )
        for one in found
    ]


def accounts(page: Page) -> dict[str, Block]:
    """User name -> card, with ``equity``, ``available``, ``unrealised``, ``day-change``.

    A user with several accounts appears once per account as ``user/label``.
    """
    found = blocks(page, "account")
    users = [card.attributes["user"] for card in found]
    return {
        user if users.count(user) == 1 else f"{user}/{card.attributes['label']}": card
        for user, card in zip(users, found, strict=True)
    }


def positions(page: Page) -> list[Block]:
    """Rows with ``size``, ``entry``, ``mark``, ``unrealised``, ``roe``, ``take-profit``, ``liquidation``;
    attributes ``account``, ``symbol``, ``side``."""
    return blocks(page, "position")


def orders(page: Page) -> list[Block]:
    """Orders in the open notices, with ``size``, ``filled``, ``average``, ``slippage``, ``take-profit``,
    ``margin``, ``fee``, ``here-ns``, ``venue-ns``; attributes ``account``, ``client-id``, ``symbol``, ``side``,
    ``step``, ``state``; and their ``stages``."""
    return blocks(page, "order")


def prices(page: Page) -> dict[str, Block]:
    """Symbol -> tile with ``price`` and ``change``."""
    return {tile.attributes["symbol"]: tile for tile in blocks(page, "tile")}


def pill(page: Page, name: str) -> str:
    """The state of ``trader``, ``market`` or ``database`` in one word."""
    return page.get_by_test_id(f"pill-{name}").get_attribute("data-value") or ""


def banner(page: Page, name: str) -> Locator:
    """The banner ``away``, ``stale``, ``unknown``, ``tape`` or ``demo``; waits for nothing."""
    return page.get_by_test_id(f"banner-{name}")


def open_notices(page: Page) -> None:
    """Open every expander of the notices, so that the orders of each are in the page."""
    expanders = page.locator(".st-key-notices details")
    for index in range(expanders.count()):
        expander = expanders.nth(index)
        if expander.get_attribute("open") is None:
            expander.locator("summary").click()
            expect(expander).to_have_attribute(
                "open", ""
            )  # it opens with a movement: a second click would close it


def eventually(page: Page, holds: Callable[[], bool], what: str, timeout_ms: int = READY_MS) -> None:
    """Wait until the page shows it; ``AssertionError`` naming ``what`` when it never does."""
    step_ms = 100
    for _ in range(timeout_ms // step_ms):
        if holds():
            return
        page.wait_for_timeout(step_ms)
    raise AssertionError(
        f"the page never showed {what}; it says:\n{page.locator('body').inner_text()[:3000]}"
    )


def overflow(page: Page) -> int:
    """CSS pixels by which the page is wider than the window: 0 is good."""
    return int(
        page.evaluate(
            """() => Math.max(0, ...[document.documentElement, document.querySelector('[data-testid=stMain]'),
            document.querySelector('[data-testid=stMainBlockContainer]')].map(e => e.scrollWidth - e.clientWidth),
            document.documentElement.scrollWidth - window.innerWidth)"""
        )
    )


def hard_to_read(page: Page) -> list[str]:
    """Texts with a contrast below 4.5 to what is behind them (WCAG AA), each with its contrast."""
    return list(page.evaluate(_CONTRAST))


def go(page: Page, label: str) -> None:
    """Follow a link of the navigation, which is in the window without opening anything."""
    link = page.get_by_test_id("stPageLink-NavLink").filter(has_text=label)
    expect(link).to_be_visible()
    link.click()


def markets(page: Page) -> dict[str, Block]:
    """Key of a market -> its row in the table, with ``share``, ``share-change``, ``index-26``, ``-52``, ``-156``."""
    return {row.attributes["market"]: row for row in blocks(page, "cot-market")}


def groups(page: Page) -> dict[str, Block]:
    """Group -> its row, with ``long``, ``short``, ``spread``, ``net``, ``net-change``, ``share`` and the indices."""
    return {row.attributes["group"]: row for row in blocks(page, "cot-group")}
