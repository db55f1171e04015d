"""Intervals by the stratified percentile bootstrap: both sets are drawn again, each by itself.

Efron and Tibshirani 1993, chapter 13. The scores are vectors of finite numbers, as ``checked`` and
``equal_numbers`` give them. Nothing is sorted or ranked again: a resample is a vector of
counts over the sorted scores, and the threshold of a false-positive rate is one order statistic.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.detection.metrics.curves import images_needed

REPLICATES = 500
_LEAST = 200
_DRAWS = 4_000  # of a threshold and its false alarms, which cost nothing
_FULL = 4_000  # images of a set up to which all replicates are drawn
_ELEMENTS = 2**16  # counts at once: what fits a processor's own memory is summed fastest


def auprc_interval(
    inside: Floats, outside: Floats, level: float = 0.95, *, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the average precision, by ``REPLICATES`` resamples of either set.

    Sets of more than 4,000 images take fewer replicates, 200 at least: their interval is narrow,
    and memory stays flat.
    """
    n = max(len(inside), len(outside))
    replicates = max(_LEAST, min(REPLICATES, REPLICATES * _FULL // n))
    step = max(1, _ELEMENTS // n)
    ranks = _Ranks(inside, outside)
    areas = [
        ranks.precision(seed, first, min(step, replicates - first))
        for first in range(0, replicates, step)
    ]
    low, high = np.quantile(np.concatenate(areas), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def fpr_interval(
    tpr: float,
    inside: Floats,
    outside: Floats,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the false-positive rate at a true-positive rate.

    Drawn from the bootstrap's own distribution without resampling: the m-th largest of n drawn
    with replacement is the ceil(n U)-th largest of the n, U ~ Beta(m, n + 1 - m), and given this
    threshold the false alarms of the other resample are binomial.
    """
    inside, outside = np.sort(inside), np.sort(outside)[::-1]
    n_in, n_out = len(inside), len(outside)
    m = images_needed(tpr, n_out)
    rng = np.random.default_rng(seed)
    place = np.ceil(n_out * rng.beta(m, n_out + 1 - m, size=_DRAWS)).astype(np.int64)
    threshold = outside[np.clip(place, 1, n_out) - 1]
    false = n_in - np.searchsorted(inside, threshold, side="left")
    rates = rng.binomial(n_in, false / n_in) / n_in
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


class _Ranks:
    """The order of two sets of scores, from the highest down, for counts instead of copies."""

    def __init__(self, inside: Floats, outside: Floats) -> None:
        self.in_order, self.out_order = np.argsort(-inside), np.argsort(-outside)
        self.out = outside[self.out_order]
        # How many of either set score at least as high as each OOD image.
        self.reached_in = np.searchsorted(-inside[self.in_order], -self.out, side="right")
        self.reached_out = np.searchsorted(-self.out, -self.out, side="right")

    def precision(self, seed: int, first: int, replicates: int) -> Floats:
        """Average precision of each resample: the mean precision at its own OOD images, (R,)."""
        drawn_in = _drawn(len(self.in_order), (seed, 0, first), replicates)[self.in_order]
        drawn_out = _drawn(len(self.out_order), (seed, 1, first), replicates)[self.out_order]
        false = _running(drawn_in)[self.reached_in]  # (n_out, R)
        true = _running(drawn_out)[self.reached_out]
        # Where nothing is flagged nothing was drawn either, and the weight is zero.
        precision = true / np.maximum(true + false, 1)
        return np.einsum("nr,nr->r", precision, drawn_out) / np.float64(len(self.out_order))


def _running(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums of the first 0, 1, .. n rows, (n + 1, R); whole numbers, exact in float32."""
    sums = np.zeros((len(counts) + 1, counts.shape[1]), dtype=np.float32)
    np.cumsum(counts, axis=0, out=sums[1:])
    return sums


def _drawn(n: int, seeds: tuple[int, int, int], replicates: int) -> NDArray[np.float32]:
    """The counts, kept for the next score where they are small."""
    counts = _counts if n <= _ELEMENTS else _counts.__wrapped__
    return counts(n, seeds, replicates)


@lru_cache(maxsize=128)
def _counts(n: int, seeds: tuple[int, int, int], replicates: int) -> NDArray[np.float32]:
    """How often each of n images is in each of R resamples, (n, R): the same for every score.

    ``seeds`` are the seed itself, the side (0 in, 1 out), and the first of these resamples.
    """
    rng = np.random.default_rng(seeds)
    drawn = rng.integers(0, n, size=(replicates, n)) * replicates
    drawn += np.arange(replicates)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n * replicates).reshape(n, replicates)
    kept = counts.astype(np.float32)
    kept.flags.writeable = False  # many scores read the same counts
    return kept
