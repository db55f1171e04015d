"""One score of each model on every set, the threshold on it, and what that flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from hvae_core.common.errors import ScoreError
from hvae_core.detection.conformal import conformal_p_values, threshold_at
from hvae_core.detection.metrics import Share, equal_numbers, flagged, pr_curve, rates_at, roc_curve
from hvae_core.figures import Curve, percent, symbol_text
from hvae_core.figures.score_axis import score_range
from hvae_core.scores import Score
from pages.ood import models
from pages.ood.models import ModelDetection
from pages.shared import links, materials, store, ui
from pages.shared.controls import among, one_of
from pages.shared.state import Context

ALARM = 0.05
"""False-alarm rate at which the threshold stands unless told otherwise."""
ALARMS = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0]


@dataclass(frozen=True, eq=False)
class ScoredModel:
    """One score of one model on every set that has it, higher = more out of distribution."""

    model: ModelDetection
    score: Score
    inside: np.ndarray
    outs: Mapping[str, np.ndarray]
    reference: np.ndarray
    """Scores of the held-out images that count, as of any set; none where none are evaluated."""
    numbers: Mapping[str, np.ndarray]
    """By set, which of its images these are scores of: not those that a density is fitted to."""

    @property
    def by_itself(self) -> bool:
        """Whether the in-distribution set is its own reference, as own images are."""
        reference = self.model.reference
        return reference is not None and reference.set_digest == self.model.inside.set_digest

    @property
    def sets(self) -> dict[str, np.ndarray]:
        """The scores by set, the in-distribution one first."""
        return {self.model.inside.set_name: self.inside, **self.outs}

    @property
    def span(self) -> tuple[float, float]:
        """The range of scores in which a threshold is chosen; the same whichever sets are drawn."""
        return self.span_of(self.outs)

    def span_of(self, drawn: Iterable[str]) -> tuple[float, float]:
        """The range of scores that a chart of these sets shows, beside the in-distribution one."""
        return score_range(self.inside, [self.outs[name] for name in drawn if name in self.outs])


def scored(model: ModelDetection, score: Score) -> ScoredModel:
    """A score of every set; ScoreError with the reason where the model has none."""
    handle, symbol = model.handle, symbol_text(score.symbol)
    if score.key not in {own.key for own in model.report.scores}:
        if score.key in {own.key for own in materials.scores_of(handle)}:
            raise ScoreError(
                f"{symbol} is not computed for {handle.title}; it is offered under More scores "
                "below."
            )
        raise ScoreError(
            f"{handle.title} has {handle.n_levels} {store.counted([handle])}, too few for "
            f"{symbol}; choose another score."
        )
    outs = {
        name: evaluation
        for name, evaluation in model.outs.items()
        if score.key in model.metrics(name)  # the table says why another is left out
    }
    return ScoredModel(
        model,
        score,
        inside=model.unseen(score, model.inside),
        outs={name: model.unseen(score, evaluation) for name, evaluation in outs.items()},
        reference=model.unseen(score, model.reference) if model.reference else np.zeros(0),
        numbers={
            evaluation.set_name: model.counted(score, evaluation)
            for evaluation in (model.inside, *outs.values())
        },
    )


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


def unlike(threshold: PlacedThreshold, test: Share) -> str:
    """A remark where the test images are flagged at another rate than the threshold promises."""
    if test.low <= threshold.alarm <= test.high:
        return ""
    less = "less" if test.value < threshold.alarm else "more"
    return (
        f" That is {less} often than the {percent(threshold.alarm)} promised for images like the "
        "held-out ones: for this score the test images differ from them."
    )


def curves(
    scored: ScoredModel,
    threshold: PlacedThreshold | None,
    titles: Mapping[str, str],
    *,
    places: Mapping[str, int],
    kind: str,
) -> list[Curve]:
    """ROC or PR curves on equal numbers of images, with the threshold's place on each."""
    return [
        _curve(scored, threshold, name, title=title, place=places[name], kind=kind)
        for name, title in titles.items()
        if name in scored.outs
    ]


