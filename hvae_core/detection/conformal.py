"""The decision on one image: conformal p-values against a reference, for one score or several k.

The reference is the scores of N held-out in-distribution images. If a new image is drawn as they
were, its conformal p-value is at most alpha with probability at most alpha, whatever the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import checked

Correction = Literal["calibrated", "bonferroni"]


@dataclass(frozen=True, eq=False)
class MinimumP:
    """p-values of B images for K scores, and of the smallest of them under both corrections."""

    p_values: Floats  # (B, K)
    place: NDArray[np.int64]  # (B,) column of the smallest; the first wins a tie
    smallest: Floats  # (B,) not corrected: too often small by chance when K > 1
    bonferroni: Floats  # (B,) min(1, K * smallest)
    calibrated: Floats  # (B,) conformal p-value of the minimum itself


@dataclass(frozen=True, eq=False)
class Verdict:
    """Decision on one image at a false-alarm rate alpha."""

    out: bool
    p_value: float  # of the minimum, by the chosen correction
    place: int  # column of the score that differs the most
    p_values: Floats  # (K,) before the correction
    alpha: float
    correction: Correction
    possible: bool  # False: the reference is too small for any image to be flagged at this alpha


def conformal_p_values(reference: ArrayLike, scores: ArrayLike) -> Floats:
    """(1 + #{reference >= score}) / (1 + N) for each score (Havtorn et al. 2021, section 5)."""
    reference, scores = checked(reference, "reference"), checked(scores, "image")
    # The ones count the image itself: among N + 1 alike it ranks first with chance 1 / (N + 1).
    return (1 + _at_least(reference, scores)) / (1 + len(reference))


def threshold_at(false_alarm_rate: float, reference: ArrayLike) -> float:
    """Lowest threshold that flags (score >= threshold) exactly where p-value <= the rate.

    ScoreError when the reference is too small for that rate: no p-value is below 1 / (N + 1).
    """
    ordered = np.sort(checked(reference, "reference"))
    allowed = _attainable(false_alarm_rate, len(ordered))
    if not allowed:
        raise ScoreError(_too_few(false_alarm_rate, len(ordered)))
    # Just above: a score equal to that one has one more of the reference at or above it.
    return float(np.nextafter(ordered[-allowed], np.inf))


def smallest_p_value(rate: float, n: int) -> float:
    """1 / (N + 1): no image has a smaller p-value. ScoreError for a rate outside (0, 1)."""
    _attainable(rate, n)
    return 1 / (1 + n)


def minimum_p_values(reference: ArrayLike, scores: ArrayLike) -> MinimumP:
    """p-values of images (B, K) for K scores at once, with the multiple-testing correction.

    Calibrated minimum: put the image among the N of the reference, give each of the N + 1 its
    p-values in the joint set, and rank the image's minimum among the N + 1 minima. All N + 1 are
    treated alike, so P(p <= alpha) <= alpha holds for any N and any dependence between the K
    scores, for an image that is exchangeable with the reference; and smallest <= calibrated <=
    bonferroni, so this correction never costs more.
    """
    return JointReference(reference).p_values(scores)


@final
class JointReference:
    """K scores of N reference images (N, K), sorted and counted once for any number of others."""

    def __init__(self, reference: ArrayLike) -> None:
        columns = np.ascontiguousarray(_matrix(reference, "reference").T)  # (K, N)
        self.k, self.n = columns.shape
        self._sorted = np.sort(columns, axis=1)
        # The ranks of the reference among itself: an image adds at most one to each of them.
        ranks = np.stack(
            [len(own) - np.searchsorted(own, column, side="left")
             for own, column in zip(self._sorted, columns, strict=True)]
        )  # fmt: skip
        least = ranks.min(axis=0)  # (N,)
        self._least = np.sort(least)
        # Which of an image's scores keep a reference image's smallest rank as it is: those below
        # its own, in a column where it has that rank. Alike images are counted together.
        bars = np.where(ranks == least, columns, -np.inf).T  # (N, K)
        groups, self._count = np.unique(
            np.column_stack([least, bars]), axis=0, return_counts=True
        )  # fmt: skip
        self._group_least, self._bars = groups[:, 0].astype(np.int64), groups[:, 1:]

    def p_values(self, scores: ArrayLike) -> MinimumP:
        """p-values of images (B, K), as ``minimum_p_values``; ScoreError for another K."""
        scores = _matrix(scores, "image")
        if scores.shape[1] != self.k:
            raise ScoreError(
                f"The reference has {self.k} scores an image and the image {scores.shape[1]}; "
                "compute both with the same model."
            )
        at_least = np.stack(
            [self.n - np.searchsorted(own, column, side="left")
             for own, column in zip(self._sorted, scores.T, strict=True)], axis=1
        )  # fmt: skip
        p_values = (1 + at_least) / (1 + self.n)
        smallest = p_values.min(axis=1)
        rank = self._rank_of_minimum(scores, 1 + at_least.min(axis=1))
        return MinimumP(
            p_values=p_values,
            place=p_values.argmin(axis=1),
            smallest=smallest,
            # from whole counts: k times a rounded quotient may miss the rate by one ulp
            bonferroni=np.minimum(1.0, self.k * np.rint(smallest * (1 + self.n)) / (1 + self.n)),
            calibrated=rank / (1 + self.n),
        )

    def _rank_of_minimum(self, scores: Floats, own: NDArray[np.int64]) -> NDArray[np.int64]:
        """#{minima <= the image's} in the joint set, itself included, for images (B, K).

        ``own`` (B,) is the image's smallest rank. The image adds one to a reference image's rank in
        every score that it reaches, so a smallest rank below ``own`` stays within it and one above
        is out; at ``own`` the scores decide.
        """
        rank = 1 + np.searchsorted(self._least, own, side="left")
        first = np.searchsorted(self._group_least, own, side="left")
        count = np.searchsorted(self._group_least, own, side="right") - first
        image = np.repeat(np.arange(len(own)), count)
        group = np.arange(len(image)) + np.repeat(first - np.cumsum(count) + count, count)
        stays = (scores[image] < self._bars[group]).any(axis=1)
        added = np.bincount(image, np.where(stays, self._count[group], 0), minlength=len(own))
        return np.asarray(rank + added.astype(np.int64))


def verdict(
    reference: ArrayLike,
    scores: ArrayLike,
    alpha: float,
    correction: Correction = "calibrated",
) -> Verdict:
    """In or out: one image's K scores (K,) against the reference (N, K) at false-alarm rate alpha.

    Havtorn et al. 2021, section 5, "Selection of k": out when any k differs significantly, the k
    that differs the most being named; here with the correction for having looked at K of them.
    """
    reference = _matrix(reference, "reference")
    n, k = reference.shape
    _attainable(alpha, n)  # refuses an alpha outside (0, 1)
    result = minimum_p_values(reference, checked(scores, "image")[None])
    p_value = float((result.calibrated if correction == "calibrated" else result.bonferroni)[0])
    # an image beyond the whole reference in every score has this p-value, and none has less
    floor = (1 if correction == "calibrated" else k) / (1 + n)
    return Verdict(
        out=p_value <= alpha,
        p_value=p_value,
        place=int(result.place[0]),
        p_values=result.p_values[0],
        alpha=alpha,
        correction=correction,
        possible=floor <= alpha,
    )


def _at_least(reference: Floats, scores: Floats) -> NDArray[np.int64]:
    """#{reference >= score} for each score."""
    return np.asarray(len(reference) - np.searchsorted(np.sort(reference), scores, side="left"))


def _attainable(rate: float, n: int) -> int:
    """How many of the p-values 1/(N+1) ... N/(N+1) are at most the rate.

    Counted, not rounded from rate * (N + 1): the product may miss a whole number by one ulp.
    """
    if not 0 < rate < 1:
        raise ScoreError(f"A false-alarm rate lies between 0 and 1, not at {rate}.")
    return int(np.searchsorted(np.arange(1, n + 1) / (n + 1), rate, side="right"))


def _too_few(rate: float, n: int) -> str:
    needed = int(np.ceil(1 / rate)) - 1
    return (
        f"A false-alarm rate of {rate:g} needs at least {needed} reference images and there are "
        f"{n}: raise the rate or take more images."
    )


def _matrix(scores: ArrayLike, what: str) -> Floats:
    """Scores as a finite float64 matrix (images, scores)."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ScoreError(
            f"The {what} scores must be a table (images, scores), not an array of shape "
            f"{values.shape}."
        )
    checked(values.ravel(), what)
    return values
