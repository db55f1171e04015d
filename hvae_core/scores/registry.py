"""The list of scores; a new score is a function and an entry in the scores of its family."""

from __future__ import annotations

from collections.abc import Callable

from hvae_core.errors import ScoreError
from hvae_core.scores.base import Score
from hvae_core.scores.likelihood import likelihood_scores

# A family gives its scores for a model of K levels, in the order in which they are shown.
_FAMILIES: tuple[Callable[[int], tuple[Score, ...]], ...] = (likelihood_scores,)


def score_list(n_levels: int) -> tuple[Score, ...]:
    """Every score that a model of K levels has, in the order in which tables show them."""
    if n_levels < 1:
        raise ScoreError(f"A model has at least one latent layer, not {n_levels}.")
    return tuple(score for family in _FAMILIES for score in family(n_levels))


def get_score(key: str, n_levels: int) -> Score:
    """The score of that key for a model of K levels; ScoreError lists the valid keys."""
    scores = {score.key: score for score in score_list(n_levels)}
    if key not in scores:
        layers = f"{n_levels} layer" + ("s" if n_levels > 1 else "")
        raise ScoreError(
            f"There is no score {key!r} for a model of {layers}; choose one of {', '.join(scores)}."
        )
    return scores[key]
