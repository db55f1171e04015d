"""The current image on the page of two models: its verdict and one score under every model."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from hvae_core.common.errors import HVAEError
from hvae_core.detection.verdict import judge
from hvae_core.detection.verdict_words import in_words
from hvae_core.figures import fmt, symbol_text
from hvae_core.scores import Material, Score
from pages.shared import current, image_names, panel, ui
from pages.shared.state import Context
from pages.shared.store import Handle
from pages.two.scores import ScoredPair

ALPHA = 0.05
HELP = (
    "The image in the sidebar, as it is without changes, held against the held-out images by each "
    "model: the verdict of the page One image at 5 % false alarms, from stored results."
)
ELSEWHERE = (
    "The current image is in no set that these models have evaluated; the page One image judges it."
)


def draw(ctx: Context, others: Sequence[Handle], score: Score) -> None:
    """A line a model: of the two compared, by their letters on the page, then of the others.

    Those have no letter, as theirs in the sidebar may be one of the two on the page.
    """
    st.subheader("This image under each model", anchor=False, help=HELP)
    name, number = current.now(ctx)
    title = image_names.titled(name, ctx.title(name), number)
    named = [(f"**{letter}** {ui.plain(handle.title)}", handle) for letter, handle in ctx.lettered]
    named += [(ui.plain(handle.title), handle) for handle in others]
    told = [(who, _of_model(ctx, handle, score)) for who, handle in named]
    if not any(words for _, words in told):
        st.caption(ELSEWHERE)
    else:
        panel.said(f"**{ui.plain(title)}**")
        for who, words in told:
            said = words or "this set is not evaluated under it."
            panel.said(f"{who}: {ui.plain(said)}")
    ui.link("image", "Judge this image")


def _of_model(ctx: Context, handle: Handle, score: Score) -> str:
    """Verdict and score of the current image under a model; "" where its set is not evaluated."""
    name, number = current.now(ctx)
    evaluation = ctx.evaluation(handle, name)
    if evaluation is None or number >= len(evaluation):
        return ""
    held_out = ctx.evaluation(handle, ctx.reference_name)
    told = []
    try:
        image = evaluation.table.take([number])
        if held_out is not None:
            judged = judge(image, held_out.table, handle.units, levels=handle.levels, alpha=ALPHA)
            told.append(in_words(judged)[0])
        value = float(score(Material.of(evaluation))[number])
        told.append(f"{symbol_text(score.symbol)} = {fmt(value, score.unit)}")
    except HVAEError as error:
        told.append(str(error).removesuffix("."))
    return f"{'; '.join(told)}."


def place_in(ctx: Context, pairs: Sequence[ScoredPair]) -> tuple[float, float] | None:
    """The score of the current image under A and under B, where it is among those drawn."""
    name, number = current.now(ctx)
    of = next((pair for pair in pairs if pair.name == name), None)
    if of is None or number >= len(of.a):
        return None
    return float(of.a[number]), float(of.b[number])
