"""Compression and attacks: what the upper layers keep of a picture, and how easily they are led."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from hvae_core.figures import attack_curve, fmt, png_bytes, rate_distortion, strip, tile
from pages.compression import attacks, code, pictures
from pages.compression.attacks import Attacked, ImagesToAttack
from pages.compression.pictures import Coded, Picture
from pages.shared import controls, panel, saving, ui
from pages.shared.controls import View, k_slider, one_of
from pages.shared.state import colors, context
from pages.shared.store import Handle

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from hvae_core.probes.attack_record import AttackSettings
    from hvae_core.probes.compression import Compression, Rating

ctx = context()
palette = colors()

MEASURES = {"PSNR": ("psnr", "dB"), "MS-SSIM": ("ms_ssim", "")}
# Pictures with shorter sides are shown pixel by pixel, three in a row; others two in a row.
SMALL = 180
THREE, TWO = 180, 335


def compression_view(beside: DeltaGenerator) -> str:
    """Pictures by k beside JPEG, and the chart of rates."""
    with beside:
        picture = pictures.choose(ctx)
        k = k_slider(ctx, "c_k")
        measure = one_of("Measure", list(MEASURES), "PSNR", key="c_measure")
    if picture is None:
        st.info("Choose a picture beside, or bring one of your own.")
        return ""
    coded: list[Coded] = []
    for letter, handle in ui.each_model(ctx):
        with ui.in_place():
            compression = pictures.compression_of(handle, picture, ctx.seed)
            if compression is not None:
                coded.append((handle, compression))
                k_of = min(k, handle.n_levels - 1)
                pairs(handle, compression, k_of, letter=letter, picture=picture)
    if not coded:
        shown(picture.pixels, size_of(picture.pixels), alt="The picture", head="The picture")
        return ""
    rates(coded, measure, picture)
    saving.csv_button(lambda: pictures.table(picture, coded, ctx.seed), "compression")
    handle, compression = coded[0]
    k = min(k, handle.n_levels - 1)
    return ctx.claim_of(handle, pictures.claim(compression, k, handle.level_names[k]))


def pairs(
    handle: Handle, compression: Compression, k: int, *, letter: str, picture: Picture
) -> None:
    """The original, what the layers above k rebuild, and JPEG at that rate."""
    _, height, width = compression.original.shape
    level, jpeg = handle.level_names[k], compression.jpeg[k]
    x, jpegs = compression.original, compression.jpeg_pictures
    cells = [
        (compression.pictures[k], pictures.rated(compression.ratings[k]),
         f"Rebuilt from {level} up", f"From {level} up"),
        (jpegs[k], pictures.rated(jpeg), f"JPEG at quality {jpeg.quality}",
         f"JPEG, quality {jpeg.quality}"),
    ]  # fmt: skip
    # Where two fit in a row, those are the ones to compare.
    place = 0 if max(height, width) < SMALL else len(cells)
    cells.insert(place, (x, size_of(x), "The picture as the model codes it", "The picture"))
    with st.container(horizontal=True, gap="small", key=f"scroll_c_{letter}"):
        for pixels, caption, alt, head in cells:
            shown(pixels, caption, alt=alt, head=head)
    every = np.concatenate([x[None], compression.pictures, jpegs])
    columns = len(compression.pictures) + 1
    label = f"All k of {letter} (PNG)" if len(ctx.models) > 1 else "All k (PNG)"
    scale = max(1, SMALL // 2 // max(height, width))
    tiles = tile(every, columns=columns, scale=scale, colors=palette)
    made = code.pairs(ctx, handle, picture, scale)
    alt = f"The picture, rebuilt from each level up, and JPEG at the same rates, {handle.title}"
    saving.picture_button(tiles, f"compression-{letter}", label, alt=alt, code=made)


def size_of(pixels: np.ndarray) -> str:
    """Size and kind of a picture (C, H, W) in words."""
    channels, height, width = pixels.shape
    return f"{width}x{height}, {'luminance' if channels == 1 else 'colour'}"


def shown(pixels: np.ndarray, caption: str, *, alt: str, head: str) -> None:
    """One picture between its head and what it costs."""
    side = max(pixels.shape[1:])
    small = side < SMALL
    with st.container(width=THREE if small else TWO, gap="small"):
        st.markdown(head)
        scale = max(1, SMALL // side) if small else 1
        picture = tile(pixels[None], columns=1, scale=scale, colors=palette)
        if small:
            ui.picture(picture, alt)
        else:
            st.image(png_bytes(picture), width=TWO, output_format="PNG", alt=alt)
        st.caption(ui.plain(caption))


def rates(coded: Sequence[Coded], measure: str, picture: Picture) -> None:
    """The measure against the rate: a curve a model, and JPEG's of each way to code the picture."""
    field, unit = MEASURES[measure]

    def curve(ratings: Sequence[Rating]) -> tuple[list[float], list[float]]:
        return [rating.bpp for rating in ratings], [getattr(rating, field) for rating in ratings]

    jpegs: dict[str, tuple[Rating, ...]] = {}
    for _, compression in coded:
        colour = len(compression.original) == 3
        jpegs.setdefault("JPEG" if colour else "JPEG of the luminance", compression.curve)
    st.subheader(f"{measure} against the rate", anchor=False)
    figure = rate_distortion(
        [(handle.title, *curve(own.ratings), handle.level_names) for handle, own in coded],
        [(kind, *curve(ratings), [r.quality for r in ratings]) for kind, ratings in jpegs.items()],
        palette,
        measure=measure,
        unit=unit,
        letters=ctx.letters_of(handle for handle, _ in coded),
    )
    handles = [handle for handle, _ in coded]
    made = code.rates(ctx, handles, picture, measure, field=field, unit=unit)
    alt = f"{measure} against bits a pixel, models and JPEG"
    ui.chart(figure, "rate-distortion", alt, code=made)


