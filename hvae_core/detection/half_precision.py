"""What half precision costs: bounds and AUROC in bfloat16 beside those in float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hvae_core.checkpoint import Checkpoint
from hvae_core.common.errors import ScoreError
from hvae_core.common.progress import Progress, silent
from hvae_core.detection.metrics import auroc
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import evaluated
from hvae_core.evaluation.sets import Sets
from hvae_core.scores import Material, score_list

IMAGES = 100
"""Images of a set on which the error is measured."""


@dataclass(frozen=True)
class PrecisionError:
    """Differences from float32: of every L_>k in nats, and of the AUROC of every score and set."""

    images: int
    mean: float
    largest: float
    auroc: float

    def __str__(self) -> str:
        return (
            f"against float32, on {self.images} images: bounds differ by {self.mean:.2g} nats on "
            f"average and {self.largest:.2g} at most, an AUROC by {self.auroc:.2g} at most"
        )


def precision_error(rough: Sequence[Evaluation], exact: Sequence[Evaluation]) -> PrecisionError:
    """Compare evaluations of the same sets, the in-distribution set first.

    Raises ``ScoreError`` where the images differ.
    """
    if [e.set_digest for e in rough] != [e.set_digest for e in exact]:
        raise ScoreError("Precisions are compared on the same images; evaluate the same sets.")
    gaps = np.concatenate(
        [np.abs(a.table.bound - b.table.bound).ravel() for a, b in zip(rough, exact, strict=True)]
    )
    change = np.abs(np.subtract(_aurocs(rough), _aurocs(exact)))
    return PrecisionError(
        images=sum(map(len, exact)),
        mean=float(gaps.mean()),
        largest=float(gaps.max()),
        auroc=float(np.max(change)),
    )


def _aurocs(evaluations: Sequence[Evaluation]) -> list[float]:
    """AUROC of every score of the bounds, for every set after the first."""
    inside, *outside = [Material(e.table) for e in evaluations]
    scores = score_list(inside.table.n_levels)
    return [
        auroc(score.function(inside), score.function(other))
        for other in outside
        for score in scores
    ]


def measured_error(
    checkpoint: Checkpoint,
    sets: Sets,
    names: Sequence[str],
    *,
    settings: EvalSettings,
    progress: Progress = silent,
) -> PrecisionError:
    """The error of ``settings.precision`` on some images of each set, in-distribution first."""
    few = replace(sets, limit=IMAGES)
    rough, exact = (
        [
            evaluated(checkpoint, few, name, settings=same, progress=progress).evaluation
            for name in names
        ]
        for same in (settings, replace(settings, precision="float32"))
    )
    return precision_error(rough, exact)
