"""One image: is it out of distribution, at which k, and how sure is that?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hvae_core.common.places import COMMAND
from hvae_core.common.words import capital
from hvae_core.data import describe_shape
from hvae_core.detection.combine import Correction
from hvae_core.figures import (
    fmt,
    layer_band,
    strip,
    tile,
)
from pages.image import (
    bands,
    batch,
    changes,
    code,
    false_alarms,
    files,
    near,
    pixels,
    shown_scores,
    subject,
    verdicts,
)
from pages.image.one_image import OneImage
from pages.image.subject import JudgedImage
from pages.shared import jobs, panel, pictures, saving, shown, ui, uploads
from pages.shared.beside import grid
from pages.shared.controls import one_of
from pages.shared.remembered import remembered
from pages.shared.state import colors, context
from pages.shared.store import Handle

ctx = context()
palette = colors()
SUFFIXES = {
    "A": "",
    "B": "-b",
    "C": "-c",
    "D": "-d",
}  # at the end of the names of each model's charts
SHOWN = "i_shown"  # in the session's state: the image and the models whose verdict is on the page
RESULTS = ("i_verdict", "i_place", "i_beneath", "i_right", "i_below")
"""The keys of what shows the image judged last."""
REBUILT_HELP = (
    "Below each picture stands −log p(x given the layers above k), in nats. A map under *Where it "
    "is lost* takes the same draws of z, as does the verdict: what the map says is lost is the "
    "difference of two numbers here."
)
ALARMS_HELP = (
    "On the dotted line as many in-distribution images are called out as were asked for. Bars are "
    "95 % intervals, bands what chance explains for images drawn as the reference was. Halves of "
    "one set are drawn alike, so they test the procedure; the test set was made apart and tests "
    "the claim itself. A rate of zero is drawn on the lower edge. The same "
    f"figures as `{COMMAND} calibration`."
)


def scores_first() -> bool:
    """Whether a step of the tour puts the scores beside a small portrait, above what else is."""
    return bool(st.session_state.get(ui.FIRST) == "scores")


def by_model(
    judged: Sequence[JudgedImage], drawn: Callable[[JudgedImage], bool] = lambda _: True
) -> list[tuple[JudgedImage, str, Handle, DeltaGenerator]]:
    """Each model's judgement, letter and file, and the place of a part: those drawn have one."""
    of = [(under, *pair) for under, pair in zip(judged, ctx.lettered, strict=True) if drawn(under)]
    return [(*each, place) for each, (place,) in zip(of, grid(len(of)), strict=True)]


