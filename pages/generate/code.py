"""The programs behind the pictures of the generation page."""

from __future__ import annotations

from collections.abc import Sequence

from pages.generate import views
from pages.shared import image_names, program
from pages.shared.program import Code
from pages.shared.state import Context
from pages.shared.store import Handle

USES = ["from hvae_core.probes import generate"]


def prior(ctx: Context, handle: Handle, n: int, seed: int, *, heat: Sequence[float]) -> Code:
    """Samples from nothing but the prior."""
    by_level = dict(zip(handle.level_names, heat, strict=True))
    temperature = [by_level[level] for level in handle.levels]
    return program.code(
        ctx,
        f"{n} samples from the prior of {handle.title}",
        f"model = {program.load(handle)}",
        f"temperature = {temperature}  # of each layer, z1 first",
        "samples = generate.prior_samples(",
        f"    model.model, {n}, seed={seed}, temperature=temperature",
        ")",
        "figure = hv.figures.tile(",
        f"    samples, columns={round(n**0.5)}, scale=3, colors={program.theme()}",
        ")",
        uses=USES,
    )


def redrawn(
    ctx: Context, handle: Handle, names: Sequence[str], *, seed: int, temperature: float
) -> Code:
    """One image, its lower levels drawn again and again."""
    labels = [f"keep {part}" for part in (*views.upwards(handle.level_names[1:]), "nothing")]
    return program.code(
        ctx,
        f"The upper levels of one image kept, the lower drawn anew, {handle.title}",
        *_latents(ctx, handle, names, seed=seed),
        f"labels = {program.listing(labels)}",
        "rows = []",
        "for k, label in enumerate(labels, start=1):",
        "    if k < model.model.n_levels:",
        "        mean = generate.redraws(model.model, z, k, n=1, temperature=0.0)",
        f"        draws = generate.redraws({_drawn('model.model, z, k', seed, temperature)})",
        "    else:  # nothing is kept",
        "        mean = generate.prior_samples(model.model, 1, temperature=0.0)",
        f"        draws = generate.prior_samples({_drawn('model.model', seed, temperature)})",
        "    cells = [image.images[0] / 255, mean[0], *draws]",
        "    rows.append(hv.figures.StripRow(label, cells, [None] * len(cells), out=None))",
        *_strip(["x", "mean", *(f"draw {i + 1}" for i in range(views.DRAWS))]),
        uses=USES,
    )


def _drawn(first: str, seed: int, temperature: float) -> str:
    n = str(views.DRAWS) if first == "model.model" else f"n={views.DRAWS}"
    return f"{first}, {n}, seed={seed}, temperature={temperature}"


def path(ctx: Context, handle: Handle, names: Sequence[str], heads: Sequence[str]) -> Code:
    """The ways between two images, one a level."""
    return program.code(
        ctx,
        f"From one image to another, level by level, {handle.title}",
        *_latents(ctx, handle, names, seed=ctx.seed),
        f"labels = {program.listing(views.upwards(handle.level_names))}",
        "rows = []",
        "for k, label in enumerate(labels):",
        f"    cells = list(generate.interpolation(model.model, z, k, steps={views.STEPS}))",
        "    rows.append(hv.figures.StripRow(label, cells, [None] * len(cells), out=None))",
        *_strip(heads),
        uses=["import numpy as np", *USES],
    )


def traversal(
    ctx: Context,
    handle: Handle,
    names: Sequence[str],
    *,
    layer: int,
    units: Sequence[int],
    reach: float,
    heads: Sequence[str],
) -> Code:
    """The units of one layer, moved one by one."""
    return program.code(
        ctx,
        f"Units of {handle.names[layer - 1]} moved, {handle.title}",
        *_latents(ctx, handle, names, seed=ctx.seed),
        f"values = np.linspace({-reach}, {reach}, {views.STEPS}).tolist()",
        "rows = []",
        f"for unit in {list(units)}:",
        f"    cells = list(generate.traversal(model.model, z, {layer}, unit=unit, values=values))",
        '    label = f"unit {unit}"',
        "    rows.append(hv.figures.StripRow(label, cells, [None] * len(cells), out=None))",
        *_strip(heads),
        uses=["import numpy as np", *USES],
    )


