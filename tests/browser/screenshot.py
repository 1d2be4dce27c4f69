"""``python -m tests.browser.screenshot URL OUT [--width 390] [--dark]``: a picture of the whole page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.browser import session
from tests.browser.chromium import ChromiumError

SETTLE_MS = 2_500
"""Long enough for the charts to be painted and for one refresh."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url")
    options.add_argument("out", type=Path)
    options.add_argument("--width", type=int, default=session.WIDTH)
    options.add_argument("--height", type=int, default=session.HEIGHT)
    options.add_argument("--dark", action="store_true")
    options.add_argument("--window", action="store_true", help="only what fits the window")
    asked = options.parse_args()
    try:
        with (
            session.browser() as running,
            session.opened(
                running, asked.url, width=asked.width, height=asked.height, dark=asked.dark
            ) as found,
        ):
            page = found.page
            page.wait_for_timeout(SETTLE_MS)
            if not asked.window:  # Streamlit scrolls inside the page: grow the window to all of it
                main_area = page.get_by_test_id("stMain")
                full = main_area.evaluate("area => area.scrollHeight")
                page.set_viewport_size({"width": asked.width, "height": max(asked.height, int(full))})
                page.wait_for_timeout(800)
            page.screenshot(path=str(asked.out))
            for complaint in found.complaints:
                sys.stderr.write(f"{complaint}\n")
    except ChromiumError as error:
        sys.stderr.write(f"no Chromium: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
