"""docs/performance.md from the figures that the benchmarks left as JSON.

    python -m tests.benchmarks.page

``measured/`` beside this file holds them: ``training.json`` is what ``tests.benchmarks.training
--out`` writes, with machine and date, and ``convolutions``, ``throughput`` and ``start`` likewise;
``gpu.json`` holds runs of ``tests.benchmarks.gpu`` by card,
date and version of the package; ``opening.json`` is what ``tests.benchmarks.opening --json``
writes, with machine and date; ``maps_layouts.json`` and ``maps_frames.json`` are what
``tests.benchmarks.maps --out`` writes, ``waits.json`` what ``tests.benchmarks.waits --out`` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured"
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

HEAD = """# How fast it is

Made by `python -m tests.benchmarks.page` of what the benchmarks measured. Only the two times of the
authors' own code are typed by hand: they were measured once before.

"""
CARD = """## On a graphics card

`python -m tests.benchmarks.gpu --out DIR`; batches of 128 random pictures in bf16, milliseconds a
step. *Replayed* is `train --compile auto`: the whole step recorded once as a CUDA graph; *not
replayed* is `--compile off`. *Before* is the commit c3cb435, which asks the card for answers in
every step and draws its noise on the processor. *Naive* is the same network in a plain loop, the
informative objective k by k. The authors' code for HVK's three layers took 36.5 ms on an H100,
measured once before.

"""
NAMES = {
    ("now", "auto bf16"): "replayed",
    ("eager", "plain bf16"): "not replayed",
    ("before", "plain bf16"): "before",
    ("now", "naive bf16"): "naive",
    ("now", "naive tf32"): "naive, float32 with TF32",
}
AIMS = {
    "hvk-fashionmnist-hvae3": "a third of before, and 3.4 times the authors'",
    "inf-fashionmnist-hvae5": "a quarter of before",
}
SCORES = """
Scoring with all k, milliseconds. *Six passes* is one for L and one for L<sub>&gt;k</sub> for every
k, with the card's own noise and convolutions in TensorFloat-32, as torch has them unless told
otherwise. Rows of float32 compute in full, so that a bound is the processor's; those marked
*TensorFloat-32* are from before that. *Fused* is `--compile full`: replayed, and sums and
activations of residual blocks one kernel. *Rows* are the images of a batch. While the rows with
*fused* were measured the host unpacked images, which slows what waits for the host: compare those
rows with each other.

"""
AFTER = """
The aims were 10 times the six passes at S = 1 and 8 times at S = 50; they are missed: the best are
{best[1]:.1f} and {best[50]:.1f} times. Against the authors' own code, 126.8 ms for these 512
images, bf16 replayed is {authors:.1f} times as fast.

In bf16 the AUROC of digits against letters moves by at most {auroc:.4f} in any score, on {half:,}
images (allowed are 0.002).

"""
PROCESSOR = """## On a processor

`python -m tests.benchmarks.training`; {machine}, {date}, torch {torch}. *Naive* is the same network
in a plain loop, one pass for every k. The bound is the count of operations over what a large matrix
product reaches. The aim for the paper's size is 90 % of it.

"""
NARROW = """
The narrow networks are far from the bound, and the aim of 1.5 times their first step is met by the
informative objective alone. By the profile 61 % of a step of `glyphs-hvae3-elbo` are convolutions,
most of them of 24 channels, and one so narrow reaches about half of the same product by itself
(`python -m tests.benchmarks.convolutions`):

"""
SCORING = """
Scoring with all k (`python -m tests.benchmarks.throughput`), one thread, other work beside it.
*Naive* is a pass for every k, *public* one for L and one for L<sub>&gt;k</sub>. What a way takes is
given as a multiple of `evaluate`, beside the multiple of its operations, which bounds the gain of
sharing. At S = 1 it is reached. At S = 20 the aim of 95 % is missed: convolutions are 61 % of the
time, and sums, activations and copies of maps, which no count of operations has, most of the rest.
In bf16 nothing is gained here. A guess at why: this processor does not compute in it (it has
neither AMX nor AVX-512 BF16), so every product is made of float32 ones, with conversions on top.

"""
START = """
## The first steps

`python -m tests.benchmarks.start`: ELBO in nats, batches of {images}, beta 1 from the first step
on. Where raw scales of latents start with a spread of 1, as every output does after data-dependent
initialisation, a step drives some scales of p(z<sub>1</sub>) given the layers above to their floor
of 0.001, and every draw that is 1 from the mean there costs half a million nats: with batches of
128 the ELBO is of the size of -10<sup>10</sup>. With a spread of 0.1 none comes near it; the
bounds' formulas are the same.

"""
LATER = """
Later epochs are no worse for it (`--epochs`): validation ELBO in nats of short runs, {images}
images an epoch, one seed.

"""


MANY = """
## Ten million scored images

`python -m tests.benchmarks.opening DIR`: a folder as `score` leaves it, {rows:,} rows in parts of
5,000, three scores, held against 10,000 other rows; {machine},
{date}. The clock counts that other work, the processor's seconds do not. The aim is to open it
within 2 s. Ranks in the summary are within {ranks:.3%}, an AUROC within {area:.4f}.

