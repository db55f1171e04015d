"""The threshold in the charts of densities, which moves with its slider and waits for no redraw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamlit.components.v2 import component

from hvae_core.common.errors import ScoreError
from pages.ood.chosen import ScoredModel
from pages.ood.threshold import ALARMS, Placed, at_alarm
from pages.shared import ready, selection
from pages.shared.anew import anew

_mount = component(
    "strata_line", js=anew(ready.SCRIPT + Path(__file__).with_suffix(".js").read_text("utf-8"))
)


def follow(placed: Placed, drawn: Sequence[str], *, by_score: bool) -> None:
    """Let the charts ``o_density0``, ... follow the slider of false alarms, or that of the score.

    The latter is in units of the first model's score; those of the others follow with the redraw.
    """
    charts: list[dict[str, Any]] = []
    for scored, at in placed:
        if at is not None:
            thresholds = None if by_score else [_threshold(scored, rate) for rate in ALARMS]
            plot = selection.chart_key(f"o_density{scored.model.index}")
            charts.append(
                {"plot": plot, "thresholds": thresholds, "high": scored.span_of(drawn)[1]}
            )
    if charts:
        first = next(scored for scored, at in placed if at is not None)
        control = f"o_cut_{first.score.key}" if by_score else "o_alarm"
        data = {"control": control, "charts": charts[:1] if by_score else charts}
        _mount(key="o_line", data=data, height=1)


def _threshold(scored: ScoredModel, rate: float) -> float | None:
    """The threshold at a rate in per cent; None where too few images were held out for it."""
    try:
        return at_alarm(scored, rate / 100).value
    except ScoreError:
        return None
