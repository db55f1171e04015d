"""The points of a latent map: posterior means of one layer for several sets, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import streamlit as st

from hvae_core.common import fingerprint
from hvae_core.common.errors import MissingImages
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.collapse import active_units
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.latents import latents_of_sets, stored_latents
from hvae_core.evaluation.points import layer_points
from hvae_core.figures import fmt, percent
from hvae_core.probes.neighbours import separation
from pages.shared import current, jobs, ui
from pages.shared.controls import among, one_of, select
from pages.shared.kept import by_content
from pages.shared.state import Context
from pages.shared.store import Handle

LATENTS_SEED = 0  # as the stored evaluations have it
JOB = "latents-wide"
BUTTONS = 10
"""Layers that have a button each; more are a list."""


@dataclass(frozen=True, eq=False)
class Points:
    """N images in one layer, sorted by set; the first set is in-distribution.

    ``latents`` (N, units) are E[z | x]; ``sets`` (N,) are codes into ``set_names``; ``indices``
    (N,) count within a set as ``Context.images`` does; ``classes[i]`` is a class's name or "",
    ``files[i]`` the file that an image came from or "".
    """

    digest: str
    latents: np.ndarray
    sets: np.ndarray
    set_names: tuple[str, ...]
    indices: np.ndarray
    classes: tuple[str, ...]
    files: tuple[str, ...]
    stored: bool = True
    """Whether the evaluations hold the means; those of wide layers were encoded once more."""

    def __len__(self) -> int:
        return len(self.sets)

    def of(self, set_name: str) -> np.ndarray:
        """Rows of ``latents`` that belong to a set."""
        return self.latents[self.sets == self.set_names.index(set_name)]


def default_layer(handle: Handle, inside: Evaluation) -> str:
    """The highest layer that says something and is at hand without encoding, else the top one."""
    kept = [i for i, z in enumerate(inside.latents) if z.shape[1]]
    awake = [i for i in kept if not sleeping(inside, i)]
    return handle.names[(awake or kept or [handle.n_layers - 1])[-1]]


def layer_control(handle: Handle, default: str) -> str:
    """Which layer is mapped; the choice stays between models of equally many layers."""
    names, key = list(handle.names), f"l_layer_{handle.n_layers}"
    among(key, names)  # a model of as many layers may name them otherwise
    if len(names) <= BUTTONS:
        return one_of("Layer", names, default, key=key)
    named = zip(names, handle.levels, strict=True)
    titles = {name: name if level == name else f"{name}, {level}" for name, level in named}
    return select("Layer", titles, key=key, first=default, width=150)


def sleeping(inside: Evaluation, layer: int) -> bool:
    """Whether no unit of a layer (from 0) is active on the model's own images.

    The map shows posterior means, so their variance decides here and not the KL term, which may
    be near zero where its parts cancel.
    """
    return active_units(inside.unit_variance[layer]) == 0


def gather(
    ctx: Context,
    handle: Handle,
    layer: int,
    evaluations: Mapping[str, Evaluation],
    count: int,
) -> Points | None:
    """The first ``count`` images of each set in a layer (from 0); None while they are encoded."""
    if all(evaluation.latents[layer].shape[1] for evaluation in evaluations.values()):
        rows = {name: evaluation.latents[layer] for name, evaluation in evaluations.items()}
        source = tuple(evaluation.set_digest for evaluation in evaluations.values())
    else:
        encoded = _encoded(ctx, handle, layer, evaluations=evaluations)
        if encoded is None:
            return None
        rows, source = {name: latents[layer] for name, latents in encoded.items()}, ("encoded",)
    mapped = {name: evaluations[name] for name in rows}
    digests = tuple(evaluation.set_digest for evaluation in mapped.values())
    # All sessions share what is kept, so the key has all that is shown of a set beside its pixels.
    words = [[list(each.files), list(each.class_names)] for each in mapped.values()]
    labels = [each.labels for each in mapped.values()]
    key = fingerprint.digest(
        handle.digest, layer, tuple(rows), digests, source, count, words, *labels
    )
    return _points(key, count, rows, _evaluations=mapped, stored=source != ("encoded",))


@st.cache_resource(max_entries=16, show_spinner=False)
def _points(
    digest: str,
    count: int,
    _rows: Mapping[str, np.ndarray],
    _evaluations: Mapping[str, Evaluation],
    stored: bool,
) -> Points:
    flat = layer_points(list(_rows.values()), [_evaluations[name] for name in _rows], count)
    return Points(
        digest,
        flat.latents,
        sets=flat.sets,
        set_names=tuple(_rows),
        indices=flat.numbers,
        classes=flat.classes,
        files=flat.files,
        stored=stored,
    )


def pictures(
    ctx: Context, handle: Handle, evaluations: Mapping[str, Evaluation]
) -> dict[str, ImageSet]:
    """The images of the sets, where they are at hand and are those that were evaluated."""
    sets = {}
    for name, evaluation in evaluations.items():
        try:
            images = ctx.images(name, handle)
        except MissingImages:
            continue
        if images.digest == evaluation.set_digest:
            sets[name] = images
    return sets


def _encoded(
    ctx: Context, handle: Handle, layer: int, evaluations: Mapping[str, Evaluation]
) -> dict[str, list[np.ndarray]] | None:
    """Posterior means of every layer by set, from the cache; what is absent is offered as a job."""
    layer_name, _, units = handle.layers[layer]
    unstored = f"The latents of {layer_name} ({units:,} units) are not stored for all of these sets"
    sets = pictures(ctx, handle, evaluations)
    absent = [ctx.title(name) for name in evaluations if name not in sets]
    if absent:
        st.info(
            f"{unstored}, and these images are not on this machine: "
            f"{ui.plain(', '.join(absent))}. Choose a higher layer or other sets, or see *Images* "
            "in the sidebar.",
            icon=":material/image_not_supported:",
        )
    if ctx.in_name not in sets:
        return None
    latents = {name: _stored(handle.digest, images.digest, images) for name, images in sets.items()}
    waiting = [sets[name] for name, means in latents.items() if means is None]
    if waiting:
        # Streamlit would go on answering None after the job has stored them.
        _stored.clear()
        _offer(handle, unstored, list(sets.values()), waiting=waiting)
        return None
    return {name: means for name, means in latents.items() if means is not None}


@st.cache_resource(max_entries=32, show_spinner=False)
def _stored(checkpoint: str, set_digest: str, _images: ImageSet) -> list[np.ndarray] | None:
    return stored_latents(checkpoint, _images, LATENTS_SEED)


def _offer(handle: Handle, unstored: str, sets: list[ImageSet], waiting: list[ImageSet]) -> None:
    # By all sets, not by those that wait: these become fewer while the job runs.
    name = jobs.name_of(JOB, handle.digest, [images.digest for images in sets], LATENTS_SEED)
    count = sum(len(images) for images in waiting)
    note = f"{unstored}: {count:,} images have to go through the encoder once."
    if jobs.asked(name, f"Encoding {handle.title}", f"Encode {count:,} images", note=note):
        key = fingerprint.digest(
            JOB, handle.digest, [images.digest for images in waiting], LATENTS_SEED
        )
        jobs.submit(name, key, latents_of_sets, handle.path, waiting, LATENTS_SEED)
        st.rerun()


@by_content(32, {Points: attrgetter("digest")})
def separations(points: Points) -> dict[str, float]:
    """AUROC of the nearest-neighbour distance of every other set, in the whole layer."""
    inside = points.of(points.set_names[0])
    return {name: separation(inside, points.of(name)) for name in points.set_names[1:]}


def claim(
    ctx: Context, handle: Handle, layer: int, inside: Evaluation, points: Points | None
) -> str:
    """What the layer tells apart, in a sentence: by nearest neighbours, in all its dimensions."""
    name = handle.layers[layer][0]
    if sleeping(inside, layer):
        widest = float(np.sqrt(inside.unit_variance[layer].max(initial=0)))
        return f"{name} says nothing: its means vary by {fmt(widest)} at most"
    own = ctx.title(ctx.in_name)
    if points is None or len(points.set_names) < 2:
        return f"How {name} arranges {own}"
    areas = separations(points)
    best = max(areas, key=areas.__getitem__)
    area = areas[best]
    if area < 0.6:
        return f"In {name}, no set lies apart from {own}"
    where = "apart from" if area >= 0.8 else "at the edge of"
    pairs = f"told apart in {percent(round(area, 2))} of pairs"
    return f"In {name}, {ctx.title(best)} lie {where} {own}: {pairs}"


def row_of(ctx: Context, points: Points) -> int | None:
    """The row of the current image; None where it is none of the points."""
    name, number = current.now(ctx)
    if name not in points.set_names:
        return None
    code = points.set_names.index(name)
    rows = np.flatnonzero((points.sets == code) & (points.indices == number))
    return int(rows[0]) if rows.size else None
