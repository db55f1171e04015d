"""Latent space: where the images of several sets lie in one layer, and what lies together."""

from __future__ import annotations

from typing import Any

import streamlit as st

from hvae_core.figures import percent
from hvae_core.scores import score_list
from pages.latents import hover, map
from pages.latents import lasso as selection
from pages.latents import points as latents
from pages.latents.map import Colouring
from pages.shared import jobs, ui
from pages.shared.state import context

ctx = context()
head = st.container()
bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")

model = ctx.a
if len(ctx.models) > 1:
    which = bar.segmented_control(
        "Model", ["A", "B"], default="A", required=True, key="l_model", bind="query-params"
    )
    model = ctx.models[which == "B"]

evaluations = jobs.evaluations(ctx, model, (ctx.in_name, *ctx.out_names))
if ctx.in_name not in evaluations:
    with head:
        ui.header(
            "A layer is a map of what the model holds alike",
            "Evaluate the chosen sets once, and the map appears here.",
        )
    st.stop()
inside = evaluations[ctx.in_name]

names = list(model.names)
layer = latents.layer_control(bar, model, latents.default_layer(model, inside))
level = names.index(layer) if layer in names else 0
method = bar.segmented_control(
    "Method", map.METHODS, default="PCA", required=True, key="l_method", bind="query-params"
)
by = bar.segmented_control(
    "Colour", map.COLOURS, default="set", required=True, key="l_by", bind="query-params"
)
of = ctx.in_name
if by == "class":
    of = bar.selectbox(
        "Classes of", list(evaluations), format_func=ctx.title, key="l_of", width=190
    )
elif by == "score":
    scores = {score.name: score for score in score_list(model.n_levels)}
    of = bar.selectbox("Score", list(scores), key="l_score", bind="query-params", width=190)
count = bar.number_input(
    "Images of each set", 100, 1000, 300, 100, key="l_count", bind="query-params", width=150
)

with ui.in_place():
    points = latents.gather(ctx, model, level, evaluations, int(count))
    with head:
        ui.header(
            latents.claim(ctx, model, level, inside, points),
            f"E[{layer} | x] of {model.title}: what lies together looks alike to this layer. "
            "Draw a lasso round points to see their images.",
        )
    if points is None:
        st.stop()
    placed = map.place(points, str(method), ctx.seed)
    colouring = Colouring(str(by), str(of))
    if by == "score":
        colouring = map.score_values(scores[str(of)], points, evaluations)
    pictures = latents.pictures(ctx, model, evaluations)
    key = f"l-map-{map.map_key(placed, colouring)}"

    @st.fragment
    def map_and_selection() -> None:
        """The map, and what its lasso took, redrawn alone when it takes something else."""
        left, right = st.columns([3, 1], gap="medium")
        taken: Any = None
        with left, ui.in_place():
            taken = ui.chart(
                map.figure(ctx, points, placed, colouring),
                f"latents-{layer}",
                f"Map of {layer}: {len(points)} images, coloured by {by}",
                key=key,
                lasso=True,
                on_select=lambda: map.lassoed(key, points),
                selection_mode=("lasso", "box"),
            )
            hover.thumbnails(key, points, pictures)
        with right, ui.in_place():
            outlined = bool(taken and taken["selection"]["points"])
            selection.panel(ctx, len(points), evaluations, pictures, outlined=outlined)

    map_and_selection()
    areas = latents.separations(points.digest, points)
    if areas:
        told = ", ".join(f"{ui.plain(ctx.title(n))} {percent(a)}" for n, a in areas.items())
        st.caption(
            f"Farther from its nearest neighbour among {ui.plain(ctx.title(ctx.in_name))} than "
            f"these are from each other, share of pairs in all {points.latents.shape[1]:,} units "
            f"of {layer} (50 % is no telling): {told}."
        )
    ui.csv_button(lambda: map.table(points, placed, colouring), f"latents-{layer}-{method}".lower())
