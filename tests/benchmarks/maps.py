"""How long maps take, and how many frames a second the map of many points has in a browser.

    python -m tests.benchmarks.maps [--points 10000] [--only layouts|frames] [--out DIR]

Layouts use the cores that they are given (``taskset``): PCA, then t-SNE and UMAP with the time to
the first look at them, then 1,000 new points placed into each. ``kept`` is the share of each
point's ten nearest neighbours in the layer that are among its ten nearest in the map. Frames are
those that the browser shows while the mouse pans and draws a lasso; without a graphics card the
processor draws them, and its milliseconds a frame say what idle cores could do.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from hvae_core.common.machine import cores, processor
from hvae_core.probes import embedding, layouts
from hvae_core.probes.embedding import Params, TSNEParams, UMAPParams
from hvae_core.probes.pca import pca
from tests.chromium import FLAGS, find
from tests.server import serve

UNITS = 32
FRAMES = """([left, top, width, height, lasso]) => new Promise((done) => {
    const canvas = [...document.querySelectorAll("*")]
        .map((one) => one.shadowRoot?.querySelector(".stage canvas")).find(Boolean);
    const send = (kind, x, y, on) => on.dispatchEvent(new MouseEvent(kind, {
        clientX: x, clientY: y, button: 0, buttons: kind === "mouseup" ? 0 : 1, bubbles: true,
        view: window }));
    const at = (t) => [left + width * (0.5 + 0.3 * Math.cos(t)),
        top + height * (0.5 + 0.3 * Math.sin(t))];
    send("mouseenter", ...at(0), canvas);
    send("mousemove", ...at(0), window);
    send("mousedown", ...at(0), canvas);
    const begun = performance.now(), gaps = [];
    let last = begun;
    const frame = (now) => {
        gaps.push(now - last);
        last = now;
        const t = (now - begun) / 1000;
        if (t < 3) {
            send("mousemove", ...at(2 * t), window);
            requestAnimationFrame(frame);
        } else {
            send("mouseup", ...at(2 * t), window);
            done({ fps: (gaps.length - 1) / t, frames: gaps.length - 1 });
        }
    };
    requestAnimationFrame(frame);
})"""


def main() -> None:
    """Measure, print, and keep what was measured as JSON."""
    ask = argparse.ArgumentParser(description="How fast maps are made and drawn.")
    ask.add_argument("--points", type=int, default=10_000)
    ask.add_argument("--only", choices=("layouts", "frames"))
    ask.add_argument("--out", type=Path)
    given = ask.parse_args()
    for name, measured in (("layouts", lambda: layouts_of(given.points)), ("frames", frames)):
        if given.only not in (None, name):
            continue
        rows = []
        for row in measured():
            print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            rows.append(row)
        if given.out:
            found = {
                "machine": f"{processor()}, {cores()} core{'s' * (cores() > 1)}",
                "load": round(os.getloadavg()[0]),
                "date": f"{datetime.date.today()}",
                "rows": rows,
            }
            given.out.mkdir(parents=True, exist_ok=True)
            (given.out / f"maps_{name}.json").write_text(json.dumps(found, indent=1) + "\n")


def clusters(count: int) -> np.ndarray:
    """Points of ten clusters that overlap, with as many units as a top layer has."""
    draw = np.random.default_rng(0)
    centres = 2 * draw.standard_normal((10, UNITS))
    return np.float32(centres[draw.integers(0, 10, count)] + draw.standard_normal((count, UNITS)))


def layouts_of(count: int) -> Iterator[dict[str, Any]]:
    """Seconds of the clock and of the processor of every layout."""
    everything = clusters(count + 1000)
    points, new = everything[:count], everything[count:]
    near = layouts.neighbours(points, 10, "euclidean")[0]
    begun, worked = time.perf_counter(), time.process_time()
    flat = pca(points).coords
    yield told("PCA", points, begun, worked) | {"kept": kept(near, flat)}
    for params in (TSNEParams(), UMAPParams()):
        run = embedding.tsne if isinstance(params, TSNEParams) else embedding.umap
        with tempfile.TemporaryDirectory() as cache:
            os.environ["STRATA_CACHE"] = cache
            yield from one(run, params, points, new=new, near=near)


def one(
    run: Any, params: Params, points: np.ndarray, *, new: np.ndarray, near: np.ndarray
) -> Iterator[dict[str, Any]]:
    """A layout, and new points placed into it."""
    begun, worked = time.perf_counter(), time.process_time()
    first: list[float] = []

    def progress(fraction: float, message: str) -> None:
        if fraction > 0:
            first.append(time.perf_counter() - begun)

    coords = run(points, params, progress)
    row = told(params.title, points, begun, worked)
    yield row | {"kept": kept(near, coords), "first look, s": round(first[0], 1)}
    begun, worked = time.perf_counter(), time.process_time()
    embedding.placed(new, points, coords, params=params)
    yield told(f"{params.title}, 1,000 placed", points, begun, worked)


def told(what: str, points: np.ndarray, begun: float, worked: float) -> dict[str, Any]:
    """A row of what was measured: seconds of the clock and of the processor."""
    clock, work = time.perf_counter() - begun, time.process_time() - worked
    return {
        "what": what,
        "points": len(points),
        "s": round(clock, 2),
        "processor, s": round(work, 2),
    }


def kept(near: np.ndarray, coords: np.ndarray) -> float:
    """The share of ten nearest neighbours that a map keeps."""
    there = layouts.neighbours(coords, 10, "euclidean")[0]
    same = [len(set(a) & set(b)) for a, b in zip(near, there, strict=True)]
    return round(float(np.mean(same)) / 10, 3)


def frames() -> Iterator[dict[str, Any]]:
    """Frames a second of 20,000 and 100,000 points."""
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    from playwright.sync_api import sync_playwright

    page_of_one = Path(__file__).with_name("map_page.py")
    with serve(page_of_one, plain=True) as address, sync_playwright() as playwright:
        tab = playwright.chromium.launch(executable_path=chromium, args=FLAGS).new_page()
        tab.set_default_timeout(180_000)
        for count in (20_000, 100_000):
            begun = time.perf_counter()
            tab.goto(f"{address}/?n={count}")
            tab.locator(f".map[data-points='{count}']").wait_for()
            row = {"what": "drawn", "points": count, "s": round(time.perf_counter() - begun, 1)}
            box = tab.locator(".stage").bounding_box()
            assert box is not None
            for name in ("Pan", "Lasso"):
                tab.get_by_text(name, exact=True).click()
                where = [box["x"], box["y"], box["width"], box["height"], name == "Lasso"]
                worked = browser_seconds()
                found = tab.evaluate(FRAMES, where)
                worked = 1000 * (browser_seconds() - worked)
                row[f"{name.lower()}, frames a second"] = round(found["fps"], 1)
                row[f"{name.lower()}, processor ms a frame"] = round(worked / found["frames"], 1)
            yield row


def browser_seconds() -> float:
    """Seconds that processes begun by this one have computed, the server's but idle ones."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            total += times.user + times.system
    return total


if __name__ == "__main__":
    main()
