"""Compression and attacks: what the upper layers keep of a picture, and how easily they are led."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from hvae_core.figures import attack_curve, fmt, png_bytes, rate_distortion, strip, tile
from pages.compression import attacks, pictures
from pages.shared import image_names, store, ui
from pages.shared.state import colors, context

ctx = context()
palette = colors()

VIEWS = {
    "Compression": "The picture rebuilt from the upper layers alone, the rest at their prior "
    "means; the rate is the KL of the layers used. JPEG at the nearest rate stands beside it, its "
    "header and tables not counted. These are small models, made to be understood and not to "
    "compress: look for what the top keeps.",
    "Attacks": "A twin differs from its image by no more than the radius in any pixel and moves "
    "the posterior of the layers under attack as far as it can. Under each rebuilt picture is what "
    "it lost against that of the image itself, 1 − MS-SSIM, the largest of a row underlined. Look "
    "for a curve of the attack far below that of a random change.",
}
MEASURES = {"PSNR": ("psnr", "dB"), "MS-SSIM": ("ms_ssim", "")}
# Pictures with shorter sides are shown pixel by pixel, three in a row; others two in a row.
SMALL = 180
THREE, TWO = 180, 335


def shown(picture: np.ndarray, caption: str, alt: str, head: str) -> None:
    """One picture between its head and what it costs."""
    side, whole = max(picture.shape[1:]), picture[None]
    small = side < SMALL
    with st.container(width=THREE if small else TWO, gap="small"):
        st.markdown(head)
        if small:
            scale = max(1, SMALL // side)
            ui.picture(tile(whole, columns=1, scale=scale, colors=palette), alt)
        else:
            image = tile(whole, columns=1, scale=1, colors=palette)
            st.image(png_bytes(image), width=TWO, output_format="PNG", alt=alt)
        st.caption(ui.plain(caption))


def pairs(handle, one, k: int, letter: str) -> None:  # type: ignore[no-untyped-def]
    """The original, what the layers above k rebuild, and JPEG at that rate."""
    channels, height, width = one.original.shape
    size = f"{width}x{height}, {'luminance' if channels == 1 else 'colour'}"
    level, ours, jpeg = handle.level_names[k], one.ratings[k], one.jpeg[k]
    original = (one.original, size, "The picture as the model codes it", "The picture")
    coded = [
        (one.pictures[k], pictures.rated(ours), f"Rebuilt from {level} up", f"From {level} up"),
        (one.jpeg_pictures[k], pictures.rated(jpeg), f"JPEG at quality {jpeg.quality}",
         f"JPEG, quality {jpeg.quality}"),
    ]  # fmt: skip
    with st.container(horizontal=True, gap="small", key=f"scroll_c_{letter}"):
        # Where two fit in a row, those are the ones to compare.
        for each in [original, *coded] if max(height, width) < SMALL else [*coded, original]:
            shown(*each)
    made = tile(np.concatenate([one.original[None], one.pictures, one.jpeg_pictures]),
                columns=len(one.pictures) + 1, scale=1, colors=palette)  # fmt: skip
    label = f"All k of {letter} (PNG)" if len(ctx.models) > 1 else "All k (PNG)"
    ui.picture_button(partial(png_bytes, made), f"compression-{letter}", label)


def compression_view(beside) -> str:  # type: ignore[no-untyped-def]
    """Pictures by k beside JPEG, and the chart of rates."""
    with beside:
        subject = pictures.choose(ctx)
        top = max(handle.n_levels for handle in ctx.models) - 1
        image_names.in_range("c_k", top)
        k = 0
        if top:
            k = int(st.slider(f"k, {store.counted(ctx.models)} skipped", 0, top, min(1, top),
                              key="c_k", bind="query-params"))  # fmt: skip
        measure = st.segmented_control("Measure", list(MEASURES), default="PSNR", key="c_measure",
                                       bind="query-params", required=True) or "PSNR"  # fmt: skip
    if subject is None:
        st.info("Choose a picture beside, or bring one of your own.")
        return ""
    known = []
    for index, handle in enumerate(ctx.models):
        if len(ctx.models) > 1:
            st.markdown(f"**{'AB'[index]}** {ui.plain(handle.title)}")
        with ui.in_place():
            one = pictures.found(handle, subject, ctx.seed)
            if one is not None:
                known.append((handle, one))
                pairs(handle, one, min(k, handle.n_levels - 1), "AB"[index])
    if not known:
        return ""
    field, unit = MEASURES[measure]
    st.subheader(f"{measure} against the rate", anchor=False)
    figure = rate_distortion(
        [(handle.title, [r.bpp for r in one.ratings], [getattr(r, field) for r in one.ratings],
          handle.level_names) for handle, one in known],
        _jpegs(known, field),
        palette,
        measure=measure,
        unit=unit,
    )  # fmt: skip
    ui.chart(figure, "rate-distortion", f"{measure} against bits a pixel, models and JPEG")
    ui.csv_button(lambda: pictures.table(subject, known, ctx.seed), "compression")
    handle, one = known[0]
    k = min(k, handle.n_levels - 1)
    return f"{pictures.claim(one, k, handle.level_names[k])}"


def _jpegs(known, field: str):  # type: ignore[no-untyped-def]
    """JPEG's curve of each way the picture is coded: in grey and in colour."""
    curves = {}
    for _, one in known:
        kind = "JPEG" if len(one.original) == 3 else "JPEG of the luminance"
        curves.setdefault(kind, one.curve)
    return [(kind, [r.bpp for r in curve], [getattr(r, field) for r in curve],
             [r.quality for r in curve]) for kind, curve in curves.items()]  # fmt: skip


