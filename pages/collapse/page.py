"""Collapse: how much each layer says, which ones say nothing, and since when."""

from __future__ import annotations

import streamlit as st

from hvae_core.evaluation.collapse_why import paragraph, recipe
from hvae_core.evaluation.collapse_words import in_words
from hvae_core.figures import active_units, bits_by_k, kl_bars, kl_history, unit_heatmap
from pages.collapse import code, information, layers, remedies, tables
from pages.collapse.helps import BITS_HELP, KL_HELP, UNITS_HELP
from pages.collapse.information import Measured
from pages.collapse.layers import CollapseSettings, Layers
from pages.shared import jobs, panel, saving, store, ui
from pages.shared.controls import head_row, one_of
from pages.shared.remembered import remembered
from pages.shared.state import colors, context

ctx = context()
palette = colors()


def kl_part(models: list[Layers], settings: CollapseSettings, name: str) -> None:
    """KL of each layer on the set: a unit, as the threshold counts it, and in all."""
    st.subheader("KL per layer", anchor=False, help=KL_HELP)
    bars = [(m.handle.title, m.result.kl, m.handle.units) for m in models]
    below, thin = settings.collapsed_below, [m.found.thin for m in models]
    left, right = st.columns(2, gap="large")
    for column, per_dim in ((left, True), (right, False)):
        figure = remembered(
            kl_bars,
            bars,
            palette,
            names=layers.names_of(models),
            per_dim=per_dim,
            threshold=below,
            thin=thin,
            letters=ctx.letters_of(layers.handles_of(models)),
        )
        with column:
            st.caption("KL of a unit, which the threshold is about" if per_dim else "KL of a layer")
            kind = "a unit of each layer" if per_dim else "each layer"
            alt = f"Bars of the KL of {kind}, collapsed layers hatched, thin ones dotted"
            made = code.kl(ctx, layers.handles_of(models), name, below=below, per_dim=per_dim)
            ui.chart(figure, "collapse-kl-unit" if per_dim else "collapse-kl", alt, code=made)
    table = tables.layer_table(models)
    saving.csv_button(lambda: table, "layers", "Layers (CSV)")


def split_control() -> str:
    """Whose KL the history shows."""
    with head_row():
        st.subheader("KL over training", anchor=False, width="content")
        return one_of(
            "KL over training on", list(layers.SPLITS), "validation", key="c_history",
            label_visibility="collapsed",
        )  # fmt: skip


def history_part(split: str) -> None:
    """KL of each layer over training, for the models whose file tells."""
    histories = layers.histories(ctx.models, split, per_dim=False)
    titles = {past.title for past in histories}
    for handle in ctx.models:
        if handle.title not in titles:
            st.caption(
                f"{ui.plain(handle.title)}: the file keeps no history of the KL on {split} images."
            )
    if not histories:
        return
    known = [handle for handle in ctx.models if handle.title in titles]
    figure = remembered(
        kl_history,
        [(past.title, past.epochs, past.kl) for past in histories],
        palette,
        names=[past.names for past in histories],
        unit="nats",
        letters=ctx.letters_of(known),
    )
    made = code.history(ctx, known, split)
    alt = "Lines of the KL of each layer over the epochs"
    ui.chart(figure, "collapse-history", alt, code=made)
    table = tables.history_table(histories, split, "nats")
    saving.csv_button(lambda: table, "history", "History (CSV)")


def words_part(models: list[Layers], settings: CollapseSettings, name: str) -> None:
    """The layers in words, collapsed ones first."""
    st.subheader("Layers in words", anchor=False)
    for column, model in zip(st.columns(len(models), gap="large"), models, strict=True):
        lines = [
            f"- **{line.text}**" if line.collapsed else f"- {line.text}"
            for line in in_words(model.found)
        ]
        head = f"*{ui.plain(model.handle.title)}*"
        with column, panel.view().under(ctx.letter(model.handle)):
            below = settings.collapsed_below
            made = code.finding(ctx, model.handle, name, below=below)
            panel.said("\n".join([head, "", *lines]), "Layers in words", code=made)
            panel.said(ui.plain(model.spread), note=True)
            panel.offer(f"collapse-words-{model.handle.name}", made)


