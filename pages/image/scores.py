"""Every score of one image that its model can give, and jobs for those that take a while."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from hvae_core.data.image_set import ImageSet
from hvae_core.detection.verdict import Reading, readings
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import STORED_UNITS, EvalSettings, Evaluation
from hvae_core.scores import Material, richest, score_list
from hvae_core.scores.measured import measured
from hvae_core.scores.measures import MEASURES, compute
from pages.shared import materials, offers, store
from pages.shared.kept import by_content
from pages.shared.materials import IMAGE, Materials
from pages.shared.state import Context
from pages.shared.store import Handle


@by_content(256)
def evaluated(
    handle: Handle, images: ImageSet, settings: EvalSettings | None
) -> tuple[BoundTable, tuple[np.ndarray, ...]]:
    """The bounds of one image under a model, and the posterior means that results keep."""
    from hvae_core.evaluation.compute import evaluate_batch

    bounds, means = store.ask(
        handle,
        evaluate_batch,
        images.images,
        images.image_digests(),
        settings=settings or EvalSettings(),
    )
    kept = tuple(z if z.shape[1] <= STORED_UNITS else z[:, :0] for z in means)
    return BoundTable.from_bounds(bounds, math.prod(handle.image_shape)), kept


def material_of(
    ctx: Context, handle: Handle, images: ImageSet, *, reference: Evaluation
) -> Materials:
    """What scores read of the image and of the reference set, by name."""
    name, settings = reference.set_name, reference.settings
    of_set = materials.materials(ctx, handle, {name: reference})[name]
    table, latents = evaluated(handle, images, settings)
    beside = materials.beside_of(ctx, handle)

    def alike(others: Iterable[Handle | None]) -> list[BoundTable]:
        """Bounds of the image under the other models that read its shape."""
        return [
            evaluated(other, images, settings)[0]
            for other in others
            if other is not None and other.image_shape == handle.image_shape
        ]

    whole = Material(
        table,
        latents,
        reference=of_set[0].reference,
        ensemble=tuple(alike(beside.ensemble)),
        background=next(iter(alike([beside.background])), None),
        measures=_measures(ctx, handle, images),
        names=handle.names,
        held_out=of_set[0].held_out,
    )
    return {name: of_set, IMAGE: (whole,)}


def _measures(ctx: Context, handle: Handle, images: ImageSet) -> dict[str, np.ndarray]:
    """Measures of the image: what jobs have left, and what takes a millisecond."""
    values = {
        name: measured(measure, handle.digest, ctx.world.key, pixels=images.digest)
        for name, measure in MEASURES.items()
    }
    kept = {
        name: each.leading if each.whole is None else each.whole for name, each in values.items()
    }
    kept["complexity"] = compute(MEASURES["complexity"], None, "", images=images)
    return {name: values for name, values in kept.items() if values is not None}


def read(handle: Handle, table: BoundTable, by_name: Materials | None) -> tuple[Reading, ...]:
    """The scores of the bounds, then every other that image and reference have material for.

    KL terms have a chart of their own.
    """
    if by_name is None:
        return readings(table, None)
    of_bounds = score_list(table.n_levels)
    keys = {score.key for score in of_bounds}
    beyond = [
        score
        for score in materials.available(handle, by_name)
        if score.key not in keys and score.family != "kl"
    ]
    reference = next(known for name, known in by_name.items() if name != IMAGE)
    return tuple(
        reading
        for score in (*of_bounds, *beyond)
        for reading in readings(richest(score, by_name[IMAGE]), richest(score, reference), [score])
    )


def draw_offers(
    ctx: Context, handle: Handle, images: ImageSet, *, by_name: Materials, letter: str = ""
) -> None:
    """Jobs for the scores that are not there yet, of the image and the reference set together."""
    offers.draw(ctx, handle, by_name, letter, own={IMAGE: replace(images, name=IMAGE)})
