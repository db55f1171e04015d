"""How often the verdict of One image errs: rates asked for against rates obtained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from hvae_core.figures import Alarms
from pages.image.subject import Judged
from pages.shared import store
from pages.shared.state import Context

MIN_REFERENCE = 20
"""Images of a reference below which its halves say nothing."""


def calibrations(ctx: Context, one: Judged, alpha: float, correction: str) -> list[Any]:
    """Rates obtained for those asked for: by halves of the reference, then on the test set.

    The second is left out where the test set is not evaluated, or is itself the reference.
    """
    if one.reference is None or len(one.reference) < MIN_REFERENCE:
        return []
    test = store.evaluation(ctx.world, one.handle, ctx.in_name, ctx.data_root)
    if test is not None and (
        test.settings != one.reference.settings or test.set_digest == one.reference.set_digest
    ):
        test = None
    keys = (one.handle.digest, one.reference.set_digest, test and test.set_digest)
    found = _calibrations(keys, alpha, correction, ctx.seed, one.reference.table, test)
    return [calibration for calibration in found if calibration is not None]


@st.cache_data(max_entries=64, show_spinner=False)
def _calibrations(  # type: ignore[no-untyped-def]
    keys: tuple[Any, ...], alpha: float, correction: Any, seed: int, _reference: Any, _test: Any
):
    from hvae_core.detection.false_alarms import RATES, calibrate, calibrate_halves
    from hvae_core.detection.verdict import verdict_scores

    rates = sorted({*RATES, alpha})
    known = verdict_scores(_reference)
    halves = calibrate_halves(known, seed, correction, rates)
    if _test is None:
        return halves, None
    return halves, calibrate(known, verdict_scores(_test.table), "test", correction, rates)


def in_words(ctx: Context, found: Sequence[Any], alpha: float) -> list[str]:
    """What the calibrations say at the chosen rate, the test set first."""
    from hvae_core.detection.false_alarms import alarms_in_words

    title = ctx.title(ctx.in_name)
    return [alarms_in_words(one, alpha, title) for one in reversed(found)]


def series(ctx: Context, found: Sequence[Any]) -> list[Alarms]:
    """The calibrations as the chart draws them."""
    names = {
        "halves": "validation, one half by the other",
        "test": f"{ctx.title(ctx.in_name)}, by validation",
    }
    return [
        Alarms(
            f"{names[one.kind]} ({one.images:,} images)",
            *(np.array([get(point) for point in one.points]) for get in _PARTS),
            quiet=one.kind == "halves",
        )
        for one in found
    ]


_PARTS: tuple[Callable[[Any], float], ...] = (
    lambda point: point.obtained.value,
    lambda point: point.obtained.low,
    lambda point: point.obtained.high,
    lambda point: point.low,
    lambda point: point.high,
)
