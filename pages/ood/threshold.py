"""The threshold on the chosen score: what is chosen, and where it stands in each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from hvae_core.common.errors import ScoreError
from hvae_core.detection.conformal import conformal_p_values, threshold_at
from hvae_core.detection.metrics import Share, flagged
from pages.ood.chosen import ScoredModel
from pages.shared import ui
from pages.shared.controls import one_of

ALARM = 0.05
"""False-alarm rate at which the threshold stands unless told otherwise."""
ALARMS = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0]


@dataclass(frozen=True)
class PlacedThreshold:
    """A threshold in score units, the false-alarm rate it stands for, and its reference."""

    value: float
    alarm: float
    held_out: Share


Placed = Sequence[tuple[ScoredModel, PlacedThreshold | None]]
"""Each model that has the score, with its threshold; None where it has no reference."""


def at_alarm(scored: ScoredModel, alarm: float) -> PlacedThreshold:
    """The threshold that flags where the conformal p-value is at most ``alarm``."""
    n = len(scored.reference)
    # Another model's threshold may flag its whole reference; no threshold stands for rate one.
    alarm = min(alarm, n / (n + 1))
    value = threshold_at(alarm, scored.reference)
    return PlacedThreshold(value, alarm, flagged(value, scored.reference))


def default_value(scored: ScoredModel) -> float:
    """Where the slider in score units starts: ``ALARM``, or what a small reference allows."""
    return at_alarm(scored, max(ALARM, 1 / (len(scored.reference) + 1))).value


def at_value(scored: ScoredModel, value: float) -> PlacedThreshold:
    """A threshold given in score units; its rate is its conformal p-value."""
    alarm = float(conformal_p_values(scored.reference, [value])[0])
    return PlacedThreshold(value, alarm, flagged(value, scored.reference))


def control(every: Sequence[ScoredModel]) -> Placed:
    """The widgets of the threshold, and where it stands in each model."""
    judged = [scored for scored in every if len(scored.reference)]
    if not judged:
        st.caption(
            "Evaluate the held-out images under this model to place a threshold. If the test "
            "images placed it themselves, its false-alarm rate would say nothing."
        )
        return [(scored, None) for scored in every]
    by = one_of(
        "Threshold by", ["false alarms", "score"], "false alarms", key="o_by",
        help="By the share of held-out images flagged (conformal), or in units of the score. "
        "With several models, the other thresholds have the false-alarm rate of the first.",
    )  # fmt: skip
    try:
        if by == "score":
            first = at_value(judged[0], _score_slider(judged[0]))
            alarm = first.alarm
        else:
            alarm = _alarm_slider()
            first = at_alarm(judged[0], alarm)
        rest = [at_alarm(scored, alarm) for scored in judged[1:]]
    except ScoreError as error:
        st.warning(ui.plain(str(error)))
        return [(scored, None) for scored in every]
    thresholds = iter([first, *rest])
    return [(scored, next(thresholds) if len(scored.reference) else None) for scored in every]


def _alarm_slider() -> float:
    percents = st.select_slider(
        "False alarms on held-out images", ALARMS, 100 * ALARM, lambda rate: f"{rate:g} %",
        key="o_alarm", bind="query-params",
    )  # fmt: skip
    return percents / 100


def _score_slider(scored: ScoredModel) -> float:
    score, (low, high) = scored.score, scored.span
    unit = f" ({score.unit})" if score.unit else ""
    who = f"{scored.model.letter}, " if scored.model.letter else ""
    return st.slider(
        f"Threshold of {who}{ui.plain(scored.model.handle.title)}{unit}", low, high,
        min(max(default_value(scored), low), high), (high - low) / 500, "%.4g",
        # Every score has its own units, so each remembers its own threshold.
        key=f"o_cut_{score.key}", bind="query-params",
    )  # fmt: skip
