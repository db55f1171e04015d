"""ROC and precision-recall curves, and their areas: AUROC with its DeLong interval, AUPRC, FPR."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError


@dataclass(frozen=True, eq=False)
class CurvePoints:
    """Points of a ROC (x = FPR, y = TPR) or PR curve (x = recall, y = precision)."""

    x: Floats
    y: Floats
    threshold: Floats  # falling; the first is infinite: nothing is flagged


@dataclass(frozen=True)
class Rates:
    """What a threshold does: shares flagged of either set, and precision among the flagged."""

    false_alarms: float  # FPR
    detected: float  # TPR
    precision: float  # 1 when nothing is flagged, where the PR curve begins


def checked(scores: ArrayLike, what: str) -> Floats:
    """Scores as a float64 vector; ScoreError when empty, not a vector, or not finite."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ScoreError(
            f"The {what} scores must be a list of at least one number, not an array of shape "
            f"{values.shape}."
        )
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ScoreError(
            f"{bad} of {len(values)} {what} scores are not finite numbers; the model cannot rate "
            "these images. Leave them out or use another checkpoint."
        )
    return values


def auroc(in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """P(score_out > score_in) + P(equal)/2, the area under the ROC curve."""
    _, out_place = placements(in_scores, out_scores)
    return float(out_place.mean())


def auroc_interval(
    in_scores: ArrayLike, out_scores: ArrayLike, level: float = 0.95
) -> tuple[float, float, float]:
    """AUROC and its DeLong interval (DeLong et al. 1988, by midranks as in Sun and Xu 2014).

    The interval is the normal one, clipped to [0, 1]. It has width zero when the sets are fully
    apart, where it says nothing about sets larger than these.
    """
    in_place, out_place = placements(in_scores, out_scores)
    if min(len(in_place), len(out_place)) < 2:
        raise ScoreError("The interval of an AUROC needs at least two images in either set.")
    area = float(out_place.mean())
    variance = out_place.var(ddof=1) / len(out_place) + in_place.var(ddof=1) / len(in_place)
    half = NormalDist().inv_cdf(0.5 + level / 2) * float(np.sqrt(variance))
    return area, max(0.0, area - half), min(1.0, area + half)


def auprc(in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """Average precision, sum_n (R_n - R_{n-1}) P_n: the step-wise area, not the trapezoids."""
    curve = pr_curve(in_scores, out_scores)
    return float((np.diff(curve.x) * curve.y[1:]).sum())


def fpr_at(tpr: float, in_scores: ArrayLike, out_scores: ArrayLike) -> float:
    """Share of in-distribution images flagged by the highest threshold that flags tpr of OOD."""
    inside, outside = checked(in_scores, "in-distribution"), checked(out_scores, "OOD")
    needed = images_needed(tpr, len(outside))
    threshold = np.partition(outside, len(outside) - needed)[len(outside) - needed]
    return int((inside >= threshold).sum()) / len(inside)


def roc_curve(in_scores: ArrayLike, out_scores: ArrayLike) -> CurvePoints:
    """ROC curve from (0, 0) to (1, 1); points inside a run of equal steps are left out."""
    threshold, false, true, n_in, n_out = _sweep(in_scores, out_scores)
    corner = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    keep = np.concatenate([[True], corner, [True]])
    return CurvePoints(false[keep] / n_in, true[keep] / n_out, threshold[keep])


def pr_curve(in_scores: ArrayLike, out_scores: ArrayLike) -> CurvePoints:
    """Precision over recall, one point a distinct score, from (0, 1) on."""
    threshold, false, true, _, n_out = _sweep(in_scores, out_scores)
    precision = np.ones(len(threshold))
    precision[1:] = true[1:] / (true[1:] + false[1:])
    return CurvePoints(true / n_out, precision, threshold)


def rates_at(threshold: float, in_scores: ArrayLike, out_scores: ArrayLike) -> Rates:
    """Shares of either set with score >= threshold, and the precision."""
    inside, outside = checked(in_scores, "in-distribution"), checked(out_scores, "OOD")
    false, true = int((inside >= threshold).sum()), int((outside >= threshold).sum())
    return Rates(
        false_alarms=false / len(inside),
        detected=true / len(outside),
        precision=true / (true + false) if true + false else 1.0,
    )


def images_needed(tpr: float, n: int) -> int:
    """The fewest of n images that are a share of at least tpr.

    Counted, not rounded from tpr * n: the product may miss a whole number by one ulp.
    """
    _check_rate(tpr)
    return int(1 + np.argmax(np.arange(1, n + 1) / n >= tpr))


def _check_rate(tpr: float) -> None:
    if not 0 < tpr <= 1:
        raise ScoreError(f"A true-positive rate lies above 0 and at most at 1, not at {tpr}.")


def _sweep(
    in_scores: ArrayLike, out_scores: ArrayLike
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64], int, int]:
    """Numbers flagged in either set at every distinct score, from the highest down.

    Returns threshold, false, true (each begins with the threshold that flags nothing), n_in, n_out.
    """
    inside = np.sort(checked(in_scores, "in-distribution"))
    outside = np.sort(checked(out_scores, "OOD"))
    distinct = np.unique(np.concatenate([inside, outside]))[::-1]
    threshold = np.concatenate([[np.inf], distinct])
    false = len(inside) - np.searchsorted(inside, threshold, side="left")
    true = len(outside) - np.searchsorted(outside, threshold, side="left")
    return threshold, false, true, len(inside), len(outside)


def placements(in_scores: ArrayLike, out_scores: ArrayLike) -> tuple[Floats, Floats]:
    """Structural components of DeLong: for each image, the share of the other set on its far side.

    For an in-distribution image the OOD scores above it, for an OOD image the in-distribution
    scores below it; ties count half. Sorting makes it n log n instead of n_in * n_out.
    """
    inside, outside = checked(in_scores, "in-distribution"), checked(out_scores, "OOD")
    by_in, by_out = np.argsort(inside), np.argsort(outside)
    rising_in, rising_out = inside[by_in], outside[by_out]
    in_place, out_place = np.empty(len(inside)), np.empty(len(outside))
    in_place[by_in] = 1 - _below(rising_out, rising_in) / len(outside)
    out_place[by_out] = _below(rising_in, rising_out) / len(inside)
    return in_place, out_place


def _below(others: Floats, values: Floats) -> Floats:
    """How many of the others lie below each value, equal ones counted half; both rise."""
    before = np.searchsorted(others, values)
    return (before + np.searchsorted(others, values, side="right")) / 2


def midranks(values: Floats) -> Floats:
    """Ranks from 1; tied values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = np.cumsum(counts) - (counts - 1) / 2
    return ranks[inverse]
