"""The score that the page shows, of each model on every set, and the sets that are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from hvae_core.common.errors import ScoreError
from hvae_core.figures import symbol_text
from hvae_core.figures.score_axis import score_range
from hvae_core.scores import Score
from pages.ood import models
from pages.ood.models import ModelDetection
from pages.shared import links, materials, store, ui
from pages.shared.controls import among
from pages.shared.state import Context


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
