"""Is one AUROC larger than another on the same images? The paired test of DeLong et al. 1988."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics.curves import placements
from hvae_core.detection.metrics.detect import equal_numbers


@dataclass(frozen=True)
class Contest:
    """Two AUROCs on the same images: ``difference`` is first - second with its 95 % interval.

    ``p_value`` is two-sided, of the hypothesis that the two are equal. ``n`` images of either set.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int


def contest(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    seed: int,
    level: float = 0.95,
) -> Contest:
    """Paired test of two scores, or one score of two checkpoints (DeLong et al. 1988, Eq. 5, 6).

    Each side is (scores in, scores out) of the same images in the same order; equal numbers are
    drawn by ``seed`` as for every metric. The variance is that of the differences of each image's
    placements, so that what the two have in common cancels. ScoreError where the numbers of images
    differ, or are fewer than two.
    """
    sizes = [(np.size(inside), np.size(outside)) for inside, outside in (first, second)]
    if sizes[0] != sizes[1]:
        raise ScoreError(
            f"A paired test needs the same images on both sides, not {sizes[0]} and {sizes[1]} "
            "in and out of distribution; evaluate both on the same sets."
        )
    first_in, first_out = placements(*equal_numbers(*first, seed))
    second_in, second_out = placements(*equal_numbers(*second, seed))
    n = len(first_in)
    if n < 2:
        raise ScoreError("A test between two AUROCs needs at least two images in either set.")
    # Image by image: what both scores make of it alike cancels before the variance is taken.
    apart_in, apart_out = first_in - second_in, first_out - second_out
    error = float(np.sqrt((apart_in.var(ddof=1) + apart_out.var(ddof=1)) / n))
    areas = float(first_out.mean()), float(second_out.mean())
    difference = areas[0] - areas[1]
    half = NormalDist().inv_cdf((1 + level) / 2) * error
    return Contest(
        *areas,
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        p_value=two_sided(difference, error),
        n=n,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for their number, in the order given (Holm 1979).

    The chance of any false claim among those at most alpha is at most alpha.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return tuple(map(float, corrected))


def two_sided(difference: float, error: float) -> float:
    """P(|Z| >= |difference| / error); without any spread two areas are equal or they are not."""
    # Sums of placements meet a tie only to rounding.
    if abs(difference) <= 1e-12:
        return 1.0
    if error == 0:
        return 0.0
    return 2 * NormalDist().cdf(-abs(difference) / error)
