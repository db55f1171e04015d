"""Every metric of one score between two sets, on equal numbers of images."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.detection.metrics.bootstrap import auprc_interval, fpr_interval
from hvae_core.detection.metrics.curves import auprc, auroc_interval, checked, fpr_at


@dataclass(frozen=True)
class Detection:
    """How well a score tells two sets apart, with 95 % intervals.

    ``low, high`` belong to the AUROC (DeLong), the others to the metric in their name (stratified
    bootstrap); NaN where an interval was not asked for. ``n_in, n_out`` are the numbers of images
    that the figures rest on.
    """

    auroc: float
    low: float
    high: float
    auprc: float
    fpr80: float
    fpr95: float
    n_in: int
    n_out: int
    auprc_low: float = nan
    auprc_high: float = nan
    fpr80_low: float = nan
    fpr80_high: float = nan
    fpr95_low: float = nan
    fpr95_high: float = nan

    def interval(self, metric: str) -> tuple[float, float, float]:
        """A metric by name (auroc, auprc, fpr80, fpr95) with the ends of its interval."""
        prefix = "" if metric == "auroc" else f"{metric}_"
        low, high = getattr(self, f"{prefix}low"), getattr(self, f"{prefix}high")
        return getattr(self, metric), low, high


def equal_numbers(in_scores: ArrayLike, out_scores: ArrayLike, seed: int) -> tuple[Floats, Floats]:
    """All of the smaller set and as many of the larger, drawn by seed (Havtorn 2021, section 5).

    The draw depends on the seed and the sizes alone: every score is judged on the same images.
    """
    inside, outside = checked(in_scores, "in-distribution"), checked(out_scores, "OOD")
    n = min(len(inside), len(outside))
    return inside[drawn(len(inside), n, seed)], outside[drawn(len(outside), n, seed)]


def detect(
    in_scores: ArrayLike, out_scores: ArrayLike, seed: int, *, intervals: bool = True
) -> Detection:
    """Every metric on equal numbers of in- and out-of-distribution images.

    Without ``intervals`` only the AUROC has one: the bootstrap of the AUPRC takes some
    milliseconds, which add up over many scores and sets.
    """
    inside, outside = equal_numbers(in_scores, out_scores, seed)
    area, low, high = auroc_interval(inside, outside)
    precision = auprc(inside, outside)
    rates = [fpr_at(tpr, inside, outside) for tpr in (0.80, 0.95)]
    ends = {}
    if intervals:
        ends["auprc_low"], ends["auprc_high"] = auprc_interval(inside, outside, seed=seed)
        for tpr in (80, 95):
            low_rate, high_rate = fpr_interval(tpr / 100, inside, outside, seed=seed)
            ends |= {f"fpr{tpr}_low": low_rate, f"fpr{tpr}_high": high_rate}
    return Detection(
        auroc=area,
        low=low,
        high=high,
        auprc=precision,
        fpr80=rates[0],
        fpr95=rates[1],
        n_in=len(inside),
        n_out=len(outside),
        **ends,
    )


def drawn(size: int, n: int, seed: int) -> NDArray[np.int64]:
    """The places of ``n`` of so many images: all in their order, or as many drawn by seed."""
    if n == size:
        return np.arange(size)
    return np.random.default_rng(seed).choice(size, size=n, replace=False)
