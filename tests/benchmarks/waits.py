"""How long a reader waits, in a real browser, and what travels: first picture, pages, controls.

    python -m tests.benchmarks.waits [--times 20] [--out tests/benchmarks/measured/waits.json]

A wait goes from the key or click to the new picture on the screen, by the browser's own clock. It
is split into what the browser does before it asks, what the server needs until its last answer
before the picture, and what the browser does with that. Bytes are those over the WebSocket. Run it
on an idle machine; it takes two to three minutes, and prints the load that it met.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from hvae_core.common.machine import cores, processor
from tests.chromium import FLAGS, find
from tests.server import serve

WATCH = """
(() => {
  const log = [];
  window.waits = {log};
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...parts) {
      super(...parts);
      this.addEventListener("message", (event) => {
        const bytes = event.data.byteLength ?? event.data.size ?? event.data.length;
        log.push({way: "in", at: performance.now(), bytes});
      });
    }
    send(data) {
      log.push({way: "out", at: performance.now(), bytes: data.byteLength ?? data.length});
      super.send(data);
    }
  };
  window.waits.arm = (look) => {
    const state = new Function("return " + look);
    const old = state();
    const armed = (window.waits.armed = {begun: null, done: null});
    log.length = 0;
    const begin = () => { armed.begun ??= performance.now(); };
    for (const kind of ["keydown", "pointerdown"]) {
      window.addEventListener(kind, begin, {capture: true, once: true});
    }
    const check = () => {
      const now = state();
      if (armed.begun !== null && now && now !== old) {
        requestAnimationFrame(() => { armed.done = performance.now(); });
      } else requestAnimationFrame(check);
    };
    requestAnimationFrame(check);
  };
})();
"""
PICTURE = """(() => { const inside = (root) => root.querySelector("img[alt^='Images and their']")
    ?? [...root.querySelectorAll("*")].map((e) => e.shadowRoot && inside(e.shadowRoot))
      .find(Boolean);
  const i = inside(document);
  return i && i.complete && i.naturalWidth ? i.src : ""; })()"""
"""The strip of Reconstructions, which may be in a component's own tree."""
SAMPLES = """(() => { const i = document.querySelector(".st-key-scroll_prior-A img");
  return i && i.complete && i.naturalWidth ? i.src : ""; })()"""
CURVES = """[...document.querySelectorAll(".st-key-o_density0 .scatterlayer path")]
  .map((path) => path.getAttribute("d")).join()"""
LINE = """[...document.querySelectorAll(".st-key-o_density0 .shapelayer path")]
  .map((path) => path.getAttribute("d")).join()"""
DRAWN = """(() => { const app = document.querySelector("[data-testid=stApp]"),
  main = document.querySelector("[data-testid=stMain]"), title = main.querySelector("h1");
  const there = main.querySelector(".js-plotly-plot .main-svg, img, canvas");
  return app.dataset.testScriptState === "notRunning" && title && there && location.pathname
    === window.waits.wanted ? location.pathname : "before"; })()"""
PAGES = {
    "reconstructions": "Reconstructions", "generate": "Generate", "collapse": "Collapse",
    "latents": "Latent space", "ood": "OOD detection", "image": "One image",
    "compression": "Compression and attacks", "": "Start",
}  # fmt: skip
AIMS = {
    "first picture": 6000, "k": 100, "temperature": 100, "another draw": 100,
    "samples by temperature": 100, "samples drawn again": 100, "score": 250, "threshold": 250,
    "page": 700,
}  # fmt: skip
"""Milliseconds, of the median."""


