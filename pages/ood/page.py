"""OOD detection: densities, curves and rates of any score, and the table of all of them."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import streamlit as st

from hvae_core.common.places import COMMAND
from hvae_core.detection.metrics import flagged
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
from pages.ood import claims, code, degrees, line, models, paired_tests, subset, tables, threshold
from pages.ood.models import ModelDetection
from pages.ood.threshold import Placed
from pages.shared import offers, panel, ui
from pages.shared.controls import one_of
from pages.shared.remembered import remembered
from pages.shared.state import colors, context

ctx = context()
palette = colors()
titles = {name: ctx.title(name) for name in ctx.out_names if name != ctx.in_name}
SPELLED = ("nats", "false alarm")
places = {name: place for name in titles if (place := ctx.place(name)) is not None}

TABLE_HELP = (
    "Each score on equal numbers of in- and out-of-distribution images (Havtorn et al. 2021, "
    "section 5), the larger set thinned by seed. OOD is the positive class; AUROC with its DeLong "
    "95 % interval, AUPRC as average precision, FPR80 and FPR95 the false alarms at which 80 % and "
    "95 % of the OOD images are caught, each with its bootstrap interval. The same figures as "
    f"`{COMMAND} evaluate`."
)

TESTS_HELP = (
    "Paired test of DeLong et al. 1988: both scores rate the same images, so what they have in "
    "common cancels and a small difference can be certain where two intervals overlap. p is "
    "corrected for all tests of all scores on all sets (Holm), because the best score is known "
    "only after all were tried. Certain: this p is at most 0.05. The same figures as "
    f"`{COMMAND} contest`."
)


def who(model: ModelDetection) -> str:
    """A sentence's start that names the model, where there are two."""
    return f"**{model.letter}:** " if model.letter else ""


def density_charts(placed: Placed, drawn: list[str]) -> None:
    """One chart a model: their scores have different scales, and each its own threshold."""
    for scored, at in placed:
        model, score = scored.model, scored.score
        shown = [name for name in drawn if name in scored.outs]
        height = 290 if len(placed) > 1 else 380
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
            model_index=model.index if model.letter else None,
            span=scored.span,
            height=height,
        )
        alt = f"Densities of {score.name}, in and out of distribution"
        name = f"density-{score.key}-{model.letter or 'A'}"
        made = code.density(
            ctx, scored, at, places={name: places[name] for name in shown}, height=height
        )
        taking = subset.from_chart(f"o_density{model.index}", scored, shown)
        with ui.of_model(ctx, model.handle):
            ui.chart(figure, name, alt, code=made, **taking)


def in_words(placed: Placed) -> None:
    """The threshold of each model with its rates."""
    for scored, at in placed:
        if at is None:
            continue
        text = (
            f"{who(scored.model)}Flagged are images that score "
            f"**{fmt(at.value, scored.score.unit)}** or more: {percent(at.held_out.value)} of "
            f"{at.held_out.n:,} held-out images"
        )
        if scored.by_itself:
            panel.said(
                f"{text}. These images place the threshold, and there are no others of their kind, "
                "so this rate does not test it."
            )
            continue
        test = flagged(at.value, scored.inside)
        panel.said(
            f"{text}, and of {ui.plain(ctx.title(ctx.in_name))} "
            f"**{interval(100 * test.value, 100 * test.low, 100 * test.high, unit='%')}**."
            + threshold.unlike(at, test)
        )


def curve_chart(placed: Placed, drawn: list[str]) -> None:
    """ROC or precision-recall, with areas in the legend and the threshold's place."""
    kind = one_of("Curve", ["ROC", "Precision-recall"], "ROC", key="o_curve")
    curves = threshold.curves(placed, {name: titles[name] for name in drawn}, places, kind=kind)
    if not curves:
        st.caption("Choose an out-of-distribution set to draw.")
        return
    figure = remembered(roc if kind == "ROC" else precision_recall, curves, palette)
    alt = f"{kind} curves of {placed[0][0].score.name} on the chosen sets, with areas"
    made = code.curve(ctx, placed, {name: titles[name] for name in drawn}, places, kind=kind)
    ui.chart(figure, f"{kind}-{placed[0][0].score.key}", alt, key="o_curves", code=made)
    area = "AUROC with 95 % interval" if kind == "ROC" else "AUPRC, as average precision"
    st.caption(f"In the legend: {area}. The marks show the threshold.")


