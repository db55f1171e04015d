"""Latent space: where the images of several sets lie in one layer, and what lies together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from hvae_core.data.image_set import ImageSet
from hvae_core.figures import percent
from hvae_core.scores import Score, score_list
from pages.latents import cloud, code, hover, lasso, map, place, points
from pages.latents.map import Colouring
from pages.latents.place import PlacedPoints
from pages.latents.points import Points
from pages.shared import clickable, jobs, panel, ring, saving, selection, ui
from pages.shared.controls import among, one_of, select
from pages.shared.program import Code
from pages.shared.state import colors, context
from pages.shared.store import Handle

ctx = context()
WIDE = 671  # pixels of the map in a window of 1280
LIVE_SECONDS = 0.7  # from one look at a map that is being made to the next


def model_control() -> Handle:
    """Whose latents are mapped."""
    if len(ctx.models) == 1:
        return ctx.a
    letters = dict(ctx.lettered)
    return letters[one_of("Model", list(letters), "A", key="l_model")]


def score_control(model: Handle) -> Score:
    """The score that colours the points."""
    scores = {score.name: score for score in score_list(model.n_levels)}
    name = st.selectbox("Score", list(scores), key="l_score", bind="query-params", width=190)
    return scores[name]


def map_and_selection(
    drawn: Points, placed: PlacedPoints, colouring: Colouring, *, pictures: Mapping[str, ImageSet]
) -> None:
    """The map, and what its lasso took, redrawn alone when it takes something else."""
    placed = place.latest(placed)
    left, right = st.columns([3, 1], gap="medium")
    outlined = False
    name = f"latents-{layer}"
    alt = f"Map of {layer}: {len(drawn):,} images, coloured by {colouring.by}"
    made = None
    if not placed.running:
        made = code.of_map(ctx, model, drawn, placed, colouring=colouring, level=level, count=count)
    with left, panel.view().under(ctx.letter(model)), ui.in_place():
        taken = None
        if cloud.wanted(drawn):
            shown = map.shown(ctx, drawn, placed, colouring=colouring)
            taken = cloud.draw(
                drawn,
                shown,
                pictures,
                theme=colors().theme,
                current=points.row_of(ctx, drawn),
                on_pick=partial(lasso.keep, drawn),
                on_look=partial(lasso.look_at, drawn),
            )
        if taken is not None:
            figure = map.figure(ctx, drawn, placed, colouring=colouring)
            panel.shown(name, alt, figure, made)
            panel.offer(name, made, figure)
        outlined = (
            bool(taken)
            if taken is not None
            else plotted(drawn, placed, colouring, pictures=pictures, made=made, alt=alt)
        )
    with right, ui.in_place():
        lasso.beside(
            ctx, len(drawn), evaluations, pictures=pictures, handle=model, outlined=outlined
        )


def plotted(
    drawn: Points,
    placed: PlacedPoints,
    colouring: Colouring,
    *,
    pictures: Mapping[str, ImageSet],
    made: Code | None,
    alt: str,
) -> bool:
    """The map of fewer points, or where the browser has no WebGL; whether it outlines a lasso.

    While a job moves the points there is none: a changed chart loses its selection.
    """
    chart = f"l-map-{placed.running or map.map_key(placed, colouring)}"
    key = selection.chart_key(chart)
    kept = not placed.running
    picking: dict[str, Any] = {}
    if kept:
        picking["on_select"] = lambda: lasso.taken(key, chart, drawn)
        picking["selection_mode"] = ("lasso", "box")
    taken = ui.chart(
        map.figure(ctx, drawn, placed, colouring=colouring)(),
        f"latents-{layer}",
        alt,
        key=key,
        code=made,
        lasso=kept,
        width=WIDE,
        **picking,
    )
    hover.thumbnails(key, drawn, pictures)
    row = points.row_of(ctx, drawn)
    ring.draw(key, None if row is None else placed.coords[row])
    clickable.chart_points(key, lambda row, _: lasso.look_at(drawn, row))
    return bool(kept and taken and taken["selection"]["points"])


def separations_line(drawn: Points) -> None:
    """How well the sets are told apart in the whole layer, of which a map shows two dimensions."""
    areas = points.separations(drawn)
    if areas:
        by_set = ", ".join(f"{ui.plain(ctx.title(n))} {percent(a)}" for n, a in areas.items())
        own = ui.plain(ctx.title(ctx.in_name))
        st.caption(
            f"Take an image of another set and one of {own}. How often does the first lie farther "
            f"from its nearest neighbour in {own}, in all {drawn.latents.shape[1]:,} units of "
            f"{layer}? {by_set}. At 50 % the two sets cannot be told apart."
        )


head = st.container()
bar = ui.settings(horizontal=True)
with bar:
    model = model_control()
evaluations = jobs.evaluations(ctx, model, (ctx.in_name, *ctx.out_names))
if ctx.in_name not in evaluations:
    with head:
        ui.header(
            "A layer is a map of which images look alike to the model",
            "Evaluate the chosen sets once, and the map appears here.",
        )
    raise ui.PageEnd
inside = evaluations[ctx.in_name]

with bar:
    layer = points.layer_control(model, points.default_layer(model, inside))
    level = model.names.index(layer)
    method = one_of("Method", place.METHODS, "PCA", key="l_method")
    by = one_of("Colour", map.COLOURS, "set", key="l_by")
    of, score = ctx.in_name, None
    if by == "class":
        names = list(evaluations)
        among("l_of", names)
        of = select("Classes of", {name: ctx.title(name) for name in names}, key="l_of", width=190)
    elif by == "score":
        score = score_control(model)
    most = max(1000, *(len(each) for each in evaluations.values()))
    count = st.number_input(
        "Images of each set", 100, most, 300, 100, key="l_count", bind="query-params", width=150
    )

with ui.in_place():
    mapped = points.gather(ctx, model, level, evaluations=evaluations, count=count)
    with head:
        ui.header(
            ui.plain(points.claim(ctx, model, level, inside=inside, points=mapped)),
            f"Each point is an image: its posterior mean E[{layer} | x] in "
            f"{ui.plain(model.title)}, seen in the plane. Images that lie together "
            "look alike to this layer. Draw a lasso around points to see their images.",
            spelled=(method,),
        )
    if mapped is None:
        raise ui.PageEnd
    placed = place.place(ctx, mapped, method)
    colouring = Colouring(by, of)
    if score is not None:
        colouring = map.score_values(score, mapped, evaluations)
    pictures = points.pictures(ctx, model, evaluations)
    every = LIVE_SECONDS if placed.running else None
    ui.fragment(map_and_selection, every=every)(mapped, placed, colouring, pictures=pictures)
    separations_line(mapped)
    table = partial(map.table, mapped, placed, colouring)
    saving.csv_button(table, f"latents-{layer}-{method}".lower())