"""
MANY_STEPS = {
    "summary": "every part read once, and the summary kept",
    "opening": "opened from the summary: densities, ROC, threshold",
    "judging": "every row judged by two scores at once, flagged rows handed on",
}

MAPS = """
## Maps

`python -m tests.benchmarks.maps`: points of 32 units in ten clusters that overlap, the default
settings; {machine}, {date}, load {load}.
Seconds are by the clock and of the processor, libraries loaded and compiled within them.
*Neighbours kept* is the share of each point's ten nearest in the layer that are among its ten
nearest in the map: most of these points are noise. The aim is 20 s by the clock for 10,000 points
on two idle cores; PCA is there at once and the map moves from it.

"""
FRAMES = """
Frames a second while the mouse pans and draws a lasso, in Chromium without a graphics card, 700 by
560 pixels, and milliseconds of the processor a frame, all processes of the browser together:
{machine}, {date}, load {load}.
The aim is 30 for 20,000 points on two idle cores. Here the processor draws what a graphics card
draws elsewhere; on a card nothing was measured.

"""

WAITS = """
## The app in a browser

`python -m tests.benchmarks.waits --out tests/benchmarks/measured/waits.json`, in Chromium without a
graphics card: {machine}, {date}, load {load}. Milliseconds from the key or click to the new picture
on the screen, by the browser's clock; *asking* is until the browser sends, *server* until it has
heard the last answer before the picture, *browser* the rest. A browser that still draws what came
first hears late, so that *server* holds some of the browser's own work; *processor*, where it
stands, is what the server itself spends on a change, on all cores together. Pages are changed to by
their link when they have been there once. Kilobytes are those over the WebSocket, of the largest
change. The pictures of k, temperature and draw and the threshold's line are shown before the
redraw, whose words follow. Five people turn pages, k and the score at once, in five browsers on the
same cores as the server, each page for the first time; these are looked at every 40 ms. Where a row
says *without browsers*, five programs ask for the same pages and draw nothing, which leaves the
server's own share of that wait. The aim of five people is of the 95th percentile, all others are of
the median. Charts that are not near the window are drawn later, and are not waited for.

"""
OWNERS = ("Plotly", "Streamlit", "the app")
LOADED = """
What a visit fetches over HTTP, in kilobytes on the wire. The scripts are packed once, 20 s after
somebody asked first: the first visitor of a fresh server gets them as they are. Browsers keep them.

"""


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown whose numbers stand to the right."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ruler, *rows]) + "\n"


def steps(runs: list[dict[str, Any]]) -> str:
    """Training by network, way and card."""
    found = []
    for preset, aim in AIMS.items():
        for run in runs:
            for row in run["rows"]:
                name, _, way = row.get("what", "").partition(" ")
                if name == preset:
                    label = NAMES[run["version"], way]
                    found.append([f"`{name}`", label, run["card"], run["date"], f"{row['ms']:.1f}"])
        found.append([f"`{preset}`", f"aim: {aim}", "", "", ""])
    return table(["network", "way", "card", "date", "ms"], found)


def scores(runs: list[dict[str, Any]]) -> str:
    """Scoring by way and number of samples."""
    found, gains = [], {1: 0.0, 50: 0.0}
    for run in runs:
        rows = [row for row in run["rows"] if row["what"] == "score"]
        mark = ", TensorFloat-32" if run["version"] == "tf32" else ""
        passes = {row["S"]: row["ms"] for row in rows if row["way"].startswith("six")}
        others = {
            row["S"]: row["ms"] for _, row in of_scoring(runs)[::-1] if row["way"].startswith("six")
        }
        for row in rows:
            gain = (passes or others)[row["S"]] / row["ms"]
            gains[row["S"]] = max(gains[row["S"]], gain)
            found.append([
                row["way"] + mark, str(row["S"]), str(row["images"]), str(row["rows"]),
                run["card"], f"{row['ms']:.1f}", f"{gain:.1f}",
            ])  # fmt: skip
    head = ["way", "S", "images", "rows", "card", "ms", "times the six passes"]
    best = min(r["ms"] for _, r in of_scoring(runs) if r["way"] == "bf16 replayed" and r["S"] == 1)
    half = next(row for run in runs for row in run["rows"] if row["what"] == "half")
    after = AFTER.format(authors=126.8 / best, auroc=half["auroc"], half=half["images"], best=gains)
    return table(head, found) + after


def of_scoring(runs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every run with each of its rows of scoring."""
    return [(run, row) for run in runs for row in run["rows"] if row["what"] == "score"]


def processor(found: dict[str, Any]) -> str:
    """Training on one thread."""
    return table(
        ["network", "images", "GFLOP", "ms", "naive, ms", "gain", "share of the bound"],
        [
            [f"`{row['preset']}`", str(row["images"]), f"{row['gflop']:.1f}", f"{row['ms']:.0f}",
             f"{row['naive_ms']:.0f}", f"{row['gain']:.2f}", f"{row['share_of_bound']:.0%}"]
            for row in found["rows"]
        ],
    )  # fmt: skip