def tops(ctx: Context, handle: Handle, seed: int, *, n: int, heat: float) -> Code:
    """Topmost latents that are pictures, drawn from their prior, and what each gives."""
    return program.code(
        ctx,
        f"{handle.names[-1]} drawn from its prior, {handle.title}",
        f"model = {program.load(handle)}",
        f"top = generate.drawn_tops(model.model, {n}, seed={seed}, temperature={heat})",
        *_made_of("from_top", "top", seed, heat),
        *_rows_of_tops(n * [""], handle.names[-1]),
        uses=USES,
    )


def learned(
    ctx: Context, handle: Handle, which: Sequence[int], labels: Sequence[str], *, seed: int,
    heat: float,
) -> Code:  # fmt: skip
    """Learned images of the prior by number, and what each gives."""
    return program.code(
        ctx,
        f"Pseudoinputs, and what {handle.title} makes of them",
        f"model = {program.load(handle)}",
        *_made_of("from_prior_images", str(list(which)), seed, heat),
        *_rows_of_tops(labels, "u"),
        uses=USES,
    )


def of_images(
    ctx: Context, handle: Handle, names: Sequence[str], labels: Sequence[str], *, seed: int,
    heat: float,
) -> Code:  # fmt: skip
    """The topmost latents of chosen images, and what each gives."""
    top = handle.names[-1]
    return program.code(
        ctx,
        f"{top} of images, and what {handle.title} makes of it",
        *_latents(ctx, handle, names, seed=seed),
        *_made_of("from_top", "z[-1]", seed, heat),
        *_rows_of_tops(labels, top, beside=True),
        uses=["import numpy as np", *USES] if len(names) > 1 else USES,
    )


def _made_of(function: str, first: str, seed: int, heat: float) -> list[str]:
    return [
        f"made = generate.{function}(",
        f"    model.model, {first}, {views.DRAWS}, seed={seed}, temperature={heat}",
        ")",
    ]


def _rows_of_tops(labels: Sequence[str], name: str, *, beside: bool = False) -> list[str]:
    heads = [name, "mean", *(f"draw {i + 1}" for i in range(views.DRAWS))]
    cells = "[made.pictures[i], made.means[i], *made.draws[i]]"
    if beside:
        heads, cells = ["x", *heads], f"[images[i] / 255, *{cells}]"
    return [
        "rows = []",
        f"for i, label in enumerate({program.listing(labels)}):",
        f"    cells = {cells}",
        "    rows.append(hv.figures.StripRow(label, cells, [None] * len(cells), out=None))",
        *_strip(heads),
    ]


def _latents(ctx: Context, handle: Handle, names: Sequence[str], *, seed: int) -> list[str]:
    """Lines that make ``image``, or ``images`` where there are several, and their latents ``z``."""
    spots = [image_names.parse(ctx, name) for name in dict.fromkeys(names)]
    lines = [f"model = {program.load(handle)}"]
    for number, (name, index) in enumerate(spots):
        word = "image" if len(spots) == 1 else f"image{number + 1}"
        loaded = f"{program.images(ctx, name)}.take([{index}])"
        lines.append(f"{word} = {loaded}.fit(model.image_shape)")
    if len(spots) == 1:
        pixels, digests = "image.images", "image.image_digests()"
        lines.append("images = image.images")
    else:
        lines.append("images = np.concatenate([image1.images, image2.images])")
        pixels, digests = "images", "[*image1.image_digests(), *image2.image_digests()]"
    return [*lines, f"z = generate.encode(model.model, {pixels}, {digests}, seed={seed})"]


def _strip(heads: Sequence[str]) -> list[str]:
    return [
        f"heads = {program.listing(heads)}",
        f"figure = hv.figures.strip(rows, heads, scale=2, colors={program.theme()})",
    ]
