"""Reconstructions p(x | z_>k): what is left of an image when only the layers above k saw it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from hvae_core.figures import fmt, png_bytes, strip, tile
from hvae_core.probes.picture_quality import group_losses, pixel_variance
from pages.reconstructions import controls
from pages.shared import image_names, pictures, ui
from pages.shared.state import colors, context

ctx = context()
palette = colors()

LOOK_FOR = (
    "Columns run from every layer to the top one alone. Look for the column where an outsider "
    "becomes something that the model knows. Under each picture −log p(x | z>k) in nats, the "
    "largest of a row underlined; the picture x is shown as stored."
)


def strips(chosen: image_names.Chosen, settings: controls.Settings) -> list:
    """The big picture of each model, with its exports; returns the models with their results."""
    found = []
    with st.container(horizontal=True, gap="large", key="scroll_r_strips"):
        for index, handle in enumerate(ctx.models):
            result = pictures.of_images(handle, chosen.images, **settings.drawing)
            found.append((handle, result))
            with st.container(width="content", gap="small"):
                letter = "AB"[index]
                if len(ctx.models) > 1:
                    st.markdown(f"**{letter}** {handle.title}")
                picture = strip(
                    image_names.strip_rows(chosen, result),
                    pictures.heads(handle),
                    highlight=min(settings.k, handle.n_levels - 1) + 1,
                    scale=settings.scale,
                    colors=palette,
                )
                ui.picture(
                    picture, f"Images and their reconstructions from each layer up, {handle.title}"
                )
                ui.picture_button(
                    partial(png_bytes, picture),
                    f"reconstructions-{letter}",
                    f"Picture {letter} (PNG)" if len(ctx.models) > 1 else "Picture (PNG)",
                )
    ui.csv_button(lambda: controls.table(chosen, found, settings), "reconstructions")
    return found


def several(chosen: image_names.Chosen, settings: controls.Settings) -> None:
    """Several draws of one image: what the layers above k leave open."""
    st.subheader(f"Several draws from {controls.starts(ctx.models, settings.k)} up", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = dict(zip(chosen.names, chosen.labels, strict=True))
        if st.session_state.get("r_of") not in (None, *labels):
            del st.session_state["r_of"]
        name = st.selectbox(
            "Image",
            list(labels),
            format_func=labels.__getitem__,
            key="r_of",
            bind="query-params",
            width=320,
        )
        n = st.segmented_control(
            "Draws", [8, 16, 32], default=16, key="r_n", bind="query-params", required=True
        )
    row = chosen.names.index(name) if name in chosen.names else 0
    for index, handle in enumerate(ctx.models):
        means, nll = controls.draws_of(handle, chosen, row, int(n or 16), settings)
        k = min(settings.k, handle.n_levels - 1)
        who = f"**{'AB'[index]}** {handle.title}: " if len(ctx.models) > 1 else ""
        st.markdown(
            f"{who}mean −log p(x | z>{k}) **{fmt(nll.mean(), 'nats')}**, from "
            f"{fmt(nll.min())} to {fmt(nll.max())}; mean variance of a pixel over the draws "
            f"**{fmt(pixel_variance(means))}** (0 if all were alike)."
        )
        with st.container(horizontal=True, key=f"scroll_r_draws_{index}"):
            seen = tile(chosen.images.images[[row]], columns=1, scale=4, colors=palette)
            ui.picture(seen, "The image x")
            many = tile(means, columns=8, scale=2, colors=palette)
            ui.picture(many, f"{len(means)} draws of the image")
        ui.picture_button(partial(png_bytes, many), f"draws-{'AB'[index]}")


def draw() -> None:
    """All of it: a control changes every picture and the claim, and nothing else of the app."""
    head = st.container()
    pictured, beside = st.columns([3, 1], gap="large")
    with beside:
        settings = controls.controls(ctx)
    with pictured:
        names = controls.images_control(ctx)
    chosen, problems = image_names.load(ctx, ctx.a, names)
    with pictured:
        if problems:
            text = "\n\n".join(map(ui.plain, problems))
            st.warning(text, icon=":material/image_not_supported:")
    if chosen is None:
        with head:
            ui.header("No image to reconstruct yet", LOOK_FOR)
        with pictured:
            st.info("Choose images above, or bring one of your own.")
            st.page_link(
                "pages/image/page.py",
                label="Upload one image",
                icon=":material/arrow_forward:",
                query_params={"i_from": "upload"},
            )
        return
    with pictured, ui.in_place():
        found = strips(chosen, settings)
        nll = found[0][1].nll
        k = min(settings.k, len(nll) - 1)
        groups = group_losses(nll, chosen.titles, chosen.outs, k)
        with head:
            ui.header(ui.plain(controls.claim(groups, k, ctx.a.level_names)), LOOK_FOR)
    with ui.in_place():
        several(chosen, settings)


@st.fragment
def body() -> None:
    """Errors are shown in place when only this part runs, too."""
    with ui.in_place():
        draw()


body()
