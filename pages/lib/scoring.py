"""What the scores of a model read beside its bounds: what is at hand, and jobs for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from hvae_core import cache
from hvae_core.availability import background_path, why_not
from hvae_core.classifier.library import ensemble_digest, world_classifiers
from hvae_core.data.image_set import ImageSet
from hvae_core.data.places import ASSETS
from hvae_core.errors import MissingImages
from hvae_core.figures import symbol_text
from hvae_core.measures import MEASURES, Measure
from hvae_core.measures.base import KIND, measure_key
from hvae_core.report import SHIPPED_LIMIT
from hvae_core.scores import Material, Reference, Score, all_scores, richest
from pages.lib import store, ui, work
from pages.lib.state import Context
from pages.lib.store import Handle

if TYPE_CHECKING:
    from hvae_core.evaluated import Evaluation

LEADING = 100
"""Images of a set for which a page offers what takes many minutes for all of them."""
_MANY_SECONDS = 300.0
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
        evaluation.material,
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
    layer = handle.names.index(score.key.removeprefix("mahalanobis_"))
    return any(found[name][0].latents[layer].shape[1] == 0 for name in names)


def reference(ctx: Context, handle: Handle, settings: Any) -> Reference | None:
    """Statistics of the training images, shipped or fitted before; None where there are none."""
    from hvae_core.references import cached_reference, reference_key, shipped_reference

    shipped = shipped_reference(ASSETS / "results" / handle.name, handle.digest, settings)
    if shipped is not None:
        return shipped
    if not any((cache.cache_dir() / "references").glob("*.npz")):
        return None  # without reading the training images to know it
    images = _training(ctx, handle)
    return (
        None
        if images is None
        else cached_reference(reference_key(handle.digest, images.digest, settings))
    )


def _training(ctx: Context, handle: Handle) -> ImageSet | None:
    """The training images that a reference is fitted to, or None where they are not here."""
    for spec in ctx.world.with_role("train"):
        try:
            return store.images(ctx.world, spec.name, ctx.data_root, handle).take(SHIPPED_LIMIT)
        except MissingImages:
            return None
    return None


def _has_training(ctx: Context) -> bool:
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


@dataclass(frozen=True)
class Offer:
    """Scores that one job would add: what it computes, of which sets, and about how long."""

    measure: str
    scores: tuple[Score, ...]
    sets: tuple[str, ...]
    limit: int | None
    seconds: float

    @property
    def job(self) -> str:
        """The end of the job's name."""
        return f"measure-{self.measure}"


def offers(
    ctx: Context, handle: Handle, found: Materials
) -> tuple[list[Offer], list[tuple[Score, str]]]:
    """Jobs for the scores that are not there yet, and scores that cannot be had, with reasons."""
    waiting: dict[str, list[Score]] = {}
    lacking = []
    at_hand = _at_hand(ctx, handle, found)
    have = {score.key for score in available(handle, found, list(found))}
    for score in scores_of(handle):
        if score.key in have:
            continue
        reason = why_not(score, ctx.world, **at_hand)
        if reason:
            lacking.append((score, reason))
        elif "reference" in score.needs and not _any(found).reference:
            waiting.setdefault("reference", []).append(score)
        elif score.measures:
            waiting.setdefault(score.measures[0], []).append(score)
        else:
            lacking.append((score, _not_everywhere(ctx, score, found)))
    return [_offer(name, scores, found) for name, scores in waiting.items()], lacking


def _any(found: Materials) -> Material:
    return next(iter(found.values()))[0]


def _at_hand(ctx: Context, handle: Handle, found: Materials) -> dict[str, Any]:
    latents = _any(found).latents
    return {
        "kept": [n for n, z in zip(handle.names, latents, strict=False) if z.shape[1]],
        "reference": bool(_any(found).reference) or _has_training(ctx),
        "ensemble": len(ctx.models) > 1,
        "background": background_path(ctx.world) is not None,
        "classifiers": bool(world_classifiers(ctx.world.key)),
    }


def _not_everywhere(ctx: Context, score: Score, found: Materials) -> str:
    """Which sets have no material for a score."""
    without = [n for n, known in found.items() if score.missing(known[0])]
    if "latents" in score.needs and not without:
        return "The posterior means of some of these sets are not kept."
    other = "the background checkpoint" if "background" in score.needs else "the other model"
    names = ", ".join(ctx.title(name) for name in without if name != "image")
    return f"Not evaluated under {other} on the same images: {names}."


def _offer(name: str, scores: Sequence[Score], found: Materials) -> Offer:
    if name == "reference":
        return Offer(name, tuple(scores), (), None, 60.0)
    measure = MEASURES[name]
    limit = LEADING if is_costly(measure) else None
    images = sum(min(limit or len(known[0]), len(known[0])) for known in found.values())
    return Offer(name, tuple(scores), tuple(found), limit, measure.seconds * images / 1000)


def draw(
    ctx: Context,
    handle: Handle,
    found: Materials,
    letter: str = "",
    own: Mapping[str, ImageSet] | None = None,
) -> None:
    """A line an offer, with its button or its progress; then what cannot be had, and why.

    ``own`` are images by name that are no set of the world.
    """
    waiting, lacking = offers(ctx, handle, found)
    for offer in waiting:
        _draw(ctx, handle, offer, letter, own or {})
    for score, reason in lacking:
        st.caption(f"${score.symbol}$, {ui.plain(score.name)}: {ui.plain(reason)}")
    if not waiting and not lacking:
        st.caption("Every score is there.")


def _draw(
    ctx: Context, handle: Handle, offer: Offer, letter: str, own: Mapping[str, ImageSet]
) -> None:
    name = f"{offer.job}-{handle.digest[:12]}"
    job = work.current(name)
    symbols = ", ".join(symbol_text(score.symbol) for score in offer.scores)
    if job is not None and job.active:
        work.show(name, f"{symbols}")
        return
    error = work.failed(name)
    if error:
        st.error(error)
    of = f" for the first {offer.limit} images of each set" if offer.limit else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{ui.plain(symbols)}{of}: about {_about(offer.seconds)}", width="stretch")
        who = f" for {letter}" if letter else ""
        if st.button(f"Compute{who}", key=f"go-{name}", help=offer.scores[0].citation):
            with ui.in_place():
                _submit(ctx, handle, offer, name, own)
                st.rerun()


def _submit(
    ctx: Context, handle: Handle, offer: Offer, name: str, own: Mapping[str, ImageSet]
) -> None:
    from hvae_core.tasks import fit_reference_to, measure_sets

    if offer.measure == "reference":
        images = _training(ctx, handle)
        if images is not None:
            key = cache.digest("reference", handle.digest, images.digest)
            work.submit(name, key, fit_reference_to, handle.path, images)
        return
    sets = [
        own[one] if one in own else store.images(ctx.world, one, ctx.data_root, handle)
        for one in offer.sets
    ]
    key = cache.digest(handle.digest, offer.measure, [images.digest for images in sets])
    names = [offer.measure]
    work.submit(name, key, measure_sets, handle.path, ctx.world.key, names, sets, offer.limit)


def _about(seconds: float) -> str:
    return f"{max(5, round(seconds, -1)):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
