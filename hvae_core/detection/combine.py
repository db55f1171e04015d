"""One decision by several scores: their p-values as one number, ranked among the held-out images.

The reference is the scores of N held-out in-distribution images. If a new image is drawn as they
were, its combined p-value is at most alpha with probability at most alpha, whatever the scores have
to do with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.conformal import attainable, count_at_least, score_table
from hvae_core.detection.metrics import checked

Correction = Literal["calibrated", "bonferroni"]
Combination = Literal["minimum", "harmonic", "fisher"]
"""How the p-values of several scores become one number: the smallest, their harmonic mean, or the
product (Fisher's method)."""
_ROUNDING = 1e-12
_AT_ONCE = 2**20  # images of the reference that are compared at once, for all images judged


@dataclass(frozen=True, eq=False)
class CombinedP:
    """p-values of B images for K scores, and of all K together under both corrections."""

    p_values: Floats  # (B, K)
    place: NDArray[np.int64]  # (B,) column of the smallest; the first wins a tie
    smallest: Floats  # (B,) not corrected: too often small by chance when K > 1
    bonferroni: Floats  # (B,) min(1, K * smallest)
    calibrated: Floats  # (B,) conformal p-value of the combination itself


@dataclass(frozen=True, eq=False)
class Verdict:
    """Decision on one image at a false-alarm rate alpha."""

    out: bool
    p_value: float  # of all scores together, by the chosen correction
    place: int  # column of the score that differs the most; the first wins a tie
    p_values: Floats  # (K,) before the correction
    alpha: float
    correction: Correction
    possible: bool  # False: the reference is too small for any image to be flagged at this alpha


def tied(p_values: Floats) -> tuple[int, ...]:
    """Columns of the smallest of one image's p-values (K,): several where they tie."""
    return tuple(int(place) for place in np.flatnonzero(p_values == p_values.min()))


def combined_p_values(
    reference: ArrayLike,
    scores: ArrayLike,
    how: Combination = "harmonic",
    *,
    two_sided: Sequence[int] = (),
) -> CombinedP:
    """p-values of images (B, K) for K scores at once, with the multiple-testing correction.

    Put the image among the N of the reference (N, K), give each of the N + 1 its K p-values in the
    joint set, make one number of them (``how``), and rank the image's number among the N + 1. All
    N + 1 are treated alike, so P(p <= alpha) <= alpha holds for any N and any dependence between
    the K scores, for an image that is exchangeable with the reference. The numbers themselves are
    the minimum, the harmonic mean (Wilson 2019), and Fisher's product (Fisher 1932); what they
    would promise by tables of their own is not used.

    Columns ``two_sided`` are unusual where they are high or low: p is twice the smaller tail.
    """
    return JointReference(reference, how, two_sided=two_sided).p_values(scores)


@final
class JointReference:
    """K scores of N reference images (N, K), sorted and counted once for any number of others.

    The rank of a score counts those at least as high, itself included; of a two-sided column it is
    twice that of the nearer end, at most N + 1. An image adds at most one to any count.
    """

    def __init__(
        self, reference: ArrayLike, how: Combination = "harmonic", *, two_sided: Sequence[int] = ()
    ) -> None:
        columns = np.ascontiguousarray(score_table(reference, "reference").T)  # (K, N)
        self.k, self.n = columns.shape
        self._ends, self._how, self._weights = tuple(two_sided), how, _weights(how, self.n)
        self._sorted = np.sort(columns, axis=1)
        high = np.stack([count_at_least(column, column) for column in columns])
        low = {j: count_at_least(-columns[j], -columns[j]) for j in self._ends}
        # 1. The number of each reference image lies between that by its own counts and that by
        # counts of one more. In the order of the first, few lie about any number.
        least = self._joined(self._ranks(high.T, low))
        most = self._joined(self._ranks(1 + high.T, {j: 1 + each for j, each in low.items()}))
        order = np.argsort(least)
        self._least, self._most = least[order], np.maximum.accumulate(most[order])
        # 2. What decides on these few: their scores, and their counts among themselves.
        self._scores, self._high = columns.T[order], high.T[order]
        self._low = {j: each[order] for j, each in low.items()}

    def p_values(self, scores: ArrayLike) -> CombinedP:
        """p-values of images (B, K), as ``combined_p_values``; ScoreError for another K."""
        scores = score_table(scores, "image")
        if scores.shape[1] != self.k:
            raise ScoreError(
                f"The reference has {self.k} scores an image and the image {scores.shape[1]}; "
                "compute both with the same model."
            )
        high = [self.n - np.searchsorted(own, scores[:, j], "left")
                for j, own in enumerate(self._sorted)]  # fmt: skip
        low = {j: 1 + np.searchsorted(self._sorted[j], scores[:, j], "right") for j in self._ends}
        ranks = self._ranks(1 + np.stack(high, axis=1), low)
        smallest = ranks.min(axis=1)
        return CombinedP(
            p_values=ranks / (1 + self.n),
            place=ranks.argmin(axis=1),
            smallest=smallest / (1 + self.n),
            # from whole counts: k times a rounded quotient may miss the rate by one ulp
            bonferroni=np.minimum(1.0, self.k * smallest / (1 + self.n)),
            calibrated=self._place(scores, self._joined(ranks)) / (1 + self.n),
        )

    def smallest(self, correction: Correction = "calibrated") -> float:
        """The p-value of an image above the whole reference by every score: none is smaller."""
        above = np.nextafter(self._sorted[:, -1], np.inf)
        return float(getattr(self.p_values(above[None]), correction)[0])

    def own_p_values(self) -> Floats:
        """p-values (N, K) of the reference itself, each image among the others, in some order."""
        return np.minimum(self.n, self._ranks(self._high, self._low)) / self.n

    def _place(self, scores: Floats, mine: Floats) -> NDArray[np.int64]:
        """#{numbers <= the image's} in the joint set, itself included, for images (B, K)."""
        mine = mine + 1e-12 * self.k  # sums of the same terms in another order differ by rounding
        first = np.searchsorted(self._most, mine, side="right")  # these are, whatever the image
        count = np.maximum(np.searchsorted(self._least, mine, side="right") - first, 0)
        place = 1 + first
        ends = np.cumsum(count)
        start = 0
        while start < len(mine):
            before = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
            image = np.repeat(np.arange(start, stop), count[start:stop])
            # the next ``count`` images of the reference from ``first`` on, for each image
            skipped = first[image] - (ends[image] - count[image] - before)
            at = np.arange(len(image)) + skipped
            high = self._high[at] + (scores[image] >= self._scores[at])
            low = {j: each[at] + (scores[image, j] <= self._scores[at, j])
                   for j, each in self._low.items()}  # fmt: skip
            within = self._joined(self._ranks(high, low)) <= mine[image]
            place += np.bincount(image, within, minlength=len(mine)).astype(np.int64)
            start = stop
        return place

    def _ranks(
        self, high: NDArray[np.int64], low: Mapping[int, NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """Ranks (M, K) by the counts at least as high (M, K) and, by column, at most as high."""
        ranks = high.copy()
        for j, counts in low.items():
            ranks[:, j] = np.minimum(self.n + 1, 2 * np.minimum(high[:, j], counts))
        return ranks

    def _joined(self, ranks: NDArray[np.int64]) -> Floats:
        """One number (M,) of K ranks; a smaller number is more unusual."""
        weights = self._weights[ranks]
        return np.asarray(weights.min(axis=1) if self._how == "minimum" else weights.sum(axis=1))


def brown_p_values(
    reference: ArrayLike, scores: ArrayLike, *, two_sided: Sequence[int] = ()
) -> Floats:
    """Fisher's method for dependent scores (Brown 1975), p-values (B,) of images (B, K).

    X = -2 sum_j ln p_j is held against c chi^2(f) with the mean 2 K and the variance that X has
    over the reference (N, K), each image by its p-values among the others, which is how dependence
    is estimated on held-out images (Poole et al. 2016; Kost and McDermott 2002 take it from
    correlations): c = var / 4 K, f = 8 K^2 / var. Unlike ``combined_p_values`` this promises its
    rate only as far as X has that shape.
    """
    from scipy.stats import chi2  # slow to import

    joint = JointReference(reference, "fisher", two_sided=two_sided)
    known, new = (-2 * np.log(p) for p in (joint.own_p_values(), joint.p_values(scores).p_values))
    mean, variance = 2.0 * joint.k, max(float(known.sum(axis=1).var()), _ROUNDING)
    scale, freedom = variance / (2 * mean), 2 * mean**2 / variance
    return np.asarray(chi2.sf(new.sum(axis=1) / scale, freedom))


def verdict(
    reference: ArrayLike | JointReference,
    scores: ArrayLike,
    alpha: float,
    *,
    correction: Correction = "calibrated",
    two_sided: Sequence[int] = (),
) -> Verdict:
    """In or out: one image's K scores (K,) against the reference (N, K) at false-alarm rate alpha.

    Havtorn et al. 2021, section 5, "Selection of k": out when any k differs significantly, the k
    that differs the most being named; here with the correction for having looked at K of them. A
    ``JointReference`` has its ends itself.
    """
    if not isinstance(reference, JointReference):
        reference = JointReference(reference, two_sided=two_sided)
    attainable(alpha, reference.n)  # refuses an alpha outside (0, 1)
    result = reference.p_values(checked(scores, "image")[None])
    p_value = float(getattr(result, correction)[0])
    floor = reference.smallest(correction)
    return Verdict(
        out=p_value <= alpha,
        p_value=p_value,
        place=int(result.place[0]),
        p_values=result.p_values[0],
        alpha=alpha,
        correction=correction,
        possible=floor <= alpha,
    )


def _weights(how: Combination, n: int) -> Floats:
    """What each rank 0 .. N + 2 adds to the number."""
    ranks = np.arange(n + 3.0)
    ranks[0] = 1.0  # no image has this rank
    return {"minimum": ranks, "harmonic": -1 / ranks, "fisher": np.log(ranks)}[how]