def rates(placed: Placed) -> None:
    """What the thresholds flag of every set."""
    names = {ctx.in_name: f"{ctx.title(ctx.in_name)} (false alarms)"}
    judged = {name for scored, _ in placed for name in scored.sets}
    names |= {name: title for name, title in titles.items() if name in judged}
    rows = threshold.rates_table(placed, names)
    bars = {
        column: st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100)
        for column in rows
        if column.startswith("Flagged")
    }
    made = code.rates(ctx, placed, titles)
    ui.table(rows, "flagged", "Share flagged of each set", code=made, column_config=bars)


def versus(pair: tuple[ModelDetection, ModelDetection], score: Score) -> None:
    """The chosen score under one model against the same under another."""
    by_set = paired_tests.of_models(pair, score)
    first, second = (model.letter for model in pair)
    st.markdown(
        f"${score.symbol}$ under **{first}** against the same score under **{second}**, tested on "
        "the same images:"
    )
    rows = paired_tests.table(titles, by_set, [score]).drop(columns="Score")
    rows = rows.rename(columns={"First": f"AUROC of {first}", "Second": f"AUROC of {second}"})
    ui.table(rows, f"tests-{first}-{second}", f"Tests of {first} against {second}")


@ui.fragment
def detection(detected: list[ModelDetection]) -> None:
    """Title, densities, threshold and curves of one score: what its controls move."""
    head = st.container()
    every, drawn = threshold.choose(ctx, detected, titles)
    with head:
        ui.header(*claims.headline(ctx, detected, every, drawn), spelled=SPELLED)
    if not every:
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        slot = st.container()
        placed = threshold.control(every)
        with slot, ui.in_place():
            density_charts(placed, drawn)
            line.follow(placed, by_score=st.session_state.get("o_by") == "score")
        with ui.in_place():
            in_words(placed)
    with right, ui.in_place():
        curve_chart(placed, drawn)
    if any(at for _, at in placed):
        with ui.in_place():
            rates(placed)
            subset.takers(placed, drawn)
    with ui.in_place():
        subset.areas(ctx, every, titles)
    for pair in combinations([scored.model for scored in every], 2):
        with ui.in_place():
            versus(pair, every[0].score)


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
    for score, reason in models.unavailable(detected):
        st.caption(f"${score.symbol}$ is not available: {ui.plain(reason)}")

    def numbers() -> pd.DataFrame:
        return tables.numbers(models.with_intervals(detected), titles)

    with st.expander("All numbers", key="o_numbers", on_change="rerun") as box:
        if box.open:
            told = numbers().round(3)
            three = st.column_config.NumberColumn(format="%.3f")
            columns = {str(name): three for name in told.select_dtypes("float")}
            st.dataframe(told, hide_index=True, column_config=columns)
    with st.container(horizontal=True):
        ui.csv_button(numbers, "detection", "Table (CSV)")
        ui.csv_button(lambda: tables.images_table(detected, ctx), "scores", "Every image (CSV)")


def tests(detected: list[ModelDetection]) -> None:
    """Which differences between areas are more than chance: paired tests on the same images."""
    st.subheader("Which differences are certain", anchor=False, help=TESTS_HELP)
    for model in detected:
        with panel.view().under(model.letter), ui.in_place():
            by_set = paired_tests.against_likelihood(model)
            if not by_set:
                panel.said(f"{who(model)}No score does better than $-\\mathcal{{L}}$ on any set.")
                continue
            st.markdown(f"{who(model)}The best score of each set against $-\\mathcal{{L}}$:")
            rows = paired_tests.table(titles, by_set, model.report.scores)
            rows = rows.rename(columns={"First": "AUROC", "Second": "AUROC of −L"})
            ui.table(rows, f"tests-{model.letter}", "Tests of the best score against −L")


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
