"""Make the picture that opens the README: the start page in the Glyphs world.

    python assets/make_picture.py

Starts the app on a free port, opens it in a headless Chromium (``tests/chromium.py`` says where it
is found), and writes ``assets/start.png``. Takes about half a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.chromium import FLAGS, find  # noqa: E402
from tests.server import serve  # noqa: E402


def main() -> None:
    """Write the picture."""
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    with serve() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 740}, color_scheme="light")
        page.goto(address)
        page.locator("img[alt^='Two images']").wait_for(timeout=90_000)
        page.locator(".js-plotly-plot").nth(1).wait_for(timeout=90_000)
        page.wait_for_timeout(3000)  # the fonts of charts and formulas
        page.screenshot(path=ROOT / "assets" / "start.png")
        browser.close()


if __name__ == "__main__":
    main()
