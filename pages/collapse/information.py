"""Mutual information and the units' curves for the collapse page: from the cache, or as a job."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from hvae_core.common.errors import MissingImages
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.collapse import active_curve, collapsed_curve
from hvae_core.figures import information_by_k, unit_curves
from hvae_core.figures.theme import Palette
from hvae_core.probes.information import (
    DELTAS,
    IMAGES,
    Information,
    information_key,
    information_of,
    stored_information,
)
from pages.collapse import code
from pages.collapse.helps import CURVES_HELP, INFORMATION_HELP
from pages.collapse.layers import CollapseSettings, Layers, handles_of
from pages.shared import jobs, panel, saving, store, ui
from pages.shared.controls import head_row, one_of
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors
from pages.shared.store import Handle

SEED = 0
Measured = tuple[Handle, Information]
GRID = np.geomspace(1e-5, 10, 121)
"""Thresholds of the curves: variances, or nats a unit."""


def draw(ctx: Context, models: Sequence[Layers], name: str) -> list[Measured]:
    """What the levels know of the image; returns it for the models that have it."""
    st.subheader("Mutual information by k", anchor=False, help=INFORMATION_HELP)
    by_model = measured(ctx, name)
    found = [(m.handle, by_model[m.handle.name]) for m in models if m.handle.name in by_model]
    if found:
        known = [handle for handle, _ in found]
        figure = remembered(
            information_by_k,
            [(handle.title, i.mean, i.error, i.ceiling) for handle, i in found],
            colors(),
            levels=[handle.level_names for handle in known],
            counted=store.counted(ctx.models),
            letters=ctx.letters_of(known),
        )
        made = code.information(ctx, known, name)
        alt = "Mutual information by k under its ceiling"
        ui.chart(figure, "collapse-information", alt, code=made)
        panel.said(" ".join(in_words(*pair) for pair in found), note=True)
        saving.csv_button(
            lambda: information_table(found, name), "information", "Information (CSV)"
        )
    return found


def draw_curves(
    ctx: Context,
    models: Sequence[Layers],
    known: Sequence[Measured],
    *,
    settings: CollapseSettings,
    name: str,
) -> None:
    """The share of units that are active, or collapsed, over thresholds."""
    with head_row():
        st.subheader("Units by threshold", anchor=False, width="content", help=CURVES_HELP)
        which = one_of(
            "Units", ["active", "collapsed"], "active", key="c_curve", label_visibility="collapsed"
        )
        if which == "collapsed":
            delta = st.selectbox(
                "δ", DELTAS, index=DELTAS.index(0.1), format_func=lambda d: f"δ = {d:g}",
                key="c_delta", bind="query-params", label_visibility="collapsed", width=110,
            )  # fmt: skip
    if which == "active":
        letters = ctx.letters_of(handles_of(models))
        figure = active_curves(models, settings, colors(), letters=letters)
        made = code.active_curve(ctx, handles_of(models), name, settings=settings)
    elif known:
        handles, row = [handle for handle, _ in known], DELTAS.index(delta)
        figure = collapsed_curves(
            known, settings, delta, colors=colors(), letters=ctx.letters_of(handles)
        )
        made = code.collapsed_curve(ctx, handles, name, settings=settings, row=row)
    else:
        st.caption(
            "Measure the images once, under *Mutual information by k*, and the curves appear here."
        )
        return
    alt = f"Share of {which} units over thresholds"
    ui.chart(figure, f"collapse-{which}-curve", alt, code=made)


def measured(ctx: Context, name: str) -> dict[str, Information]:
    """What is known of the chosen models by their name; the rest is offered."""
    try:
        fitted = [ctx.images(name, handle) for handle in ctx.models]
    except MissingImages:
        ui.missing_images(
            "Information is measured on the images themselves, and those of "
            f"{ui.plain(ctx.title(name))} are not on this machine."
        )
        return {}
    done = {}
    for handle, images in zip(ctx.models, fitted, strict=True):
        # The images are those of the command `information` too: drawn by their content.
        images = images.sample(IMAGES)
        information = stored_information(handle.digest, images, SEED)
        if information is not None:
            done[handle.name] = information
        elif len(images) > 1:
            _offer(handle, images)
    return done


def _offer(handle: Handle, images: ImageSet) -> None:
    key = information_key(handle.digest, images, SEED)
    name = jobs.name_of("information", key)
    note = (
        f"{ui.plain(images.title)} under {ui.plain(handle.title)}: not yet measured. The model "
        f"compares each of {len(images)} images with all {len(images)}, level by level."
    )
    if jobs.asked(name, f"Measuring {handle.title}", f"Measure {len(images)} images", note=note):
        jobs.submit(name, key, information_of, handle.path, images, SEED)
        st.rerun()


def in_words(handle: Handle, information: Information) -> str:
    """What the highest level knows, in a sentence."""
    level, n = handle.level_names[-1], len(information)
    top, error = float(information.mean[-1]), float(information.error[-1])
    finding = f"{level} alone tells {top:.2f} ± {1.96 * error:.2f} nats of the image"
    if top > information.ceiling - max(0.05, 2 * error):
        finding = f"{level} alone tells the images apart as well as {n} images can show"
    elif top < 0.1:
        finding = f"{level} alone tells next to nothing of the image ({top:.2f} nats)"
    return f"{ui.plain(handle.title)}: {finding}."


def active_curves(
    models: Sequence[Layers], settings: CollapseSettings, colors: Palette, *, letters: str
) -> go.Figure:
    """Shares of active units over thresholds on the variance, a line a layer."""
    return remembered(
        unit_curves,
        [(m.handle.title, [active_curve(v, GRID) for v in m.variances]) for m in models],
        GRID,
        colors,
        names=[model.handle.names for model in models],
        x_title="threshold (variance)",
        y_title="active units (%)",
        chosen=settings.active_above,
        letters=letters,
    )


def collapsed_curves(
    measured: Sequence[Measured],
    settings: CollapseSettings,
    delta: float,
    *,
    colors: Palette,
    letters: str,
) -> go.Figure:
    """Shares of collapsed units over eps, a line a layer; a layer without such figures has none."""
    row = DELTAS.index(delta)
    return remembered(
        unit_curves,
        [
            (
                handle.title,
                [collapsed_curve(t[row], GRID) if t.size else None for t in known.levels],
            )
            for handle, known in measured
        ],
        GRID,
        colors,
        names=[handle.names for handle, _ in measured],
        x_title="eps (nats a unit)",
        y_title="collapsed units (%)",
        chosen=settings.collapsed_below,
        letters=letters,
    )


def information_table(measured: Sequence[Measured], name: str) -> pd.DataFrame:
    """Mutual information by level, one row a model and k."""
    return pd.DataFrame(
        {
            "model": handle.title,
            "set": name,
            "images": len(information),
            "k": k,
            "level": level,
            "information_nats": information.mean[k],
            "standard_error": information.error[k],
            "ceiling_nats": information.ceiling,
            "rate_nats": information.rate[k].mean(),
            "marginal_kl_nats": information.marginal[k],
        }
        for handle, information in measured
        for k, level in enumerate(handle.level_names)
    )
