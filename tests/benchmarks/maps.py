"""How long maps take, and how many frames a second the map of many points has in a browser.

    python -m tests.benchmarks.maps [--points 10000] [--skip-layouts] [--out DIR]

The layouts run alone, on all cores: PCA, then t-SNE and UMAP with the time to the first look at
them, then 1,000 new points placed into each. ``kept`` is the share of each point's ten nearest
neighbours in the layer that are among its ten nearest in the map. Frames are those that the browser
shows while the mouse pans and draws a lasso; without a graphics card the processor draws them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

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
            gaps.sort((a, b) => a - b);
            done({ fps: (gaps.length - 1) / t, worst: gaps[Math.floor(gaps.length * 0.95)] });
        }
    };
    requestAnimationFrame(frame);
})"""


def main() -> None:
    """Measure, print, and keep what was measured as JSON."""
    ask = argparse.ArgumentParser(description="How fast maps are made and drawn.")
    ask.add_argument("--points", type=int, default=10_000)
    ask.add_argument("--skip-layouts", action="store_true")
    ask.add_argument("--out", type=Path)
    given = ask.parse_args()
    rows = [] if given.skip_layouts else layouts_of(given.points)
    rows += frames()
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in row.items()))
    if given.out:
        found = {
            "machine": f"{processor()}, {cores()} cores",
            "load": round(os.getloadavg()[0], 1),
            "date": f"{datetime.date.today()}",
            "rows": rows,
        }
        (given.out / "maps.json").write_text(json.dumps(found, indent=1) + "\n")


def clusters(count: int) -> np.ndarray:
    """Points of ten clusters that overlap, with as many units as a top layer has."""
    draw = np.random.default_rng(0)
    centres = 2 * draw.standard_normal((10, UNITS))
    return np.float32(centres[draw.integers(0, 10, count)] + draw.standard_normal((count, UNITS)))


def layouts_of(count: int) -> list[dict[str, Any]]:
    """Seconds of the clock and of the processor of every layout."""
    everything = clusters(count + 1000)
    points, new = everything[:count], everything[count:]
    near = layouts.neighbours(points, 10, "euclidean")[0]
    begun = time.perf_counter()
    flat = pca(points).coords
    rows = [told("PCA", points, begun, 0.0, kept=kept(near, flat))]
    for params in (TSNEParams(), UMAPParams()):
        run = embedding.tsne if isinstance(params, TSNEParams) else embedding.umap
        with tempfile.TemporaryDirectory() as cache:
            os.environ["STRATA_CACHE"] = cache
            rows += one(run, params, points, new=new, near=near)
    return rows


def one(
    run: Any, params: Params, points: np.ndarray, *, new: np.ndarray, near: np.ndarray
) -> list[dict[str, Any]]:
    """A layout, and new points placed into it."""
    begun, worked = time.perf_counter(), time.process_time()
    first: list[float] = []

    def progress(fraction: float, message: str) -> None:
        if fraction > 0:
            first.append(time.perf_counter() - begun)

    coords = run(points, params, progress)
    row = told(params.title, points, begun, worked, kept=kept(near, coords))
    row["first look, s"] = round(first[0], 1)
    begun, worked = time.perf_counter(), time.process_time()
    embedding.placed(new, points, coords, params=params)
    return [row, told(f"{params.title}, 1,000 placed", points, begun, worked)]


def told(
    what: str, points: np.ndarray, begun: float, worked: float, **more: float
) -> dict[str, Any]:
    """A row of what was measured."""
    seconds = round(time.perf_counter() - begun, 2)
    work = {"processor, s": round(time.process_time() - worked, 1)} if worked else {}
    return {"what": what, "points": len(points), "s": seconds, **work, **more}


def kept(near: np.ndarray, coords: np.ndarray) -> float:
    """The share of ten nearest neighbours that a map keeps."""
    there = layouts.neighbours(coords, 10, "euclidean")[0]
    same = [len(set(a) & set(b)) for a, b in zip(near, there, strict=True)]
    return round(float(np.mean(same)) / 10, 3)


def frames() -> list[dict[str, Any]]:
    """Frames a second of 20,000 and 100,000 points."""
    chromium, reason = find()
    if chromium is None:
        sys.exit(reason)
    from playwright.sync_api import sync_playwright

    page_of_one = Path(__file__).with_name("map_page.py")
    rows = []
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
                found = tab.evaluate(FRAMES, where)
                row[f"{name.lower()}, frames a second"] = round(found["fps"], 1)
                row[f"{name.lower()}, 95th percentile, ms"] = round(found["worst"])
            rows.append(row)
    return rows


if __name__ == "__main__":
    main()
