"""The programs behind the panels of the page Compression and attacks."""

from __future__ import annotations

from collections.abc import Sequence

from hvae_core.probes.attack_record import AttackSettings
from pages.compression.attacks import ImagesToAttack
from pages.compression.pictures import Picture
from pages.shared import program
from pages.shared.current import Spot
from pages.shared.program import Code, text
from pages.shared.state import Context
from pages.shared.store import Handle

COMPRESSED = "from hvae_core.probes.compression import compressed"
RATED = """\
def curve(ratings):
    return [one.bpp for one in ratings], [getattr(one, "{field}") for one in ratings]
"""


def pairs(ctx: Context, handle: Handle, picture: Picture, scale: int) -> Code:
    """The picture, what is rebuilt of it from each level up, and JPEG at the same rates."""
    lines, uses = _picture(ctx, picture, "model")
    return program.code(
        ctx,
        f"{picture.title} rebuilt from each level up and as JPEG, {handle.title}",
        f"model = {program.load(handle)}",
        *lines,
        f"found = compressed(model.model, model.digest, picture, {ctx.seed})",
        "every = np.concatenate([found.original[None], found.pictures, found.jpeg_pictures])",
        "columns = len(found.pictures) + 1",
        f"look = {{'columns': columns, 'scale': {scale}, 'colors': {program.theme()}}}".replace(
            "'", '"'
        ),
        "figure = hv.figures.tile(every, **look)",
        uses=["import numpy as np", COMPRESSED, *uses],
        command=_command(ctx, handle, picture),
    )


def rates(
    ctx: Context,
    handles: Sequence[Handle],
    picture: Picture,
    measure: str,
    *,
    field: str,
    unit: str,
) -> Code:
    """A measure of likeness against the rate, of the models and of JPEG."""
    lines, uses = _picture(ctx, picture, "models[0][1]")
    kinds = "JPEG", "JPEG of the luminance"
    return program.code(
        ctx,
        f"{measure} against the rate for {picture.title}",
        program.named(handles),
        *lines,
        "",
        *RATED.format(field=field).splitlines(),
        "",
        "",
        f"levels = {program.levels(handles)}",
        "curves, jpegs = [], {}",
        "for (title, model), names in zip(models, levels):",
        f"    found = compressed(model.model, model.digest, picture, {ctx.seed})",
        "    curves.append((title, *curve(found.ratings), names))",
        f"    kind = {text(kinds[0])} if len(found.original) == 3 else {text(kinds[1])}",
        "    jpegs[kind] = (*curve(found.curve), [one.quality for one in found.curve])",
        "jpegs = [(kind, *curves) for kind, curves in jpegs.items()]",
        f"options = {{'measure': {text(measure)}, 'unit': {text(unit)}}}".replace("'", '"'),
        "figure = hv.figures.rate_distortion(",
        f"    curves, jpegs, {program.theme()}, **options,",
        *program.letters(ctx, handles),
        ")",
        uses=[COMPRESSED, *uses],
        command=_command(ctx, handles[0], picture),
    )


def attack_curve(
    ctx: Context, handles: Sequence[Handle], images: ImagesToAttack, settings: AttackSettings
) -> Code:
    """Likeness after an attack on ever fewer levels, and after a random change."""
    return program.code(
        ctx,
        "MS-SSIM after an attack, by the number of attacked levels",
        program.named(handles),
        *_images(ctx, images.spots),
        f"settings = {settings!r}",
        f"levels = {program.levels(handles)}",
        "rows = []",
        "for (title, model), names in zip(models, levels):",
        "    shaped = images.fit(model.image_shape)",
        "    found = attacked(model.model, model.digest, shaped, settings)",
        '    likeness = (*found.similarity("own"), found.interval("own"))',
        "    rows.append((title, *likeness, names))",
        "figure = hv.figures.attack_curve(",
        f"    rows, {program.theme()},",
        *program.letters(ctx, handles),
        ")",
        uses=[*_ATTACK, *_stacked(ctx, images.spots)],
        command=_attack_command(ctx, handles[0], images.spots, settings),
    )


