"""Two models: what they have in common, layer by layer, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.common.places import COMMAND
from hvae_core.detection.report import report
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import (
    bits_by_k,
    layer_matrix,
    likeness_by_layer,
    score_pairs,
    symbol_html,
    symbol_text,
    tile,
    tile_boxes,
)
from hvae_core.probes import shipped_likeness
from hvae_core.probes.layer_likeness import PAIRED_UNITS, Likeness
from hvae_core.scores import Score
from pages.shared import clickable, current, jobs, links, models, panel, ring, saving, store, ui
from pages.shared.controls import one_of, select
from pages.shared.state import colors, context
from pages.two import code, here, layers, pair, scores
from pages.two.scores import ScoredPair

ctx, others = pair.chosen(context())
palette = colors()

A, B = (letter for letter, _ in ctx.lettered) if len(ctx.models) > 1 else ("A", "B")
MATCHED_HELP = (
    f"Units of {A} and {B} are paired one to one so that their absolute correlations over the "
    "images are largest in sum (Havtorn et al. 2021, Figure 2); shown is the mean, on posterior "
    f"means. A layer with more than {PAIRED_UNITS} units enters with those that vary most. Among "
    "many units some correlate by chance: the dotted line is the same with the images in another "
    "order."
)
CKA_HELP = (
    "Linear centred kernel alignment, debiased (Kornblith et al. 2019; Nguyen et al. 2021): 1 "
    "where one layer is a rotation of the other, 0 on average where they share nothing. A dash "
    "stands where a layer is all noise."
)
AXES = {"correlation": "mean |<i>r</i>| of matched units", "cka": "linear CKA"}
SCORES_HELP = (
    f"Each mark is an image: its score under {A} to the right, under {B} upwards. Above the line, "
    f"{B} finds the image more unusual than {A} does. A click makes an image the current one, a "
    "lasso or a box those within it the current subset. The ring is the current image."
)


def controls() -> tuple[str, str, Score]:
    """The set held against the one inside ("" for none), the measure of likeness, the score."""
    with ui.settings(horizontal=True):
        outs = {name: ctx.title(name) for name in ctx.out_names if name != ctx.in_name}
        held = select("Set held against it", outs, key="t_set", width=260, disabled=not outs)
        measure = one_of("Layers by", list(layers.MEASURES), "matched units", key="t_measure")
        by_key = scores.scores(ctx)
        symbols = {key: symbol_text(score.symbol) for key, score in by_key.items()}
        key = select("Score", symbols, key="t_score", width=170)
    return held, layers.MEASURES[measure], by_key[key]


def likeness_part(by_set: Mapping[str, Likeness], measure: str) -> None:
    """The likeness by layer, a line a set."""
    if not by_set:
        return
    pairs = layers.pairs_of(ctx, by_set)
    a, b = (handle.names for handle in ctx.models)
    figure = likeness_by_layer(
        layers.lines(ctx, by_set, pairs, measure=measure),
        [(a[i], b[j]) for i, j in pairs],
        palette,
        title=AXES[measure],
    )
    made = code.by_layer(ctx, list(by_set), pairs, measure=measure, axis=AXES[measure])
    alt = "Lines of the likeness of the layers, one line a set"
    ui.chart(figure, "two-likeness", alt, code=made)
    shift = layers.shift_in_words(ctx, by_set, pairs) if measure == "correlation" else ""
    if shift:
        panel.said(shift, note=True)
    saving.csv_button(lambda: layers.likeness_table(ctx, by_set), "likeness", "Layers (CSV)")


def scores_part(
    pairs: list[ScoredPair], score: Score, evaluations: Mapping[str, Evaluation]
) -> None:
    """One score of every image under both models; ``evaluations`` are those under the first."""
    st.subheader("One score under both", anchor=False, help=SCORES_HELP)
    if not pairs:
        st.caption("Evaluate a set under both models; its images then appear here.")
        return
    figure = score_pairs(
        [(pair.title, pair.a, pair.b, pair.place) for pair in pairs],
        palette,
        symbol=symbol_html(score.symbol),
        unit=score.unit,
        letters=A + B,
    )
    key = f"two-scores-{score.key}"
    made = code.scores(ctx, pairs, score)

    def spot_of(row: int, trace: int) -> current.Spot | None:
        there = 0 <= trace < len(pairs) and 0 <= row < len(pairs[trace].a)
        return (pairs[trace].name, row) if there else None

    def look(row: int, trace: int) -> None:
        if spot := spot_of(row, trace):
            current.take(spot)

    area = clickable.chart_area(key, spot_of, sum(len(pair.a) for pair in pairs))
    ui.chart(figure, key, f"The score of every image under {A} and under {B}", code=made, **area)
    clickable.chart_points(area["key"], look)
    ring.draw(area["key"], here.place_in(ctx, pairs))
    agreement = ". ".join(scores.agreement_in_words(pair, score.unit, A + B) for pair in pairs)
    panel.said(f"{agreement}.", note=True)
    files = {pair.name: evaluations[pair.name].files for pair in pairs}
    saving.csv_button(
        lambda: scores.score_table(score, pairs, files, A + B), "scores", "Scores (CSV)"
    )


def side_by_side(heading: str, names: Sequence[str], part: Callable[[str], None]) -> None:
    """A part a set under a heading, the set inside at the left."""
    st.subheader(heading, anchor=False)
    for column, name in zip(st.columns(2, gap="large"), names, strict=False):
        with column, ui.in_place():
            part(name)


def matrix_part(name: str, by_set: Mapping[str, Likeness], measure: str) -> None:
    """Every layer of one model against every layer of the other on one set."""
    if name not in by_set:
        return
    a, b = (handle.names for handle in ctx.models)
    st.markdown(f"**{ui.plain(ctx.title(name))}**")
    figure = layer_matrix(
        getattr(by_set[name], measure), a, b, colors=palette, title=AXES[measure], letters=A + B
    )
    alt = f"Every layer of {A} against every layer of {B} on {ctx.title(name)}"
    made = code.matrix(ctx, name, measure=measure, axis=AXES[measure])
    ui.chart(figure, f"two-{measure}-{name}", alt, code=made)


def bits_part(name: str, both: Sequence[Mapping[str, Evaluation]]) -> None:
    """Bits per dimension by k of both models on one set."""
    results = [
        (handle, report(evaluations[name], ()).inside)
        for handle, evaluations in zip(ctx.models, both, strict=True)
        if name in evaluations
    ]
    if not results:
        return
    st.markdown(f"**{ui.plain(ctx.title(name))}**")
    figure = bits_by_k(
        [(handle.title, result.bound_bits, result.nll_bits) for handle, result in results],
        palette,
        levels=[handle.level_names for handle, _ in results],
        counted=store.counted(ctx.models),
        height=320,
        letters=ctx.letters_of(handle for handle, _ in results),
    )
    alt = f"Bits per dimension by k on {ctx.title(name)}"
    made = code.bits(ctx, name, height=320)
    ui.chart(figure, f"two-bits-{name}", alt, code=made)


def _at_hand(name: str) -> bool:
    """Whether the images of a set are on this machine."""
    with suppress(HVAEError):
        return bool(len(ctx.images(name, ctx.a)))
    return False


def pictures_part(
    pairs: list[ScoredPair], evaluations: Mapping[str, Evaluation], score: Score
) -> None:
    """The images on which the models differ most; ``evaluations`` are those under the first."""
    sides = scores.strangest(pairs, A + B)
    if not sides or not any(_at_hand(pair.name) for pair in pairs):
        return
    st.subheader("Where they differ most", anchor=False)
    for column, (letter, picked) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.caption(
                f"Images that **{letter}** finds more unusual than the other model does: "
                f"{symbol_text(score.symbol)} less the usual difference, the largest first."
            )
            for pair, picks in picked:
                pixels = scores.pictures(ctx, pair.name, picks, evaluation=evaluations[pair.name])
                if pixels is None:
                    continue
                st.markdown(ui.plain(pair.title))
                size = pixels.shape[2:]
                laid = {"columns": scores.PICTURES, "scale": max(1, 56 // size[1])}
                clickable.picture(
                    ctx,
                    tile(pixels, **laid, colors=palette),
                    f"Images of {pair.title} that model {letter} finds stranger",
                    key=f"two{letter}_{pair.name}",
                    spots=[(pair.name, int(pick)) for pick in picks],
                    boxes=tile_boxes(len(picks), size, **laid),
                    scrolls=True,
                )


def body() -> None:
    """The whole page, where two models are chosen."""
    head = st.container()
    held, measure, score = controls()
    shown = [name for name in (ctx.in_name, held) if name]
    both = [
        jobs.evaluations(ctx, handle, shown, name_missing=handle is ctx.a) for handle in ctx.models
    ]
    left, right = st.columns(2, gap="large")
    with left:
        help_text = CKA_HELP if measure == "cka" else MATCHED_HELP
        st.subheader("What the layers share", anchor=False, help=help_text)
        by_set = layers.likenesses(ctx, layers.sets_of(ctx))
    with head:
        ui.header(*layers.headline(ctx, by_set), spelled=("bits/dim", symbol_text(score.symbol)))
    pairs = scores.scored(ctx, score, both, names=shown)
    with left, ui.in_place():
        likeness_part(by_set, measure)
    with right, ui.in_place():
        scores_part(pairs, score, both[0])
    with ui.in_place():
        here.draw(ctx, others, score)
    if any(name in by_set for name in shown):
        heading = "Every layer against every layer"
        side_by_side(heading, shown, lambda name: matrix_part(name, by_set, measure))
    if any(both):
        side_by_side("Bits per dimension by k", shown, lambda name: bits_part(name, both))
    with ui.in_place():
        pictures_part(pairs, both[0], score)


def second_model() -> None:
    """A way to choose model B where there is none yet."""
    ui.header(
        "Choose model B to see what two models share",
        f"A model with another objective or of another family than {ui.plain(ctx.a.title)} shows "
        "most.",
    )
    world = ctx.choices or ctx.world
    others = models.choosable(world)
    titles = {name: one.title for name, one in others.items() if one.digest != ctx.a.digest}
    known = shipped_likeness.pairs([*others])
    ready = [b for a, b in known if b in titles and others[a].digest == ctx.a.digest]
    if not titles:
        st.info(
            f"{ui.plain(ctx.a.title)} is the only model of {ui.plain(world.title)} here: open a "
            f"checkpoint in the sidebar, or train one (`{COMMAND} models` lists the recipes)."
        )
        return
    st.selectbox(
        "Model B", list(titles), None, format_func=titles.__getitem__, key="t_second", width=420,
        placeholder="Choose a model", on_change=models.take_second, args=(world, "t_second"),
    )  # fmt: skip
    for name in ready:
        st.button(
            f"Compare with {ui.plain(titles[name])}", type="primary", key="t_ready",
            on_click=st.session_state.update, args=({links.model_key("b", world): name},),
        )  # fmt: skip


if len(ctx.models) < 2:
    second_model()
else:
    with ui.in_place():
        body()
