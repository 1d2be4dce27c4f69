"""Open a page of the product in a real Chromium, with everything that went wrong in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser import chromium

WIDTH, HEIGHT = 1280, 900
PHONE = 390
#: Opened on ``/page``, Streamlit looks for its server below ``/page/`` before it finds it below ``/``.
SEARCH = re.compile(r"^http://[^/]+/\w+/_stcore/(host-config|health)$")


@dataclass
class Opened:
    """A page, with what its console and its scripts complained about since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        url = message.location.get("url", "")
        if message.type == "error" and not SEARCH.search(url):
            self.complaints.append(f"console: {message.text} ({url})")


@contextmanager
def browser() -> Iterator[Browser]:
    """One headless browser; raises ``ChromiumError`` when there is none to be had."""
    path = chromium.provide()
    chromium.lend_libraries(path)
    with sync_playwright() as driver:
        flags = chromium.launch_flags(path)
        running = driver.chromium.launch(
            executable_path=str(path), args=list(flags), chromium_sandbox="--no-sandbox" not in flags
        )
        try:
            yield running
        finally:
            running.close()


@contextmanager
def opened(
    running: Browser, url: str, *, width: int = WIDTH, height: int = HEIGHT, dark: bool = False
) -> Iterator[Opened]:
    """A fresh profile at this size and colour scheme, on ``url``, when the page's first picture is there."""
    context = running.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if width <= 500 else 1,
        locale="en-GB",
        timezone_id="Asia/Seoul",
    )
    try:
        found = Opened(context.new_page())
        found.listen()
        found.page.goto(url)
        found.page.get_by_test_id("drawn").wait_for(state="attached", timeout=30_000)
        yield found
    finally:
        context.close()
