"""Two models: what A and B have in common, layer by layer, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from hvae_core.detection.report import report
from hvae_core.figures import (
    bits_by_k,
    layer_matrix,
    likeness_by_layer,
    score_pairs,
    symbol_html,
    symbol_text,
    tile,
)
from hvae_core.probes.layer_likeness import PAIRED_UNITS, Likeness
from hvae_core.scores import Score
from pages.shared import jobs, store, ui
from pages.shared.state import colors, context
from pages.two import layers, scores

ctx = context()
palette = colors()

MATCHED_HELP = (
    "Mean absolute correlation, over the images, of units matched one to one so that the sum is "
    "largest (Havtorn et al. 2021, Figure 2), on posterior means. Of a layer with more than "
    f"{PAIRED_UNITS} units, those that vary most. Among many units some correlate by chance: the "
    "dotted line is the same for images in another order."
)
CKA_HELP = (
    "Linear centred kernel alignment, debiased (Kornblith et al. 2019; Nguyen et al. 2021): 1 "
    "where one layer is a rotation of the other, 0 on average where they share nothing. A dash "
    "stands where a layer is all noise."
)
AXES = {"correlation": "mean |<i>r</i>| of matched units", "cka": "linear CKA"}
SCORES_HELP = (
    "One mark an image: its score under A across, under B up. Above the line B finds the image "
    "stranger than A does."
)


def likeness_part(found: Mapping[str, Likeness], measure: str) -> None:
    """The likeness by layer, a line a set."""
    key = layers.MEASURES[measure]
    if not found:
        return
    pairs = layers.pairs_of(ctx, found)
    a, b = (handle.names for handle in ctx.models)
    figure = likeness_by_layer(
        layers.lines(ctx, found, pairs, key),
        [(a[i], b[j]) for i, j in pairs],
        palette,
        title=AXES[key],
    )
    ui.chart(figure, "two-likeness", "Lines of the likeness of the layers, one line a set")
    told = layers.shift_in_words(ctx, found, pairs) if key == "correlation" else ""
    if told:
        st.caption(told)
    ui.csv_button(lambda: layers.likeness_table(ctx, found), "likeness", "Layers (CSV)")


def matrix_part(found: Mapping[str, Likeness], name: str, measure: str) -> None:
    """Every layer of A against every layer of B on one set."""
    if name not in found:
        return
    key = layers.MEASURES[measure]
    a, b = ctx.models
    st.markdown(f"**{ui.plain(ctx.title(name))}**")
    figure = layer_matrix(getattr(found[name], key), a.names, b.names, palette, title=AXES[key])
    alt = f"Every layer of A against every layer of B on {ctx.title(name)}"
    ui.chart(figure, f"two-{key}-{name}", alt)


def bits_part(both: Sequence[Mapping[str, Any]], name: str) -> None:
    """Bits per dimension by k of both models on one set."""
    shown = [(h, one[name]) for h, one in zip(ctx.models, both, strict=True) if name in one]
    if not shown:
        return
    st.markdown(f"**{ui.plain(ctx.title(name))}**")
    results = [(handle, report(found, ()).inside) for handle, found in shown]
    figure = bits_by_k(
        [(handle.title, result.bound_bits, result.nll_bits) for handle, result in results],
        palette,
        levels=[handle.level_names for handle, _ in results],
        counted=store.counted(ctx.models),
        height=320,
    )
    ui.chart(figure, f"two-bits-{name}", f"Bits per dimension by k on {ctx.title(name)}")


def scores_part(every: list[scores.Scored], score: Score) -> None:
    """One score of every image under both models."""
    st.subheader("One score under both", anchor=False, help=SCORES_HELP)
    if not every:
        st.caption("Evaluate a set under both models, and its images appear here.")
        return
    figure = score_pairs(
        [(one.title, one.a, one.b, one.place) for one in every],
        palette,
        symbol=symbol_html(score.symbol),
        unit=score.unit,
    )
    ui.chart(figure, f"two-scores-{score.key}", "The score of every image under A and under B")
    st.caption(". ".join(scores.agreement_in_words(one, score.unit) for one in every) + ".")
    ui.csv_button(lambda: scores.score_table(score, every), "scores", "Scores (CSV)")


def pictures_part(
    every: list[scores.Scored], both: Sequence[Mapping[str, Any]], score: Score
) -> None:
    """The images on which the models differ most."""
    sides = scores.strangest(ctx, every)
    if not sides:
        return
    st.subheader("Where they differ most", anchor=False)
    for column, (letter, picked) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.caption(
                f"Stranger to **{letter}** than to the other: {symbol_text(score.symbol)} beyond "
                "the usual difference, the largest first."
            )
            for one, picks in picked:
                pixels = scores.pictures(ctx, one, picks, both[0][one.name])
                if pixels is None:
                    continue
                st.markdown(ui.plain(one.title))
                scale = max(1, 56 // pixels.shape[-1])
                with st.container(key=f"scroll_two{letter}_{one.name}"):
                    picture = tile(pixels, columns=scores.PICTURES, scale=scale, colors=palette)
                    ui.picture(picture, f"Images of {one.title} that are stranger to {letter}")


def body() -> None:
    """The whole page, where two models are chosen."""
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        outs = [name for name in ctx.out_names if name != ctx.in_name]
        held = st.selectbox(
            "Set held against it", outs, format_func=ctx.title, key="t_set", bind="query-params",
            width=260, disabled=not outs,
        )  # fmt: skip
        measure = st.segmented_control(
            "Layers by", list(layers.MEASURES), default="matched units", key="t_measure",
            bind="query-params", required=True,
        )  # fmt: skip
        known = scores.scores(ctx)
        chosen = st.selectbox(
            "Score", list(known), format_func=lambda key: symbol_text(known[key].symbol),
            key="t_score", bind="query-params", width=170,
        )  # fmt: skip
    measure, score = measure or "matched units", known[chosen or next(iter(known))]
    shown = [ctx.in_name, *([held] if held else [])]
    both = [
        jobs.evaluations(ctx, handle, shown, name_missing=handle is ctx.a) for handle in ctx.models
    ]
    left, right = st.columns(2, gap="large")
    with left:
        help_text = CKA_HELP if layers.MEASURES[measure] == "cka" else MATCHED_HELP
        st.subheader("What the layers share", anchor=False, help=help_text)
        found = layers.likenesses(ctx, layers.sets_of(ctx))
    with head:
        ui.header(*layers.headline(ctx, found))
    every = scores.scored(ctx, score, both, shown)
    with left, ui.in_place():
        likeness_part(found, measure)
    with right, ui.in_place():
        scores_part(every, score)
    if any(name in found for name in shown):
        st.subheader("Every layer against every layer", anchor=False)
        for column, name in zip(st.columns(2, gap="large"), shown, strict=False):
            with column, ui.in_place():
                matrix_part(found, name, measure)
    if any(both):
        st.subheader("Bits per dimension by k", anchor=False)
        for column, name in zip(st.columns(2, gap="large"), shown, strict=False):
            with column, ui.in_place():
                bits_part(both, name)
    with ui.in_place():
        pictures_part(every, both, score)


if len(ctx.models) < 2:
    ui.header(
        "What do two models share? The second one is yet to be chosen",
        f"Choose *Model B* in the sidebar: another objective or family beside "
        f"{ui.plain(ctx.a.title)} says most.",
    )
else:
    with ui.in_place():
        body()
