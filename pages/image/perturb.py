"""The image moved by sliders, and where its scores go, held against the held-out images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from hvae_core.data.image_set import ImageSet, Pixels
from hvae_core.data.perturb import Perturbation, perturbed
from hvae_core.detection import verdict
from hvae_core.detection.combine import Correction
from hvae_core.detection.verdict import Judgement, readings, verdict_keys
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.figures import ScoreRow, score_bands, symbol_html, tile
from pages.image import files, scores
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import store, ui
from pages.shared.state import Context, colors
from pages.shared.store import Handle

PLAIN = Perturbation()
SLIDERS: dict[str, tuple[str, tuple[float, float, float], str]] = {
    "rotation": ("Rotation", (-180, 180, 5), "%g°"),
    "blur": ("Blur", (0, 4, 0.25), "%g px"),
    "contrast": ("Contrast", (0, 2, 0.05), "%g"),
    "noise": ("Noise", (0, 128, 4), "%g levels"),
    "box": ("Grey box", (0, 1, 0.05), "%g"),
    "across": ("Box across", (0, 1, 0.05), "%g"),
    "down": ("Box down", (0, 1, 0.05), "%g"),
}
"""Label, range and step, and how the value is written."""
HELP = (
    "Each row is a score on a scale of its own: the bands hold 95 % and 50 % of the held-out "
    "images, the ring is this image as it is, the diamond what the sliders make of it, with as "
    "many samples as the held-out images had."
)


@ui.fragment
def draw(
    ctx: Context, judged: Sequence[JudgedImage], image: OneImage, *,
    alpha: float, correction: Correction,
) -> None:  # fmt: skip
    """Sliders, the picture that they make, its scores and its verdict: a part of its own.

    Nothing is kept of a position of the sliders: it is judged anew, with one batch of one image.
    """
    by = _sliders()
    shown = image.at(ctx.a)
    pixels = perturbed(shown.images[0], by, seed=ctx.seed)
    # A fixed width, not a share: the picture is never cut, and a narrow screen wraps.
    row = st.container(horizontal=True, gap="large")
    left, right = row.container(width=200), row.container(key="i_bands")
    with left:
        scale = max(1, 196 // max(shown.image_shape[1:]))
        picture = tile(pixels[None], columns=1, scale=scale, colors=colors())
        ui.picture(picture, "The image as the sliders change it")
        st.button(
            "Judge it in full", key="i_take", on_click=_take, args=(pixels,),
            disabled=not by.changes, help="Takes the changed image to the canvas of *draw*.",
        )  # fmt: skip
        st.button("Back to the image", key="i_back", on_click=_reset, disabled=not by.changes)
    with right:
        for under, (letter, handle) in zip(judged, ctx.lettered, strict=True):
            ui.model_title(ctx, letter, handle)
            with ui.in_place():
                _under(ctx, under, image, by, alpha=alpha, correction=correction)


def _under(
    ctx: Context, judged: JudgedImage, image: OneImage, by: Perturbation, *,
    alpha: float, correction: Correction,
) -> None:  # fmt: skip
    """The changed image under one model: its verdict and its scores."""
    handle, reference = judged.handle, judged.reference
    if reference is None:
        st.caption("There is no reference yet to hold the scores against.")
        return
    images = image.at(handle)
    before, _ = scores.evaluated(handle, images, reference.settings)
    now = before
    if by.changes:
        pixels = perturbed(images.images[0], by, seed=ctx.seed)
        now = _bounds(handle, replace(images, images=pixels[None]), reference)
    said = verdict.judge(
        now, reference.table, handle.units,
        levels=handle.levels, alpha=alpha, correction=correction,
    )  # fmt: skip
    st.markdown(f"**{ui.plain(verdict.in_words(said)[0])}**")
    figure = score_bands(_rows(before, now, said, reference), colors())
    suffix = "" if handle is ctx.a else f"-{ctx.models.index(handle)}"
    ui.chart(figure, f"image-bands{suffix}", "Scores of the changed image among held-out ones")


def _sliders() -> Perturbation:
    """The sliders, four to a row on a wide screen; their values stand in links."""
    row = st.container(horizontal=True, gap="medium")
    chosen = {}
    for name, (label, (low, high, step), written) in SLIDERS.items():
        chosen[name] = row.slider(
            label, float(low), float(high), getattr(PLAIN, name), float(step),
            key=f"i_by_{name}", bind="query-params", format=written, width=200,
        )  # fmt: skip
    return Perturbation(**chosen)


def _take(pixels: Pixels) -> None:
    """The changed image to the canvas; the sliders start anew from there."""
    files.draw_on(pixels)
    _reset()


def _reset() -> None:
    for name in SLIDERS:
        st.session_state[f"i_by_{name}"] = getattr(PLAIN, name)


def _bounds(handle: Handle, images: ImageSet, reference: Evaluation) -> BoundTable:
    """The bounds of one image, with the settings of the reference; not kept."""
    from hvae_core.evaluation.compute import evaluate_batch

    bounds, _ = store.ask(
        handle, evaluate_batch, images.images, images.image_digests(), settings=reference.settings
    )
    return BoundTable.from_bounds(bounds, math.prod(handle.image_shape))


def _rows(
    before: BoundTable, now: BoundTable, said: Judgement, reference: Evaluation
) -> list[ScoreRow]:
    """Every score of the bounds before and now, those of the verdict first with its p-values."""
    keys = verdict_keys(now.n_levels)
    of_verdict = dict(zip(keys, said.verdict.p_values, strict=True))
    was = {each.score.key: each.value for each in readings(before, None)}
    read = sorted(readings(now, reference.table), key=lambda each: each.score.key not in of_verdict)
    return [
        ScoreRow(
            symbol_html(each.score.symbol), each.score.unit, each.reference,
            before=before_it, now=each.value,
            p=float(of_verdict.get(each.score.key, each.p_value)),
        )
        for each in read
        if each.value is not None and each.reference is not None and each.p_value is not None
        and (before_it := was.get(each.score.key)) is not None
    ]  # fmt: skip
