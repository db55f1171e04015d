"""The charts of the chosen score under each model: densities of the sets, and one curve of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hvae_core.detection.metrics import equal_numbers, pr_curve, rates_at, roc_curve
from hvae_core.figures import Curve, densities, precision_recall, roc, symbol_html
from pages.ood import claims, code, subset
from pages.ood.chosen import ScoredModel
from pages.ood.threshold import PlacedThreshold
from pages.shared import panel, room, ui
from pages.shared.beside import grid
from pages.shared.remembered import remembered
from pages.shared.state import Context, colors

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


def places_of(ctx: Context, names: Iterable[str]) -> dict[str, int]:
    """The sets' places in the palette, by name."""
    return {name: place for name in names if (place := ctx.place(name)) is not None}


def rows_of(every: list[ScoredModel]) -> list[tuple[DeltaGenerator, ...]]:
    """The places of each model's densities and curve: beside each other, or those of models."""
    return [tuple(st.columns(SIDES, gap="large"))] if len(every) == 1 else grid(len(every), 2)


def density(
    ctx: Context, scored: ScoredModel, at: PlacedThreshold | None, drawn: Sequence[str]
) -> None:
    """Densities of the sets under one model, whose scores have a scale of their own."""
    model, score = scored.model, scored.score
    shown = [name for name in drawn if name in scored.outs]
    places = places_of(ctx, shown)
    alone = (TOURED if ui.touring() else ALONE) + 16 * len(shown)  # and its legend
    height = SMALL + 21 * len(shown) if model.letter else alone
    figure = remembered(
        densities,
        scored.inside,
        [(ctx.title(name), scored.outs[name]) for name in shown],
        colors(),
        symbol=symbol_html(score.symbol),
        unit=score.unit,
        in_name=ctx.title(ctx.in_name),
        threshold=None if at is None else at.value,
        places=[*places.values()],
        span=scored.span_of(shown),
        height=height,
    )
    alt = f"Densities of {score.name}, in and out of distribution"
    made = code.density(ctx, scored, at, places=places, height=height)
    name = f"density-{score.key}-{model.letter or 'A'}"
    taking = subset.from_chart(f"o_density{model.index}", scored, shown)
    ui.chart(figure, name, alt, code=made, width=room.HALF if model.letter else WIDE, **taking)
    named = {name: ctx.title(name) for name in (ctx.in_name, *shown)}
    if told := claims.beyond(scored, named):
        with st.container(key=f"o_beyond{model.index}"):
            panel.said(ui.plain(told), note=True)


def curve(
    ctx: Context,
    scored: ScoredModel,
    at: PlacedThreshold | None,
    drawn: Sequence[str],
    *,
    kind: str,
) -> None:
    """ROC or precision-recall under one model, with areas in the legend, and the threshold."""
    named = {name: ctx.title(name) for name in drawn}
    places = places_of(ctx, drawn)
    lines = curves(scored, at, named, places=places, kind=kind)
    if not lines:
        st.caption("Choose an out-of-distribution set to draw.")
        return
    model, score = scored.model, scored.score
    small = {"height": SMALL} if ui.touring() else {}
    figure = remembered(roc if kind == "ROC" else precision_recall, lines, colors(), **small)
    alt = f"{kind} curves of {score.name} on the chosen sets, with areas"
    made = code.curve(ctx, scored, at, named, places=places, kind=kind, **small)
    name = f"{kind}-{score.key}-{model.letter or 'A'}"
    ui.chart(figure, name, alt, key=f"o_curves{model.index}", code=made)


def curves(
    scored: ScoredModel,
    threshold: PlacedThreshold | None,
    titles: Mapping[str, str],
    *,
    places: Mapping[str, int],
    kind: str,
) -> list[Curve]:
    """ROC or PR curves on equal numbers of images, with the threshold's place on each."""
    return [
        _curve(scored, threshold, name, title=title, place=places[name], kind=kind)
        for name, title in titles.items()
        if name in scored.outs
    ]


def _curve(
    scored: ScoredModel,
    threshold: PlacedThreshold | None,
    name: str,
    *,
    title: str,
    place: int,
    kind: str,
) -> Curve:
    model = scored.model
    metrics = model.metrics(name)[scored.score.key]
    sides = equal_numbers(scored.inside, scored.outs[name], model.report.seed)
    rates = None if threshold is None else rates_at(threshold.value, *sides)
    if kind == "ROC":
        points, area = roc_curve(*sides), (metrics.auroc, metrics.low, metrics.high)
        point = None if rates is None else (rates.false_alarms, rates.detected)
    else:
        points, area = pr_curve(*sides), (metrics.auprc, np.nan, np.nan)
        point = None if rates is None else (rates.detected, rates.precision)
    return Curve(
        title,
        points.x,
        points.y,
        *area,
        set_index=place,
        chance=None if kind == "ROC" else 0.5,
        point=point,
    )
