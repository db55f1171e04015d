"""Every score of one image that its model can give, and jobs for those that take a while."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from hvae_core.data.image_set import ImageSet
from hvae_core.detection.verdict import Reading, readings
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import STORED_UNITS, EvalSettings
from hvae_core.scores import Material, richest, score_list
from hvae_core.scores.assemble import measured
from hvae_core.scores.measures import MEASURES, compute
from pages.shared import materials, offers, store
from pages.shared.materials import IMAGE
from pages.shared.state import Context
from pages.shared.store import Handle


@st.cache_data(max_entries=256, show_spinner=False)
def evaluated(  # type: ignore[no-untyped-def]
    digest: str, image: int, settings: Any, _handle: Handle, _pixels: np.ndarray
):
    """The bounds of one image under a model, and the posterior means that results keep."""
    from hvae_core.evaluation.compute import evaluate_batch

    model = store.model(_handle)
    bounds, means = evaluate_batch(model, _pixels, [image], settings or EvalSettings())
    kept = tuple(z if z.shape[1] <= STORED_UNITS else z[:, :0] for z in means)
    return BoundTable.from_bounds(bounds, model.dims), kept


def material_of(
    ctx: Context, handle: Handle, images: ImageSet, reference: Any
) -> materials.Materials:
    """What scores read of the image and of the reference set, by name."""
    name = reference.set_name
    found = materials.materials(ctx, handle, {name: reference})
    digest, settings = images.image_digests()[0], reference.settings
    table, latents = evaluated(handle.digest, digest, settings, handle, images.images)

    def under(other: Handle) -> BoundTable:
        known: BoundTable = evaluated(other.digest, digest, settings, other, images.images)[0]
        return known

    beside = materials.beside_of(ctx, handle)
    shape, background = handle.image_shape, beside.background
    whole = Material(
        table,
        latents,
        reference=found[name][0].reference,
        ensemble=tuple(under(other) for other in beside.ensemble if other.image_shape == shape),
        background=under(background) if background and background.image_shape == shape else None,
        measures=_measures(ctx, handle, images),
        names=handle.names,
    )
    return {name: found[name], IMAGE: (whole,)}


def _measures(ctx: Context, handle: Handle, images: ImageSet) -> dict[str, np.ndarray]:
    """Measures of the image: what jobs have left, and what takes a millisecond."""
    values = {
        name: measured(measure, handle.digest, ctx.world.key, images.digest)
        for name, measure in MEASURES.items()
    }
    kept = {
        name: each.leading if each.whole is None else each.whole for name, each in values.items()
    }
    kept["complexity"] = compute(MEASURES["complexity"], None, "", images)
    return {name: values for name, values in kept.items() if values is not None}


def read(
    handle: Handle, table: BoundTable, found: materials.Materials | None
) -> tuple[Reading, ...]:
    """The scores of the bounds, then every other that image and reference have material for.

    KL terms have a chart of their own.
    """
    first = score_list(table.n_levels)
    if found is None:
        return readings(table, None)
    name = next(iter(found))
    more = materials.available(handle, found, list(found))
    keys = {score.key for score in first}
    extra = [s for s in more if s.key not in keys and s.family != "kl"]
    return tuple(
        reading
        for score in (*first, *extra)
        for reading in readings(richest(score, found[IMAGE]), richest(score, found[name]), [score])
    )


def draw_offers(ctx: Context, handle: Handle, images: ImageSet, found: materials.Materials) -> None:
    """Jobs for the scores that are not there yet, of the image and the reference set together."""
    own = {IMAGE: replace(images, name=IMAGE)}
    offers.draw(ctx, handle, found, own=own)
