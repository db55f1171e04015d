"""What scores read beside the bounds, brought together: references, other checkpoints, measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvae_core.checkpoint import Checkpoint, load_checkpoint
from hvae_core.common import cache
from hvae_core.common.cache import write_npz
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.progress import Progress, silent
from hvae_core.data import World
from hvae_core.detection.report import SHIPPED_LIMIT
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import RESULTS, chosen_images, gather
from hvae_core.scores import Material, Reference, Score
from hvae_core.scores.available import background_path
from hvae_core.scores.measures import MEASURES, compute
from hvae_core.scores.reference import (
    FILE,
    Fitted,
    cached_reference,
    fit_reference,
    pack_reference,
    reference_key,
    shipped_reference,
)

REFERENCE_LIMIT = SHIPPED_LIMIT
"""Training images that a reference rests on."""


@dataclass(frozen=True, eq=False)
class Helpers:
    """What may be at hand beside the checkpoint itself.

    ``models`` gives measures their models, (model, digest) by ``Measure.of``.
    """

    ensemble: tuple[Checkpoint, ...] = ()
    background: Checkpoint | None = None
    models: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


def needed(scores: Sequence[Score]) -> tuple[set[str], set[str]]:
    """What the scores need, and the measures that they read."""
    return {n for s in scores for n in s.needs}, {m for s in scores for m in s.measures}


def reference_of(
    checkpoint: Checkpoint,
    world: World,
    settings: EvalSettings,
    *,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> Reference:
    """Statistics of the world's training images: shipped, cached or fitted now, in this order.

    Raises ``DataError`` where the world has no training split, ``MissingImages`` where it is not
    on this machine.
    """
    shipped = shipped_reference(RESULTS / Path(checkpoint.name).name, checkpoint.digest, settings)
    if shipped is not None:
        return shipped
    splits = world.with_role("train")
    if not splits:
        raise DataError(
            f"{world.title} has no training set to fit a reference to; use a world that has one."
        )
    images = chosen_images(
        checkpoint, world, splits[0].name, limit=REFERENCE_LIMIT, data_root=data_root
    )
    key = reference_key(checkpoint.digest, images.digest, settings)
    known = cached_reference(key)
    if known is not None:
        return known
    found = evaluate(checkpoint.model, checkpoint.digest, images, settings, progress=progress)
    fitted = fit_reference(found)
    cache.store("references", key, pack_reference(fitted))
    return fitted.reference


def store_reference(
    checkpoint: Checkpoint,
    world: World,
    *,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Fit the reference of a shipped checkpoint and write it to the project's stored results."""
    settings = EvalSettings()
    found = reference_of(checkpoint, world, settings, data_root=data_root, progress=progress)
    path = RESULTS / checkpoint.name / FILE
    fitted = Fitted(checkpoint.digest, settings, found)
    write_npz(path, pack_reference(fitted), compressed=True)
    return path


def material_of(
    checkpoint: Checkpoint,
    world: World,
    evaluation: Evaluation,
    scores: Sequence[Score],
    helpers: Helpers,
    *,
    reference: Reference | None = None,
    limit: int | None = SHIPPED_LIMIT,
    data_root: str | Path | None = None,
    progress: Progress = silent,
) -> Material:
    """All that the scores read of one evaluated set; what cannot be had is left out.

    Other checkpoints must be of the same images: their bounds are evaluated under the settings of
    this evaluation.
    """
    needs, names = needed(scores)
    name, settings = evaluation.set_name, evaluation.settings
    others = (*helpers.ensemble, *([helpers.background] if helpers.background else ()))
    steps = len(names) + len(others)
    done = 0

    def step(fraction: float, message: str) -> None:
        progress((done + min(1.0, fraction)) / max(1, steps), message)

    def table(other: Checkpoint) -> Any:
        found = gather(
            other, world, name, settings, limit=limit, data_root=data_root, progress=step
        ).evaluation
        if found.set_digest != evaluation.set_digest:
            raise ScoreError(
                f"{other.name} was evaluated on other pixels of {name} than {checkpoint.name}; "
                "use checkpoints of one image size."
            )
        return found.table

    material = replace(evaluation.material, reference=reference)
    if "ensemble" in needs and helpers.ensemble:
        tables = []
        for other in helpers.ensemble:
            tables.append(table(other))
            done += 1
        material = replace(material, ensemble=tuple(tables))
    if "background" in needs and helpers.background:
        material = replace(material, background=table(helpers.background))
        done += 1
    models = {"checkpoint": (checkpoint.model, checkpoint.digest), "": (None, ""), **helpers.models}
    measures = {}
    wanted = [m for n, m in MEASURES.items() if n in names and m.of in models]
    if wanted:
        images = chosen_images(checkpoint, world, name, limit=limit, data_root=data_root)
        for measure in wanted:
            measures[measure.name] = compute(measure, *models[measure.of], images, progress=step)
            done += 1
    return replace(material, measures=measures)


def world_helpers(
    world: World, ensemble: Sequence[Checkpoint] = (), background: Checkpoint | None = None
) -> Helpers:
    """Other checkpoints, with what ships with a world: its background model and classifiers."""
    from hvae_core.scores.classifier.ensemble import world_ensemble

    if background is None:
        path = background_path(world)
        background = None if path is None else load_checkpoint(path)
    classifiers = world_ensemble(world.key)
    models = {} if classifiers is None else {"classifier": (classifiers, classifiers.digest)}
    return Helpers(tuple(ensemble), background, models)
