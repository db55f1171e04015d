"""OOD detection: densities, curves and rates of any score, and the table of all of them."""

from __future__ import annotations

import streamlit as st

from pages.ood import (
    charts,
    chosen,
    claims,
    degrees,
    flagged,
    line,
    models,
    paired_tests,
    subset,
    tables,
    threshold,
)
from pages.ood.models import ModelDetection
from pages.shared import offers, ui
from pages.shared.controls import one_of
from pages.shared.state import context

ctx = context()
titles = {name: ctx.title(name) for name in ctx.out_names if name != ctx.in_name}
SPELLED = ("nats", "false alarm")


@ui.fragment
def detection(detected: list[ModelDetection]) -> None:
    """Title, densities, threshold and curves of one score: what its controls move."""
    head = st.container()
    every, drawn = chosen.choose(ctx, detected, titles)
    with head:
        ui.header(*claims.headline(ctx, detected, every, drawn), spelled=SPELLED)
    if not every:
        return
    # Beside the charts of one model stand its controls; above those of several, whose they all are.
    above = st.columns(charts.SIDES, gap="large") if len(every) > 1 else ()
    rows = charts.rows_of(every)
    left, right = above or rows[0]
    slots = [row[0].container() for row in rows]
    with left:
        placed = threshold.control(every)
    with right:
        kind = one_of("Curve", ["ROC", "Precision-recall"], "ROC", key="o_curve")
    for (scored, at), slot, row in zip(placed, slots, rows, strict=True):
        with slot, ui.of_model(ctx, scored.model.handle), ui.in_place():
            charts.density(ctx, scored, at, drawn)
        with row[1], ui.of_model(ctx, scored.model.handle), ui.in_place():
            charts.curve(ctx, scored, at, drawn, kind=kind)
    with slots[0], ui.in_place():
        line.follow(placed, drawn, by_score=st.session_state.get("o_by") == "score")
    if drawn:
        rings = " A ring stands at the threshold." if any(at for _, at in placed) else ""
        rows[-1][1].caption(charts.AREAS[kind] + rings)
    with st.container() if above else left, ui.in_place():
        flagged.in_words(ctx, placed)
    if any(at for _, at in placed):
        with ui.in_place():
            flagged.rates(ctx, placed, titles)
            subset.takers(placed, drawn)
    with ui.in_place():
        subset.areas(ctx, every, titles)
    with ui.in_place():
        paired_tests.versus([scored.model for scored in every], every[0].score, titles)


def more_scores(detected: list[ModelDetection]) -> None:
    """Jobs for the scores that are not there yet, in a panel that is filled once it is opened."""
    with st.expander("More scores", key="o_more", on_change="rerun") as box:
        for model in detected if box.open else ():
            with ui.of_model(ctx, model.handle), ui.in_place():
                offers.draw(ctx, model.handle, model.materials, letter=model.letter)


body, jobs = st.container(), st.container()
detected: list[ModelDetection] = []
with jobs, ui.in_place():
    detected = models.detections(ctx)
with body:
    if detected:
        detection(detected)
    else:
        ui.header(*claims.headline(ctx, [], [], []), spelled=SPELLED)
    if any(model.outs for model in detected):
        tables.draw(ctx, detected, titles)
        with ui.in_place():
            paired_tests.draw(detected, titles)
    if detected:
        degrees.draw(ctx, detected)
        more_scores(detected)
