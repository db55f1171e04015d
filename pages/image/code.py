"""The programs behind the panels of the page of one image."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.data.changed import UNMOVED, WHOLE
from hvae_core.detection.combine import Correction
from hvae_core.detection.standard import Standard
from hvae_core.detection.verdict import Reading
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.figures import symbol_html
from pages.image.one_image import OneImage
from pages.shared import program
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.shared.store import Handle


def rebuilt(
    ctx: Context,
    handle: Handle,
    image: OneImage,
    heads: Sequence[str],
    *,
    highlight: Sequence[int] | None,
    scale: int,
    settings: EvalSettings,
) -> Code:
    """The image and what it is rebuilt to from every level up, by the draws of the verdict."""
    return program.code(
        ctx,
        f"The image and its reconstructions from each layer up, {handle.title}",
        *_image(ctx, handle, image),
        "found = hv.reconstruct(",
        "    model,",
        "    image,",
        f"    seed={settings.seed},",
        f"    skipped={text(settings.skipped)},",
        f"    up={text(settings.up)},",
        f"    samples={settings.samples},",
        ")",
        "cells = [image.images[0] / 255, *found.means[:, 0]]",
        'row = hv.figures.StripRow("", cells, [None, *found.nll[:, 0]], out=False)',
        "figure = hv.figures.strip(",
        "    [row],",
        f"    {program.listing(heads, 4)},",
        f"    highlight={highlight},",
        f"    scale={scale},",
        f"    colors={program.theme()},",
        ")",
        uses=_uses(image),
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
        uses=_uses(image),
    )


BOTH_ENDS = "elbo"
"""The score of which the verdict takes both ends: too likely is unusual too."""


def density(
    ctx: Context,
    handle: Handle,
    image: OneImage,
    reading: Reading,
    *,
    standard: Standard,
    p_value: float,
    reference: str,
    height: int,
) -> Code:
    """One score of the image in the density of held-out images."""
    score = reading.score
    key, held_out = text(score.key), program.images(ctx, reference)
    unseen = ", unseen=True" if "held_out" in score.needs else ""
    lines = [
        f"reference = hv.score_images(model, {held_out}, {key}{unseen})[{key}]",
        f"value = hv.score_images(model, image, {key})[{key}][0]",
    ]
    uses = []
    if standard.by == "levels":  # of the half that ranks, to which no density is fitted
        uses = ["from hvae_core.detection.standard import Standard"]
        lines = [
            f"held_out = hv.evaluate(model, {held_out})",
            "standard = Standard(held_out.table)",
            f"column = standard.keys.index({key})",
            "reference = standard.scores[:, column]",
            "image = hv.evaluate(model, image, held_out.settings)",
            "value = standard.read(image.table)[0, column]",
        ]
    return program.code(
        ctx,
        f"{score.name} of this image among {ctx.title(reference)}",
        *_image(ctx, handle, image),
        *lines,
        "figure = hv.figures.reference_density(",
        "    reference,",
        "    value,",
        f"    {float(p_value)!r},  # its p in the verdict",
        f"    colors={program.theme()},",
        f"    symbol={text(symbol_html(score.symbol))},",
        f"    unit={text(score.unit)},",
        f"    height={height},",
        *(["    both=True,"] if score.key == BOTH_ENDS else []),
        ")",
        uses=_uses(image, *uses),
    )


def lost(
    ctx: Context, handle: Handle, image: OneImage, k: int, *, held_out: bool,
    ends: tuple[str, str], height: int, shared: tuple[float, tuple[str, ...]] | None,
) -> Code:  # fmt: skip
    """The map of the pixels that the layers above k lose, less what held-out images lose there.

    ``shared`` is where the scale ends that several models have, and their letters.
    """
    lines = ["settings = hv.EvalSettings()"]
    against = []
    if held_out:
        lines = [
            f"held_out = {program.images(ctx, ctx.reference_name)}.fit(model.image_shape)",
            "known = hv.evaluate(model, held_out)",
            "settings, nll = known.settings, known.table.nll",
        ]
        against = [
            "few = held_out.sample(USUAL_IMAGES)",
            "usual = mean_changes(",
            "    model.model, few.images, few.image_digests(), settings, checkpoint=model.digest",
            ")",
            "maps = against_usual(maps, usual, np.median(nll[:, :1] - nll, axis=0))",
        ]
    names = ["USUAL_IMAGES", "against_usual", "mean_changes"] if held_out else []
    limit, also = "hv.figures.map_limit(maps[1:])  # of all maps", ""
    if shared is not None:
        limit, also = f"{shared[0]!r}  # of the maps of all models", f"models={shared[1]!r}, "
    return program.code(
        ctx,
        f"Where the layers from {handle.level_names[k]} up lose the image, {handle.title}",
        *_image(ctx, handle, image),
        *lines,
        "maps = pixel_changes(model.model, image.images, image.image_digests(), settings)[0]",
        *against,
        f"limit = {limit}",
        f"figure = hv.figures.pixel_map(maps[{k}], limit, {program.theme()}, ends={ends},",
        f"                              {also}height={height})",
        uses=_uses(
            image,
            *(["import numpy as np"] if held_out else []),
            program.from_import("hvae_core.probes.pixel_loss", *names, "pixel_changes"),
        ),
    )


def near(
    ctx: Context, handle: Handle, image: OneImage, *, reference: str, heads: int, scale: int
) -> Code:
    """The held-out images nearest to the image in each layer whose means are kept."""
    return program.code(
        ctx,
        f"Nearest images of {ctx.title(reference)} by layer, {handle.title}",
        *_image(ctx, handle, image),
        f"held_out = {program.images(ctx, reference)}.fit(model.image_shape)",
        "known, found = hv.evaluate(model, held_out), hv.evaluate(model, image)",
        "rows = []",
        "for name, others, own in zip(known.names, known.latents, found.latents):",
        "    if not others.shape[1]:  # too many units: its means are not kept",
        "        continue",
        f"    number, distance = nearest(own, others, {heads - 1})",
        "    cells = [image.images[0], *held_out.images[number[0]]]",
        "    below = [None, *map(float, distance[0])]",
        "    rows.append(hv.figures.StripRow(name, cells, below, out=None))",
        'heads = ["this image", "nearest", "2nd", "3rd", "4th", "5th"]',
        "figure = hv.figures.strip(",
        "    rows,",
        f"    heads[:{heads}],",
        f"    scale={scale},",
        '    unit="",',
        "    underlined=False,",
        f"    colors={program.theme()},",
        ")",
        uses=_uses(image, "from hvae_core.probes.neighbours import nearest"),
    )


def bands(
    ctx: Context,
    handle: Handle,
    image: OneImage,
    *,
    reference: str,
    alpha: float,
    correction: Correction,
) -> Code:
    """The scores of the bounds before and after the changes, in the bands of held-out images."""
    came = [
        line.replace("image = ", "before = ", 1)
        for line in _image(ctx, handle, image.as_it_came())[1:]
    ]
    return program.code(
        ctx,
        f"Scores before and after the changes, {handle.title}",
        *_image(ctx, handle, image),
        *came,
        f"held_out = hv.evaluate(model, {program.images(ctx, reference)})",
        "known = held_out.table",
        "before, now = (",
        "    hv.evaluate(model, one, held_out.settings).table for one in (before, image)",
        ")",
        f"units, levels = {list(handle.units)}, {program.listing(handle.levels)}",
        f"standard = standard_of(known, {alpha!r}, {text(correction)})",
        "judged = judge(",
        f"    now, known, units, levels=levels, alpha={alpha!r}, correction={text(correction)}",
        ")",
        "of_verdict = dict(zip(judged.keys, judged.verdict.p_values))",
        "came = with_standard(readings(before, None), before, standard)",
        "was = {one.score.key: one.value for one in came}",
        "rows = [",
        "    hv.figures.ScoreRow(",
        "        hv.figures.symbol_html(one.score.symbol),",
        "        one.score.unit,",
        "        one.reference,",
        "        before=was[one.score.key],",
        "        now=one.value,",
        "        p=float(of_verdict.get(one.score.key, one.p_value)),",
        "    )",
        "    for one in sorted(",
        "        with_standard(readings(now, known), now, standard),",
        "        key=lambda one: one.score.key not in of_verdict,",
        "    )",
        "    if one.p_value is not None",
        "]",
        f"figure = hv.figures.score_bands(rows, {program.theme()})",
        uses=_uses(
            image,
            "from hvae_core.detection.standard import standard_of",
            "from hvae_core.detection.verdict import judge, readings, with_standard",
        ),
    )


def _uses(image: OneImage, *more: str) -> list[str]:
    """The imports of a program that has ``_image``."""
    changes = "from hvae_core.data.changed import changed"
    by = "from hvae_core.data.perturb import Perturbation"
    return [
        *more,
        *([changes] if image.changes else []),
        *([by] if image.changes and image.by.changes else []),
    ]


def _image(ctx: Context, handle: Handle, image: OneImage) -> list[str]:
    """Lines that load the model, and the image at its shape, with the changes made to it."""
    lines = [f"model = {program.load(handle)}"]
    if image.spot is None:
        lines += ["# The image was brought: put the path of its file."]
        loaded = 'hv.load_images("path/to/image.png")'
    else:
        name, number = image.spot
        loaded = f"{program.images(ctx, name)}.take([{number}])"
    if not image.changes:
        return [*lines, f"image = {loaded}.fit(model.image_shape)"]
    moved = {
        name: value for name, value in vars(image.by).items() if value != getattr(UNMOVED, name)
    }
    by = ", ".join(f"{name}={value!r}" for name, value in moved.items())
    return [
        *lines,
        f"image = {loaded}",
        "image = changed(",
        "    image,",
        "    model.image_shape,",
        *([f"    window={image.window},"] if image.window != WHOLE else []),
        *([f"    steps={image.steps},"] if image.steps else []),
        *([f"    quarters={image.quarters},"] if image.quarters else []),
        *([f"    by=Perturbation({by}),"] if image.by.changes else []),
        f"    seed={image.seed},",
        ")",
    ]
