"""The ranks of very many numbers in a few thousand, with an error that is counted.

A list of n numbers is cut into pieces of equal size along its order, and each piece is stood for by
its middle. Whatever x is, the share below x is then off by at most half a piece. Sketches are
merged by putting them together, and errors add; ``error`` is that sum, so it holds for these
numbers, not on average. A list that is short enough is kept as it is, with error 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError

KEPT = 8192
"""Numbers of a sketch that is stored: the share below any score is off by at most 1 in 16,384."""
_BLOCK = 2**20
_THIN = 2**15


@final
@dataclass(frozen=True, eq=False)
class Sketch:
    """Numbers (m,) in rising order, how many of the list each stands for, and the error of ranks.

    Of the list, #{number < x} and #{number <= x} differ from the weights on that side of x by at
    most ``error``, for every x.
    """

    values: Floats  # (m,), rising
    weights: Floats  # (m,)
    error: float = 0.0

    @classmethod
    def of(cls, numbers: ArrayLike) -> Sketch:
        """The numbers themselves; those that are not finite are left out."""
        values = np.asarray(numbers, dtype=np.float64).ravel()
        values = np.sort(values[np.isfinite(values)])
        return cls(values, np.ones(len(values)))

    @classmethod
    def merged(cls, sketches: Iterable[Sketch]) -> Sketch:
        """That of all their lists together."""
        every = list(sketches)
        values = np.concatenate([np.zeros(0), *(one.values for one in every)])
        weights = np.concatenate([np.zeros(0), *(one.weights for one in every)])
        order = np.argsort(values, kind="stable")
        return cls(values[order], weights[order], sum(one.error for one in every))

    @property
    def n(self) -> float:
        """How many numbers it stands for."""
        return float(self.weights.sum())

    @property
    def share_error(self) -> float:
        """By how much the share below any x may be off, 0 where the numbers are all there."""
        return self.error / self.n if self.n else 0.0

    def thinned(self, points: int) -> Sketch:
        """The same in at most so many numbers of equal weight; the error grows by half a weight."""
        if len(self.values) <= points:
            return self
        values = self._at((np.arange(points) + 0.5) / points)
        weight = self.n / points
        return Sketch(values, np.full(points, weight), self.error + weight / 2)

    def quantiles(self, shares: ArrayLike) -> Floats:
        """The smallest numbers with at least these shares of the list at or below them."""
        if not len(self.values):
            raise ScoreError("There is no finite score, so it has no quantiles.")
        # less a hair, as 0.07 * 100 is above 7 in floats
        ranks = np.asarray(shares, dtype=np.float64) * self.n * (1 - 1e-12)
        places = np.searchsorted(np.cumsum(self.weights), ranks, side="left")
        return self.values[np.minimum(places, len(self.values) - 1)]

    def _at(self, shares: Floats) -> Floats:
        places = np.searchsorted(np.cumsum(self.weights), shares * self.n, side="right")
        return self.values[np.minimum(places, len(self.values) - 1)]

    def at_least(self, threshold: float) -> float:
        """How many numbers are at or above a threshold, to within ``error``."""
        return float(self.weights[np.searchsorted(self.values, threshold, side="left") :].sum())

    def sample(self, points: int = 4096) -> Floats:
        """Numbers of equal weight that are spread as the list is, for charts."""
        if len(self.values) <= points and (self.weights == 1).all():
            return self.values
        return self._at((np.arange(points) + 0.5) / points)


@final
class Gathering:
    """A sketch that grows number by number, in memory that does not.

    Blocks of a million numbers are thinned to 32,768, so that a list of any length has an error of
    ranks of at most a few in 65,536.
    """

    def __init__(self, start: Sketch | None = None) -> None:
        self._parts = [start] if start is not None else []

    def add(self, numbers: ArrayLike) -> None:
        """Take in more of the list."""
        self._parts.append(Sketch.of(numbers))
        if sum(len(part.values) for part in self._parts) > _BLOCK:
            self._parts = [self.sketch().thinned(_THIN)]

    def sketch(self) -> Sketch:
        """That of all numbers so far."""
        return Sketch.merged(self._parts)


def flags_from(reference: Sketch, alpha: float) -> float:
    """The threshold from which images are flagged (score >= it): where p <= alpha.

    p is (1 + #{reference >= score}) / (1 + N) (Havtorn et al. 2021, section 5); the error of a
    sketch counts against flagging, so the promised rate holds. ScoreError where the reference is
    too small for alpha.
    """
    if p_values(reference, [np.inf])[0] > alpha:
        raise ScoreError(
            f"A false-alarm rate of {alpha:g} needs more than the {reference.n:,.0f} images of the "
            "reference: raise the rate or take more images."
        )
    kept = reference.values[p_values(reference, reference.values) > alpha]
    return float(np.nextafter(kept[-1], np.inf)) if len(kept) else float(reference.values[0])


def p_values(reference: Sketch, scores: ArrayLike) -> Floats:
    """Conformal p-values of scores, those of a thinned reference on the safe side: never less."""
    upto = np.concatenate([[0.0], np.cumsum(reference.weights)])
    below = upto[np.searchsorted(reference.values, np.asarray(scores, np.float64), side="left")]
    at_least = np.minimum(reference.n - below + reference.error, reference.n)
    return np.asarray((1 + at_least) / (1 + reference.n))


@dataclass(frozen=True)
class Area:
    """AUROC of two sketches: its 95 % interval (DeLong), and how far thinning may have moved it."""

    value: float
    low: float
    high: float
    error: float


def area(inside: Sketch, outside: Sketch) -> Area:
    """P(out > in) + P(equal) / 2 of two sketches, the area under the ROC curve.

    Each side's shares are off by at most ``share_error``, so the area is off by at most the sum of
    both; it is exact where all numbers are there. Interval as ``detection.metrics`` (DeLong et al.
    1988), of the numbers of images that the sketches stand for.
    """
    if min(inside.n, outside.n) < 2:
        raise ScoreError("An AUROC needs at least two images with a finite score on either side.")
    out_place = _below(inside, outside.values)
    in_place = 1 - _below(outside, inside.values)
    value = float(np.average(out_place, weights=outside.weights))
    variance = _spread(out_place, outside) + _spread(in_place, inside)
    half = NormalDist().inv_cdf(0.975) * float(np.sqrt(variance))
    return Area(
        value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        error=inside.share_error + outside.share_error,
    )


def _below(sketch: Sketch, values: Floats) -> Floats:
    """The share of a sketch below each value; what is equal counts half."""
    upto = np.concatenate([[0.0], np.cumsum(sketch.weights)])
    low = upto[np.searchsorted(sketch.values, values, side="left")]
    high = upto[np.searchsorted(sketch.values, values, side="right")]
    return np.asarray((low + high) / 2 / sketch.n)


def _spread(places: Floats, sketch: Sketch) -> float:
    """The variance of the mean of placements."""
    mean = np.average(places, weights=sketch.weights)
    squares = float((sketch.weights * (places - mean) ** 2).sum())
    return squares / (sketch.n - 1) / sketch.n
