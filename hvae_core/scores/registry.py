"""The list of scores; a new score is a function, and an entry by keywords beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from hvae_core.common.errors import ScoreError
from hvae_core.common.places import COMMAND
from hvae_core.scores.likelihood import kl_scores, likelihood_scores
from hvae_core.scores.score import Score
from hvae_core.scores.with_gradients import gradient_scores
from hvae_core.scores.with_held_out import held_out_scores
from hvae_core.scores.with_labels import label_scores
from hvae_core.scores.with_measures import measured_scores
from hvae_core.scores.with_posteriors import posterior_scores
from hvae_core.scores.with_reference import comparing_scores


def score_list(n_levels: int) -> tuple[Score, ...]:
    """The scores that tables show unasked: those of the bounds L_>k of a model of K levels."""
    if n_levels < 1:
        raise ScoreError(f"A model has at least one latent layer, not {n_levels}.")
    return likelihood_scores(n_levels)


Lists = tuple[Callable[[int, Sequence[str]], tuple[Score, ...]], ...]

SCORES: Lists = (
    lambda n_levels, _layers: score_list(n_levels),
    lambda _levels, layers: kl_scores(layers),
    measured_scores,
    comparing_scores,
    held_out_scores,
    posterior_scores,
    lambda n_levels, _layers: gradient_scores(n_levels),
    lambda _levels, _layers: label_scores(),
)
"""Each gives its scores for a model of K levels and named layers, in the order of the tables."""


def all_scores(n_levels: int, layers: Sequence[str] = ()) -> tuple[Score, ...]:
    """Every score of a model of K levels, with the names of its layers (else z1 .. zK)."""
    names = tuple(layers) or tuple(f"z{i}" for i in range(1, n_levels + 1))
    return _all_scores(SCORES, n_levels, names)


@lru_cache(maxsize=64)  # a page asks many times for those of the same models
def _all_scores(lists: Lists, n_levels: int, names: tuple[str, ...]) -> tuple[Score, ...]:
    return tuple(score for entries in lists for score in entries(n_levels, names))


def get_score(key: str, n_levels: int, layers: Sequence[str] = ()) -> Score:
    """The score of that key for a model of K levels; ScoreError says where the keys are."""
    scores = {score.key: score for score in all_scores(n_levels, layers)}
    if key not in scores:
        known = ", ".join(score.key for score in score_list(n_levels))
        count = f"{n_levels} layer" + ("s" if n_levels > 1 else "")
        raise ScoreError(
            f"There is no score {key!r} for a model of {count}; choose one of {known}, or another "
            f"that `{COMMAND} scores` lists."
        )
    return scores[key]
