"""OOD detection: densities, curves and rates of any score, and the table of all of them."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hvae_core.common.places import COMMAND
from hvae_core.detection.metrics import flagged
from hvae_core.detection.paired_tests import PairedTest
from hvae_core.figures import (
    densities,
    fmt,
    interval,
    metric_heat,
    percent,
    precision_recall,
    roc,
    symbol_html,
)
from hvae_core.scores import Score
from pages.ood import (
    claims,
    code,
    dead_top,
    degrees,
    line,
    models,
    paired_tests,
    subset,
    tables,
    threshold,
)
from pages.ood.models import ModelDetection
from pages.ood.threshold import Placed, PlacedThreshold, ScoredModel
from pages.shared import offers, panel, room, saving, ui
from pages.shared.beside import grid
from pages.shared.controls import one_of
from pages.shared.remembered import remembered
from pages.shared.state import colors, context

ctx = context()
palette = colors()
titles = {name: ctx.title(name) for name in ctx.out_names if name != ctx.in_name}
SPELLED = ("nats", "false alarm")
places = {name: place for name in titles if (place := ctx.place(name)) is not None}

SIDES = (3, 2)
WIDE = 517
"""Pixels of the densities of one model in a window of 1280; charts of several are half a page."""
SMALL = 330
"""Pixels of a chart, less a row a set, where each model has a row of charts of its own."""
ALONE, TOURED = 316, 246
"""Of the densities of one model, and where a step of the tour stands above them."""
AREAS = {
    "ROC": "In the legend: AUROC with 95 % interval.",
    "Precision-recall": "In the legend: AUPRC, as average precision.",
}

TABLE_HELP = (
    "Each score on equal numbers of in- and out-of-distribution images (Havtorn et al. 2021, "
    "section 5), the larger set thinned by seed. OOD is the positive class; AUROC with its DeLong "
    "95 % interval, AUPRC as average precision, FPR80 and FPR95 the false alarms at which 80 % and "
    "95 % of the OOD images are caught, each with its bootstrap interval. The same figures as "
    f"`{COMMAND} evaluate`."
)


def who(model: ModelDetection) -> str:
    """A sentence's start that names the model, where there are two."""
    return f"**{model.letter}:** " if model.letter else ""


def density_chart(scored: ScoredModel, at: PlacedThreshold | None, drawn: list[str]) -> None:
    """Densities of the sets under one model, whose scores have a scale of their own."""
    model, score = scored.model, scored.score
    shown = [name for name in drawn if name in scored.outs]
    alone = (TOURED if ui.touring() else ALONE) + 16 * len(shown)  # and its legend
    height = SMALL + 21 * len(shown) if model.letter else alone
    figure = remembered(
        densities,
        scored.inside,
        [(titles[name], scored.outs[name]) for name in shown],
        palette,
        symbol=symbol_html(score.symbol),
        unit=score.unit,
        in_name=ctx.title(ctx.in_name),
        threshold=None if at is None else at.value,
        places=[places[name] for name in shown],
        span=scored.span_of(shown),
        height=height,
    )
    alt = f"Densities of {score.name}, in and out of distribution"
    made = code.density(
        ctx, scored, at, places={name: places[name] for name in shown}, height=height
    )
    name = f"density-{score.key}-{model.letter or 'A'}"
    taking = subset.from_chart(f"o_density{model.index}", scored, shown)
    ui.chart(figure, name, alt, code=made, width=room.HALF if model.letter else WIDE, **taking)
    named = {name: ctx.title(name) for name in (ctx.in_name, *shown)}
    if told := claims.beyond(scored, named):
        with st.container(key=f"o_beyond{model.index}"):
            panel.said(ui.plain(told), note=True)


def in_words(placed: Placed) -> None:
    """The threshold of each model with its rates."""
    judged = [(scored, at) for scored, at in placed if at is not None]
    for (scored, at), (place,) in zip(judged, grid(len(judged)), strict=True):
        text = (
            f"{who(scored.model)}Flagged are images that score "
            f"**{fmt(at.value, scored.score.unit)}** or more: {percent(at.held_out.value)} of "
            f"{at.held_out.n:,} held-out images"
        )
        if scored.by_itself:
            text += (
                ". These images place the threshold, and there are no others of their kind, so "
                "this rate does not test it."
            )
        else:
            test = flagged(at.value, scored.inside)
            text += (
                f", and of {ui.plain(ctx.title(ctx.in_name))} "
                f"**{interval(100 * test.value, 100 * test.low, 100 * test.high, unit='%')}**."
                + threshold.unlike(at, test)
            )
        with place:
            panel.said(text)
            if asks := dead_top.told(scored):
                panel.said(asks, note=True)


