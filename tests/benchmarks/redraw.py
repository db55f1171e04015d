"""How long a reader waits, in a real browser: the first chart, and the redraws of Reconstructions.

    python -m tests.benchmarks.redraw

Prints seconds from the server's start (the browser's own start included) to the first chart and to
the strip, then for each control the median and every single wait from the key press to the new
picture. Run it on an idle machine; it takes about half a minute.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import sync_playwright

from tests.chromium import FLAGS, find
from tests.server import serve

PICTURE = "img[alt^='Images and their']"
CHANGED = """([query, old]) => {
    const image = document.querySelector(query);
    return image && image.getAttribute('src') !== old && image.complete;
}"""


def main() -> None:
    """Measure and print."""
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as cache,
        serve(STRATA_CACHE=cache, STRATA_DATA="") as address,
        sync_playwright() as playwright,
    ):
        page = playwright.chromium.launch(executable_path=chromium, args=FLAGS).new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        page.locator(".js-plotly-plot").first.wait_for()
        print(f"first chart {time.perf_counter() - begun:.1f} s")
        page.locator("img[alt^='Two images']").wait_for()
        print(f"strip {time.perf_counter() - begun:.1f} s")
        page.goto(f"{address}/reconstructions")
        page.locator(PICTURE).first.wait_for()
        page.wait_for_timeout(2500)
        sliders = page.locator("[data-testid=stMain]").get_by_role("slider")
        keys = ["ArrowRight", "ArrowLeft"] * 5
        told("k", [waited(page, lambda key=key: sliders.nth(0).press(key)) for key in keys])
        page.get_by_text("sample", exact=True).first.click()  # temperature acts on draws alone
        page.wait_for_timeout(2000)
        told("temperature", [waited(page, lambda key=k: sliders.nth(1).press(key)) for k in keys])
        redraw = page.get_by_role("button", name="Redraw")
        told("redraw", [waited(page, redraw.click) for _ in range(6)])


def waited(page: Any, act: Callable[[], None]) -> float:
    """Seconds from an action to the new picture."""
    old = page.locator(PICTURE).first.get_attribute("src")
    begun = time.perf_counter()
    act()
    page.wait_for_function(CHANGED, arg=[PICTURE, old])
    seconds = time.perf_counter() - begun
    page.wait_for_timeout(700)
    return seconds


def told(name: str, seconds: list[float]) -> None:
    """Print one control's waits."""
    each = " ".join(f"{value:.2f}" for value in seconds)
    print(f"{name}: median {statistics.median(seconds):.2f} s ({each})")


if __name__ == "__main__":
    main()
