"""What the scores of a model read beside its bounds, as far as it is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from hvae_core.common import cache
from hvae_core.common.errors import MissingImages
from hvae_core.common.places import ASSETS
from hvae_core.data.image_set import ImageSet
from hvae_core.scores import Material, Reference, Score, all_scores, richest
from hvae_core.scores.available import background_path
from hvae_core.scores.classifier.library import ensemble_digest, world_classifiers
from hvae_core.scores.measures import MEASURES, Measure
from hvae_core.scores.measures.base import KIND, measure_key
from pages.shared import store
from pages.shared.state import Context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from hvae_core.evaluation.evaluation import Evaluation

LEADING = 100
"""Images of a set for which a page offers what takes many minutes for all of them."""
_MANY_SECONDS = 300.0
IMAGE = "image"
"""The name under which one image stands beside the set that it is held against."""
Materials = Mapping[str, tuple[Material, ...]]
"""By the name of the set: of all its images, and of its first ones with costly measures."""


def scores_of(handle: Handle) -> tuple[Score, ...]:
    """Every score of a model, whether it can be had or not."""
    return all_scores(handle.n_levels, handle.names)


def materials(ctx: Context, handle: Handle, found: Mapping[str, Evaluation]) -> Materials:
    """All that is at hand for the evaluated sets of a model; nothing is computed here."""
    settings = next(iter(found.values())).settings if found else None
    known = None if settings is None else reference(ctx, handle, settings)
    return {name: _of_set(ctx, handle, name, one, known) for name, one in found.items()}


def _of_set(
    ctx: Context, handle: Handle, name: str, evaluation: Evaluation, known: Reference | None
) -> tuple[Material, ...]:
    others = [other for other in ctx.models if other.digest != handle.digest]
    tables = [_table(ctx, other, name, evaluation) for other in others]
    other_one = background(ctx)
    whole = replace(
        Material.of(evaluation),
        reference=known,
        ensemble=tuple(table for table in tables if table is not None),
        background=None if other_one is None else _table(ctx, other_one, name, evaluation),
    )
    cheap, costly = {}, {}
    for measure in MEASURES.values():
        values = stored(ctx, handle, measure, evaluation.set_digest)
        if values is not None:
            (costly if is_costly(measure) else cheap)[measure.name] = values
    whole = replace(whole, measures=cheap)
    if not costly:
        return (whole,)
    first = whole.take(slice(LEADING))
    return (whole, replace(first, measures={**first.measures, **costly}))


def is_costly(measure: Measure) -> bool:
    """Whether a page offers a measure for the first images of a set alone."""
    return measure.seconds >= _MANY_SECONDS


def available(handle: Handle, found: Materials, names: Sequence[str]) -> tuple[Score, ...]:
    """The scores that every one of the sets has material for, those of the bounds first."""
    return tuple(
        score
        for score in scores_of(handle)
        if all(not score.missing(richest(score, found[name])) for name in names)
        and not ("latents" in score.needs and _wide(handle, score, found, names))
    )


def _wide(handle: Handle, score: Score, found: Materials, names: Sequence[str]) -> bool:
    """Whether a score reads latents that some set does not keep."""
    layer = handle.names.index(score.layer)
    return any(found[name][0].latents[layer].shape[1] == 0 for name in names)


def reference(ctx: Context, handle: Handle, settings: Any) -> Reference | None:
    """Statistics of the training images, shipped or fitted before; None where there are none."""
    from hvae_core.scores.reference import cached_reference, reference_key, shipped_reference

    shipped = shipped_reference(ASSETS / "results" / handle.name, handle.digest, settings)
    if shipped is not None:
        return shipped
    if not any((cache.cache_dir() / "references").glob("*.npz")):
        return None  # without reading the training images to know it
    images = training(ctx, handle)
    return (
        None
        if images is None
        else cached_reference(reference_key(handle.digest, images.digest, settings))
    )


def training(ctx: Context, handle: Handle) -> ImageSet | None:
    """The training images that a reference is fitted to, or None where they are not here."""
    for spec in ctx.world.with_role("train"):
        try:
            return store.images(ctx.world, spec.name, ctx.data_root, handle)
        except MissingImages:
            return None
    return None


def has_training(ctx: Context) -> bool:
    """Whether training images of the world are on this machine."""
    splits = ctx.world.with_role("train")
    return any(ctx.world.available(spec.name, ctx.data_root) for spec in splits)


def background(ctx: Context) -> Handle | None:
    """The world's background checkpoint, if it has one."""
    path = background_path(ctx.world)
    return None if path is None else store.handle_of(path, shipped=True)


def _table(ctx: Context, other: Handle, name: str, evaluation: Evaluation) -> Any:
    """The bounds of the same images under another checkpoint, or None."""
    found = store.evaluation(ctx.world, other, name, ctx.data_root)
    if found is None or found.set_digest != evaluation.set_digest:
        return None
    return found.table if found.settings == evaluation.settings else None


def stored(ctx: Context, handle: Handle, measure: Measure, digest: str) -> np.ndarray | None:
    """A measure of the images of a digest, of the first alone where it is costly; or None."""
    of = _model_digest(ctx, handle, measure)
    if of is None:
        return None
    key = measure_key(measure, of, digest, first=LEADING if is_costly(measure) else None)
    return _values(key, cache.entry_path(KIND, key).exists())


def _model_digest(ctx: Context, handle: Handle, measure: Measure) -> str | None:
    """The digest of the model that a measure reads; None where there is none."""
    if measure.of != "classifier":
        return handle.digest if measure.of else ""
    return _classifier_digest(world_classifiers(ctx.world.key))


@st.cache_resource(max_entries=8, show_spinner=False)
def _classifier_digest(paths: tuple[Path, ...]) -> str | None:
    return ensemble_digest(paths) if paths else None


@st.cache_resource(max_entries=512, show_spinner=False)
def _values(key: str, exists: bool) -> np.ndarray | None:
    arrays = cache.load(KIND, key) if exists else None
    return None if arrays is None else arrays["values"]
