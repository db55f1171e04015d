"""Collapse: how much each layer says, which ones say nothing, and since when."""

from __future__ import annotations

import streamlit as st

from hvae_core.figures import (
    active_units,
    bits_by_k,
    information_by_k,
    kl_bars,
    kl_history,
    unit_heatmap,
)
from hvae_core.probes.information import DELTAS
from pages.collapse import information, layers, tables, why, words
from pages.shared import jobs, store, ui
from pages.shared.state import colors, context

ctx = context()
palette = colors()

KL_HELP = (
    "Mean over the images of each layer's term in the bound, log q − log p, in closed form where "
    "there is one. With bottom-up inference only the top layer's term is a KL divergence in the "
    "strict sense; the terms below it compare q(z | layers under it) with p(z | layers over it), "
    "and may even be negative (Havtorn et al. 2021, App. F). A layer counts as collapsed when its "
    "term is within the threshold of zero."
)
UNITS_HELP = (
    "A unit is active when its posterior mean E[z | x] varies over the images by more than the "
    "threshold (Burda et al. 2016). Units are sorted by that variance."
)
BITS_HELP = (
    "−L>k bounds the bits that an image costs when only the layers above k see it; −log p(x | z>k) "
    "is the part paid for the pixels. A flat step means that what is skipped there knew nothing."
)
INFORMATION_HELP = (
    "I(x; z>k), what the levels above k know of the image: the KL term E KL(q(z>k | x) || p(z>k)) "
    "less KL(q(z>k) || p(z>k)), with the aggregated posterior q(z>k) over these images (Li et al. "
    "2022, App. A.1). N images cannot show more than log N nats: a mark at the dotted line says "
    '"as much or more". Bars are 95 % intervals.'
)
CURVES_HELP = (
    "*active*: units whose posterior mean varies over the images by more than a threshold "
    "(Kuzina and Tomczak 2024, Eq. 23, 24). *collapsed*: units whose KL stays below eps for at "
    "least 1 − δ of the images (Lucas et al. 2019). The dotted line is the threshold chosen above."
)


def kl_part(models: list[layers.Layers], settings: layers.Settings) -> None:
    """KL of each layer on the set."""
    with st.container(horizontal=True, vertical_alignment="center"):  # on a line with its neighbour
        st.subheader("KL per layer", anchor=False, help=KL_HELP)
    figure = kl_bars(
        [(m.handle.title, m.result.kl, m.handle.units) for m in models],
        palette,
        names=[m.handle.names for m in models],
        per_dim=settings.per_dim,
        threshold=settings.collapsed_below,
    )
    ui.chart(figure, "collapse-kl", "Bars of the KL of each layer, collapsed layers hatched")


def split_control() -> str:
    """Whose KL the history shows."""
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("KL over training", anchor=False, width="content")
        split = st.segmented_control(
            "KL over training on", list(layers.SPLITS), default="validation", key="c_history",
            bind="query-params", required=True, label_visibility="collapsed",
        )  # fmt: skip
    return split or "validation"


def history_part(settings: layers.Settings, split: str) -> None:
    """KL of each layer over training, for the models whose file tells."""
    known = layers.histories(ctx.models, split, per_dim=settings.per_dim)
    told = {one.title for one in known}
    for handle in ctx.models:
        if handle.title not in told:
            st.caption(
                f"{ui.plain(handle.title)}: the file keeps no history of the KL on {split} images."
            )
    if known:
        unit = "nats/dim" if settings.per_dim else "nats"
        figure = kl_history(
            [(one.title, one.epochs, one.kl) for one in known],
            palette,
            names=[one.names for one in known],
            unit=unit,
        )
        ui.chart(figure, "collapse-history", "Lines of the KL of each layer over the epochs")
        table = tables.history_table(known, split, unit)
        ui.csv_button(lambda: table, "history", "History (CSV)")


def words_part(models: list[layers.Layers]) -> None:
    """The layers in words, collapsed ones first."""
    for column, model in zip(st.columns(len(models), gap="large"), models, strict=True):
        lines = [
            f"- **{line.text}**" if line.collapsed else f"- {line.text}"
            for line in words.in_words(model)
        ]
        head = f"*{ui.plain(model.handle.title)}*"
        column.markdown("\n".join([head, "", *lines]))


