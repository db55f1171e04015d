"""Mutual information and the units' curves for the collapse page: from the cache, or as a job."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from hvae_core.common import cache
from hvae_core.common.errors import MissingImages
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.collapse import active_curve, collapsed_curve
from hvae_core.figures import unit_curves
from hvae_core.figures.theme import Palette
from hvae_core.probes.information import (
    DELTAS,
    IMAGES,
    Information,
    information_key,
    stored_information,
)
from pages.collapse import layers
from pages.shared import jobs, store, ui
from pages.shared.state import Context
from pages.shared.store import Handle

SEED = 0
KIND = "information"
CURVES = ("active", "collapsed")
GRID = np.geomspace(1e-5, 10, 121)
"""Thresholds of the curves: variances, or nats a unit."""


def measured(ctx: Context, name: str) -> dict[str, Information]:
    """What is known of the chosen models by their name; the rest is offered."""
    try:
        fitted = [store.images(ctx.world, name, ctx.data_root, handle) for handle in ctx.models]
    except MissingImages:
        st.caption(
            ":material/image_not_supported: Information is measured on the images themselves, and "
            f"those of {ui.plain(ctx.title(name))} are not on this machine. Under *Images* in the "
            "sidebar you can download them or choose a folder."
        )
        return {}
    done = {}
    for handle, images in zip(ctx.models, fitted, strict=True):
        # The images are those of the command `information` too: drawn by their content.
        chosen = images.sample(IMAGES)
        key = information_key(handle.digest, chosen, SEED)
        found = _stored(key, cache.entry_path(KIND, key).exists(), handle.digest, chosen)
        if found is not None:
            done[handle.name] = found
        elif len(chosen) > 1:
            _offer(handle, chosen, key)
    return done


@st.cache_resource(max_entries=64, show_spinner=False)
def _stored(key: str, exists: bool, _checkpoint: str, _images: ImageSet) -> Information | None:
    return stored_information(_checkpoint, _images, SEED) if exists else None


def _offer(handle: Handle, images: ImageSet, key: str) -> None:
    name = jobs.name_of("information", key)
    pairs = len(images) ** 2
    note = (
        f"{ui.plain(images.title)} under {ui.plain(handle.title)}: not yet measured. Each of "
        f"{len(images)} images is held against every other, {pairs:,} densities a level."
    )
    if jobs.asked(name, f"Measuring {handle.title}", f"Measure {len(images)} images", note):
        from hvae_core.probes.information import information_of

        jobs.submit(name, key, information_of, handle.path, images, SEED)
        st.rerun()


def in_words(handle: Handle, found: Information) -> str:
    """What the highest level knows, in a sentence."""
    level, top, error = handle.level_names[-1], float(found.mean[-1]), float(found.error[-1])
    told = f"{level} alone tells {top:.2f} ± {1.96 * error:.2f} nats of the image"
    if top > found.ceiling - max(0.05, 2 * error):
        told = f"{level} alone tells the images apart as well as {len(found)} images can show"
    elif top < 0.1:
        told = f"{level} alone tells next to nothing of the image ({top:.2f} nats)"
    return f"{ui.plain(handle.title)}: {told}."


def curves(  # type: ignore[no-untyped-def]
    which: str,
    models: Sequence[layers.Layers],
    known: dict[str, Information],
    settings: layers.Settings,
    delta: float,
    colors: Palette,
):
    """Shares of units over thresholds, a line a layer; None where nothing is measured yet."""
    made = []
    if which == "active":
        for model in models:
            shares = [active_curve(variance, GRID) for variance in model.variances]
            made.append((model.handle, shares))
    else:
        row = DELTAS.index(delta)
        for model in models:
            found = known.get(model.handle.name)
            if found is not None:
                levels = [collapsed_curve(t[row], GRID) if t.size else None for t in found.levels]
                made.append((model.handle, levels))
    if not made:
        return None
    return unit_curves(
        [(handle.title, shares) for handle, shares in made],
        GRID,
        colors,
        names=[handle.names for handle, _ in made],
        x_title="threshold (variance)" if which == "active" else "eps (nats a unit)",
        y_title=f"{which} units (%)",
        chosen=settings.active_above if which == "active" else settings.collapsed_below,
    )


def information_table(
    handles: Sequence[Handle], known: dict[str, Information], name: str
) -> pd.DataFrame:
    """Mutual information by level, one row a model and k."""
    return pd.DataFrame(
        {
            "model": handle.title,
            "set": name,
            "images": len(found),
            "k": k,
            "level": level,
            "information_nats": found.mean[k],
            "standard_error": found.error[k],
            "ceiling_nats": found.ceiling,
            "rate_nats": found.rate[k].mean(),
            "marginal_kl_nats": found.marginal[k],
        }
        for handle in handles
        if (found := known.get(handle.name)) is not None
        for k, level in enumerate(handle.level_names)
    )
