"""What a folder of parts says as a whole, and how it is kept: ``summary.json``.

Ten million rows are opened by reading this one file; ``summarise`` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hvae_core.common import fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.far import Folder
from hvae_core.detection.many.layout import SUMMARY, Job
from hvae_core.detection.many.repeats import Repeat
from hvae_core.detection.many.sketch import Sketch

UNUSUAL = 1000
"""Images of a summary that a score finds the most unusual, and errors that it lists."""
FORMAT = 3


@dataclass(frozen=True)
class Unusual:
    """One image that a score ranks high: its score, its place in the source, file and label."""

    score: float
    row: int
    file: str
    label: str | None


@dataclass(frozen=True, eq=False)
class ScoreSummary:
    """One score of all images that have a finite one, but those that its density is fitted to.

    ``n`` images with their mean and standard deviation, ``low`` and ``high`` the least and the
    greatest; ``sketch`` has the ranks, ``unusual`` the highest scores, the highest first.
    """

    n: int
    mean: float
    deviation: float
    low: float
    high: float
    sketch: Sketch
    unusual: tuple[Unusual, ...]


@dataclass(frozen=True, eq=False)
class FolderSummary:
    """A folder as a whole: ``rows`` images, of which ``failed`` were not scored.

    ``errors`` are (row, file, why) of the first of them. ``repeated`` images have the pixels of an
    earlier one; ``repeats`` are the first of these. ``parts`` are the sizes of the parts that all
    this was made of, by their names.
    """

    job: str
    parts: Mapping[str, int]
    rows: int
    failed: int
    errors: tuple[tuple[int, str, str], ...]
    scores: Mapping[str, ScoreSummary]
    repeated: int = 0
    repeats: tuple[Repeat, ...] = ()


def stored(folder: Folder, job: Job) -> FolderSummary | None:
    """The summary that is kept of this job, whichever parts it has; None where there is none."""
    data = folder.read(SUMMARY)
    if data is None:
        return None
    try:
        found = unpacked(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # it is made again
    same = found.job == identity(job) and set(found.scores) == set(job.scores)
    return found if same else None


def keep(folder: Folder, summary: FolderSummary) -> None:
    """Write a summary into its folder."""
    folder.write(SUMMARY, json.dumps(packed(summary), ensure_ascii=False).encode())


def identity(job: Job) -> str:
    """What the figures depend on; how many images there are may be known later."""
    given = {key: value for key, value in asdict(job).items() if key not in ("images", "parts")}
    return fingerprint.digest(given)


def packed(summary: FolderSummary) -> dict[str, Any]:
    """A summary as JSON can write it."""
    scores = {
        key: {
            "n": one.n,
            "mean": _number_or_none(one.mean),
            "deviation": _number_or_none(one.deviation),
            "low": _number_or_none(one.low),
            "high": _number_or_none(one.high),
            "values": one.sketch.values.tolist(),
            # one number where all weigh the same, as they do but after many small additions
            "weights": _weights(one.sketch.weights),
            "error": one.sketch.error,
            "unusual": [[each.score, each.row, each.file, each.label] for each in one.unusual],
        }
        for key, one in summary.scores.items()
    }
    return {
        "format": FORMAT, "job": summary.job, "parts": dict(summary.parts), "rows": summary.rows,
        "failed": summary.failed, "errors": [list(one) for one in summary.errors],
        "scores": scores, "repeated": summary.repeated,
        "repeats": [[one.row, one.file, one.first_row, one.first_file] for one in summary.repeats],
    }  # fmt: skip


def unpacked(found: Mapping[str, Any]) -> FolderSummary:
    """The summary that was packed; ValueError, KeyError or TypeError for anything else."""
    if found["format"] != FORMAT:
        raise ValueError("another format")
    return FolderSummary(
        str(found["job"]),
        {str(name): int(size) for name, size in found["parts"].items()},
        int(found["rows"]),
        failed=int(found["failed"]),
        errors=tuple((int(row), str(file), str(why)) for row, file, why in found["errors"]),
        scores={str(key): _unpacked_score(one) for key, one in found["scores"].items()},
        repeated=int(found["repeated"]),
        repeats=tuple(
            Repeat(int(row), str(file), int(first), str(of))
            for row, file, first, of in found["repeats"]
        ),
    )


def _unpacked_score(one: Mapping[str, Any]) -> ScoreSummary:
    values = np.array(one["values"], dtype=np.float64)
    weights = np.broadcast_to(np.array(one["weights"], dtype=np.float64), values.shape)
    if values.ndim != 1 or not (np.isfinite(values).all() and (np.diff(values) >= 0).all()):
        raise ValueError("not in order")
    if not ((weights > 0) & np.isfinite(weights)).all():
        raise ValueError("not weights")
    return ScoreSummary(
        int(one["n"]),
        _or(one["mean"], np.nan),
        deviation=_or(one["deviation"], np.nan),
        low=_or(one["low"], np.inf),
        high=_or(one["high"], -np.inf),
        sketch=Sketch(values, weights, float(one["error"])),
        unusual=tuple(
            Unusual(float(score), int(row), str(file), None if label is None else str(label))
            for score, row, file, label in one["unusual"]
        ),
    )


def _number_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _or(value: float | None, other: float) -> float:
    return other if value is None else float(value)


def _weights(weights: Floats) -> float | Sequence[float]:
    return float(weights[0]) if len(weights) and (weights == weights[0]).all() else weights.tolist()
