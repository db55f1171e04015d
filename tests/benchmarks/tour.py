"""Whether each step of the tour shows, without scrolling, what it speaks of and asks to turn.

    python -m tests.benchmarks.tour                     # every step at 1440 x 900, then presented
    python -m tests.benchmarks.tour --steps 5 --size 1280x800
    python -m tests.benchmarks.tour --pictures FOLDER   # with a picture of each
    python -m tests.benchmarks.tour --size 390x844      # a narrow screen: each can be scrolled to

Opens every step by its link in a headless Chromium and measures where the strip and the elements
named in ``seen`` (pages/tour/steps.toml) stand. Ends with 1 where one is not whole in the window.
A narrow screen has no room for all of them at once: there each, once it is scrolled to, must be
neither cut off nor covered.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pages.tour import steps as tour
from tests.chromium import FLAGS, find
from tests.screens import settle
from tests.server import serve

STRIP = "tour_strip"
_BOX = """key => {
    const all = [...document.querySelectorAll(`[class~="st-key-${key}"]`)];
    const boxes = all.map(each => each.getBoundingClientRect()).filter(box => box.height);
    return boxes.length ? [boxes[0].left, boxes[0].top, boxes[0].right, boxes[0].bottom] : null;
}"""


def outside(page: Page, key: str) -> str:
    """Where an element is not whole within the window, in words; "" where it is."""
    box = page.evaluate(_BOX, key)
    if box is None:
        return f"{key} is not there"
    left, top, right, bottom = box
    size = page.viewport_size or {"width": 0, "height": 0}
    if left < 0 or top < 0 or right > size["width"] or bottom > size["height"]:
        return f"{key} ends at {right:.0f}, {bottom:.0f}"
    return ""


_REACHED = """key => {
    const all = [...document.querySelectorAll(`[class~="st-key-${key}"]`)];
    const there = all.find(each => each.getBoundingClientRect().height);
    if (!there) return "is not there";
    const middle = () => there.getBoundingClientRect().top + there.clientHeight / 2;
    // The page alone, as a finger does: a script would scroll what hides its overflow too.
    document.querySelector("[data-testid=stMain]").scrollTop += middle() - innerHeight / 3;
    const box = there.getBoundingClientRect();
    const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return there.contains(at) ? "" : "is cut off or covered";
}"""
NARROW = 640


def unreached(page: Page, key: str) -> str:
    """What keeps an element from being seen on a narrow screen, in words; "" where it is seen."""
    told = page.evaluate(_REACHED, key)
    return f"{key} {told}" if told else ""


def measured(page: Page, address: str, number: int, *, presented: bool) -> list[str]:
    """What of a step does not stand on its first screen."""
    page.goto(f"{address}/?tour={number}{'&present=1' * presented}")
    settle(page)
    keys = [STRIP, *tour.steps()[number - 1].seen]
    narrow = page.viewport_size is not None and page.viewport_size["width"] <= NARROW
    look = unreached if narrow else outside
    return [told for key in keys if (told := look(page, key))]


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    every = range(1, len(tour.steps()) + 1)
    parser.add_argument("--steps", nargs="+", type=int, choices=every, default=every)
    parser.add_argument("--size", default="1440x900")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--address", help="of a server that runs already")
    return parser.parse_args()


def main() -> None:
    """Measure; ends with 1 where something is off the screen."""
    asked = options()
    width, height = map(int, asked.size.split("x"))
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    amiss = False
    with (
        tempfile.TemporaryDirectory() as cache,
        nullcontext(asked.address) if asked.address else serve(STRATA_CACHE=cache) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        size = {"width": width, "height": height}
        page = browser.new_page(viewport=size, color_scheme=asked.theme)
        page.set_default_timeout(90_000)
        for presented in (False, True):
            for number in asked.steps:
                told = measured(page, address, number, presented=presented)
                amiss |= bool(told)
                how = "presented" if presented else "plain"
                print(f"{number} {how}: {'; '.join(told) or 'all on the screen'}", flush=True)
                if asked.pictures:
                    asked.pictures.mkdir(parents=True, exist_ok=True)
                    name = f"{number}-{how}-{width}-{asked.theme}.png"
                    page.screenshot(path=asked.pictures / name)
        browser.close()
    sys.exit(int(amiss))


if __name__ == "__main__":
    main()