def curve_chart(
    scored: ScoredModel, at: PlacedThreshold | None, drawn: list[str], *, kind: str
) -> None:
    """ROC or precision-recall under one model, with areas in the legend, and the threshold."""
    named = {name: titles[name] for name in drawn}
    curves = threshold.curves(scored, at, named, places=places, kind=kind)
    if not curves:
        st.caption("Choose an out-of-distribution set to draw.")
        return
    model, score = scored.model, scored.score
    small = {"height": SMALL} if ui.touring() else {}
    figure = remembered(roc if kind == "ROC" else precision_recall, curves, palette, **small)
    alt = f"{kind} curves of {score.name} on the chosen sets, with areas"
    made = code.curve(ctx, scored, at, named, places=places, kind=kind, **small)
    name = f"{kind}-{score.key}-{model.letter or 'A'}"
    ui.chart(figure, name, alt, key=f"o_curves{model.index}", code=made)


def rates(placed: Placed) -> None:
    """What the thresholds flag of every set."""
    names = {ctx.in_name: f"{ctx.title(ctx.in_name)} (false alarms)"}
    judged = {name for scored, _ in placed for name in scored.sets}
    names |= {name: title for name, title in titles.items() if name in judged}
    rows, columns = threshold.rates_table(placed, names)
    made = code.rates(ctx, placed, titles)
    ui.table(rows, "flagged", "Share flagged of each set", code=made, column_config=columns)


def versus(every: list[ModelDetection], score: Score) -> None:
    """The chosen score under each model against the same under each other one."""
    made: list[tuple[ModelDetection, ModelDetection, tuple[PairedTest, ...]]] = []
    for pair in combinations(every, 2):
        with ui.in_place():
            made.append((*pair, paired_tests.of_models(pair, score)))
    if not made:
        return
    corrected = paired_tests.together([tests for *_, tests in made])
    found = [
        (a, b, {test.set_name: test for test in tests})
        for (a, b, _), tests in zip(made, corrected, strict=True)
    ]
    several = f" {paired_tests.CERTAIN} {paired_tests.NO_TEST}" if len(found) > 1 else ""
    st.markdown(
        f"${score.symbol}$ under one model against another, tested on the same images.{several}"
    )
    if several:
        rows, columns = paired_tests.table_of_pairs(titles, found)
        ui.table(rows, "tests-pairs", "Tests of each model against each", column_config=columns)
        return
    ((a, b, by_set),) = found
    first, second = a.letter, b.letter
    heads = f"AUROC of {first}", f"AUROC of {second}"
    rows, columns = paired_tests.table(titles, by_set, [score], heads=heads)
    alt = f"Tests of {first} against {second}"
    ui.table(rows, f"tests-{first}-{second}", alt, column_config=columns)


def charts_of(every: list[ScoredModel]) -> list[tuple[DeltaGenerator, ...]]:
    """The places of each model's densities and curve: beside each other, or those of models."""
    return [tuple(st.columns(SIDES, gap="large"))] if len(every) == 1 else grid(len(every), 2)


@ui.fragment
def detection(detected: list[ModelDetection]) -> None:
    """Title, densities, threshold and curves of one score: what its controls move."""
    head = st.container()
    every, drawn = threshold.choose(ctx, detected, titles)
    with head:
        ui.header(*claims.headline(ctx, detected, every, drawn), spelled=SPELLED)
    if not every:
        return
    # Beside the charts of one model stand its controls; above those of several, whose they all are.
    above = st.columns(SIDES, gap="large") if len(every) > 1 else ()
    rows = charts_of(every)
    left, right = above or rows[0]
    slots = [row[0].container() for row in rows]
    with left:
        placed = threshold.control(every)
    with right:
        kind = one_of("Curve", ["ROC", "Precision-recall"], "ROC", key="o_curve")
    for (scored, at), slot, row in zip(placed, slots, rows, strict=True):
        with slot, ui.of_model(ctx, scored.model.handle), ui.in_place():
            density_chart(scored, at, drawn)
        with row[1], ui.of_model(ctx, scored.model.handle), ui.in_place():
            curve_chart(scored, at, drawn, kind=kind)
    with slots[0], ui.in_place():
        line.follow(placed, drawn, by_score=st.session_state.get("o_by") == "score")
    if drawn:
        rings = " A ring stands at the threshold." if any(at for _, at in placed) else ""
        rows[-1][1].caption(AREAS[kind] + rings)
    with st.container() if above else left, ui.in_place():
        in_words(placed)
    if any(at for _, at in placed):
        with ui.in_place():
            rates(placed)
            subset.takers(placed, drawn)
    with ui.in_place():
        subset.areas(ctx, every, titles)
    with ui.in_place():
        versus([scored.model for scored in every], every[0].score)


