"""What many images are held against: scores of held-out images, or of another folder.

p-values mean what they say where the reference was scored as the images were: by the same model
under the same settings. Both are checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import CheckpointError, ConfigError, DataError, ScoreError
from hvae_core.common.far import Folder
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, part, silent
from hvae_core.detection.conformal import smallest_p_value
from hvae_core.detection.many.columns import figures, job_of, part_columns
from hvae_core.detection.many.fitted import (
    Fitted,
    fitted_to,
    incomparable,
    kept_fitted,
    unmeasured,
)
from hvae_core.detection.many.layout import Job, parts_there
from hvae_core.detection.standard import BOTH_ENDS, PATH, verdict_keys
from hvae_core.scores.assemble import needed

if TYPE_CHECKING:
    from hvae_core.scores import Score

HELD_OUT = "held-out.json"
"""Scores of held-out images, kept beside the parts."""
MOST = 5_000_000
"""Images of a reference: their scores are sorted in memory."""


@dataclass(frozen=True, eq=False)
class HeldScores:
    """Scores (N,) of the same N images by their keys, and what these images are.

    They are finite, but for scores of a density of the images to which it was fitted: these are no
    measure of it, and are NaN. ``no_path`` says why the path has no say by them, "" where it has.
    """

    title: str
    scores: Mapping[str, Floats]
    no_path: str = ""

    def __len__(self) -> int:
        return len(next(iter(self.scores.values()), ()))

    def table(self, keys: Sequence[str]) -> Floats:
        """Some of the scores as (n, K), of the images that are a measure of all of these."""
        table = np.stack([self.scores[key] for key in keys], axis=1)
        return table[np.isfinite(table).all(axis=1)]

    def measure(self, key: str) -> Floats:
        """One score (n,), of the images that are a measure of it."""
        return self.table([key])[:, 0]


def deciding(
    job: Job, asked: Sequence[str] = (), reference: HeldScores | None = None, *, alpha: float = 0.05
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The scores that decide, and places of those that are unusual at both ends.

    They are those asked for, else those of the verdict, else all that the folder has. The path has
    a say under the conditions of ``standard_of``. Raises ``ScoreError`` for a score that the folder
    does not have.
    """
    for key in asked:
        if key not in job.scores:
            there = ", ".join(job.scores)
            raise ScoreError(f"There is no score {plain(key)} in this folder; it has {there}.")
    if asked:
        return tuple(dict.fromkeys(asked)), ()
    whole, bounds = verdict_keys(job.levels), verdict_keys(job.levels, "bounds")
    held = () if reference is None else tuple(reference.scores)
    if reference is not None and set(whole) <= {*job.scores} & {*held}:
        ranking = len(reference.table(whole))
        if not reference.no_path and smallest_p_value(alpha, ranking) <= alpha:
            return whole, BOTH_ENDS
    return (bounds, BOTH_ENDS) if set(bounds) <= set(job.scores) else (job.scores, ())


def of_folder(
    job: Job, other: Folder, progress: Progress = silent, *, fitted: Fitted | None = None
) -> HeldScores:
    """The scores of another folder, all of whose images are the reference.

    ``fitted`` says what the densities of the folder that is judged are fitted to.

    Raises ``ConfigError`` where these were made by another model or otherwise.
    """
    theirs = job_of(other)
    if theirs.digest != job.digest or dict(theirs.settings) != dict(job.settings):
        what = "by another model" if theirs.digest != job.digest else "under other settings"
        raise ConfigError(
            f"{plain(other.given)} was scored {what} ({plain(theirs.model)}), so its scores cannot "
            "be a measure here; score it in the same way."
        )
    not_alike = incomparable(fitted, kept_fitted(other))
    keys = [key for key in job.scores if key in theirs.scores and key not in not_alike]
    if not keys:
        raise ScoreError(f"{plain(other.given)} has none of the scores {', '.join(job.scores)}.")
    numbers, found = parts_there(other), [np.zeros((0, len(keys)))]
    for place, number in enumerate(numbers):
        progress(place / len(numbers), "reading the reference")
        part = part_columns(other, number, ["digest", *keys])
        values = figures(part, keys)
        finite = np.isfinite(values).all(axis=1)
        unmeasured(values, keys, fitted, digests=part["digest"].to_pylist())
        found.append(values[finite])
        if sum(map(len, found)) > MOST:
            raise DataError(
                f"{plain(other.given)} has more than {MOST:,} images, too many for a reference; "
                "score fewer of them with --limit."
            )
    values = np.concatenate(found)
    if not len(values):
        raise DataError(f"{plain(other.given)} has no image with finite scores yet.")
    return HeldScores(
        plain(theirs.source), dict(zip(keys, values.T, strict=True)), _no_path(fitted)
    )


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
    fitted = kept_fitted(folder)
    if source is None and (kept := kept_held_out(folder, job)) is not None:
        return kept
    progress(0.0, "loading the model")
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
    scores = _alike(job, known.names, fitted)
    steps = 2 if needed(scores)[1] else 1  # measures, as refits, take longer than the bounds
    settings = EvalSettings(**job.settings)
    evaluation = known.evaluate(images, settings, part(progress, 0, steps))
    material = material_of(
        known, scores, images, evaluation=evaluation, training=lambda: None,
        progress=part(progress, 1, steps),
    )  # fmt: skip
    half, own = fitted_to(known, scores, evaluation.settings)
    if own is not None and fitted is not None and own.digests != fitted.digests:
        raise DataError(
            "The densities of this folder are fitted to other held-out images than "
            f"{plain(known.name)} has here; name another folder of scores with --reference."
        )
    values = score_columns(scores, replace(material, held_out=half))
    keys = [score.key for score in scores]
    unmeasured(values, keys, own, digests=images.image_digests())
    found = HeldScores(images.title, dict(zip(keys, values.T, strict=True)), _no_path(own))
    if source is None:
        stored = {
            key: [None if value != value else value for value in column.tolist()]
            for key, column in found.scores.items()
        }
        text = json.dumps({"job": _scored_by(job), "title": found.title, "scores": stored})
        with suppress(DataError):  # who may only read the folder scores them again next time
            folder.write(HELD_OUT, text.encode())
    return found


def _alike(job: Job, layers: Sequence[str], fitted: Fitted | None) -> list[Score]:
    """The scores of a folder that can be had of any images: not somebody's own, nor those that
    compare with training images, nor densities of which nobody noted what they are fitted to.
    Raises ``ScoreError`` where there are none.
    """
    cannot = {"reference"} if fitted is not None else {"reference", "held_out"}
    from hvae_core.scores import all_scores

    found = [
        score
        for score in all_scores(job.levels, layers)
        if score.key in job.scores and not cannot & set(score.needs)
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
        if stored["job"] != _scored_by(job) or not np.isfinite(columns).any(axis=1).all():
            return None
        return HeldScores(str(stored["title"]), scores, _no_path(kept_fitted(folder)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # it is made again


def _no_path(fitted: Fitted | None) -> str:
    return fitted.no_path if fitted is not None and PATH in fitted.keys else ""


def _scored_by(job: Job) -> str:
    return fingerprint.digest(job.digest, dict(job.settings), list(job.scores))
