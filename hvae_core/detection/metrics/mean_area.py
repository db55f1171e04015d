"""The mean AUROC over several sets, its interval, and paired tests between two such means.

Sets that are held against the same in-distribution images share what these images do to their
AUROCs, so intervals of the sets are no independent ones. Here every AUROC comes with what each
image adds to its error (DeLong et al. 1988: the centred placements); these add up image by image,
over sets and over the two sides of a comparison, before anything is squared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics.curves import checked, placements
from hvae_core.detection.metrics.delong import Contest, two_sided
from hvae_core.detection.metrics.detect import drawn


@dataclass(frozen=True, eq=False)
class Area:
    """An AUROC, or a mean of several, with what each image adds to its error.

    ``inside`` has a term for every in-distribution image, (N,), zero for one that took no part;
    ``outside`` those of each set held against them. The sum of all squares is the variance.
    """

    value: float
    inside: Floats
    outside: tuple[Floats, ...]

    @property
    def error(self) -> float:
        """The standard error."""
        squares = [float(np.square(terms).sum()) for terms in (self.inside, *self.outside)]
        return float(np.sqrt(sum(squares)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The normal interval, clipped to [0, 1]."""
        half = NormalDist().inv_cdf((1 + level) / 2) * self.error
        return max(0.0, self.value - half), min(1.0, self.value + half)

    def turned(self) -> Area:
        """The area of the same scores with their sign turned: 1 - AUROC."""
        return Area(1 - self.value, -self.inside, tuple(-terms for terms in self.outside))


def area_of(in_scores: ArrayLike, out_scores: ArrayLike, seed: int) -> Area:
    """The AUROC of one set on equal numbers, which ``seed`` draws as for every metric.

    The variance is that of DeLong, so that interval and test are those of ``auroc_interval`` and
    ``contest``. Raises ``ScoreError`` for fewer than two images in either set.
    """
    inside, outside = checked(in_scores, "in-distribution"), checked(out_scores, "OOD")
    n = min(len(inside), len(outside))
    if n < 2:
        raise ScoreError("The interval of an AUROC needs at least two images in either set.")
    rows_in, rows_out = drawn(len(inside), n, seed), drawn(len(outside), n, seed)
    in_place, out_place = placements(inside[rows_in], outside[rows_out])
    value = float(out_place.mean())
    # 1 / n each, and n / (n - 1) of the unbiased variance, whose root goes to each term.
    share = 1 / np.sqrt(n * (n - 1))
    terms_in, terms_out = np.zeros(len(inside)), np.zeros(len(outside))
    terms_in[rows_in] = (in_place - value) * share
    terms_out[rows_out] = (out_place - value) * share
    return Area(value, terms_in, (terms_out,))


def pooled_area(in_scores: Sequence[ArrayLike], out_scores: ArrayLike) -> Area:
    """The AUROC of one set against several in-distribution ones together, on all their images.

    Full-spectrum detection of OpenOOD v1.5 (Zhang et al. 2023) counts the in-distribution images
    and those under a change as one set. The in-distribution sets are the same images in one order,
    unchanged and changed, so that what an image adds to the error is added over its versions before
    it is squared. Raises ``ScoreError`` for fewer than two images in a set.
    """
    versions = [checked(scores, "in-distribution") for scores in in_scores]
    outside = checked(out_scores, "OOD")
    if min(len(outside), *map(len, versions)) < 2:
        raise ScoreError("The interval of an AUROC needs at least two images in either set.")
    in_place, out_place = placements(np.concatenate(versions), outside)
    value = float(out_place.mean())
    terms_in, start = np.zeros(max(map(len, versions))), 0
    for n in map(len, versions):
        own = in_place[start : start + n]
        terms_in[:n] += (own - own.mean()) * np.sqrt(n / (n - 1)) / len(in_place)
        start += n
    n = len(outside)
    return Area(value, terms_in, ((out_place - value) / np.sqrt(n * (n - 1)),))


def mean_of(areas: Sequence[Area]) -> Area:
    """The plain mean of AUROCs of one score on several sets against the same images."""
    count = len(areas)
    if not count:
        raise ScoreError("A mean over sets needs at least one set.")
    return Area(
        float(np.mean([area.value for area in areas])),
        np.sum([area.inside for area in areas], axis=0) / count,
        tuple(terms / count for area in areas for terms in area.outside),
    )


def compared(first: Area, second: Area, level: float = 0.95) -> Contest:
    """Paired test between two areas of the same images, set by set in the same order.

    What both make of an image alike cancels before the variance is taken. ScoreError where the
    numbers of images or sets differ.
    """
    sizes = [[len(terms) for terms in (area.inside, *area.outside)] for area in (first, second)]
    if sizes[0] != sizes[1]:
        raise ScoreError("A paired test needs the same images on both sides; use the same sets.")
    apart = Area(
        first.value - second.value,
        first.inside - second.inside,
        tuple(one - other for one, other in zip(first.outside, second.outside, strict=True)),
    )
    half = NormalDist().inv_cdf((1 + level) / 2) * apart.error
    return Contest(
        first=first.value,
        second=second.value,
        difference=apart.value,
        low=max(-1.0, apart.value - half),
        high=min(1.0, apart.value + half),
        p_value=two_sided(apart.value, apart.error),
        n=min(sizes[0]),
    )
