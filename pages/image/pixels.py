"""Where in the image log p(x | z_>k) is lost, for each k: a map of its pixels, large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import MissingImages
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.figures import fmt, map_limit, pixel_map
from pages.image import code
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import panel, store, ui
from pages.shared.kept import by_content
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors
from pages.shared.store import Handle

SIDE, SMALL = 310, 240
"""Width of a map, and of one beside those of another model; on a narrow screen they stand one below
the other."""
BELOW = 60
"""Pixels of the scale below, and of the words that say what its ends mean."""
ENDS = {False: ("lost", "gained"), True: ("more lost than usual", "less lost")}
"""What a map's colours mean, below and above zero: against held-out images, or not."""
HELP = (
    "A map shows what each pixel loses, in nats, when the k lowest levels are drawn without "
    "looking at the image: log p given the layers above k, less log p given all layers. What "
    "held-out images usually lose there is taken off. So the pixels of a map sum to how much more "
    "this image loses than the median held-out image. All maps of that kind have one colour scale, "
    "those of several models too: the same colour is the same loss. Where no held-out images are "
    "at hand, maps show all that is lost, on a scale of their own."
)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The maps of one model for every k (K, H, W), in nats a pixel, and what they sum to.

    ``totals`` (K,) are the changes of log p(x | z_>k), ``median`` (K,) those of the median held-out
    image, NaN where the maps show all that is lost: ``without`` says why.
    """

    maps: Floats
    totals: Floats
    median: Floats
    settings: EvalSettings
    without: str = ""


def draw(
    ctx: Context,
    places: Sequence[tuple[JudgedImage, str, Handle, DeltaGenerator]],
    image: OneImage,
    suffixes: Mapping[str, str],
) -> None:
    """A map for each k under each model, with its letter and place; all of one kind on one scale.

    Maps against held-out images are of another kind than those of all that is lost. ``suffixes``
    tell the charts of the models apart, by letter.
    """
    measured = []
    for under, letter, handle, place in places:
        with place, ui.of_model(ctx, handle), ui.in_place():
            measured.append((handle, letter, place, _measured(ctx, under, image)))
    for handle, letter, place, own in measured:
        usual = not own.without
        alike = [(name, each) for _, name, _, each in measured if usual == (not each.without)]
        limit = map_limit(np.concatenate([each.maps[1:].ravel() for _, each in alike]))
        scale = _Scale(limit, tuple(name for name, _ in alike))
        with place, panel.view().under(ctx.letter(handle)), ui.in_place():
            _row(ctx, handle, image, own, scale=scale, suffix=suffixes[letter])


class _Scale(NamedTuple):
    """Where the scale of maps ends, and the letters of the models whose maps are drawn on it."""

    limit: float
    letters: tuple[str, ...]


def _measured(ctx: Context, judged: JudgedImage, image: OneImage) -> _Measured:
    """The maps of an image under one model, against held-out images where these are at hand."""
    handle, reference, settings = judged.handle, judged.reference, judged.settings
    maps = _changes(handle, image.at(handle), settings)
    totals, nothing = maps.sum(axis=(1, 2)), np.full(len(maps), np.nan)
    if reference is None:
        return _Measured(maps, totals, nothing, settings, "There is no reference yet")
    try:
        usual = _usual(handle, _held_out(ctx, handle), settings)
    except MissingImages:
        missing = "The held-out images are not on this machine"
        return _Measured(maps, totals, nothing, settings, missing)
    from hvae_core.probes.pixel_loss import against_usual

    nll = reference.table.nll
    median = np.median(nll[:, :1] - nll, axis=0)
    return _Measured(against_usual(maps, usual, median), totals, median, settings)


def _row(
    ctx: Context, handle: Handle, image: OneImage, own: _Measured, *, scale: _Scale, suffix: str
) -> None:
    """The maps of one model, with a line above each."""
    if own.without:
        st.caption(
            f"{own.without}: the maps show all that is lost, not what is lost beyond the usual."
        )
    ends = ENDS[not own.without]
    several = scale.letters if len(scale.letters) > 1 else ()
    side = SIDE if len(ctx.models) == 1 else SMALL
    row = st.container(horizontal=True, gap="medium" if side == SIDE else "small")
    for k in range(1, len(own.maps)):
        with row.container(width=side, gap="small"):
            level = handle.level_names[k]
            words = f"**From {level} up**, k = {k}: {_lost(own.totals[k])}"
            if np.isfinite(own.median[k]):
                words += f"; the median held-out image: {_lost(own.median[k])}"
            panel.said(words, f"What is lost from {level} up")
            height = side + BELOW
            figure = remembered(
                pixel_map, own.maps[k], scale.limit, colors(), ends=ends, models=several,
                height=height,
            )  # fmt: skip
            alt = f"Map of the pixels where log p is lost from {level} up"
            made = code.lost(
                ctx, handle, image, k, held_out=not own.without, ends=ends, height=height,
                shared=(scale.limit, several) if several else None,
            )  # fmt: skip
            ui.chart(figure, f"image-pixels-{k}{suffix}", alt, code=made, follows=True)


def _lost(change: float) -> str:
    return f"{fmt(abs(float(change)), 'nats')} {'lost' if change <= 0 else 'gained'}"


def _held_out(ctx: Context, handle: Handle) -> ImageSet:
    from hvae_core.probes.pixel_loss import USUAL_IMAGES

    return ctx.images(ctx.reference_name, handle).sample(USUAL_IMAGES)


@by_content(64)
def _changes(handle: Handle, images: ImageSet, settings: EvalSettings) -> Floats:
    """The maps of one image (K, H, W)."""
    from hvae_core.probes.pixel_loss import pixel_changes

    found = store.ask(handle, pixel_changes, images.images, images.image_digests(), settings)
    return found[0]


@by_content(16)
def _usual(handle: Handle, images: ImageSet, settings: EvalSettings) -> Floats:
    """The mean map of held-out images (K, H, W)."""
    from hvae_core.probes.pixel_loss import mean_changes

    with st.spinner("Measuring where held-out images lose"):
        return store.ask(
            handle,
            mean_changes,
            images.images,
            images.image_digests(),
            settings,
            checkpoint=handle.digest,
        )
