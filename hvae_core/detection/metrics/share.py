"""A share of images and its interval: what a threshold flags of a set."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.detection.metrics.curves import checked


@dataclass(frozen=True)
class Share:
    """A share of ``n`` images with its 95 % interval."""

    value: float
    low: float
    high: float
    hits: int
    n: int


def share_of(hits: int, n: int, level: float = 0.95) -> Share:
    """``hits`` of ``n`` with the score interval of Wilson 1927."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    # At no hit or all hits the interval ends there exactly; rounding may miss it by one ulp.
    low = 0.0 if hits == 0 else float(middle - half)
    high = 1.0 if hits == n else float(middle + half)
    return Share(value=share, low=low, high=high, hits=hits, n=n)


def flagged(threshold: float, scores: ArrayLike, level: float = 0.95) -> Share:
    """Share of a set with score >= threshold and its interval (Wilson 1927)."""
    values = checked(scores, "image")
    return share_of(int((values >= threshold).sum()), len(values), level)