@ui.fragment
def table(detected: list[ModelDetection]) -> None:
    """Sets by scores, one metric at a time as a heat map, all of them as numbers."""
    st.subheader("All scores on all sets", anchor=False, help=TABLE_HELP)
    metric = one_of(
        "Metric", list(tables.METRICS), "AUROC", key="o_metric", label_visibility="collapsed"
    )
    scores = list(models.scores_of(detected).values())
    if metric != "AUROC":
        detected = models.with_intervals(detected)
    rows, values, lows, highs = tables.heat(detected, titles, scores, metric=metric)
    symbols = [symbol_html(score.symbol) for score in scores]
    figure = remembered(
        metric_heat, values, rows, symbols, colors=palette, metric=metric, lows=lows, highs=highs,
        higher_is_better=not metric.startswith("FPR"),
    )  # fmt: skip
    with ui.columns_of_numbers("o_heat_place", len(scores)):
        alt = f"{metric} of every score on every set"
        made = code.heat(ctx, detected, titles, scores, metric=metric)
        ui.chart(figure, f"table-{metric}", alt, key="o_heat", code=made)
    named = {ctx.in_name: ctx.title(ctx.in_name), **titles}
    panel.said(models.equal_numbers_note(detected, named), note=True)
    for letters, score, reason in models.unavailable(detected):
        under = f" under {letters}" if letters else ""
        st.caption(f"${score.symbol}$ is not available{under}: {ui.plain(reason)}")

    def numbers() -> pd.DataFrame:
        return tables.numbers(models.with_intervals(detected), titles)

    with st.expander("All numbers", key="o_numbers", on_change="rerun") as box:
        if box.open:
            told = numbers().round(3)
            three = st.column_config.NumberColumn(format="%.3f")
            columns = {str(name): three for name in told.select_dtypes("float")}
            st.dataframe(told, hide_index=True, column_config=columns)
    with st.container(horizontal=True):
        saving.csv_button(numbers, "detection", "Table (CSV)")
        saving.csv_button(lambda: tables.images_table(detected, ctx), "scores", "Every image (CSV)")


def tests(detected: list[ModelDetection]) -> None:
    """Which differences between areas are more than chance: paired tests on the same images."""
    st.subheader("Which differences are certain", anchor=False, help=paired_tests.HELP)
    made: list[tuple[ModelDetection, tuple[PairedTest, ...]]] = []
    for model in detected:
        with panel.view().under(model.letter), ui.in_place():
            made.append((model, paired_tests.against_likelihood(model)))
    found: list[tuple[ModelDetection, dict[str, PairedTest]]] = []
    corrected = paired_tests.together([tests for _, tests in made])
    for (model, _), tests in zip(made, corrected, strict=True):
        if by_set := paired_tests.best_of(tests):
            found.append((model, by_set))
            continue
        with panel.view().under(model.letter):
            panel.said(f"{who(model)}No score does better than $-\\mathcal{{L}}$ on any set.")
    if found:
        told = f"{paired_tests.TRIED} {paired_tests.NO_BETTER} “{paired_tests.ABSENT}”: no results."
        several = f" {told}" if len(found) > 1 else ""
        whose = who(found[0][0]) if len(found) == 1 else ""
        st.markdown(f"{whose}The best score of each set against $-\\mathcal{{L}}$.{several}")
    if len(found) > 1:
        rows, columns = paired_tests.table_of_models(titles, found)
        alt = "Tests of the best score of each model against −L"
        ui.table(rows, "tests-likelihood", alt, column_config=columns)
    for model, by_set in found if len(found) == 1 else ():
        with panel.view().under(model.letter):
            heads = "AUROC", "AUROC of −L"
            rows, columns = paired_tests.table(titles, by_set, model.report.scores, heads=heads)
            alt = "Tests of the best score against −L"
            ui.table(rows, f"tests-{model.letter}", alt, column_config=columns)


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
        table(detected)
        with ui.in_place():
            tests(detected)
    if detected:
        degrees.draw(ctx, detected)
        more_scores(detected)
