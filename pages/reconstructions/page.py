"""Reconstructions p(x | z_>k): what is left of an image when only the layers above k saw it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from hvae_core.figures import fmt, strip_boxes, tile
from hvae_core.probes.picture_quality import group_losses, pixel_variance
from pages.reconstructions import ahead, code, controls
from pages.reconstructions.controls import ReconstructionSettings
from pages.shared import clickable, image_names, panel, pictures, saving, ui
from pages.shared.controls import among, next_seed, one_of, select
from pages.shared.image_names import NamedImages
from pages.shared.state import colors, context

if TYPE_CHECKING:
    from hvae_core.probes.reconstruct import Reconstructions

ctx = context()
palette = colors()
SHRINKS = 700
"""Up to this width in pixels a picture shrinks on a narrow screen; a wider one scrolls there."""

MARKS = "On grey: the column of this k. Underlined: the highest cost of a row."
LOOK_FOR = (
    "Each row starts with an image x. Each column rebuilds it from fewer layers, the last one from "
    "the top layer alone. Look for the column where an outsider becomes something that the model "
    "knows. Below each picture stands what the image costs when it is rebuilt so, in nats: "
    "−log p(x | z>k). What an image loses is how much more it costs than in the first column."
)


def strips(named: NamedImages, settings: ReconstructionSettings) -> list[Reconstructions]:
    """The big picture of each model, with its exports; returns what each rebuilt."""
    results = []
    with st.container(horizontal=True, gap="large", key="scroll_r_strips"):
        for letter, handle in ctx.lettered:
            results.append(pictures.of_images(handle, named.images, **settings.drawing))
            rows, heads = ahead.rows_of(handle, named, settings)
            png = ahead.packed(handle, named, settings, palette)
            picture = Image.open(io.BytesIO(png))
            with st.container(width="content", gap="small"), ui.of_model(ctx, handle):
                alt = f"Images and their reconstructions from each layer up, {handle.title}"
                clickable.picture(
                    ctx,
                    picture,
                    alt,
                    key=f"r_strip_{letter}",
                    spots=[image_names.parse(ctx, name) for name in named.names],
                    boxes=strip_boxes(rows, heads, scale=settings.scale),
                    scrolls=picture.width > SHRINKS,
                    most=picture.width,
                    png=png,
                    says={"r_k": settings.k, "r_temp": settings.temperature},
                    neighbours=ahead.neighbours(
                        handle, named, settings, palette, following=next_seed(ctx, "r_draw")
                    ),
                )
                st.caption(MARKS)
                label = f"Picture {letter} (PNG)" if len(ctx.models) > 1 else "Picture (PNG)"
                made = code.strip(ctx, handle, named, settings, heads=heads)
                saving.picture_button(
                    picture, f"reconstructions-{letter}", label, alt=alt, code=made
                )
    known = list(zip(ctx.models, results, strict=True))
    saving.csv_button(lambda: controls.table(named, known, settings), "reconstructions")
    return results


def several(named: NamedImages, settings: ReconstructionSettings) -> None:
    """Several draws of one image: what the layers above k leave open."""
    start = controls.starts(ctx.models, settings.k, ctx.letters)
    st.subheader(f"Several draws from {start} up", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = dict(zip(named.names, named.labels, strict=True))
        among("r_of", labels)
        controls.followed(ctx, named.names)
        name = select("Image", labels, key="r_of", width=320)
        n = one_of("Draws", [8, 16, 32], 16, key="r_n")
    image = named.images.take([named.names.index(name)])
    for index, (letter, handle) in enumerate(ctx.lettered):
        k = min(settings.k, handle.n_levels - 1)
        means, nll = controls.draws_of(handle, image, k, n=n, **settings.noise)
        who = f"**{letter}** {handle.title}: " if len(ctx.models) > 1 else ""
        panel.said(
            f"{who}{'these' if who else 'These'} draws cost **{fmt(nll.mean(), 'nats')}** on "
            f"average, −log p(x | z>{k}), from {fmt(nll.min())} to {fmt(nll.max())}. Between "
            f"draws a pixel varies by **{fmt(pixel_variance(means))}** (variance; 0 means that all "
            "draws are alike)."
        )
        with st.container(horizontal=True, key=f"scroll_r_draws_{index}"):
            x = tile(image.images, columns=1, scale=4, colors=palette)
            ui.picture(x, "The image x")
            draws = tile(means, columns=8, scale=2, colors=palette)
            ui.picture(draws, f"{len(means)} draws of the image")
        spot = image_names.parse(ctx, name)
        made = code.draws(ctx, handle, spot, settings, n=n)
        alt = f"{len(means)} draws of {labels[name]}, {handle.title}"
        with panel.view().under(ctx.letter(handle)):
            saving.picture_button(draws, f"draws-{letter}", alt=alt, code=made)


@ui.fragment
def body() -> None:
    """All of it: a control changes every picture and the claim, and nothing else of the app."""
    head = st.container()
    pictured, beside = st.columns([3, 1], gap="large")
    with ui.settings(place=beside):
        settings = controls.controls(ctx)
    with pictured:
        names = controls.images_control(ctx)
        named, problems = image_names.load(ctx, ctx.a, names)
        if problems:
            text = "\n\n".join(map(ui.plain, problems))
            st.warning(text, icon=":material/image_not_supported:")
    if named is None:
        with head:
            ui.header("No image to reconstruct yet", LOOK_FOR)
        with pictured:
            st.info("Choose images above, or bring one of your own.")
            ui.link("image", "Upload one image", {"i_from": "upload"})
        return
    with pictured, ui.in_place():
        nll = strips(named, settings)[0].nll
        k = min(settings.k, len(nll) - 1)
        groups = group_losses(nll, named.titles, named.outs, k=k)
        with head:
            claim = ctx.claim_of(ctx.a, controls.claim(groups, k, ctx.a.level_names))
            ui.header(ui.plain(claim), LOOK_FOR)
    with ui.in_place():
        several(named, settings)


body()