def many(found: dict[str, Any]) -> str:
    """Reading very many scored images."""
    head = MANY.format(
        **{key: found[key] for key in ("rows", "machine", "date")},
        ranks=found["summary"]["ranks_within"],
        area=found["opening"]["auroc_within"],
    )
    rows = [
        [words, f"{row['seconds']:.1f}", f"{row['processor_seconds']:.1f}",
         f"{row['peak_megabytes']:.0f}"]
        for step, words in MANY_STEPS.items()
        for row in [found[step]]
    ]  # fmt: skip
    return head + table(["step", "s by the clock", "s of the processor", "peak, MB"], rows)


def maps() -> str:
    """How long maps take, and how fast they are drawn."""
    layouts, frames = (
        json.loads((MEASURED / f"maps_{name}.json").read_text()) for name in ("layouts", "frames")
    )
    rows = [
        [row["what"], f"{row['points']:,}", f"{row['s']:.1f}", f"{row['processor, s']:.1f}",
         f"{row['kept']:.0%}" if "kept" in row else ""]
        for row in layouts["rows"]
    ]  # fmt: skip
    drawn = [
        [f"{row['points']:,}", *(f"{row[f'{name}, {what}']:.1f}"
         for name in ("pan", "lasso") for what in ("frames a second", "processor ms a frame"))]
        for row in frames["rows"]
    ]  # fmt: skip
    return (
        MAPS.format(**layouts)
        + table(["map", "points", "s", "s of the processor", "neighbours kept"], rows)
        + FRAMES.format(**frames)
        + table(["points", "pan", "ms a frame", "lasso", "ms a frame"], drawn)
    )


def waits(found: dict[str, Any]) -> str:
    """How long a reader waits, and what travels."""
    measured = {part for row in found["rows"] for part in row}
    parts = [part for part in ("p95", "asking", "server", "browser", "processor")
             if part in measured]  # fmt: skip
    rows = [
        [row["what"], f"{row['aim']:,}", f"{row['median']:,.0f}",
         *(f"{row[part]:,.0f}" if part in row else "" for part in parts),
         f"{row['bytes'] / 1000:,.0f}" if "bytes" in row else ""]
        for row in found["rows"]
    ]  # fmt: skip
    visits = [
        [name, *(f"{visit['wire'].get(kind, 0) / 1000:,.0f}" for kind in OWNERS)]
        for name, visit in found["loaded"].items()
    ]
    return (
        WAITS.format(**found)
        + table(["change", "aim", "median", *parts, "kB"], rows)
        + LOADED
        + table(["visit", *OWNERS], visits)
    )


def narrow(found: dict[str, Any]) -> str:
    """Shares of the bound of single convolutions."""
    ways = ("forward", "images", "weights")
    return table(
        ["channels", "forwards", "gradient of images", "gradient of weights"],
        [[str(row["channels"]), *(f"{row[way]:.0%}" for way in ways)] for row in found["rows"]],
    )


def sharing(found: dict[str, Any]) -> str:
    """Scoring on one thread, by way."""
    ways = ("naive", "public", "bfloat16")
    return table(
        ["network", "S", "images a second", *(f"{way}: time (operations)" for way in ways)],
        [
            [f"`{row['preset']}`", str(row["S"]), f"{row['evaluate']['speed']:.1f}"]
            + [f"{row[way]['gain']:.2f} ({row[way]['bound']:.2f})" for way in ways]
            for row in found["rows"]
        ],
    )


def start(found: dict[str, Any]) -> str:
    """The ELBO of the first steps by the spread of raw scales."""
    rows = found["rows"]
    count = len(rows[0]["elbo"])
    steps = [step for step in (1, 2, 3, 6, 12) if step <= count]
    return table(
        ["network", "spread", *(f"step {step}" for step in steps)],
        [
            [f"`{row['preset']}`", str(row["spread"])]
            + [f"{row['elbo'][step - 1]:,.0f}" for step in steps]
            for row in rows
        ],
    )


def later(found: dict[str, Any]) -> str:
    """The validation ELBO of the epochs after either start."""
    rows = found["later"]
    count = len(rows[0]["valid_elbo"])
    return LATER.format(**rows[0]) + table(
        ["network", "spread", *(f"epoch {epoch}" for epoch in range(1, count + 1))],
        [
            [f"`{row['preset']}`", str(row["spread"]), *(f"{v:.1f}" for v in row["valid_elbo"])]
            for row in rows
        ],
    )


def page() -> str:
    """The whole page."""
    read = {path.stem: json.loads(path.read_text()) for path in MEASURED.glob("*.json")}
    card, here, begun = read["gpu"]["runs"], read["training"], read["start"]
    return (
        HEAD + CARD + steps(card) + SCORES + scores(card) + "\n"
        + PROCESSOR.format(**here) + processor(here) + NARROW + narrow(read["convolutions"])
        + SCORING + sharing(read["throughput"])
        + START.format(**begun["rows"][0]) + start(begun) + later(begun)
        + many(read["opening"])
        + maps()
        + (waits(read["waits"]) if "waits" in read else "")
    )  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page())
