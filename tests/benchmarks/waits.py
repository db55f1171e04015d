"""How long a reader waits, in a real browser, and what travels: first picture, pages, controls.

    python -m tests.benchmarks.waits [--times 12] [--out tests/benchmarks/measured/waits.json]

A wait goes from the key or click to the new picture on the screen, by the browser's own clock. It
is split into what the browser does before it asks, what passes until it has heard the server's last
answer before the picture, and what the browser does with that. A browser that draws hears late: so
the server's own processor time of a change is counted beside it. Bytes are those over the
WebSocket. Run it on an idle machine; it takes seven minutes, and notes the load that it met.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, sync_playwright

from hvae_core.common.machine import cores, processor
from tests.benchmarks.crowd import answers, crowd
from tests.benchmarks.visits import Visits
from tests.benchmarks.watched import (
    AIMS,
    CURVES,
    LINE,
    PAGES,
    PICTURE,
    SAMPLES,
    VERDICT,
    Watched,
    drawn,
    processor_of,
    summary,
)
from tests.chromium import FLAGS, find
from tests.load import listener
from tests.server import serve


def redraws(tab: Watched, address: str, times: int) -> list[dict[str, Any]]:
    """Reconstructions by k, temperature and draw."""
    page = tab.page
    page.goto(f"{address}/reconstructions?world=Glyphs")
    page.wait_for_function(f"() => {PICTURE}")
    page.wait_for_timeout(3000)
    sliders = page.locator("[data-testid=stMain]").get_by_role("slider")
    keys = (["ArrowRight", "ArrowLeft"] * times)[:times]
    rows = [summary("k", [tab.wait(PICTURE, lambda k=k: sliders.nth(0).press(k)) for k in keys])]
    page.get_by_text("sample", exact=True).first.click()  # temperature acts on draws alone
    page.wait_for_timeout(2000)
    heat = [tab.wait(PICTURE, lambda k=k: sliders.nth(1).press(k)) for k in keys]
    rows.append(summary("temperature", heat))
    redraw = page.get_by_role("button", name="Redraw")
    rows.append(summary("another draw", [tab.wait(PICTURE, redraw.click) for _ in keys]))
    return rows


def samples(tab: Watched, address: str, times: int) -> list[dict[str, Any]]:
    """Generate by temperature and draw."""
    page = tab.page
    page.goto(f"{address}/generate?world=Glyphs")
    page.wait_for_function(f"() => {SAMPLES}")
    page.wait_for_timeout(3000)
    slider = page.locator(".st-key-g_temp").get_by_role("slider")
    keys = (["ArrowLeft", "ArrowRight"] * times)[:times]
    heat = [tab.wait(SAMPLES, lambda k=k: slider.press(k)) for k in keys]
    redraw = page.get_by_role("button", name="Redraw")
    drawn = [tab.wait(SAMPLES, redraw.click) for _ in keys]
    return [summary("samples by temperature", heat), summary("samples drawn again", drawn)]


def judging(tab: Watched, address: str, times: int) -> list[dict[str, Any]]:
    """Score and threshold of OOD detection."""
    page = tab.page
    page.goto(f"{address}/ood?world=Glyphs")
    page.locator(".st-key-o_density0 .scatterlayer path").first.wait_for()
    page.wait_for_timeout(3000)
    field = page.locator(".st-key-o_score input")
    field.click()
    options = page.get_by_role("option")
    page.wait_for_timeout(500)
    count = min(options.count(), 6)
    page.keyboard.press("Escape")

    def chosen(number: int) -> dict[str, float]:
        field.click()
        page.wait_for_timeout(300)
        return tab.wait(CURVES, options.nth(number).click)

    rows = [summary("score", [chosen(i % count) for i in range(times)])]
    page.wait_for_timeout(2000)  # the last score's chart moves its line
    slider = page.locator(".st-key-o_alarm").get_by_role("slider")
    keys = (["ArrowRight", "ArrowLeft"] * times)[:times]
    moved = [tab.wait(LINE, lambda k=k: slider.press(k)) for k in keys]
    rows.append(summary("threshold", moved))
    return rows


def changes(tab: Watched, address: str, times: int) -> list[dict[str, Any]]:
    """Every page by its link in the sidebar, round and round, when it has been there once."""
    page = tab.page
    page.goto(f"{address}/?world=Glyphs")
    page.wait_for_timeout(5000)
    waits: dict[str, list[dict[str, float]]] = {title: [] for title in PAGES.values()}
    for _ in range(1 + times):
        for path, title in PAGES.items():
            link = page.locator("[data-testid=stSidebarNavLink]", has_text=title).first
            waits[title].append(tab.wait(drawn(path), link.click, pause=2000))
    return [summary(f"page {title}", of_page[1:]) for title, of_page in waits.items()]


def verdicts(tab: Watched, address: str, times: int) -> list[dict[str, Any]]:
    """From a file given to One image until its verdict stands there, large, beside the image."""
    page = tab.page
    page.goto(f"{address}/image?world=Glyphs&i_from=upload")
    field = page.locator("[data-testid=stMain] input[type=file]").first
    field.wait_for(state="attached")
    page.wait_for_timeout(3000)
    noise = np.random.default_rng(0)
    waits = []
    for number in range(times + 1):
        packed = io.BytesIO()
        Image.fromarray(noise.integers(0, 256, (28, 28), np.uint8)).save(packed, "PNG")
        file: FilePayload = {
            "name": f"{number}.png", "mimeType": "image/png", "buffer": packed.getvalue()
        }  # fmt: skip
        waits.append(tab.wait(VERDICT, lambda file=file: field.set_input_files(file), pause=3000))
    # What every image is held against is read with the first.
    return [summary("upload to verdict", waits[1:])]


def alone(
    browser: Browser, spent: Callable[[], float], measure: Callable[[Watched], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """What is measured in a browser of its own, which is closed then."""
    context = browser.new_context()
    found = measure(Watched(context.new_page(), spent))
    context.close()
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=12)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as cache:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        begun = time.perf_counter()
        with serve(STRATA_CACHE=cache, STRATA_DATA="") as address:
            spent = partial(processor_of, listener(urlsplit(address).port or 80))
            page = browser.new_page()
            page.goto(f"{address}/?world=Glyphs", timeout=90_000)
            page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=90_000)
            first = 1000 * (time.perf_counter() - begun)
            print(f"first picture: {first:.0f} ms after the server's start", flush=True)
            page.wait_for_timeout(5000)
            page.close()
            aim = AIMS["first picture"]
            rows = [{"what": "first picture", "aim": aim, "times": 1, "median": first}]
            visits = Visits(browser, address)
            visits.visit("the first")
            for part in (redraws, samples, judging):
                rows += alone(
                    browser, spent, lambda tab, part=part: part(tab, address, asked.times)
                )
            rows += alone(browser, spent, lambda tab: changes(tab, address, asked.times // 2))
            rows += alone(browser, spent, lambda tab: verdicts(tab, address, asked.times // 2))
            rows.append(crowd(browser, address, spent))
            rows.append(answers(address, spent))
            visits.visit("a second, scripts kept")
            visits.forget()
            visits.visit("another visitor's first")
        browser.close()
    found = {
        "machine": f"{processor()}, {cores()} core{'s' * (cores() > 1)}",
        "date": datetime.date.today().isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "rows": rows,
        "loaded": visits.found,
    }
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
