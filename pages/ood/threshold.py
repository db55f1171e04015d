"""One score of each model on every set, the threshold on it, and what that flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common.errors import ScoreError
from hvae_core.detection.conformal import conformal_p_values, threshold_at
from hvae_core.detection.metrics import Share, equal_numbers, flagged, pr_curve, rates_at, roc_curve
from hvae_core.figures import Curve, percent, symbol_text
from hvae_core.figures.density import score_range
from hvae_core.scores import Score
from pages.ood import models
from pages.ood.models import ModelDetection
from pages.shared import materials, store, ui
from pages.shared.state import Context

ALARM = 0.05
"""False-alarm rate at which the threshold stands unless told otherwise."""
ALARMS = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0]


@dataclass(frozen=True, eq=False)
class Scored:
    """One score of one model on every set that has it, higher = more out of distribution."""

    model: ModelDetection
    score: Score
    inside: np.ndarray
    outs: Mapping[str, np.ndarray]
    reference: np.ndarray | None

    @property
    def sets(self) -> dict[str, np.ndarray]:
        """The scores by set, the in-distribution one first."""
        return {self.model.inside.set_name: self.inside, **self.outs}

    @property
    def span(self) -> tuple[float, float]:
        """The range of scores that the charts show; the same whichever sets are drawn."""
        return score_range(self.inside, list(self.outs.values()))


def scored(model: ModelDetection, score: Score) -> Scored:
    """A score of every set; ScoreError with the reason where the model has none."""
    if score.key not in {own.key for own in model.report.scores}:
        if score.key in {own.key for own in materials.scores_of(model.handle)}:
            raise ScoreError(
                f"{symbol_text(score.symbol)} is not computed for {model.handle.title}; it is "
                "offered under More scores below."
            )
        raise ScoreError(
            f"{model.handle.title} has {model.handle.n_levels} {store.counted([model.handle])}, "
            f"too few for "
            f"{symbol_text(score.symbol)}; choose another score."
        )
    outs = {
        name: model.values(score, found)
        for name, found in model.outs.items()
        if score.key in model.metrics(name)  # the table says why another is left out
    }
    reference = None if model.reference is None else model.values(score, model.reference)
    return Scored(model, score, model.values(score, model.inside), outs, reference)


@dataclass(frozen=True)
class Placed:
    """A threshold in score units, the false-alarm rate it stands for, and its reference."""

    threshold: float
    alarm: float
    held_out: Share


def at_alarm(one: Scored, alarm: float) -> Placed:
    """The threshold that flags where the conformal p-value is at most ``alarm``."""
    reference = one.reference if one.reference is not None else np.zeros(0)
    # Another model's threshold may flag its whole reference; no threshold stands for rate one.
    alarm = min(alarm, len(reference) / (len(reference) + 1))
    threshold = threshold_at(alarm, reference)
    return Placed(threshold, alarm, flagged(threshold, reference))


def default_threshold(one: Scored) -> float:
    """Where the slider in score units starts: ``ALARM``, or what a small reference allows."""
    reference = one.reference if one.reference is not None else np.zeros(0)
    return at_alarm(one, max(ALARM, 1 / (len(reference) + 1))).threshold


def at_threshold(one: Scored, threshold: float) -> Placed:
    """A threshold given in score units; its rate is its conformal p-value."""
    reference = one.reference if one.reference is not None else np.zeros(0)
    alarm = float(conformal_p_values(reference, [threshold])[0])
    return Placed(threshold, alarm, flagged(threshold, reference))


def unlike(at: Placed, test: Share) -> str:
    """A remark where the test images are flagged at another rate than the threshold promises."""
    if test.low <= at.alarm <= test.high:
        return ""
    less = "less" if test.value < at.alarm else "more"
    return (
        f" That is {less} often than the {percent(at.alarm)} that hold for images like the "
        "validation set: to this score, test and validation images differ."
    )


def curves(
    every: Sequence[Scored],
    placed: Sequence[Placed | None],
    titles: Mapping[str, str],
    places: Mapping[str, int],
    kind: str,
) -> list[Curve]:
    """ROC or PR curves on equal numbers of images, with the threshold's place on each."""
    return [
        _curve(one, at, name, title, places[name], kind)
        for one, at in zip(every, placed, strict=True)
        for name, title in titles.items()
        if name in one.outs
    ]


