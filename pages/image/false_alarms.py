"""How often the verdict of One image errs: rates asked for against rates obtained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hvae_core.detection.combine import Correction
from hvae_core.detection.false_alarms import (
    RATES,
    Calibration,
    alarms_in_words,
    calibrate,
    calibrate_halves,
)
from hvae_core.detection.standard import BOTH_ENDS, standard_of
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import Alarms
from pages.image.subject import JudgedImage
from pages.shared.kept import by_content
from pages.shared.state import Context

MIN_REFERENCE = 20
"""Images of a reference below which its halves say nothing."""


def calibrations(
    ctx: Context, judged: JudgedImage, alpha: float, correction: Correction
) -> list[Calibration]:
    """Rates obtained for those asked for: by halves of the reference, then on the test set.

    The second is left out where the test set is not evaluated, or is itself the reference.
    """
    reference = judged.reference
    if reference is None or len(reference) < MIN_REFERENCE:
        return []
    test = ctx.evaluation(judged.handle, ctx.in_name)
    if test is not None and (
        test.settings != reference.settings or test.set_digest == reference.set_digest
    ):
        test = None
    return _calibrations(reference, test, alpha, correction=correction, seed=ctx.seed)


@by_content(64)
def _calibrations(
    reference: Evaluation,
    test: Evaluation | None,
    alpha: float,
    *,
    correction: Correction,
    seed: int,
) -> list[Calibration]:
    rates = sorted({*RATES, alpha})
    standard = standard_of(reference.table, alpha, correction)
    scores = standard.scores
    tests = [calibrate_halves(scores, seed, correction, rates=rates, two_sided=BOTH_ENDS)]
    if test is not None:
        of_test = standard.read(test.table)
        found = calibrate(
            scores, of_test, "test", correction=correction, rates=rates, two_sided=BOTH_ENDS
        )
        tests.append(found)
    return tests


def in_words(ctx: Context, calibrations: Sequence[Calibration], alpha: float) -> list[str]:
    """What the calibrations say at the chosen rate, the test set first."""
    title = ctx.title(ctx.in_name)
    return [alarms_in_words(calibration, alpha, title) for calibration in reversed(calibrations)]


def series(ctx: Context, calibrations: Sequence[Calibration]) -> list[Alarms]:
    """The calibrations as the chart draws them."""
    names = {
        "halves": "held-out images, one half by the other",
        "test": f"{ctx.title(ctx.in_name)}, by the held-out ones",
    }
    return [
        Alarms(
            f"{names[test.kind]} ({test.images:,} images)",
            obtained=np.array([point.obtained.value for point in test.points]),
            low=np.array([point.obtained.low for point in test.points]),
            high=np.array([point.obtained.high for point in test.points]),
            band_low=np.array([point.low for point in test.points]),
            band_high=np.array([point.high for point in test.points]),
            quiet=test.kind == "halves",
        )
        for test in calibrations
    ]
