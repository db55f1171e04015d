"""OOD detection: densities, curves and rates of any score, and the table of all of them."""

from __future__ import annotations

import streamlit as st

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
from pages.ood import models, paired_tests, tables
from pages.ood import threshold as cut
from pages.ood.models import ModelDetection
from pages.ood.threshold import Placed, Scored
from pages.shared import offers, ui
from pages.shared.state import colors, context

ctx = context()
palette = colors()
titles = {name: ctx.title(name) for name in ctx.out_names if name != ctx.in_name}
places = {name: i for i, name in enumerate(titles)}

TABLE_HELP = (
    "Each score on equal numbers of in- and out-of-distribution images (Havtorn et al. 2021, "
    "section 5), the larger set thinned by seed. OOD is the positive class; AUROC with its DeLong "
    "95 % interval, AUPRC as average precision, FPR80 and FPR95 the false alarms at which 80 % and "
    "95 % of the OOD images are caught, each with its bootstrap interval. The same figures as "
    "`python -m hvae_core evaluate`."
)

TESTS_HELP = (
    "Paired test of DeLong et al. 1988: both scores rate the same images, so what they have in "
    "common cancels and a small difference can be certain where two intervals overlap. p is "
    "corrected for all tests of all scores on all sets (Holm), because the best score is known "
    "only after all were tried. The same figures as `python -m hvae_core contest`."
)


def density_charts(every: list[Scored], placed: list[Placed | None], drawn: list[str]) -> None:
    """One chart a model: their scores have different scales, and each its own threshold."""
    for one, at in zip(every, placed, strict=True):
        model, shown = one.model, [name for name in drawn if name in one.outs]
        if model.letter:
            st.markdown(f"**{model.letter}** {ui.plain(model.handle.title)}")
        figure = densities(
            one.inside,
            [(titles[name], one.outs[name]) for name in shown],
            palette,
            symbol=symbol_html(one.score.symbol),
            unit=one.score.unit,
            in_name=ctx.title(ctx.in_name),
            threshold=None if at is None else at.threshold,
            places=[places[name] for name in shown],
            model_index=model.index if model.letter else None,
            span=one.span,
            height=290 if len(every) > 1 else 380,
        )
        alt = "Densities of the score, in and out of distribution"
        name = f"density-{one.score.key}-{model.letter or 'A'}"
        ui.chart(figure, name, alt, key=f"o_density{model.index}")


def in_words(every: list[Scored], placed: list[Placed | None]) -> None:
    """The threshold of each model with its rates."""
    for one, at in zip(every, placed, strict=True):
        if at is None:
            continue
        who = f"**{one.model.letter}** " if one.model.letter else ""
        test = flagged(at.threshold, one.inside)
        st.markdown(
            f"{who}Flagged from **{fmt(at.threshold, one.score.unit)}** up: "
            f"{percent(at.held_out.value)} of {at.held_out.n} validation images, and of "
            f"{ui.plain(ctx.title(ctx.in_name))} "
            f"**{interval(100 * test.value, 100 * test.low, 100 * test.high, '%')}**."
            + cut.unlike(at, test)
        )


def rates(every: list[Scored], placed: list[Placed | None]) -> None:
    """What the thresholds flag of every set."""
    names = {ctx.in_name: f"{ctx.title(ctx.in_name)} (false alarms)"}
    names |= {name: title for name, title in titles.items() if any(name in o.sets for o in every)}
    shown = cut.rates_table(every, placed, names)
    bars = {
        column: st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100)
        for column in shown
        if column.startswith("Flagged")
    }
    st.dataframe(shown, hide_index=True, column_config=bars, alt="Share flagged of each set")


def curve_chart(every: list[Scored], placed: list[Placed | None], drawn: list[str]) -> None:
    """ROC or precision-recall, with areas in the legend and the threshold's place."""
    kind = st.segmented_control(
        "Curve", ["ROC", "Precision-recall"], default="ROC", key="o_curve", bind="query-params",
        required=True,
    )  # fmt: skip
    shown = {name: titles[name] for name in drawn}
    curves = cut.curves(every, placed, shown, places, kind or "ROC")
    if not curves:
        st.caption("Choose an out-of-distribution set to draw.")
        return
    figure = (roc if kind == "ROC" else precision_recall)(curves, palette)
    alt = f"{kind} curves of the chosen sets, with areas"
    ui.chart(figure, f"{kind}-{every[0].score.key}", alt, key="o_curves")
    area = "AUROC with 95 % interval" if kind == "ROC" else "AUPRC, as average precision"
    st.caption(f"In the legend: {area}. The marks are the threshold.")


