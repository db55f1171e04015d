"""How long a folder of ten million scored images takes to open, and what it takes before that.

    python -m tests.benchmarks.opening DIR                  # 10,000,000 rows
    python -m tests.benchmarks.opening DIR --rows 1000000
    python -m tests.benchmarks.opening DIR --json opening.json

DIR gets drawn scores in the layout of ``score``: 5,000 rows a part, three scores, and a reference
of 10,000 rows beside it. Then, each in a process of its own: the summary of all parts is made once;
the folder is opened from it as the app's page does (summary, list of parts, densities, ROC curve
with its area, threshold, table); and every row is judged by two scores at once, as ``flag`` does.
Peaks of memory are of the whole process, on Linux. A folder that is there is used again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hvae_core.common.far import Folder
from hvae_core.detection.many.columns import job_of
from hvae_core.detection.many.flagging import flag
from hvae_core.detection.many.layout import SUMMARY, Job, Part, parts_there, write_job, write_part
from hvae_core.detection.many.reference import of_folder
from hvae_core.detection.many.sketch import area, flags_from
from hvae_core.detection.many.summarise import is_whole, summarised
from hvae_core.detection.many.summary import stored
from tests.memory import peak

PART = 5000
KEYS = ("elbo", "llr_1", "llr_2")


def made(where: str, rows: int, *, seed: int, shift: float) -> None:
    """A folder of drawn scores; one image in 10,000 could not be read."""
    folder = Folder.of(where)
    write_job(
        folder,
        Job("drawn", "d" * 64, 3, "drawn", {"samples": 1}, KEYS, part_images=PART, images=rows),
    )
    there = set(parts_there(folder))
    for number in range(-(-rows // PART)):
        if number in there:
            continue
        draw = np.random.default_rng([seed, number])
        places = np.arange(number * PART, min((number + 1) * PART, rows))
        bad = places % 10_000 == 17
        scores = {key: np.where(bad, np.nan, draw.normal(shift, 1, len(places))) for key in KEYS}
        write_part(
            folder,
            number,
            Part(
                rows=places,
                files=[f"camera/{place // 1000:05}/{place:08}.png" for place in places],
                labels=[None] * len(places),
                digests=np.where(bad, 0, places + 1).astype(np.uint64),
                errors=["The file is cut off." if one else None for one in bad],
                bounds=np.stack([-scores[key] for key in KEYS], axis=1),
                scores=scores,
            ),
        )


def summary(out: str, _: str) -> dict[str, Any]:
    """Read every part once."""
    folder = Folder.of(out)
    if folder.read(SUMMARY) is not None:
        folder.fs.rm_file(folder.path(SUMMARY))
    found = summarised(folder)
    return {"rows": found.rows, "ranks_within": found.scores["elbo"].sketch.share_error}


def opening(out: str, reference: str) -> dict[str, Any]:
    """What the app's page reads and draws."""
    from hvae_core.detection.metrics import roc_curve
    from hvae_core.figures import LIGHT, Curve, densities, roc

    folder, other = Folder.of(out), Folder.of(reference)
    known, against = stored(folder, job_of(folder)), stored(other, job_of(other))
    assert known is not None and against is not None and is_whole(folder, known)
    outside, inside = known.scores["llr_1"].sketch, against.scores["llr_1"].sketch
    found, at = area(inside, outside), flags_from(inside, 0.05)
    densities(inside.sample(), [("out", outside.sample())], LIGHT, symbol="LLR", threshold=at)
    points = roc_curve(inside.sample(), outside.sample())
    roc([Curve("out", points.x, points.y, found.value)], LIGHT)
    megabytes = len(folder.read(SUMMARY) or b"") / 1e6
    return {"auroc": found.value, "auroc_within": found.error, "summary_megabytes": megabytes}


def judging(out: str, reference: str) -> dict[str, Any]:
    """Every row judged by two scores at once."""
    folder = Folder.of(out)
    held = of_folder(job_of(folder), Folder.of(reference))
    count = flag(folder, KEYS[1:], held, alpha=0.05, take=lambda rows: None)
    return {"judged": count.judged, "flagged": count.flagged}


STEPS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "summary": summary,
    "opening": opening,
    "judging": judging,
}


def measured(step: str, out: str, reference: str) -> dict[str, Any]:
    """Seconds of clock and processor from the step's beginning, and the peak of memory."""
    began, processor = time.perf_counter(), time.process_time()
    found = STEPS[step](out, reference)
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - processor,
        "peak_megabytes": peak() / 2**20,
        **found,
    }


def main() -> None:
    """Make the folders, run every step in its own process, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    out, reference = str(asked.folder / "images"), str(asked.folder / "reference")
    if asked.step:
        print(json.dumps(measured(asked.step, out, reference)))
        return
    made(out, asked.rows, seed=0, shift=0.3)
    made(reference, 10_000, seed=1, shift=0.0)
    summarised(Folder.of(reference))
    found: dict[str, Any] = {"rows": asked.rows}
    for step in STEPS:
        command = [sys.executable, "-m", "tests.benchmarks.opening", str(asked.folder), "--step"]
        done = subprocess.run([*command, step], capture_output=True, text=True, check=True)
        found[step] = json.loads(done.stdout)
        print(step, found[step], flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
