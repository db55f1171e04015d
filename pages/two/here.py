"""The current image on the page of two models: its verdict and one score under every model."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from hvae_core.common.errors import HVAEError, MissingImages
from hvae_core.common.words import percent
from hvae_core.detection.combine import Correction
from hvae_core.detection.verdict_words import in_words
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import fmt, symbol_text
from hvae_core.scores import Score
from pages.image import scores, subject
from pages.image.one_image import OneImage
from pages.shared import current, image_names, panel, ui
from pages.shared.state import Context
from pages.shared.store import Handle
from pages.two.scores import ScoredPair

HELP = (
    "The current image of the sidebar under each model, against held-out images. It is the verdict "
    "of the page One image, at the rate of false alarms that was chosen there."
)
ABSENT = (
    "The current image is not on this machine, and these models have not evaluated its set: choose "
    "another image."
)


def draw(ctx: Context, others: Sequence[tuple[str, Handle]], score: Score) -> None:
    """A line a model, by its letter: of the two compared and of the others."""
    st.subheader("This image under each model", anchor=False, help=HELP)
    alpha, correction = subject.rate_elsewhere()
    name, number = current.now(ctx)
    title = image_names.titled(name, ctx.title(name), number)
    told = [
        (
            f"**{letter}** {ui.plain(handle.title)}",
            _of_model(ctx, handle, score, alpha=alpha, correction=correction),
        )
        for letter, handle in sorted([*ctx.lettered, *others], key=lambda one: one[0])
    ]
    if not any(words for _, words in told):
        st.caption(ABSENT)
    else:
        strict = ", Bonferroni correction" if correction == "bonferroni" else ""
        panel.said(f"**{ui.plain(title)}**, at {percent(alpha)} false alarms{strict}")
        for who, words in told:
            said = words or "this set is not evaluated under it, and the image is not here."
            panel.said(f"{who}: {ui.plain(said)}")
    ui.link("image", "Judge this image")


def _of_model(
    ctx: Context, handle: Handle, score: Score, *, alpha: float, correction: Correction
) -> str:
    """Verdict and score of the current image under a model; "" where the image cannot be had."""
    held_out = ctx.evaluation(handle, ctx.reference_name)
    told = []
    try:
        image = _bounds(ctx, handle, held_out)
        if held_out is None:
            told.append("No verdict: the held-out images are not evaluated under it")
        else:
            judged, _ = subject.decide(handle, image, held_out, alpha=alpha, correction=correction)
            told.append(in_words(judged)[0])
        value = float(score(image)[0])
        told.append(f"{symbol_text(score.symbol)} = {fmt(value, score.unit)}")
    except MissingImages:
        return ""
    except HVAEError as error:
        told.append(str(error).removesuffix("."))
    return f"{'; '.join(told)}."


def _bounds(ctx: Context, handle: Handle, held_out: Evaluation | None) -> BoundTable:
    """The bounds of the current image: stored ones, or as the page One image computes them.

    Raises ``MissingImages`` where there are neither stored ones nor pixels.
    """
    name, number = spot = current.now(ctx)
    stored = ctx.evaluation(handle, name)
    settings = None if held_out is None else held_out.settings
    if stored is not None and number < len(stored) and settings in (None, stored.settings):
        return stored.table.take([number])
    images = ctx.images(name)
    if number >= len(images):
        raise MissingImages(f"{ctx.title(name)} has no image {number}.")
    image = OneImage(images.take([number]), "", spot)
    return scores.evaluated(handle, image.at(handle), settings)[0]


def place_in(ctx: Context, pairs: Sequence[ScoredPair]) -> tuple[float, float] | None:
    """The score of the current image under both models, where it is among those drawn."""
    name, number = current.now(ctx)
    of = next((pair for pair in pairs if pair.name == name), None)
    if of is None or number >= len(of.a):
        return None
    return float(of.a[number]), float(of.b[number])