def active_part(models: list[Layers], settings: CollapseSettings, name: str) -> None:
    """Active units of each layer."""
    st.subheader("Active units", anchor=False, help=UNITS_HELP)
    figure = remembered(
        active_units,
        [(m.handle.title, m.active, m.handle.units) for m in models],
        palette,
        names=layers.names_of(models),
        height=300,
        letters=ctx.letters_of(layers.handles_of(models)),
    )
    made = code.active(ctx, layers.handles_of(models), name, above=settings.active_above)
    ui.chart(figure, "collapse-active", "Share of active units of each layer", code=made)


def variance_part(models: list[Layers], settings: CollapseSettings, name: str) -> None:
    """The variance of every unit's posterior mean."""
    st.subheader("Variance of every unit", anchor=False, help=UNITS_HELP)
    for model in models:
        handle = model.handle
        if len(models) > 1:
            st.caption(ui.plain(handle.title))
        threshold = settings.active_above
        figure = remembered(
            unit_heatmap, model.variances, palette, names=handle.names, threshold=threshold
        )
        alt = f"Variance of every unit, {handle.title}"
        made = code.variance(ctx, handle, name, above=threshold)
        with panel.view().under(ctx.letter(handle)):
            ui.chart(figure, f"collapse-units-{handle.name}", alt, code=made)
    saving.csv_button(lambda: tables.unit_table(models), "units", "Units (CSV)")


def bits_part(models: list[Layers], name: str) -> None:
    """What an image costs when the lowest k layers have not seen it."""
    st.subheader("Bits per dimension by k", anchor=False, help=BITS_HELP)
    figure = remembered(
        bits_by_k,
        [(m.handle.title, m.result.bound_bits, m.result.nll_bits) for m in models],
        palette,
        levels=[m.handle.level_names for m in models],
        counted=store.counted(ctx.models),
        letters=ctx.letters_of(layers.handles_of(models)),
    )
    alt = "Bits per dimension of the bound and of the pixels by k"
    ui.chart(figure, "collapse-bits", alt, code=code.bits(ctx, layers.handles_of(models), name))


def cards_part() -> None:
    """What the files say of themselves."""
    st.subheader("Model cards" if len(ctx.models) > 1 else "Model card", anchor=False)
    st.table(tables.cards(ctx.models, ctx.letters).map(ui.plain).rename(columns=ui.plain))


def measured_parts(models: list[Layers], settings: CollapseSettings, name: str) -> None:
    """Units, counted and one by one, then what is known by k: no part without a neighbour."""
    left, curves = st.columns(2, gap="large")
    with left, ui.in_place():
        active_part(models, settings, name)
    with ui.in_place():
        variance_part(models, settings, name)
    left, right = st.columns(2, gap="large")
    measured: list[Measured] = []
    with left, ui.in_place():
        bits_part(models, name)
    with right, ui.in_place():
        measured = information.draw(ctx, models, name)
    with curves, ui.in_place():
        information.draw_curves(ctx, models, measured, settings=settings, name=name)


@ui.fragment
def body() -> None:
    """The whole page: a threshold changes the claim, the charts and the words together."""
    head = st.container()
    evaluated = {
        name: ctx.title(name)
        for name in layers.set_names(ctx)
        if ctx.evaluation(ctx.a, name) is not None
    }
    name, settings = layers.controls(evaluated or {ctx.in_name: ctx.title(ctx.in_name)})
    offers = st.container()
    bars = st.container()
    left, right = st.columns(2, gap="large")
    with left:
        split = split_control()
    models = []
    with offers:
        for handle in ctx.models:
            evaluations = jobs.evaluations(ctx, handle, [name], name_missing=handle is ctx.a)
            if name in evaluations:
                models.append(
                    layers.layers_of(ctx, handle, evaluations[name], settings, split=split)
                )
    with head:
        reasons = [
            (ctx.letter(model.handle), model.found, recipe(store.info(model.handle)))
            for model in models
        ]
        ui.header(*layers.headline(ctx, models, name, settings=settings), paragraph(reasons))
    with left, ui.in_place():
        history_part(split)
    if models:
        with bars, ui.in_place():
            kl_part(models, settings, name)
        with right, ui.in_place():
            words_part(models, settings, name)
        with ui.in_place():
            remedies.draw(ctx, models)
        measured_parts(models, settings, name)
    with ui.in_place():
        cards_part()


body()
