"""The decision on one image: conformal p-values against a reference, for one score or several k.

The reference is the scores of N held-out in-distribution images. If a new image is drawn as they
were, its conformal p-value is at most alpha with probability at most alpha, whatever the score.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.metrics import checked


def conformal_p_values(reference: ArrayLike, scores: ArrayLike) -> Floats:
    """(1 + #{reference >= score}) / (1 + N) for each score (Havtorn et al. 2021, section 5)."""
    reference, scores = checked(reference, "reference"), checked(scores, "image")
    # The ones count the image itself: among N + 1 alike it ranks first with chance 1 / (N + 1).
    return (1 + count_at_least(reference, scores)) / (1 + len(reference))


def threshold_at(false_alarm_rate: float, reference: ArrayLike) -> float:
    """Lowest threshold that flags (score >= threshold) exactly where p-value <= the rate.

    ScoreError when the reference is too small for that rate: no p-value is below 1 / (N + 1).
    """
    ordered = np.sort(checked(reference, "reference"))
    allowed = attainable(false_alarm_rate, len(ordered))
    if not allowed:
        raise ScoreError(too_few(false_alarm_rate, len(ordered)))
    # Just above: a score equal to that one has one more of the reference at or above it.
    return float(np.nextafter(ordered[-allowed], np.inf))


def smallest_p_value(rate: float, n: int) -> float:
    """1 / (N + 1): no image has a smaller p-value. ScoreError for a rate outside (0, 1)."""
    attainable(rate, n)
    return 1 / (1 + n)


def count_at_least(reference: Floats, scores: Floats) -> NDArray[np.int64]:
    """#{reference >= score} for each score."""
    return np.asarray(len(reference) - np.searchsorted(np.sort(reference), scores, side="left"))


def attainable(rate: float, n: int) -> int:
    """How many of the p-values 1/(N+1) ... N/(N+1) are at most the rate.

    Counted, not rounded from rate * (N + 1): the product may miss a whole number by one ulp.
    """
    if not 0 < rate < 1:
        raise ScoreError(f"A false-alarm rate lies between 0 and 1, not at {rate}.")
    return int(np.searchsorted(np.arange(1, n + 1) / (n + 1), rate, side="right"))


def images_needed(rate: float, tries: int = 1) -> int:
    """The smallest N with which an image can be called out, if no p is below tries / (N + 1).

    ``tries`` is 2 for one score at both ends, K for the Bonferroni correction of K scores.
    """
    return max(1, math.ceil(tries / rate - 1 - 1e-9))


def too_few(rate: float, n: int, tries: int = 1) -> str:
    """The sentence on a reference of N images in which none can be rare enough."""
    return (
        f"A false-alarm rate of {rate:g} needs at least {images_needed(rate, tries)} reference "
        f"images and there are {n}: raise the rate or take more images."
    )


def score_table(scores: ArrayLike, what: str) -> Floats:
    """Scores as a finite float64 matrix (images, scores)."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ScoreError(
            f"The {what} scores must be a table (images, scores), not an array of shape "
            f"{values.shape}."
        )
    checked(values.ravel(), what)
    return values