def attack_strip(
    ctx: Context,
    handle: Handle,
    images: ImagesToAttack,
    settings: AttackSettings,
    *,
    which: int,
    heads: Sequence[str],
) -> Code:
    """One image, its twins, and what is rebuilt of them."""
    theme = program.theme()
    return program.code(
        ctx,
        f"An image, its twins under attack, and what is rebuilt of them, {handle.title}",
        f"model = {program.load(handle)}",
        *_images(ctx, images.spots),
        f"settings = {settings!r}",
        "shaped = images.fit(model.image_shape)",
        "found = attacked(model.model, model.digest, shaped, settings)",
        f"i = {which}  # of these images",
        "x = found.seen[i]",
        f"ground = np.array(channels({theme}.background), np.uint8)[:, None, None]",
        "blank = np.broadcast_to(ground, (3, *x.shape[1:]))",
        "nothing = [None] * (found.n_levels + 1)",
        "attack, chance = ([None, *map(float, 1 - own)] for own in found.own[:, :, 0, i])",
        "rebuilt, by_chance = found.rebuilt[:, i], found.control_rebuilt[:, i]",
        "rows = [",
        '    ("x, rebuilt", [x, *found.clean[:, i]], nothing),',
        '    ("twin under attack", [blank, *found.twins[:, i]], nothing),',
        '    ("twin, rebuilt", [blank, *rebuilt], attack),',
        '    ("random change, rebuilt", [found.control[i], *by_chance], chance),',
        "]",
        "figure = hv.figures.strip(",
        "    [hv.figures.StripRow(*row, out=None) for row in rows],",
        f"    {program.listing(heads, 4)},",
        "    scale=3,",
        '    unit="lost",',
        f"    colors={theme},",
        ")",
        uses=["import numpy as np", *_ATTACK, "from hvae_core.figures.inks import channels"],
    )


_ATTACK = (
    "from hvae_core.probes.attack import attacked",
    "from hvae_core.probes.attack_record import AttackSettings",
)


def _stacked(ctx: Context, spots: Sequence[Spot]) -> list[str]:
    return ["import numpy as np"] if _several(ctx, spots) else []


def _several(ctx: Context, spots: Sequence[Spot]) -> bool:
    """Whether images are picked one by one, not the first of a set."""
    return list(spots) != [(ctx.in_name, number) for number in range(len(spots))]


def _images(ctx: Context, spots: Sequence[Spot]) -> list[str]:
    """Lines that make ``images``: the first of the set, or those of a subset, one by one."""
    if not _several(ctx, spots):
        return [f"images = {program.images(ctx, ctx.in_name)}.take({len(spots)})"]
    names = list(dict.fromkeys(name for name, _ in spots))
    return [
        "sets = {",
        *(f"    {text(name)}: {program.images(ctx, name)}," for name in names),
        "}",
        "picked = [",
        *(f"    ({text(name)}, {number})," for name, number in spots),
        "]",
        "shape = sets[picked[0][0]].image_shape",
        "pixels = [sets[name].take([number]).fit(shape).images for name, number in picked]",
        "images = hv.load_images(np.concatenate(pixels))",
    ]


def _attack_command(
    ctx: Context, handle: Handle, spots: Sequence[Spot], settings: AttackSettings
) -> str:
    """The command that gives the same numbers; none for images that were picked one by one."""
    if _several(ctx, spots):
        return ""
    return program.command(
        "attack", program.name_of(handle), "--set", ctx.in_name, "--images", str(len(spots)),
        "--radius", f"{settings.radius:g}", "--steps", str(settings.steps),
        "--seed", str(settings.seed),
    )  # fmt: skip


def _picture(ctx: Context, picture: Picture, model: str) -> tuple[list[str], list[str]]:
    """Lines that make ``picture``, pixels (C, H, W), and their imports."""
    if picture.photograph:
        line = f"picture = photograph({text(picture.photograph)})"
        return [line], ["from hvae_core.data.photographs import photograph"]
    if picture.spot is not None:
        name, number = picture.spot
        loaded = f"{program.images(ctx, name)}.take([{number}])"
        return [f"picture = {loaded}.fit({model}.image_shape).images[0]"], []
    return [
        "# The picture was brought: put the path of its file.",
        'picture = open_image(Path("path/to/picture.png"))',
    ], ["from pathlib import Path", "from hvae_core.data import open_image"]


def _command(ctx: Context, handle: Handle, picture: Picture) -> str:
    """The command that gives the numbers of a photograph; none for other pictures."""
    if not picture.photograph:
        return ""
    return program.command(
        "compress", program.name_of(handle), "--image", picture.photograph, "--seed", str(ctx.seed)
    )