class Watched:
    """A tab whose waits are measured."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(90_000)
        page.add_init_script(WATCH)

    def wait(self, look: str, act: Callable[[], None], *, pause: int = 700) -> dict[str, float]:
        """What one act takes until ``look`` gives another value, in milliseconds and bytes."""
        self.page.evaluate("look => window.waits.arm(look)", look)
        act()
        self.page.wait_for_function("() => window.waits.armed.done !== null")
        self.page.wait_for_timeout(pause)
        armed, log = self.page.evaluate("() => [window.waits.armed, window.waits.log]")
        begun, done = armed["begun"], armed["done"]
        sent = next((e["at"] for e in log if e["way"] == "out" and e["at"] >= begun), begun)
        came = max((e["at"] for e in log if e["way"] == "in" and e["at"] <= done), default=sent)
        return {
            "wait": done - begun,
            "asking": sent - begun,
            "server": came - sent,
            "browser": done - came,
            "bytes": sum(e["bytes"] for e in log if e["way"] == "in"),
        }


def summary(name: str, waits: list[dict[str, float]]) -> dict[str, Any]:
    """One row: median and 95th percentile of the wait, medians of its parts, most bytes."""
    total = sorted(one["wait"] for one in waits)
    row: dict[str, Any] = {
        "what": name,
        "aim": AIMS[name.partition(" ")[0] if name.startswith("page") else name],
        "times": len(waits),
        "median": statistics.median(total),
        "p95": total[min(len(total) - 1, int(0.95 * len(total)))],
        **{part: statistics.median(one[part] for one in waits)
           for part in ("asking", "server", "browser")},
        "bytes": max(one["bytes"] for one in waits),
    }  # fmt: skip
    print(
        f"{name}: median {row['median']:.0f} ms, p95 {row['p95']:.0f} ms (asking "
        f"{row['asking']:.0f}, server {row['server']:.0f}, browser {row['browser']:.0f}), "
        f"{row['bytes'] / 1000:,.0f} kB",
        flush=True,
    )
    return row


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


def changes(tab: Watched, address: str) -> list[dict[str, Any]]:
    """Every page by its link in the sidebar, when it has been there once."""
    page = tab.page
    page.goto(f"{address}/?world=Glyphs")
    page.wait_for_timeout(5000)
    found: list[dict[str, Any]] = []
    for warm in (False, True):
        for path, title in PAGES.items():
            page.evaluate("path => { window.waits.wanted = path; }", f"/{path}")
            link = page.locator("[data-testid=stSidebarNavLink]", has_text=title).first
            wait = tab.wait(DRAWN, link.click, pause=2500)
            if warm:
                found.append(summary(f"page {title}", [wait]))
    return found


def loaded(browser: Browser, address: str) -> dict[str, Any]:
    """What visits fetch, on the wire and unpacked, by whose it is."""
    page = browser.new_page()
    sizes: dict[str, Counter[str]] = {"wire": Counter(), "unpacked": Counter()}
    packed: set[str] = set()
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    owner: dict[str, str] = {}

    def answered(event: dict[str, Any]) -> None:
        url = event["response"]["url"]
        headers = {key.lower(): text for key, text in event["response"]["headers"].items()}
        name = url.rsplit("/", 1)[-1]
        kind = "Plotly" if "lotly" in name else "Streamlit" if "/static/" in url else "the app"
        owner[event["requestId"]] = kind
        if "content-encoding" in headers:
            packed.add(kind)

    def received(event: dict[str, Any]) -> None:
        kind = owner.get(event["requestId"])
        if kind:
            sizes["unpacked"][kind] += event["dataLength"]

    def finished(event: dict[str, Any]) -> None:
        kind = owner.get(event["requestId"])
        if kind:
            sizes["wire"][kind] += int(event["encodedDataLength"])

    def visit(name: str) -> dict[str, Any]:
        for counter in sizes.values():
            counter.clear()
        packed.clear()
        page.goto(f"{address}/?world=Glyphs")
        page.locator(".js-plotly-plot").first.wait_for(timeout=90_000)
        page.wait_for_timeout(3000)
        found = {way: dict(counter) for way, counter in sizes.items()} | {"packed": sorted(packed)}
        print(name, found, flush=True)
        return found

    client.on("Network.responseReceived", answered)
    client.on("Network.dataReceived", received)
    client.on("Network.loadingFinished", finished)
    visits = {}
    for name, pause in (("the first", 25_000), ("a second, scripts kept", 3000)):
        visits[name] = visit(name)
        page.wait_for_timeout(pause)
    client.send("Network.clearBrowserCache")
    visits["another visitor's first"] = visit("another visitor's first")
    page.close()
    return visits


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as cache:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        begun = time.perf_counter()
        with serve(STRATA_CACHE=cache, STRATA_DATA="") as address:
            page = browser.new_page()
            page.goto(f"{address}/?world=Glyphs", timeout=90_000)
            page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=90_000)
            first = 1000 * (time.perf_counter() - begun)
            print(f"first picture: {first:.0f} ms after the server's start", flush=True)
            page.wait_for_timeout(5000)
            page.close()
            aim = AIMS["first picture"]
            rows = [{"what": "first picture", "aim": aim, "times": 1, "median": first}]
            visits = loaded(browser, address)
            rows += redraws(Watched(browser.new_page()), address, asked.times)
            rows += samples(Watched(browser.new_page()), address, asked.times)
            rows += judging(Watched(browser.new_page()), address, asked.times)
            rows += changes(Watched(browser.new_page()), address)
        browser.close()
    found = {
        "machine": f"{processor()}, {cores()} core{'s' * (cores() > 1)}",
        "date": datetime.date.today().isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "rows": rows,
        "loaded": visits,
    }
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
