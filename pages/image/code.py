"""The programs behind the panels of the page of one image."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.detection.verdict import Reading
from hvae_core.figures import symbol_html
from pages.image.one_image import OneImage
from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.shared.store import Handle


def rebuilt(
    ctx: Context, handle: Handle, image: OneImage, heads: Sequence[str], *, highlight: int | None
) -> Code:
    """The image and what it is rebuilt to from every level up."""
    return program.code(
        ctx,
        f"The image and its reconstructions from each layer up, {handle.title}",
        *_image(ctx, handle, image),
        f"found = hv.reconstruct(model, image, seed={ctx.seed})",
        "cells = [image.images[0] / 255, *found.means[:, 0]]",
        'row = hv.figures.StripRow("", cells, [None, *found.nll[:, 0]], out=False)',
        "figure = hv.figures.strip(",
        "    [row],",
        f"    {program.listing(heads, 4)},",
        f"    highlight={highlight},",
        "    scale=3,",
        f"    colors={program.theme()},",
        ")",
    )


def band(ctx: Context, handle: Handle, image: OneImage, *, reference: str, height: int) -> Code:
    """KL of each layer for the image, against held-out images."""
    return program.code(
        ctx,
        f"KL of each layer for this image, against {ctx.title(reference)}",
        *_image(ctx, handle, image),
        f"reference = hv.evaluate(model, {program.images(ctx, reference)})",
        "figure = hv.figures.layer_band(",
        "    reference.table.kl,",
        "    hv.evaluate(model, image).table.kl[0],",
        f"    {program.theme()},",
        "    names=reference.names,",
        f"    height={height},",
        ")",
    )


def density(
    ctx: Context,
    handle: Handle,
    image: OneImage,
    reading: Reading,
    *,
    p_value: float,
    reference: str,
    height: int,
) -> Code:
    """One score of the image in the density of held-out images."""
    score = reading.score
    key = text(score.key)
    return program.code(
        ctx,
        f"{score.name} of this image among {ctx.title(reference)}",
        *_image(ctx, handle, image),
        f"reference = hv.score_images(model, {program.images(ctx, reference)}, {key})[{key}]",
        f"value = hv.score_images(model, image, {key})[{key}][0]",
        "figure = hv.figures.reference_density(",
        "    reference,",
        "    value,",
        f"    {float(p_value)!r},  # its p in the verdict",
        f"    colors={program.theme()},",
        f"    symbol={text(symbol_html(score.symbol))},",
        f"    unit={text(score.unit)},",
        f"    height={height},",
        ")",
    )


def _image(ctx: Context, handle: Handle, image: OneImage) -> list[str]:
    """Lines that load the model, and the image at its shape."""
    lines = [f"model = {program.load(handle)}"]
    if image.spot is None or image.changes:
        lines += ["# The image was brought or changed: put the path of its file."]
        loaded = 'hv.load_images("path/to/image.png")'
    else:
        name, number = image.spot
        loaded = f"{program.images(ctx, name)}.take([{number}])"
    return [*lines, f"image = {loaded}.fit(model.image_shape)"]
