"""What the scores of a detector read, put together for images that are no set of a world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.detection.standard import verdict_keys
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score, get_score
from hvae_core.scores.assemble import needed
from hvae_core.scores.material import Reference, fitted_half
from hvae_core.scores.measures import compute
from hvae_core.scores.reference import fit_reference

if TYPE_CHECKING:
    from hvae_core.detection.judging import Judging

LEVELS = "levels"
"""As a score: the verdict's own test, of the likelihood at both ends, every ratio LLR_{>k}, and the
path through the levels."""
BOUNDS = "bounds"
"""As a score: the same without the path, which was the verdict before it."""
RATIOS = "ratios"
"""As a score: every ratio LLR_{>k}, and not the likelihood."""


def scores_asked(score: Any, known: Judging) -> tuple[Score, ...]:
    """The scores of a detector: a key, a ``Score``, several, "levels", "bounds" or "ratios".

    Raises ``ScoreError``.
    """
    n_levels = known.model.n_levels
    ratios = [f"llr_{k}" for k in range(1, n_levels)]
    keys: Sequence[Any]
    if isinstance(score, str) and score in (LEVELS, BOUNDS):
        keys = verdict_keys(n_levels, "levels" if score == LEVELS else "bounds")
    elif isinstance(score, str) and score == RATIOS:
        keys = ratios or ["elbo"]  # a model of one level has no ratio
    else:
        keys = [score] if isinstance(score, str | Score) else list(score or ())
    if not keys or not all(isinstance(key, str | Score) for key in keys):
        raise ScoreError(
            'A detector needs a score: a key such as "llr_1", several, "levels" for the '
            'likelihood, every ratio and the path through the levels at once, "bounds" for the '
            'first two, or "ratios" for the ratios alone.'
        )
    found = [get_score(key, n_levels, known.names) if isinstance(key, str) else key for key in keys]
    if len({one.key for one in found}) < len(found):
        raise ScoreError("A score stands twice in the list; name each once.")
    return tuple(found)


def material_of(
    known: Judging,
    scores: Sequence[Score],
    images: ImageSet,
    *,
    evaluation: Evaluation,
    training: Callable[[], ImageSet | None],
    progress: Progress = silent,
) -> Material:
    """What scores read of evaluated images, held-out images aside.

    ``progress`` hears of what takes long: measures such as refits. ``training`` gives the images
    that some scores compare with. Raises ``ScoreError`` where a score needs what is not here.
    """
    needs, measures = needed(scores)
    reference = _reference(known, evaluation, training) if "reference" in needs else None
    material = Material.of(evaluation, reference=reference)
    values = {}
    for done, measure in enumerate(measures):
        if measure.of not in ("", "checkpoint"):
            raise ScoreError(
                f"The measure {measure.name} reads a {measure.of}, which is not at hand for "
                f"{known.name}; choose another score."
            )
        step = part(progress, done, len(measures))
        values[measure.name] = compute(measure, known.model, known.digest, images, progress=step)
    return replace(material, measures=values)


def halves(scores: Sequence[Score], held_out: Material) -> tuple[Material, Material | None]:
    """Of held-out images those that p-values rest on, and those that densities are fitted to.

    Where no score fits a density they all are the first, and there is no second.
    """
    if "held_out" not in needed(scores)[0]:
        return held_out, None
    half = fitted_half(held_out.table)
    fitted = held_out.take(half)
    return replace(held_out.take(~half), held_out=fitted), fitted


def score_columns(scores: Sequence[Score], material: Material) -> Floats:
    """Scores of images, (N, K), higher for more out of distribution.

    Raises ``ScoreError`` where a score needs what is not here, or is no finite number.
    """
    columns = np.stack([score(material) for score in scores], axis=1)
    wrong = ~np.isfinite(columns).all(axis=1)
    if wrong.any():
        raise ScoreError(
            f"The model gives no finite score for {int(wrong.sum())} of {len(material)} images; "
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
