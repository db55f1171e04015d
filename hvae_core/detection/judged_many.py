"""Every image of an evaluated set judged alone, as one image is: p-values, verdicts, an order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.detection.combine import Correction
from hvae_core.detection.standard import By, standard_of
from hvae_core.evaluation.bounds import BoundTable


@dataclass(frozen=True, eq=False)
class JudgedMany:
    """N images judged against the same reference, in the order of their set.

    ``p`` (N,) is that of all scores together, NaN where the model gives an image no finite numbers;
    ``scores`` (N, K) are those of the verdict, by ``keys``, and ``p_values`` (N, K) theirs before
    the correction. ``apart`` (N,) tells images of one p apart: how far the most unusual score is
    from the median of the images that rank, in widths of their middle half; the largest of those
    that tie, NaN as ``p``. ``seen`` (N,) are those that the density of the path is fitted to: they
    find the path too usual, and count in no rate. ``n`` images ranked them; ``note`` says why the
    path has no say, where it has none.
    """

    p: Floats
    keys: tuple[str, ...]
    scores: Floats
    p_values: Floats
    apart: Floats
    seen: NDArray[np.bool_]
    n: int
    note: str = ""

    def flagged(self, alpha: float) -> NDArray[np.bool_]:
        """Which images are called out at this false-alarm rate (N,)."""
        return np.asarray(self.p <= alpha)


def judge_many(
    images: BoundTable,
    reference: BoundTable,
    alpha: float,
    *,
    correction: Correction = "calibrated",
    by: By = "levels",
) -> JudgedMany:
    """The verdict of ``judge`` on every image of a table; the others in it have no say.

    So many verdicts flag some images of any set: of in-distribution ones about the share alpha.
    """
    standard = standard_of(reference, alpha, correction, by=by)
    scores = standard.read(images)
    finite = np.isfinite(scores).all(axis=1)
    n, k = scores.shape
    p, p_values, apart = np.full(n, np.nan), np.full((n, k), np.nan), np.full(n, np.nan)
    if finite.any():
        found = standard.joint.p_values(scores[finite])
        p[finite] = getattr(found, correction)
        p_values[finite] = found.p_values
        apart[finite] = _apart(scores[finite], found.p_values, standard.scores)
    return JudgedMany(
        p, standard.keys, scores=scores, p_values=p_values, apart=apart,
        seen=standard.seen(images), n=standard.joint.n, note=standard.note,
    )  # fmt: skip


def _apart(scores: Floats, p_values: Floats, ranking: Floats) -> Floats:
    """``JudgedMany.apart`` of images (B,), by their scores and p-values (B, K), and what ranks."""
    low, middle, high = np.percentile(ranking, [25, 50, 75], axis=0)
    distance = np.zeros_like(scores)
    np.divide(np.abs(scores - middle), high - low, out=distance, where=high > low)
    most = p_values == p_values.min(axis=1, keepdims=True)
    return np.asarray(np.where(most, distance, 0.0).max(axis=1))