def attack_view(beside) -> str:  # type: ignore[no-untyped-def]
    """The curve of MS-SSIM by attacked levels, and one image with its twins."""
    with beside:
        settings, count = attacks.controls(ctx)
        sets = [attacks.images_of(ctx, handle, count) for handle in ctx.models]
        # A set of the reader's own may have fewer images than are asked for.
        last = len(sets[0]) - 1
        image_names.in_range("a_which", last)
        which = 0
        if last:
            which = int(st.number_input("Image shown", 0, last, key="a_which",
                                        bind="query-params") or 0)  # fmt: skip
    known = []
    place = st.container()
    for index, (handle, images) in enumerate(zip(ctx.models, sets, strict=True)):
        one = attacks.found(handle, images, settings)
        if one is None:
            continue
        known.append((handle, one))
        if len(ctx.models) > 1:
            st.markdown(f"**{'AB'[index]}** {ui.plain(handle.title)}")
        made = strip(
            attacks.strip_rows(one, which, palette), attacks.heads(handle), scale=3,
            unit=attacks.LOST, colors=palette,
        )  # fmt: skip
        with st.container(key=f"scroll_a_{index}"):
            ui.picture(made, "An image, its twins, and what is rebuilt of them")
        ui.picture_button(partial(png_bytes, made), f"attack-{'AB'[index]}")
    if not known:
        return ""
    with place:
        figure = attack_curve(
            [(handle.title, *one.similarity("own"), one.interval("own"), handle.level_names)
             for handle, one in known],
            palette,
        )  # fmt: skip
        ui.chart(
            figure, "attack-curve", "MS-SSIM after an attack, by the number of attacked levels"
        )
        count = len(known[0][1].seen)
        moved = known[0][1].moved.mean((2, 3))
        top = known[0][0].level_names[-1]
        st.caption(
            f"Mean over {count} image{'s' * (count > 1)}, with 95 % intervals. Under attack the "
            f"posterior of {top} moves by {fmt(moved[0, -1], 'nats')} (symmetric KL), by chance "
            f"{fmt(moved[1, -1])}."
        )
        ui.csv_button(lambda: attacks.table(known, settings), "attacks")
    handle, one = known[0]
    return attacks.claim(one, handle, settings.radius)


DRAWN = {"Compression": compression_view, "Attacks": attack_view}
UNKNOWN = {
    "Compression": "What do the upper layers keep of a picture?",
    "Attacks": "How far can a small change lead the upper layers?",
}


@st.fragment
def body() -> None:
    """Claim, the chosen view and its controls; a control changes nothing else of the app."""
    with ui.in_place():
        head = st.container()
        pictured, beside = st.columns([3, 1], gap="large")
        with beside:
            view = st.radio("Show", list(VIEWS), key="c_view", bind="query-params") or "Compression"
        claim = ""
        with pictured, ui.in_place():
            claim = DRAWN[view](beside)
        with head:
            ui.header(ui.plain(claim) or UNKNOWN[view], VIEWS[view])


body()