def attack_view(beside: DeltaGenerator) -> str:
    """The curve of MS-SSIM by attacked levels, and one image with its twins."""
    with beside:
        settings, count, of_subset = attacks.controls(ctx)
        sets = [attacks.images_of(ctx, handle, count, subset=of_subset) for handle in ctx.models]
        # A set of the reader's own may have fewer images than are asked for.
        last = len(sets[0].spots) - 1
        controls.within("a_which", last)
        which = 0
        if last:
            which = st.number_input("Image shown", 0, last, key="a_which", bind="query-params")
        attacks.way_to(ctx, sets[0].spots[which])
    chart = st.container()
    attacked: list[Attacked] = []
    for images, (letter, handle) in zip(sets, ctx.lettered, strict=True):
        result = attacks.attacks_on(handle, images.images, settings)
        if result is None:
            continue
        attacked.append((handle, result))
        with ui.of_model(ctx, handle):
            picture = strip(
                attacks.strip_rows(result, which, palette), attacks.heads(handle), scale=3,
                unit=attacks.LOST, colors=palette,
            )  # fmt: skip
            scroll = f"a_{letter}"
            alt = "An image, its twins, and what is rebuilt of them"
            ui.picture(picture, alt, scroll=scroll)
            made = code.attack_strip(
                ctx, handle, images, settings, which=which, heads=attacks.heads(handle)
            )
            saving.picture_button(picture, f"attack-{letter}", alt=alt, code=made)
    if not attacked:
        pixels = sets[0].images.images
        scale = max(1, SMALL // 2 // max(pixels.shape[2:]))
        picture = tile(pixels, columns=6, scale=scale, colors=palette)
        st.markdown(f"The image{'s' * (len(pixels) > 1)} to attack")
        ui.picture(picture, "The images to attack", scroll="a_before")
        return ""
    with chart:
        attack_chart(attacked, settings, sets[0])
    handle, result = attacked[0]
    return ctx.claim_of(handle, attacks.claim(result, handle, settings.radius))


def attack_chart(
    attacked: Sequence[Attacked], settings: AttackSettings, images: ImagesToAttack
) -> None:
    """MS-SSIM by the number of attacked levels, and how far model A's posterior moved."""
    figure = attack_curve(
        [(handle.title, *result.similarity("own"), result.interval("own"), handle.level_names)
         for handle, result in attacked],
        palette,
        letters=ctx.letters_of(handle for handle, _ in attacked),
    )  # fmt: skip
    made = code.attack_curve(ctx, [handle for handle, _ in attacked], images, settings)
    alt = "MS-SSIM after an attack, by the number of attacked levels"
    ui.chart(figure, "attack-curve", alt, code=made)
    handle, result = attacked[0]
    count, moved = len(result.seen), result.moved.mean((2, 3))
    panel.said(
        f"Mean over {count} image{'s' * (count > 1)}, with 95 % intervals. Under attack the "
        f"posterior of {handle.level_names[-1]} moves by {fmt(moved[0, -1], 'nats')} (symmetric "
        f"KL), under a random change by {fmt(moved[1, -1])}.",
        note=True,
    )
    saving.csv_button(lambda: attacks.table(attacked, settings, images), "attacks")


VIEWS = {
    "Compression": View(
        compression_view,
        "The picture is rebuilt from the upper layers alone, the layers below at their prior mean. "
        "The rate is the KL of the layers used, in bits a pixel. JPEG at the nearest rate stands "
        "beside it; its header and tables are not counted. These small models are made to be "
        "understood, not to compress: look for what the top layers keep.",
        "What do the upper layers keep of a picture?",
    ),
    "Attacks": View(
        attack_view,
        "A twin differs from its image by at most the radius in every pixel. It is made to move "
        "the posterior of the attacked layers as far as possible. Below each rebuilt picture "
        "stands how far it is from what is rebuilt of the image itself, 1 − MS-SSIM; the largest "
        "of a row is underlined. In the chart, look for the attack far below the random change.",
        "How far can a small change lead the upper layers?",
    ),
}


@ui.fragment
def body() -> None:
    """Claim, the chosen view and its controls; a control changes nothing else of the app."""
    controls.show_view(VIEWS, "c_view")


body()
