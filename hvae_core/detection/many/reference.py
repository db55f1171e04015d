"""What many images are held against: scores of held-out images, or of another folder.

p-values mean what they say where the reference was scored as the images were: by the same model
under the same settings. Both are checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import CheckpointError, ConfigError, DataError, ScoreError
from hvae_core.common.far import Folder
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, part, silent
from hvae_core.detection.many.columns import figures, job_of, part_columns
from hvae_core.detection.many.layout import Job, parts_there
from hvae_core.detection.standard import BOTH_ENDS, verdict_keys

if TYPE_CHECKING:
    from hvae_core.scores import Score

HELD_OUT = "held-out.json"
"""Scores of held-out images, kept beside the parts."""
MOST = 5_000_000
"""Images of a reference: their scores are sorted in memory."""


@dataclass(frozen=True, eq=False)
class HeldScores:
    """Finite scores (N,) of the same N images by their keys, and what these images are."""

    title: str
    scores: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(next(iter(self.scores.values()), ()))

    def table(self, keys: Sequence[str]) -> Floats:
        """Some of the scores as (N, K)."""
        return np.stack([self.scores[key] for key in keys], axis=1)


def deciding(job: Job, asked: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The scores that decide, and places of those that are unusual at both ends.

    They are those asked for, else those of the verdict that are of bounds alone, else all that the
    folder has. Raises
    ``ScoreError`` for a score that it does not have.
    """
    for key in asked:
        if key not in job.scores:
            there = ", ".join(job.scores)
            raise ScoreError(f"There is no score {plain(key)} in this folder; it has {there}.")
    if asked:
        return tuple(dict.fromkeys(asked)), ()
    keys = verdict_keys(job.levels, "bounds")
    return (keys, BOTH_ENDS) if set(keys) <= set(job.scores) else (job.scores, ())


def of_folder(job: Job, other: Folder, progress: Progress = silent) -> HeldScores:
    """The scores of another folder, all of whose images are the reference.

    Raises ``ConfigError`` where these were made by another model or otherwise.
    """
    theirs = job_of(other)
    if theirs.digest != job.digest or dict(theirs.settings) != dict(job.settings):
        what = "by another model" if theirs.digest != job.digest else "under other settings"
        raise ConfigError(
            f"{plain(other.given)} was scored {what} ({plain(theirs.model)}), so its scores cannot "
            "be a measure here; score it in the same way."
        )
    keys = [key for key in job.scores if key in theirs.scores]
    if not keys:
        raise ScoreError(f"{plain(other.given)} has none of the scores {', '.join(job.scores)}.")
    numbers, found = parts_there(other), [np.zeros((0, len(keys)))]
    for place, number in enumerate(numbers):
        progress(place / len(numbers), "reading the reference")
        values = figures(part_columns(other, number, keys), keys)
        found.append(values[np.isfinite(values).all(axis=1)])
        if sum(map(len, found)) > MOST:
            raise DataError(
                f"{plain(other.given)} has more than {MOST:,} images, too many for a reference; "
                "score fewer of them with --limit."
            )
    values = np.concatenate(found)
    if not len(values):
        raise DataError(f"{plain(other.given)} has no image with finite scores yet.")
    return HeldScores(plain(theirs.source), dict(zip(keys, values.T, strict=True)))


def held_out(
    folder: Folder, checkpoint: str | None = None, source: str | None = None, *,
    progress: Progress = silent,
) -> HeldScores:  # fmt: skip
    """The scores of held-out images of the folder's own model, kept beside the parts.

    ``checkpoint`` names the model where its recorded name leads nowhere on this machine, ``source``
    other images than those that the model's training set apart. Computed once.
    """
    from hvae_core.detection.judging import held_out_images, judging
    from hvae_core.detection.read import material_of, score_columns
    from hvae_core.evaluation.evaluation import EvalSettings

    job = job_of(folder)
    if source is None and (kept := kept_held_out(folder, job)) is not None:
        return kept
    progress(0.0, "held-out images")
    try:
        known = judging(checkpoint or job.model)
    except CheckpointError as exc:
        if checkpoint is not None:
            raise
        raise ConfigError(
            f"The model {plain(job.model)} of this folder is not on this machine; name its file "
            "with --checkpoint, or another folder of scores with --reference."
        ) from exc
    if known.digest != job.digest:
        raise ConfigError(
            f"{plain(known.name)} on this machine is not the model of this folder "
            f"(sha256 {job.digest[:16]}); name its file with --checkpoint."
        )
    # 1. The images, as the model reads them.
    images = held_out_images(known, source).fit(known.image_shape)
    # 2. Scored as those of the folder were.
    evaluation = known.evaluate(images, EvalSettings(**job.settings), part(progress, 0, 1))
    scores = _alike(job, known.names)
    material = material_of(known, scores, images, evaluation=evaluation, training=lambda: None)
    values = score_columns(scores, material)
    keys = [score.key for score in scores]
    found = HeldScores(images.title, dict(zip(keys, values.T, strict=True)))
    if source is None:
        stored = {key: column.tolist() for key, column in found.scores.items()}
        text = json.dumps({"job": _scored_by(job), "title": found.title, "scores": stored})
        with suppress(DataError):  # who may only read the folder scores them again next time
            folder.write(HELD_OUT, text.encode())
    return found


def _alike(job: Job, layers: Sequence[str]) -> list[Score]:
    """The scores of a folder that can be had of any images: not somebody's own, nor those that
    compare with training images. Raises ``ScoreError`` where there are none.
    """
    from hvae_core.scores import all_scores

    found = [
        score
        for score in all_scores(job.levels, layers)
        if score.key in job.scores and not {"reference", "held_out"} & set(score.needs)
    ]
    if not found:
        raise ScoreError(
            f"Held-out images have none of the scores {', '.join(job.scores)}; name another folder "
            "of scores with --reference."
        )
    return found


def kept_held_out(folder: Folder, job: Job) -> HeldScores | None:
    """The scores of held-out images that are kept in a folder; None where there are none."""
    data = folder.read(HELD_OUT)
    if data is None:
        return None
    try:
        stored = json.loads(data)
        scores = {
            str(key): np.array(column, dtype=np.float64)
            for key, column in stored["scores"].items()
            if key in job.scores
        }
        columns = np.stack(list(scores.values()))
        if stored["job"] != _scored_by(job) or not columns.size or not np.isfinite(columns).all():
            return None
        return HeldScores(str(stored["title"]), scores)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # it is made again


def _scored_by(job: Job) -> str:
    return fingerprint.digest(job.digest, dict(job.settings), list(job.scores))