def units_parts(models: list[layers.Layers], settings: layers.Settings) -> None:
    """Active units of each layer, the variance of every unit, and beneath them bits by k."""
    left, right = st.columns(2, gap="large")
    with left, ui.in_place():
        st.subheader("Active units", anchor=False, help=UNITS_HELP)
        figure = active_units(
            [(m.handle.title, m.active, m.handle.units) for m in models],
            palette,
            names=[m.handle.names for m in models],
            height=300,
        )
        ui.chart(figure, "collapse-active", "Share of active units of each layer")
        bits_part(models)
    with right, ui.in_place():
        st.subheader("Variance of every unit", anchor=False, help=UNITS_HELP)
        for model in models:
            if len(models) > 1:
                st.caption(ui.plain(model.handle.title))
            figure = unit_heatmap(
                model.variances,
                palette,
                names=model.handle.names,
                threshold=settings.active_above,
            )
            name = f"collapse-units-{model.handle.name}"
            ui.chart(figure, name, f"Variance of every unit, {model.handle.title}")
        ui.csv_button(lambda: tables.unit_table(models), "units", "Units (CSV)")


def bits_part(models: list[layers.Layers]) -> None:
    """What an image costs when the lowest k layers have not seen it."""
    st.subheader("Bits per dimension by k", anchor=False, help=BITS_HELP)
    figure = bits_by_k(
        [(m.handle.title, m.result.bound_bits, m.result.nll_bits) for m in models],
        palette,
        levels=[m.handle.level_names for m in models],
        counted=store.counted(ctx.models),
    )
    ui.chart(figure, "collapse-bits", "Bits per dimension of the bound and of the pixels by k")


def information_parts(models: list[layers.Layers], settings: layers.Settings, name: str) -> None:
    """What the levels know of the image, and the share of units that do, over thresholds."""
    left, right = st.columns(2, gap="large")
    with left, ui.in_place():
        st.subheader("Mutual information by k", anchor=False, help=INFORMATION_HELP)
        known = information.measured(ctx, name)
        handles = [m.handle for m in models if m.handle.name in known]
        if handles:
            found = [(h, known[h.name]) for h in handles]
            figure = information_by_k(
                [(h.title, one.mean, one.error, one.ceiling) for h, one in found],
                palette,
                levels=[h.level_names for h in handles],
                counted=store.counted(ctx.models),
            )
            ui.chart(figure, "collapse-information", "Mutual information by k under its ceiling")
            st.caption(" ".join(information.in_words(*one) for one in found))
            ui.csv_button(
                lambda: information.information_table(handles, known, name),
                "information",
                "Information (CSV)",
            )
    with right, ui.in_place():
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.subheader("Units by threshold", anchor=False, width="content", help=CURVES_HELP)
            which = st.segmented_control(
                "Units", list(information.CURVES), default="active", key="c_curve",
                bind="query-params", required=True, label_visibility="collapsed",
            )  # fmt: skip
            delta = 0.1
            if which == "collapsed":
                delta = st.selectbox(
                    "δ", DELTAS, index=DELTAS.index(0.1), format_func=lambda d: f"δ = {d:g}",
                    key="c_delta", bind="query-params", label_visibility="collapsed", width=110,
                )  # fmt: skip
        chart = information.curves(which or "active", models, known, settings, delta, palette)
        if chart is None:
            st.caption("Measure the images on the left once, and the curves appear here.")
        else:
            ui.chart(chart, f"collapse-{which}-curve", f"Share of {which} units over thresholds")


def cards_part() -> None:
    """What the files say of themselves."""
    st.subheader("Model cards" if len(ctx.models) > 1 else "Model card", anchor=False)
    st.table(tables.cards(ctx.models).map(ui.plain).rename(columns=ui.plain))


def body() -> None:
    """The whole page: a threshold changes the claim, the charts and the words together."""
    head = st.container()
    evaluated = {
        name: ctx.title(name)
        for name in layers.set_names(ctx)
        if store.evaluation(ctx.world, ctx.a, name, ctx.data_root) is not None
    }
    name, settings = layers.controls(evaluated or {ctx.in_name: ctx.title(ctx.in_name)})
    offers = st.container()
    left, right = st.columns(2, gap="large")
    with right:
        split = split_control()
    models = []
    with offers:
        for handle in ctx.models:
            known = jobs.evaluations(ctx, handle, [name], name_missing=handle is ctx.a)
            found = known.get(name)
            if found is not None:
                models.append(layers.layers_of(handle, found, settings, split))
    with head:
        reasons = [(model, why.recipe(store.info(model.handle))) for model in models]
        ui.header(*layers.headline(ctx, models, name, settings), why.paragraph(reasons))
    with right, ui.in_place():
        history_part(settings, split)
    if models:
        with left, ui.in_place():
            kl_part(models, settings)
            table = tables.layer_table(models)
            ui.csv_button(lambda: table, "layers", "Layers (CSV)")
        with ui.in_place():
            words_part(models)
        units_parts(models, settings)
        information_parts(models, settings, name)
    with ui.in_place():
        cards_part()


@st.fragment
def page() -> None:
    """The page as one part of the app's run: its controls leave the sidebar alone."""
    with ui.in_place():
        body()


page()