def portrait(image: OneImage) -> None:
    """The image as the model is given it, large, and what was done to it."""
    fitted = image.at(ctx.a)
    scale = max(1, (126 if scores_first() else 252) // max(fitted.image_shape[1:]))
    picture = tile(fitted.images, columns=1, scale=scale, colors=palette)
    ui.picture(picture, "The chosen image", scroll="i_portrait")
    st.markdown(f"**{ui.plain(image.title)}**")
    size = describe_shape(fitted.image_shape)
    if image.spot is not None and shown.is_shown(image.spot[0]):  # of a link, or of another page
        done = "; ".join([f"as a model was given it, {size}, changes included", *fitted.notes])
    else:
        done = "; ".join(fitted.notes) or f"as stored, {size}"
    st.caption(ui.plain(capital(done) + "."))
    if image.changes:
        st.button(
            "Undo the changes", key="i_undo", on_click=changes.undo, icon=":material/undo:",
            help="Brings every control under Change the picture back.",
        )  # fmt: skip


def rebuilt(image: OneImage, judged: Sequence[JudgedImage]) -> None:
    """The reconstructions by k; the column of what differs most is marked, or all that tie."""
    st.subheader("Rebuilt from the layers above k", anchor=False, help=REBUILT_HELP)
    scale = 2 if len(judged) > 1 else 3
    for under, letter, handle, place in by_model(judged):
        images = image.at(handle)
        settings = under.settings
        results = pictures.of_images(
            handle,
            images,
            seed=settings.seed,
            skipped=settings.skipped,
            up=settings.up,
            samples=settings.samples,
        )
        highlight = None if under.judgement is None else [1 + k for k in under.judgement.ks]
        picture = remembered(
            strip,
            pictures.rows_of([""], [False], results, images=images),
            pictures.heads(handle),
            highlight=highlight,
            scale=scale,
            colors=palette,
        )
        with place, ui.of_model(ctx, handle):
            alt = "The image and its reconstructions from each layer up"
            ui.picture(picture, alt, scroll=f"i_strip_{letter}")
            made = code.rebuilt(
                ctx, handle, image, pictures.heads(handle), highlight=highlight, scale=scale,
                settings=settings,
            )  # fmt: skip
            saving.picture_button(picture, f"image-rebuilt-{letter}", alt=alt, code=made)
    draws = " or ".join(map(str, sorted({under.settings.samples for under in judged})))
    whose = ", the verdict's" if any(under.judgement for under in judged) else ""
    marks = "Underlined: the largest loss of a row."
    if any(under.judgement for under in judged):
        marks = f"On grey: the k whose ratio is the most unusual. {marks}"
    text = f"{marks} Pictures and nats are means over {draws} draws of z{whose}."
    panel.said(text, note=True)


def lost(image: OneImage, judged: Sequence[JudgedImage]) -> None:
    """Where in the image the layers above k lose it, under each model that has several levels."""
    if max(handle.n_levels for handle in ctx.models) < 2:
        return
    st.subheader("Where it is lost", anchor=False, help=pixels.HELP)
    pixels.draw(ctx, by_model(judged, lambda one: one.handle.n_levels > 1), image, SUFFIXES)


def layers(image: OneImage, judged: JudgedImage, suffix: str) -> None:
    """KL per layer against the reference; ``suffix`` tells the charts of two models apart."""
    names, kl = judged.handle.names, judged.kl
    if judged.reference is None:
        terms = subject.terms(judged.handle, kl)
        said = ", ".join(f"{name}: {fmt(nats, 'nats')}" for name, nats in terms)
        panel.said(said, "KL per layer")
        return
    reference = judged.reference.table.kl
    outside = subject.unusual_layers(names, kl, reference)
    panel.said(
        f"Outside the central 95 % of the reference: {', '.join(outside)}."
        if outside
        else "Every layer lies within the central 95 % of the reference.",
        "KL per layer",
        note=True,
    )
    figure = remembered(layer_band, reference, kl, palette, names=names, height=330)
    name = judged.reference.set_name
    made = code.band(ctx, judged.handle, image, reference=name, height=330)
    alt = "KL of each layer for this image, against the reference"
    ui.chart(figure, f"image-kl{suffix}", alt, code=made, follows=True)


def details(
    image: OneImage, judged: Sequence[JudgedImage], alpha: float, *, correction: Correction
) -> None:
    """What changes did, the scores, jobs for more, and how often the verdict errs."""
    if image.changes:
        st.subheader("What the changes did", anchor=False, help=bands.HELP)
        bands.draw(ctx, judged, image, alpha=alpha, correction=correction)
    st.subheader("The scores that decide, among held-out images", anchor=False)
    wide = 400 if len(judged) == 1 else 240
    width = wide if not scores_first() else 290 if ui.presented() else 235
    for under, letter, handle, place in by_model(judged):
        with place, ui.of_model(ctx, handle), ui.in_place():
            shown_scores.decisive(ctx, under, image, suffix=SUFFIXES[letter], width=width)
            shown_scores.folded(ctx, image, under, letter)
    saving.csv_button(lambda: subject.table(judged, image), "image-scores", "All scores (CSV)")
    st.subheader("Nearest held-out images, layer by layer", anchor=False, help=near.HELP)
    for under, letter, handle, place in by_model(judged):
        with place, ui.of_model(ctx, handle), ui.in_place():
            near.draw(ctx, under, image, letter)
    tests = {
        under.handle: false_alarms.calibrations(ctx, under, alpha, correction=correction)
        for under in judged
    }
    if not any(tests.values()):
        return
    st.subheader("How often the verdict errs", anchor=False, help=ALARMS_HELP)
    for _, letter, handle, place in by_model(judged, lambda one: bool(tests[one.handle])):
        with place, ui.of_model(ctx, handle), ui.in_place():
            false_alarms.draw(
                ctx, tests[handle], handle, SUFFIXES[letter], alpha=alpha, correction=correction
            )


def judge(image: OneImage, alpha: float, correction: Correction) -> list[JudgedImage]:
    """The image under each model, against the reference as far as it is evaluated."""
    name = ctx.reference_name
    judged = []
    for handle in ctx.models:
        reference = jobs.evaluations(ctx, handle, [name]).get(name)
        under = subject.judge(
            ctx, handle, image, reference=reference, alpha=alpha, correction=correction
        )
        judged.append(under)
    return judged


@ui.fragment
def body() -> None:
    """All of it: another image or rate redraws this, and nothing else of the app.

    While an image is judged, what is on the page belongs to the one before, all of it: it is
    greyed, and the new picture comes with its verdict.
    """
    mark = st.empty()
    above = st.container()
    view = one_of(
        "Judge", subject.VIEWS, subject.VIEWS[0], key="i_view", label_visibility="collapsed"
    )
    if view != subject.VIEWS[0]:
        st.session_state.pop(SHOWN, None)
        uploads.only("image", "")
        uploads.settle()
        batch.draw(ctx, above.container(key="i_verdict"))
        return
    # A fixed width, not a share: the portrait is never cut, and a narrow screen wraps.
    body_row = st.container(horizontal=True, gap="large", key="i_row")
    left = body_row.container(width=260, key="i_left")
    column = body_row.container(key="i_column")
    at_canvas = column.container()
    beside = column.container(key="i_below" if scores_first() else "i_right")
    with left:
        place = st.container(key="i_place")
        image = subject.choose(ctx)
        uploads.settle()
        if subject.is_drawn():  # the canvas shows it
            place = st.container(key="i_beneath")
        alpha, correction = subject.rate()
    # The canvas stands high, and does not move while somebody draws: the verdict is beside it.
    head = (at_canvas if subject.is_drawn() else above).container(key="i_verdict")
    if image is None:
        st.session_state.pop(SHOWN, None)
        st.session_state.pop(subject.JUDGEMENT, None)
        with head:
            verdicts.before(str(st.session_state.get("i_from")))
        return
    lower = st.container(key="i_right" if scores_first() else "i_below")
    right, below = (lower, beside) if scores_first() else (beside, lower)
    now = (image.at(ctx.a).digest, image.title, *(handle.digest for handle in ctx.models))
    stale = st.session_state.pop(SHOWN, None) != now
    with ui.busy(mark, f"Judging {image.title}", RESULTS) if stale else nullcontext():
        try:
            judged = judge(image, alpha, correction)
        except Exception:
            with head, ui.in_place():
                files.hinted(ctx, image)  # it may say why
            raise
        st.session_state[subject.JUDGEMENT] = judged[0].judgement
        with head, ui.in_place():
            verdicts.draw(image, judged, ctx.letters)
            files.hinted(ctx, image)
        with place:
            portrait(image)
        with right:
            with ui.in_place():
                rebuilt(image, judged)
            maps = st.container() if len(judged) == 1 else below.container()
            st.subheader("KL per layer", anchor=False)
            for under, letter, handle, place in by_model(judged):
                with place, ui.of_model(ctx, handle), ui.in_place():
                    layers(image, under, SUFFIXES[letter])
        with below:
            details(image, judged, alpha, correction=correction)
        with maps:  # last: the first image of a model waits for those that it is held against
            lost(image, judged)
    st.session_state[SHOWN] = now


body()
