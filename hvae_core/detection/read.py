"""What the scores of a detector read, put together for images that are no set of a world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.data.image_set import ImageSet
from hvae_core.detection.verdict import verdict_keys
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score, get_score
from hvae_core.scores.assemble import needed
from hvae_core.scores.material import Reference
from hvae_core.scores.measures import compute
from hvae_core.scores.reference import fit_reference

if TYPE_CHECKING:
    from hvae_core.detection.judging import Judging

LEVELS = "levels"
"""As a score: the verdict's own test, of the likelihood at both ends and every ratio LLR_{>k}."""
RATIOS = "ratios"
"""As a score: every ratio LLR_{>k}, and not the likelihood."""


def scores_asked(score: Any, known: Judging) -> tuple[Score, ...]:
    """The scores of a detector: a key, a ``Score``, several, "levels" or "ratios".

    Raises ``ScoreError``.
    """
    n_levels = known.model.n_levels
    ratios = [f"llr_{k}" for k in range(1, n_levels)]
    keys: Sequence[Any]
    if isinstance(score, str) and score == LEVELS:
        keys = verdict_keys(n_levels)
    elif isinstance(score, str) and score == RATIOS:
        keys = ratios or ["elbo"]  # a model of one level has no ratio
    else:
        keys = [score] if isinstance(score, str | Score) else list(score or ())
    if not keys or not all(isinstance(key, str | Score) for key in keys):
        raise ScoreError(
            'A detector needs a score: a key such as "llr_1", several, "levels" for the '
            'likelihood and every ratio at once, or "ratios" for the ratios alone.'
        )
    found = [get_score(key, n_levels, known.names) if isinstance(key, str) else key for key in keys]
    if len({one.key for one in found}) < len(found):
        raise ScoreError("A score stands twice in the list; name each once.")
    return tuple(found)


def score_columns(
    known: Judging,
    scores: Sequence[Score],
    images: ImageSet,
    *,
    evaluation: Evaluation,
    training: Callable[[], ImageSet | None],
) -> Floats:
    """Scores of evaluated images, (N, K), higher for more out of distribution.

    ``training`` gives the images that some scores compare with. Raises ``ScoreError`` where a score
    needs what is not here, or is no finite number.
    """
    needs, measures = needed(scores)
    if "held_out" in needs:
        fitted = next(score for score in scores if "held_out" in score.needs)
        raise ScoreError(
            f"The score {fitted.key} fits a density to held-out images, and a detector keeps all "
            "of its own for p-values; choose another score, or use `evaluate`."
        )
    reference = _reference(known, evaluation, training) if "reference" in needs else None
    material = Material.of(evaluation, reference=reference)
    if measures:
        values = {}
        for measure in measures:
            if measure.of not in ("", "checkpoint"):
                raise ScoreError(
                    f"The measure {measure.name} reads a {measure.of}, which is not at hand for "
                    f"{known.name}; choose another score."
                )
            values[measure.name] = compute(measure, known.model, known.digest, images)
        material = replace(material, measures=values)
    columns = np.stack([score(material) for score in scores], axis=1)
    wrong = ~np.isfinite(columns).all(axis=1)
    if wrong.any():
        raise ScoreError(
            f"The model gives no finite score for {int(wrong.sum())} of {len(images)} images; "
            "choose another model or score."
        )
    return np.asarray(columns, dtype=np.float64)


def _reference(
    known: Judging, evaluation: Evaluation, training: Callable[[], ImageSet | None]
) -> Reference:
    images = training()
    if images is None:
        raise ScoreError(
            "This score compares with the training images; give them with training=..., or choose "
            "another score."
        )
    try:
        return fit_reference(known.evaluate(images, evaluation.settings)).reference
    except DataError as error:
        raise ScoreError(f"The training images cannot be read: {error}") from error
