"""Detection metrics with their uncertainty, and tests between scores.

Everywhere: scores are higher for out-of-distribution (OOD) images, OOD is the positive class, and
an image is flagged when score >= threshold. Written in numpy, as importing scikit-learn takes
longer than all of these; the tests hold them equal to it.
"""

from hvae_core.detection.metrics.curves import (
    auroc,
    auroc_interval,
    checked,
    pr_curve,
    rates_at,
    roc_curve,
)
from hvae_core.detection.metrics.delong import Contest, contest, holm
from hvae_core.detection.metrics.detect import Detection, detect, equal_numbers
from hvae_core.detection.metrics.share import Share, flagged, share_of

__all__ = [
    "Contest",
    "Detection",
    "Share",
    "auroc",
    "auroc_interval",
    "checked",
    "contest",
    "detect",
    "equal_numbers",
    "flagged",
    "holm",
    "pr_curve",
    "rates_at",
    "roc_curve",
    "share_of",
]
