"""False-alarm rates asked for against those obtained, on images that the reference has not seen.

Conformal p-values promise: at most alpha of the images *drawn as the reference was* are called out.
Two tests of it, which answer different questions. Halves: one random half of the held-out set is
the reference, the other is judged; these are drawn alike by construction, so the promise must hold
whatever the score. Test split: the whole held-out set is the reference, the test split is judged;
the promise holds only if the two splits are alike to the model, and where it fails, they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.words import percent
from hvae_core.detection.combine import Correction, combined_p_values
from hvae_core.detection.metrics import Share, share_of
from hvae_core.detection.standard import BOTH_ENDS, standard_of
from hvae_core.evaluation.bounds import BoundTable

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""False-alarm rates of the chart."""
CLAIMED = (0.01, 0.05, 0.1)
"""False-alarm rates of the table."""
JudgedSplit = Literal["halves", "test"]


@dataclass(frozen=True)
class Point:
    """One rate: asked for, obtained with its 95 % interval, and the range that chance explains.

    ``low, high`` is the central 95 % of the share obtained from images drawn as the reference was;
    ``references`` images were the measure.
    """

    asked: float
    obtained: Share
    low: float
    high: float
    references: int

    @property
    def met(self) -> bool:
        """Whether the share obtained is one that chance explains."""
        return self.low <= self.obtained.value <= self.high

    @property
    def kept(self) -> bool:
        """Whether the promise is kept: no more false alarms than asked for, but for chance."""
        return self.obtained.value <= self.high


@dataclass(frozen=True)
class Calibration:
    """Every rate of one test."""

    kind: JudgedSplit
    points: tuple[Point, ...]
    correction: Correction


def calibrate(
    reference: Floats,
    judged: Floats,
    kind: JudgedSplit,
    *,
    correction: Correction = "calibrated",
    rates: Sequence[float] = RATES,
    two_sided: Sequence[int] = (),
) -> Calibration:
    """Shares of images (B, K) called out against a reference (N, K) of K scores, rate by rate.

    Columns ``two_sided`` are unusual at both ends.
    """
    found = combined_p_values(reference, judged, two_sided=two_sided)
    p_values = found.calibrated if correction == "calibrated" else found.bonferroni
    n, b = len(reference), len(p_values)
    points = []
    for rate in rates:
        share = share_of(int((p_values <= rate).sum()), b)
        low, high = expected_alarms(rate, n, b)
        points.append(Point(asked=rate, obtained=share, low=low, high=high, references=n))
    return Calibration(kind=kind, points=tuple(points), correction=correction)


def calibrate_halves(
    held_out: Floats,
    seed: int = 0,
    correction: Correction = "calibrated",
    *,
    rates: Sequence[float] = RATES,
    two_sided: Sequence[int] = (),
) -> Calibration:
    """One random half of the held-out images is the reference, the other half is judged."""
    reference, judged = halves(held_out, seed)
    return calibrate(
        reference, judged, "halves", correction=correction, rates=rates, two_sided=two_sided
    )


def calibrate_verdict(
    held_out: BoundTable,
    test: BoundTable | None = None,
    correction: Correction = "calibrated",
    *,
    rates: Sequence[float] = RATES,
    seed: int = 0,
) -> list[Calibration]:
    """The verdict's false alarms: of one half of the held-out images by the other, then of a test.

    At every rate the verdict is that which an image gets at this rate (``standard_of``): what it
    rests on, and so how many images rank, may differ from rate to rate. ScoreError for a rate
    outside (0, 1).
    """
    tests: dict[JudgedSplit, list[Point]] = {"halves": [], **({} if test is None else {"test": []})}
    for standard, of in groupby(rates, lambda rate: standard_of(held_out, rate, correction)):
        asked, ends = list(of), BOTH_ENDS
        found = [calibrate_halves(standard.scores, seed, correction, rates=asked, two_sided=ends)]
        if test is not None:
            found.append(
                calibrate(
                    standard.scores, standard.read(test), "test", correction=correction,
                    rates=asked, two_sided=ends,
                )
            )  # fmt: skip
        for one in found:
            tests[one.kind] += one.points
    return [Calibration(kind, tuple(points), correction) for kind, points in tests.items()]


def halves(held_out: Floats, seed: int) -> tuple[Floats, Floats]:
    """Two random halves of the rows of held-out images; they share none."""
    if len(held_out) < 4:
        raise ScoreError(
            f"Two halves to calibrate on need at least 4 held-out images, not {len(held_out)}."
        )
    order = np.random.default_rng(seed).permutation(len(held_out))
    half = len(order) // 2
    return held_out[order[:half]], held_out[order[half:]]


def expected_alarms(alpha: float, references: int, n: int) -> tuple[float, float]:
    """95 % range of the share of n images called out when they are drawn as the reference was.

    The threshold is itself an order statistic of N reference scores: with m = floor(alpha (N + 1))
    the hits are beta-binomial, BetaBin(n, m, N + 1 - m), exactly so for one continuous score. With
    m = 0 no image can be called out.
    """
    from scipy.stats import betabinom  # slow to import

    m = int(np.floor(alpha * (references + 1) + 1e-9))
    if m < 1:
        return 0.0, 0.0
    below = betabinom(n, m, references + 1 - m).pmf(np.arange(n + 1)).cumsum()
    low, high = np.searchsorted(below, [0.025, 0.975])
    return float(low / n), float(high / n)


def alarms_in_words(calibration: Calibration, alpha: float, title: str) -> str:
    """How often the verdict errs at one of the rates, and what it means if not as asked."""
    point = next(point for point in calibration.points if point.asked == alpha)
    share = point.obtained
    who = (
        f"Of {share.n:,} test images ({title})"
        if calibration.kind == "test"
        else f"With one random half of the held-out images as the reference, of the {share.n:,} "
        "others"
    )
    text = (
        f"{who} this verdict calls out {percent(share.value)} "
        f"[{percent(share.low)}, {percent(share.high)}]"
    )
    if point.met:
        return f"{text}, in line with the {percent(alpha)} asked for."
    if calibration.correction == "bonferroni" and point.kept:
        return f"{text}; this correction errs on the safe side of {percent(alpha)}."
    how = f"{text}, {'fewer' if point.kept else 'more'} than the {percent(alpha)} asked for"
    if calibration.kind == "halves":
        return f"{how}, which chance explains in one of 20 such halves."
    return (
        f"{how}: to this model the test images differ from the held-out images, which are its "
        "measure."
    )