@st.fragment
def detection(detected: list[ModelDetection]) -> None:
    """Densities, threshold and curves of one score: what the slider moves."""
    with ui.in_place():
        every, drawn = cut.choose(ctx, detected, titles)
        if not every:
            return
        left, right = st.columns([3, 2], gap="large")
        with left:
            slot = st.container()
            placed = cut.control(every)
            with slot, ui.in_place():
                density_charts(every, placed, drawn)
            with ui.in_place():
                in_words(every, placed)
        with right, ui.in_place():
            curve_chart(every, placed, drawn)
        if any(placed):
            with ui.in_place():
                rates(every, placed)
        if len(every) == 2:
            with ui.in_place():
                versus(detected, every[0].score)


@st.fragment
def table(detected: list[ModelDetection]) -> None:
    """Sets by scores, one metric at a time as a heat map, all of them as numbers."""
    with ui.in_place():
        st.subheader("All scores on all sets", anchor=False, help=TABLE_HELP)
        metric = st.segmented_control(
            "Metric", list(tables.METRICS), default="AUROC", key="o_metric",
            bind="query-params", required=True, label_visibility="collapsed",
        ) or "AUROC"  # fmt: skip
        scores = list(models.scores_of(detected).values())
        if metric != "AUROC":
            detected = models.with_intervals(detected)
        rows, values, lows, highs = tables.heat(detected, titles, scores, metric)
        figure = metric_heat(
            values, rows, [symbol_html(score.symbol) for score in scores], palette, metric=metric,
            lows=lows, highs=highs, higher_is_better=not metric.startswith("FPR"),
        )  # fmt: skip
        with st.container(key="scroll_wide_o_heat"):
            alt = f"{metric} of every score on every set"
            ui.chart(figure, f"table-{metric}", alt, key="o_heat")
        st.caption(models.equal_numbers_note(detected, titles))
        for score, reason in models.unavailable(detected):
            st.caption(f"${score.symbol}$ cannot be had: {ui.plain(reason)}")
        with st.expander("All numbers", key="o_numbers", on_change="rerun") as panel:
            if panel.open:
                every = tables.numbers(models.with_intervals(detected), titles)
                st.dataframe(every.round(3), hide_index=True)
        with st.container(horizontal=True):
            ui.csv_button(
                lambda: tables.numbers(models.with_intervals(detected), titles),
                "detection",
                "Table (CSV)",
            )
            ui.csv_button(lambda: tables.images_table(detected, ctx), "scores", "Every image (CSV)")


def tests(detected: list[ModelDetection]) -> None:
    """Which differences between areas are more than chance: paired tests on the same images."""
    st.subheader("Which differences are certain", anchor=False, help=TESTS_HELP)
    for model in detected:
        with ui.in_place():
            found = paired_tests.against_likelihood(model)
            who = f"**{model.letter}** " if model.letter else ""
            st.markdown(
                f"{who}The best score of each set against $-\\mathcal{{L}}$:"
                if found
                else f"{who}No score does better than $-\\mathcal{{L}}$ on any set."
            )
            if found:
                made = paired_tests.table(titles, found, model.report.scores)
                names = {"First": "AUROC", "Second": "AUROC of −L"}
                st.dataframe(made.rename(columns=names), hide_index=True, alt="Tests against −L")


def versus(detected: list[ModelDetection], score: Score) -> None:
    """The chosen score under A against the same under B."""
    found = paired_tests.of_models(detected, score)
    st.markdown(
        f"${score.symbol}$ under **A** against the same under **B**, a paired test on the same "
        "images:"
    )
    made = paired_tests.table(titles, found, [score]).drop(columns="Score")
    names = {"First": "AUROC of A", "Second": "AUROC of B"}
    st.dataframe(made.rename(columns=names), hide_index=True, alt="Tests of A against B")


head, body, jobs = st.container(), st.container(), st.container()
with jobs, ui.in_place():
    found = models.detections(ctx)
with head:
    ui.header(*models.headline(ctx, found))
with body:
    if found:
        detection(found)
    if found and any(model.outs for model in found):
        table(found)
        with ui.in_place():
            tests(found)
    if found:
        with st.expander("More scores", key="o_more", on_change="rerun") as panel:
            if panel.open:
                for model in found:
                    with ui.in_place():
                        if model.letter:
                            st.markdown(f"**{model.letter}** {ui.plain(model.handle.title)}")
                        offers.draw(ctx, model.handle, model.materials, model.letter)
