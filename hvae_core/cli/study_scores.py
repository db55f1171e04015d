"""Which scores a study shows of a checkpoint, and what they read beside the bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hvae_core.studies.spec import StudySpec

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint, CheckpointInfo
    from hvae_core.data import World
    from hvae_core.evaluated import Evaluation
    from hvae_core.scores import Material, Score


def scores_of(study: StudySpec, checkpoint: CheckpointInfo, model: str) -> tuple[Score, ...]:
    """The scores of the bounds, and every other that a table shows of a model.

    Raises ``ScoreError`` for a key that does not exist.
    """
    from hvae_core.config import level_starts
    from hvae_core.scores import get_score, score_list
    from hvae_core.studies.detections import numbered

    levels, names = len(level_starts(checkpoint.config.levels)), checkpoint.config.latent_names
    found = {score.key: score for score in score_list(levels)}
    for table in study.tables:
        if not table.models or model in table.models:
            for key in (numbered(key, levels) for key in table.scores):
                found.setdefault(key, get_score(key, levels, names))
    return tuple(found.values())


def materials_of(
    checkpoint: Checkpoint,
    world: World,
    evaluations: Sequence[Evaluation],
    scores: Sequence[Score],
    study: StudySpec,
    data_root: str | None,
) -> dict[str, Material]:
    """What the scores read of every set beside the bounds; what is not here is left out."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.errors import DataError
    from hvae_core.materials import material_of, needed, reference_of, world_helpers
    from hvae_core.results import checkpoint_path

    needs, measures = needed(scores)
    if not (needs or measures) or not evaluations:
        return {}
    others = [load_checkpoint(checkpoint_path(name)) for name in study.ensemble]
    others = [other for other in others if other.digest != checkpoint.digest]
    background = load_checkpoint(checkpoint_path(study.background)) if study.background else None
    helpers = world_helpers(world, others, background)
    reference, found = None, {}
    try:
        if "reference" in needs:
            reference = reference_of(
                checkpoint, world, evaluations[0].settings, data_root=data_root
            )
    except DataError:
        reference = None  # the scores say what they lack
    for evaluation in evaluations:
        try:
            found[evaluation.set_name] = material_of(
                checkpoint, world, evaluation, scores, helpers, reference=reference,
                limit=study.settings.limit or None, data_root=data_root,
            )  # fmt: skip
        except DataError:
            continue  # images that are not here: only scores of the bounds can be had
    return found
