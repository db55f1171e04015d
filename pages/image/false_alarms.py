"""How often the verdict of One image errs: rates asked for against rates obtained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from hvae_core.detection.combine import Correction
from hvae_core.detection.false_alarms import (
    RATES,
    Calibration,
    alarms_in_words,
    calibrate_verdict,
)
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import Alarms, calibration
from pages.image.subject import JudgedImage
from pages.shared import panel, program, ui
from pages.shared.kept import by_content
from pages.shared.program import Code, text
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors
from pages.shared.store import Handle

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
    of_test = None if test is None else test.table
    return calibrate_verdict(reference.table, of_test, correction, rates=rates, seed=seed)


def in_words(ctx: Context, calibrations: Sequence[Calibration], alpha: float) -> list[str]:
    """What the calibrations say at the chosen rate, the test set first."""
    title = ctx.title(ctx.in_name)
    return [alarms_in_words(calibration, alpha, title) for calibration in reversed(calibrations)]


def series(ctx: Context, calibrations: Sequence[Calibration]) -> list[Alarms]:
    """The calibrations as the chart draws them."""
    names = {
        "halves": "held-out images, one half by the other",
        "test": f"{ctx.title(ctx.in_name)}, by held-out images",
    }
    return [
        Alarms(
            f"{names[test.kind]} ({_images(test)} images)",
            obtained=np.array([point.obtained.value for point in test.points]),
            low=np.array([point.obtained.low for point in test.points]),
            high=np.array([point.obtained.high for point in test.points]),
            band_low=np.array([point.low for point in test.points]),
            band_high=np.array([point.high for point in test.points]),
            quiet=test.kind == "halves",
        )
        for test in calibrations
    ]


def _images(test: Calibration) -> str:
    """How many images were judged, which the rate may decide."""
    numbers = sorted({point.obtained.n for point in test.points})
    return " or ".join(f"{n:,}" for n in numbers)


def code(
    ctx: Context,
    handle: Handle,
    names: Sequence[str],
    *,
    alpha: float,
    correction: Correction,
    height: int,
) -> Code:
    """The program that draws the rates asked for and obtained; ``names`` of tests, halves first."""
    test = f"hv.evaluate(model, {program.images(ctx, ctx.in_name)}).table"
    words = ["bonferroni"] if correction == "bonferroni" else []
    return program.code(
        ctx,
        f"False alarms obtained against those asked for, {handle.title}",
        f"model = {program.load(handle)}",
        f"held_out = hv.evaluate(model, {program.images(ctx, ctx.reference_name)})",
        f"test = {test if len(names) > 1 else None}",
        f"rates = sorted({{*RATES, {alpha!r}}})",
        "tests = calibrate_verdict(",
        f"    held_out.table, test, {text(correction)}, rates=rates, seed={ctx.seed}",
        ")",
        "series = []",
        f"for name, test in zip({program.listing(names)}, tests):",
        "    obtained = [(p.obtained.value, p.obtained.low, p.obtained.high) for p in test.points]",
        "    value, low, high = np.array(obtained).T",
        "    chance = np.array([(p.low, p.high) for p in test.points]).T",
        "    series.append(",
        "        hv.figures.Alarms(",
        '            name, value, low, high, *chance, quiet=test.kind == "halves"',
        "        )",
        "    )",
        "figure = hv.figures.calibration(",
        f"    rates, series, {program.theme()}, chosen={alpha!r}, height={height}",
        ")",
        uses=[
            "import numpy as np",
            "from hvae_core.detection.false_alarms import RATES, calibrate_verdict",
        ],
        command=program.command(
            "calibration", program.name_of(handle), *(f"--{word}" for word in words)
        ),
    )


def draw(
    ctx: Context,
    tests: Sequence[Calibration],
    handle: Handle,
    suffix: str,
    *,
    alpha: float,
    correction: Correction,
) -> None:
    """How often the verdict errs: the rate asked for against the one obtained."""
    alone = len(ctx.models) == 1
    left, right = st.columns([3, 2], gap="large") if alone else (st.container(), st.container())
    with left:
        rates = [point.asked for point in tests[0].points]
        drawn = series(ctx, tests)
        figure = remembered(calibration, rates, drawn, colors(), chosen=alpha, height=360)
        alt = "False alarms obtained against those asked for, on held-out images"
        made = code(
            ctx,
            handle,
            [one.name for one in drawn],
            alpha=alpha,
            correction=correction,
            height=360,
        )
        ui.chart(figure, f"image-calibration{suffix}", alt, code=made)
    with right:
        for sentence in in_words(ctx, tests, alpha):
            panel.said(ui.plain(sentence))
