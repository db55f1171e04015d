"""Pictures of every page in the Glyphs world: three widths, light and dark, and the README's.

    make screens                                     # all of them, into screens/
    python -m tests.screens --pages ood --widths 390 # some of them
    python -m tests.screens --readme                 # assets/start.png

Starts the app on a free port and opens it in a headless Chromium (``tests/chromium.py`` says where
that is found). Says of every picture what a look at it may miss: parts that could not be drawn,
errors of the browser, and what stands beyond the right edge.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.chromium import FLAGS, find
from tests.server import ROOT, serve

ELBO, FREE_BITS = "glyphs-hvae3-elbo", "glyphs-hvae3-freebits"
QUERIES = {
    "": "",
    "reconstructions": "",
    "generate": "",
    "collapse": "",
    "two": f"a_glyphs={ELBO}&b_glyphs={FREE_BITS}",
    "latents": "",
    "lab": "",
    "ood": "",
    "image": "",
    "many": "",
    "leaderboard": "",
    "compression": "",
}
"""The pages by folder, and what their addresses say beside the world."""
WIDTHS = (1440, 1024, 390)
THEMES = ("light", "dark")
TALLEST = 4000
_WRONG = ("could not be drawn", "Traceback")
_BEYOND = "document.querySelector('[data-testid=stMain]').scrollWidth - window.innerWidth"
_HEIGHT = "document.querySelector('[data-testid=stMain]').scrollHeight"


def shot(page: Page, address: str, path: Path, width: int) -> list[str]:
    """One whole page as PNG; returns what is amiss with it."""
    told: list[str] = []

    def heard(message: Any) -> None:
        if message.type == "error":
            told.append(message.text[:150])

    page.on("console", heard)
    page.set_viewport_size({"width": width, "height": 1000})
    page.goto(address)
    settle(page)
    for _ in range(2):  # what is narrower or lower once it has room changes the height again
        height = min(page.evaluate(_HEIGHT) + 40, TALLEST)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(800)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    beyond = page.evaluate(_BEYOND)
    page.remove_listener("console", heard)
    wrong = [words for words in _WRONG if page.get_by_text(words).count()]
    return told + wrong + ([f"{beyond} pixels beyond the right edge"] if beyond > 1 else [])


def settle(page: Page) -> None:
    """Wait until the page's script has run and its charts, fonts and formulas stand."""
    page.locator("h1").first.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(2500)
    # What is drawn later has a grey place until then.
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")


def every(browser: Browser, address: str, asked: argparse.Namespace) -> int:
    """The chosen pictures; returns how many pages have something amiss."""
    amiss = 0
    for theme in asked.themes:
        for width in asked.widths:
            context = browser.new_context(color_scheme=theme)
            page = context.new_page()
            page.set_default_timeout(90_000)
            for name in asked.pages:
                path = asked.out / f"{name or 'start'}-{theme}-{width}.png"
                query = "&".join(filter(None, ["world=Glyphs", QUERIES.get(name, "")]))
                try:
                    told = shot(page, f"{address}/{name}?{query}", path, width)
                except Error as problem:
                    told = [str(problem).splitlines()[0]]
                amiss += bool(told)
                print(path.name, *told, sep="; ", flush=True)
            context.close()
    return amiss


def readme(browser: Browser, address: str) -> None:
    """The picture that opens the README: the start page."""
    page = browser.new_page(viewport={"width": 1440, "height": 740}, color_scheme="light")
    page.goto(f"{address}/?world=Glyphs")
    page.locator("img[alt^='Two images']").wait_for(timeout=90_000)
    page.locator(".js-plotly-plot").nth(1).wait_for(timeout=90_000)
    settle(page)
    page.screenshot(path=ROOT / "assets" / "start.png")


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=ROOT / "screens")
    names = [name or "start" for name in QUERIES]
    parser.add_argument("--pages", nargs="+", choices=names, default=names)
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--themes", nargs="+", choices=THEMES, default=THEMES)
    parser.add_argument("--readme", action="store_true", help="the README's picture alone")
    parser.add_argument("--address", help="of a server that runs already")
    asked = parser.parse_args(words)
    asked.pages = ["" if name == "start" else name for name in asked.pages]
    return asked


def taken(asked: argparse.Namespace, address: str) -> int:
    """Take the pictures from a server at this address."""
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            if asked.readme:
                readme(browser, address)
                return 0
            return every(browser, address, asked)
        finally:
            browser.close()


def main() -> None:
    """Take them; ends with 1 where a page has something amiss."""
    asked = options()
    if asked.address:
        sys.exit(min(1, taken(asked, asked.address)))
    with (
        tempfile.TemporaryDirectory() as cache,
        serve(STRATA_CACHE=cache, STRATA_DATA="") as address,
    ):
        amiss = taken(asked, address)
    sys.exit(min(1, amiss))


if __name__ == "__main__":
    main()
