"""Every image of an evaluated set judged alone, as one image is: p-values, verdicts, an order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.detection.combine import Correction, JointReference
from hvae_core.detection.verdict import BOTH_ENDS, verdict_keys, verdict_scores
from hvae_core.evaluation.bounds import BoundTable


@dataclass(frozen=True, eq=False)
class JudgedMany:
    """N images judged against the same reference, in the order of their set.

    ``p`` (N,) is that of all scores together, NaN where the model gives an image no finite numbers;
    ``place`` (N,) what differs the most: a level, or 0 for the likelihood; ``scores`` (N, K) those
    of the verdict, by ``keys``, and ``p_values`` (N, K) theirs before the correction.
    """

    p: Floats
    place: NDArray[np.int64]
    keys: tuple[str, ...]
    scores: Floats
    p_values: Floats

    def flagged(self, alpha: float) -> NDArray[np.bool_]:
        """Which images are called out at this false-alarm rate (N,)."""
        return np.asarray(self.p <= alpha)

    @property
    def order(self) -> NDArray[np.int64]:
        """The images by p, the most unusual first; then by their number."""
        return np.argsort(self.p, kind="stable")


def judge_many(
    images: BoundTable, reference: BoundTable, correction: Correction = "calibrated"
) -> JudgedMany:
    """The verdict of ``judge`` on every image of a table; the others in it have no say.

    So many verdicts flag some images of any set: of in-distribution ones about the share alpha.
    """
    scores = verdict_scores(images)
    finite = np.isfinite(scores).all(axis=1)
    n, k = scores.shape
    p, place = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    p_values = np.full((n, k), np.nan)
    if finite.any():
        joint = JointReference(verdict_scores(reference), two_sided=BOTH_ENDS)
        found = joint.p_values(scores[finite])
        p[finite] = getattr(found, correction)
        place[finite], p_values[finite] = found.place, found.p_values
    return JudgedMany(p, place, verdict_keys(images.n_levels), scores, p_values=p_values)