def _curve(one: Scored, at: Placed | None, name: str, title: str, place: int, kind: str) -> Curve:
    model = one.model
    metrics = model.metrics(name)[one.score.key]
    sides = equal_numbers(one.inside, one.outs[name], model.report.seed)
    rates = None if at is None else rates_at(at.threshold, *sides)
    point = None
    if kind == "ROC":
        drawn, area = roc_curve(*sides), (metrics.auroc, metrics.low, metrics.high)
        if rates is not None:
            point = (rates.false_alarms, rates.detected)
    else:
        drawn, area = pr_curve(*sides), (metrics.auprc, np.nan, np.nan)
        if rates is not None:
            point = (rates.detected, rates.precision)
    return Curve(
        title + (f", {model.letter}" if model.letter else ""),
        drawn.x,
        drawn.y,
        *area,
        set_index=place,
        model_index=model.index,
        chance=None if kind == "ROC" else 0.5,
        point=point,
    )


def rates_table(
    every: Sequence[Scored], placed: Sequence[Placed | None], titles: Mapping[str, str]
) -> pd.DataFrame:
    """What the thresholds flag: a row a set, for each model the share with its interval."""
    columns: dict[str, list[object]] = {"Set": list(titles.values())}
    for one, at in zip(every, placed, strict=True):
        letter = f" {one.model.letter}".rstrip()
        shares = [
            flagged(at.threshold, one.sets[name]) if at and name in one.sets else None
            for name in titles
        ]
        columns[f"Flagged{letter}"] = [None if s is None else 100 * s.value for s in shares]
        columns[f"95 % interval{letter}"] = [
            "" if s is None else f"{100 * s.low:.1f} to {100 * s.high:.1f} %" for s in shares
        ]
        columns[f"Images{letter}"] = [None if s is None else s.n for s in shares]
    return pd.DataFrame(columns)


def choose(
    ctx: Context, detected: Sequence[ModelDetection], titles: Mapping[str, str]
) -> tuple[list[Scored], list[str]]:
    """The widgets of score and sets: the score of every model that has it, and sets to draw."""
    scores = models.scores_of(detected)
    hardest = models.hardest(detected[0])
    best = models.remedy(detected[0], hardest) if hardest else None
    default = models.label(best) if best else next(iter(scores))
    if st.session_state.get("o_score") not in (None, *scores):
        del st.session_state["o_score"]  # of a deeper model, chosen before
    evaluated = [name for name in titles if any(name in model.outs for model in detected)]
    first = sorted(evaluated, key=lambda name: name != hardest)[:4]
    left, right = st.columns([2, 3], gap="large")
    with left:
        label = st.selectbox(
            "Score", list(scores), list(scores).index(default), key="o_score",
            bind="query-params", help="Higher means more out of distribution.",
        )  # fmt: skip
    with right:
        drawn = st.pills(
            "Sets drawn", evaluated, default=first, selection_mode="multi", key="o_sets",
            format_func=lambda name: ui.plain(ctx.title(name)), bind="query-params", wrap=True,
        )  # fmt: skip
    score = scores[label or default]
    st.caption(f"${score.symbol}$, {score.name} ({score.citation})")
    every = []
    for model in detected:
        with ui.in_place():
            every.append(scored(model, score))
    return every, [name for name in evaluated if name in (drawn or [])]


def control(every: Sequence[Scored]) -> list[Placed | None]:
    """The widgets of the threshold, and where it stands; None for a model without a reference."""
    judged = [one for one in every if one.reference is not None]
    if not judged:
        st.caption(
            "A threshold needs the validation set evaluated under this model: placed by the test "
            "images themselves, its false-alarm rate would say nothing."
        )
        return [None] * len(every)
    by = st.segmented_control(
        "Threshold by",
        ["false alarms", "score"],
        default="false alarms",
        key="o_by",
        bind="query-params",
        required=True,
        help="By the share of validation images flagged (conformal), or in units of the score. "
        "With two models, B's threshold has the false-alarm rate of A's.",
    )
    try:
        if by == "score":
            first = at_threshold(judged[0], _score_slider(judged[0]))
            rest = [at_alarm(one, first.alarm) for one in judged[1:]]
            known = dict(zip(map(id, judged), [first, *rest], strict=True))
        else:
            alarm = _alarm_slider()
            known = {id(one): at_alarm(one, alarm) for one in judged}
    except ScoreError as error:
        st.warning(str(error))
        return [None] * len(every)
    return [known.get(id(one)) for one in every]


def _alarm_slider() -> float:
    percents = st.select_slider(
        "False alarms on the validation set",
        ALARMS,
        100 * ALARM,
        lambda rate: f"{rate:g} %",
        key="o_alarm",
        bind="query-params",
    )
    return float(percents) / 100


def _score_slider(one: Scored) -> float:
    low, high = one.span
    unit = f" ({one.score.unit})" if one.score.unit else ""
    return st.slider(
        f"Threshold of {ui.plain(one.model.handle.title)}{unit}",
        low,
        high,
        min(max(default_threshold(one), low), high),
        (high - low) / 500,
        "%.4g",
        # Every score has its own units, so each remembers its own threshold.
        key=f"o_cut_{one.score.key}",
        bind="query-params",
    )
