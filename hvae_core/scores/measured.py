"""Measures of sets as far as they are kept, and the jobs that compute and keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores.classifier.library import world_digest
from hvae_core.scores.measures import MEASURES, Measure, compute, stored
from hvae_core.scores.reference import reference_to

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint

LEADING = 100
"""Images of a set for which a costly measure may be had alone."""
_MANY_SECONDS = 300.0


@dataclass(frozen=True, eq=False)
class Values:
    """A measure of all images of a set, or of its first alone, or None."""

    name: str
    whole: np.ndarray | None
    leading: np.ndarray | None = None


def is_costly(measure: Measure) -> bool:
    """Whether a measure is offered for the first images of a set alone."""
    return measure.seconds >= _MANY_SECONDS


def measured(measure: Measure, checkpoint: str, world: str, pixels: str) -> Values:
    """A measure of the images of a digest, as far as the cache has it."""
    digest: str | None = checkpoint
    if measure.of == "classifier":
        digest = world_digest(world)
    if digest is None:
        return Values(measure.name, None)
    whole = stored(measure, digest, pixels)
    if whole is not None or not is_costly(measure):
        return Values(measure.name, whole)
    return Values(measure.name, None, stored(measure, digest, pixels, first=LEADING))


def model_of(measure: Measure, checkpoint: Checkpoint, world: str) -> tuple[Any, str]:
    """The model that a measure reads, with its digest; (None, "") where there is none."""
    from hvae_core.scores.classifier.ensemble import world_ensemble

    if measure.of == "classifier":
        classifiers = world_ensemble(world)
        return (classifiers, classifiers.digest) if classifiers is not None else (None, "")
    return (checkpoint.model, checkpoint.digest) if measure.of else (None, "")


def measure_sets(
    path: str,
    world: str,
    names: Sequence[str],
    sets: Sequence[ImageSet],
    first: int | None = None,
    *,
    progress: Progress = silent,
) -> None:
    """A job: measures of sets by name under a checkpoint file, left in the cache.

    ``first`` leaves out all images of a set but the first.
    """
    from hvae_core.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    work = [(MEASURES[name], images) for name in names for images in sets]
    for done, (measure, images) in enumerate(work):
        model, digest = model_of(measure, checkpoint, world)
        fitted, step = images.fit(checkpoint.image_shape), part(progress, done, len(work))
        compute(measure, model, digest, fitted, first=first, progress=step)


def fit_reference_to(path: str, images: ImageSet, *, progress: Progress = silent) -> None:
    """A job: statistics of training images under a checkpoint file, left in the cache."""
    from hvae_core.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    fitted = images.fit(checkpoint.image_shape)
    reference_to(checkpoint, fitted, EvalSettings(), progress=progress)
