"""Where in the image log p(x | z_>k) is lost, for each k: a map of its pixels, large."""

from __future__ import annotations

import numpy as np
import streamlit as st

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
    "A map shows log p of each pixel given the layers above k, less log p given all layers, in "
    "nats: what is lost when the k lowest levels are drawn without looking at the image. From that "
    "is taken what held-out images lose there usually, so that the pixels of a map sum to how much "
    "more this image loses than the median held-out image. All maps of one model have one scale."
)


def draw(ctx: Context, judged: JudgedImage, image: OneImage, *, suffix: str) -> None:
    """A map for each k under one model, on one scale."""
    handle, reference = judged.handle, judged.reference
    images = image.at(handle)
    settings = judged.settings
    maps = _changes(handle, images, settings)
    totals = maps.sum(axis=(1, 2))
    median = np.full(len(maps), np.nan)
    without = "There is no reference yet"
    if reference is not None:
        try:
            usual = _usual(handle, _held_out(ctx, handle), settings)
        except MissingImages:
            without = "The held-out images are not on this machine"
        else:
            from hvae_core.probes.pixel_loss import against_usual

            without, nll = "", reference.table.nll
            median = np.median(nll[:, :1] - nll, axis=0)
            maps = against_usual(maps, usual, median)
    if without:
        st.caption(f"{without}: the maps show all that is lost, not what is lost beyond the usual.")
    limit, ends = map_limit(maps[1:]), ENDS[not without]
    side = SIDE if len(ctx.models) == 1 else SMALL
    row = st.container(horizontal=True, gap="medium" if side == SIDE else "small")
    for k in range(1, len(maps)):
        with row.container(width=side, gap="small"):
            level = handle.level_names[k]
            words = f"**From {level} up**, k = {k}: {_lost(totals[k])}"
            if np.isfinite(median[k]):
                words += f"; the median held-out image: {_lost(median[k])}"
            panel.said(words, f"What is lost from {level} up")
            height = side + BELOW
            figure = remembered(pixel_map, maps[k], limit, colors(), ends=ends, height=height)
            alt = f"Map of the pixels where log p is lost from {level} up"
            made = code.lost(ctx, handle, image, k, held_out=not without, ends=ends, height=height)
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
