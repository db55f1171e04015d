"""How a detector decides once it is fitted: scores ranked among those of its reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.detection.combine import combined_p_values
from hvae_core.detection.conformal import (
    conformal_p_values,
    images_needed,
    smallest_p_value,
    threshold_at,
)
from hvae_core.detection.standard import BOTH_ENDS


@dataclass(frozen=True, eq=False)
class Ranked:
    """The scores of N held-out images (N, K), the false-alarm rate, and how both decide.

    ``by_verdict``: the first score, -L, is unusual at both ends, as in the verdict.
    """

    reference: Floats
    alpha: float
    by_verdict: bool

    @property
    def by_one(self) -> bool:
        """Whether one score decides, where it is high: then there is a threshold on it."""
        return self.reference.shape[1] == 1 and not self.by_verdict

    def normal(self, scores: Floats) -> Floats:
        """(M,) numbers of images (M, K), higher for more normal: minus the score, or p."""
        return -scores[:, 0] if self.by_one else self.p_values(scores)

    def p_values(self, scores: Floats) -> Floats:
        """Conformal p-values (M,) of images (M, K), of several scores together."""
        if self.by_one:
            return conformal_p_values(self.reference[:, 0], scores[:, 0])
        ends = BOTH_ENDS if self.by_verdict else ()
        return combined_p_values(self.reference, scores, two_sided=ends).calibrated

    def offset(self) -> float:
        """The number that ``normal`` of what is out lies below; -inf where none can be out."""
        smallest_p_value(self.alpha, len(self.reference))  # refuses an alpha outside (0, 1)
        if not self.by_one:
            # p <= alpha is out, and a number is out where it lies below the offset.
            above = np.nextafter(self.reference.max(axis=0), np.inf)
            possible = self.p_values(above[None])[0] <= self.alpha
            return float(np.nextafter(self.alpha, 1.0)) if possible else -np.inf
        try:
            out = threshold_at(self.alpha, self.reference[:, 0])
        except ScoreError:
            return -np.inf
        return -float(np.nextafter(out, -np.inf))

    def too_few(self, beside: str = "") -> str:
        """The sentence on a reference with which no image can be called out."""
        # The likelihood alone is rare at either end, so one held-out image may be as rare.
        ends = 2 if self.by_verdict and self.reference.shape[1] == 1 else 1
        return (
            f"No image can be called out: a false-alarm rate of {self.alpha:g} needs at least "
            f"{images_needed(self.alpha, ends)} held-out images{beside} and there are "
            f"{len(self.reference)}; take more, or raise alpha"
        )