def _curve(
    scored: ScoredModel,
    threshold: PlacedThreshold | None,
    name: str,
    *,
    title: str,
    place: int,
    kind: str,
) -> Curve:
    model = scored.model
    metrics = model.metrics(name)[scored.score.key]
    sides = equal_numbers(scored.inside, scored.outs[name], model.report.seed)
    rates = None if threshold is None else rates_at(threshold.value, *sides)
    if kind == "ROC":
        points, area = roc_curve(*sides), (metrics.auroc, metrics.low, metrics.high)
        point = None if rates is None else (rates.false_alarms, rates.detected)
    else:
        points, area = pr_curve(*sides), (metrics.auprc, np.nan, np.nan)
        point = None if rates is None else (rates.detected, rates.precision)
    return Curve(
        title,
        points.x,
        points.y,
        *area,
        set_index=place,
        chance=None if kind == "ROC" else 0.5,
        point=point,
    )


def rates_table(
    placed: Placed, titles: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """What the thresholds flag: a row a set, the share with its interval; how columns are drawn.

    Of several models each has a column of shares and one of intervals, under its letter.
    """
    rows: dict[str, list[object]] = {"Set": list(titles.values())}
    columns = {"Set": st.column_config.Column(pinned=True)}
    images: dict[str, list[int | None]] = {}
    for scored, threshold in placed:
        letter = scored.model.letter
        shares = [
            flagged(threshold.value, scored.sets[name])
            if threshold and name in scored.sets
            else None
            for name in titles
        ]
        images[letter] = [None if s is None else s.n for s in shares]
        if letter:
            span = f"{letter}, 95 %"
            rows[letter] = [None if s is None else 100 * s.value for s in shares]
            rows[span] = [
                "" if s is None else f"[{100 * s.low:.1f}, {100 * s.high:.1f}]" for s in shares
            ]
            text = f"Share of the set that model {letter} flags"
            columns[letter] = st.column_config.NumberColumn(
                f"{letter}, flagged", format="%.1f %%", help=text
            )
            columns[span] = st.column_config.Column(help="95 % interval of the share, in percent")
            continue
        rows["Flagged"] = [None if s is None else 100 * s.value for s in shares]
        columns["Flagged"] = st.column_config.ProgressColumn(
            format="%.1f %%", min_value=0, max_value=100
        )
        rows["95 % interval"] = [
            "" if s is None else f"{100 * s.low:.1f} to {100 * s.high:.1f} %" for s in shares
        ]
    alike = len({tuple(counts) for counts in images.values()}) == 1
    for letter, counts in [*images.items()][: 1 if alike else None]:
        rows["Images" if alike else f"Images {letter}"] = [*counts]
    return pd.DataFrame(rows), columns


def choose(
    ctx: Context, detected: Sequence[ModelDetection], titles: Mapping[str, str]
) -> tuple[list[ScoredModel], list[str]]:
    """The widgets of score and sets: the score of every model that has it, and sets to draw."""
    scores = models.scores_of(detected)
    hardest = models.hardest(detected[0])
    best = models.remedy(detected[0], hardest) if hardest else None
    default = models.label(best) if best else next(iter(scores))
    among("o_score", scores)  # a deeper model has more
    evaluated = [name for name in titles if any(name in model.outs for model in detected)]
    first = sorted(evaluated, key=lambda name: name != hardest)[:4]
    left, right = ui.settings().columns([2, 3], gap="large")
    with left:
        label = st.selectbox(
            "Score", list(scores), list(scores).index(default), key="o_score",
            bind="query-params", help="Higher means more out of distribution.",
        )  # fmt: skip
    labels = {name: ui.as_label(ctx.title(name)) for name in evaluated}
    links.check("set", "o_sets", labels.values())
    with right:
        drawn = st.pills(
            "Sets drawn", evaluated, default=first, selection_mode="multi", key="o_sets",
            format_func=labels.__getitem__, bind="query-params", wrap=True,
        )  # fmt: skip
    score = scores[label]
    with st.container(key="o_cited"):
        st.caption(f"${score.symbol}$, {score.name} ({score.citation})")
    every = []
    for model in detected:
        with ui.in_place():
            every.append(scored(model, score))
    return every, [name for name in evaluated if name in drawn]


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
