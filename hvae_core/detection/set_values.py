"""A score of every image of an evaluated set, and which of these values count.

A density is fitted to some held-out images. Its values of these are no measure of it, so that they
count in no figure, whatever set the images stand in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score, richest


def values_of(
    score: Score, evaluation: Evaluation, materials: Mapping[str, Sequence[Material]]
) -> Floats:
    """A score of every image of an evaluated set, (N,), from the richest of the set's materials.

    ``materials`` are by the names of sets, as ``report`` takes them; where there are none of a
    set, the evaluation itself is the material. Raises ``ScoreError`` where that does not suffice.
    """
    of_set = materials.get(evaluation.set_name, (Material.of(evaluation),))
    return score(richest(score, of_set))


def counted_of(
    score: Score, evaluation: Evaluation, materials: Mapping[str, Sequence[Material]]
) -> NDArray[np.bool_]:
    """Which of the values of ``values_of`` count (N,): not those of images that it is fitted to."""
    of_set = materials.get(evaluation.set_name, (Material.of(evaluation),))
    return score.counted(richest(score, of_set))


def unseen_values(
    score: Score, evaluation: Evaluation, materials: Mapping[str, Sequence[Material]]
) -> Floats:
    """As ``values_of``, of the images that count alone; ScoreError where none does."""
    values = values_of(score, evaluation, materials)
    values = values[counted_of(score, evaluation, materials)]
    if not len(values):
        raise ScoreError(f"Its density is fitted to every image of {evaluation.set_name}.")
    return values


def fitted_images(
    evaluation: Evaluation, scores: Sequence[Score], materials: Mapping[str, Sequence[Material]]
) -> dict[str, int]:
    """By score how many images of a set its density is fitted to, where there are some."""
    counts = {score.key: int((~counted_of(score, evaluation, materials)).sum()) for score in scores}
    return {key: count for key, count in counts.items() if count}
