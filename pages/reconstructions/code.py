"""The programs behind the panels of the reconstruction page."""

from __future__ import annotations

from collections.abc import Sequence

from pages.reconstructions.controls import ReconstructionSettings
from pages.shared import image_names, program
from pages.shared.image_names import NamedImages
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.shared.store import Handle


def strip(
    ctx: Context,
    handle: Handle,
    named: NamedImages,
    settings: ReconstructionSettings,
    *,
    heads: Sequence[str],
) -> Code:
    """Images and what each is rebuilt to from every level up."""
    spots = [image_names.parse(ctx, name) for name in named.names]
    rows = [(label, *spot) for label, spot in zip(named.labels, spots, strict=True)]
    options = (
        f"skipped={text(settings.skipped)}, up={text(settings.up)}, "
        f"temperature={settings.temperature}, seed={settings.seed}"
    )
    return program.code(
        ctx,
        f"Images and their reconstructions from each level up, {handle.title}",
        f"model = {program.load(handle)}",
        *program.picked(ctx, rows),
        f"options = dict({options})",
        *(line.format(options="**options") for line in program.REBUILT),
        "figure = hv.figures.strip(",
        "    rows,",
        f"    {program.listing(heads, 4)},",
        f"    highlight={min(settings.k, handle.n_levels - 1) + 1},",
        f"    scale={settings.scale},",
        f"    colors={program.theme()},",
        ")",
    )


def draws(
    ctx: Context, handle: Handle, spot: tuple[str, int], settings: ReconstructionSettings, *, n: int
) -> Code:
    """Several draws of one image, from what the levels above k know of it."""
    k = min(settings.k, handle.n_levels - 1)
    name, number = spot
    return program.code(
        ctx,
        f"{n} draws of p(x | z>{k}) of one image, {handle.title}",
        f"model = {program.load(handle)}",
        f"image = {program.images(ctx, name)}.take([{number}]).fit(model.image_shape)",
        "means, nll = draws(",
        "    model.model,",
        "    image.images,",
        "    image.image_digests()[0],",
        f"    k={k},",
        f"    n={n},",
        f"    seed={settings.seed},",
        f"    up={text(settings.up)},",
        f"    temperature={settings.temperature},",
        ")",
        'print(f"lost: {nll.mean():.1f} nats on average")',
        f"figure = hv.figures.tile(means, columns=8, scale=2, colors={program.theme()})",
        uses=["from hvae_core.probes.reconstruct import draws"],
    )
