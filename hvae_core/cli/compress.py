"""``compress``: pictures rebuilt from the upper layers, their rate, and JPEG beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    CheckpointName,
    DataOptions,
    Json,
    WorldName,
    kept,
    option,
    options,
    whole,
)
from hvae_core.common.errors import DataError
from hvae_core.common.files import make_folder, named_path, written

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data.image_set import Pixels
    from hvae_core.probes.compression import Compression, Rating


@kept("Finished pictures are in the cache.")
def compress(
    name: CheckpointName,
    /,
    *,
    image: Annotated[
        tuple[str, ...],
        options("PNG, JPEG, BMP, WebP or TIFF files, or china or flower (default: both)", "FILE"),
    ] = (),
    source: Annotated[
        str | None, option("pictures of a set as in evaluate instead", "SET", name="--set")
    ] = None,
    world: WorldName = None,
    images: Annotated[int, whole(1, "images of the set")] = 100,
    save: Annotated[str | None, option("write the pictures as PNG files", "DIR")] = None,
    seed: Annotated[int, whole(0, "seed of the draws")] = 0,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Pictures rebuilt from the upper layers, with bits a pixel, beside JPEG.

    Rebuild pictures from z_>k for every k, the k lowest levels at their prior means (Kuzina and
    Tomczak, App. G): bits a pixel, PSNR and MS-SSIM, and JPEG at the quality that comes nearest to
    the same rate.

    Examples:
      python -m hvae_core compress fashion-hvae3-freebits
          the two photographs that are on every machine, china and flower
      python -m hvae_core compress fashion-hvae3-freebits --image ~/pictures/street.jpg --save out
          a picture of your own; what is rebuilt of it, and JPEG's, go to the folder out
      python -m hvae_core compress glyphs-hvae3-freebits --set test --images 100 --json
          the mean over pictures of a set

    A picture of any size is cut into tiles of the model's size; a grey model codes the luminance.
    The rate of a model is the KL of the layers used; of JPEG the coded pixels without header and
    tables, which both sides know as they know the weights. JPEG has no quality below 1: where its
    rate is higher than the model's, that is the nearest.
    """
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.worlds import one_set
    from hvae_core.probes.compression import compressed

    if source and image:
        raise DataError("Name pictures with --image or a set with --set, not both.")
    if not source:
        data.check_steps()
    checkpoint = load_checkpoint(name)
    pictures: dict[str, Compression] = {}
    with show.progress_bar() as bar:
        if source:
            place, set_name = one_set(checkpoint, world, source, data.place)
            pixels = data.sets(place, images).images(checkpoint, set_name, bar).images
            named: Iterable[tuple[str, Pixels]] = (
                (f"{set_name} {number}", picture) for number, picture in enumerate(pixels)
            )
        else:
            named = _opened(image)
        for title, picture in named:
            bar(0.0, title)
            pictures[title] = compressed(
                checkpoint.model, checkpoint.digest, picture, seed=seed, progress=bar
            )
    if save:
        _save(named_path(save), pictures)
    rates = [rating.bpp for coded in pictures.values() for rating in coded.ratings]
    show.need_numbers(rates, "rate")
    groups = {title: [coded] for title, coded in pictures.items()}
    if source:
        groups = {f"the mean of {len(pictures)} pictures of {source}": list(pictures.values())}
    if as_json:
        compressions = [_plain(checkpoint, title, group) for title, group in groups.items()]
        show.as_json({"name": checkpoint.name, "seed": seed, "compressions": compressions})
        return
    for title, group in groups.items():
        _print(checkpoint, title, group)


def _opened(files: Sequence[str]) -> Iterator[tuple[str, Pixels]]:
    """Title and pixels of picture files, and of photographs by name, read one by one."""
    from hvae_core.data import open_image
    from hvae_core.data.photographs import PHOTOGRAPHS, photograph

    taken: set[str] = set()
    for name in dict.fromkeys(files or PHOTOGRAPHS):
        path = named_path(name)
        if name in PHOTOGRAPHS and not path.exists():
            title, picture = name, photograph(name)
        else:
            title, picture = path.name, open_image(path, path.name)
        title = title if title not in taken else str(path)  # of another folder
        taken.add(title)
        yield title, picture


def _lowest(checkpoint: Checkpoint) -> list[str]:
    """The lowest level that is used, by k."""
    latents = checkpoint.model.latents
    return [latents[skip].group for skip in checkpoint.model.skips]


def _plain(checkpoint: Checkpoint, title: str, group: list[Compression]) -> dict[str, Any]:
    """Means over a group of pictures, as plain values."""
    levels = [
        {"k": k, "from": level, "model": _mean([coded.ratings[k] for coded in group]),
         "jpeg": _mean([coded.jpeg[k] for coded in group])}
        for k, level in enumerate(_lowest(checkpoint))
    ]  # fmt: skip
    size = list(group[0].original.shape)
    return {"title": title, "pictures": len(group), "size": size, "levels": levels}


def _print(checkpoint: Checkpoint, title: str, group: list[Compression]) -> None:
    heads = ("from", "bits a pixel", "PSNR (dB)", "MS-SSIM", "JPEG quality", "bits a pixel",
             "PSNR (dB)", "MS-SSIM")  # fmt: skip
    figures = _plain(checkpoint, title, group)
    rows = [
        (f"{level['from']} up", *_cells(level["model"]), f"{level['jpeg']['quality']:g}",
         *_cells(level["jpeg"]))
        for level in figures["levels"]
    ]  # fmt: skip
    _, height, width = figures["size"]
    show.table(f"{title}, {width}x{height}, under {checkpoint.name}", heads, rows)


def _mean(ratings: Sequence[Rating]) -> dict[str, Any]:
    """Means over pictures; None for the PSNR of a perfect copy."""
    out: dict[str, Any] = {}
    for name in ("bpp", "psnr", "ms_ssim", "quality"):
        mean = sum(getattr(rating, name) for rating in ratings) / len(ratings)
        out[name] = mean if math.isfinite(mean) else None
    return out


def _cells(ratings: dict[str, Any]) -> tuple[str, ...]:
    near = "perfect" if ratings["psnr"] is None else f"{ratings['psnr']:.2f}"
    rate = "-" if ratings["bpp"] is None else f"{ratings['bpp']:.4f}"
    return rate, near, "-" if ratings["ms_ssim"] is None else f"{ratings['ms_ssim']:.3f}"


def _save(folder: Path, pictures: dict[str, Compression]) -> None:
    """The original, and for every k what the model and JPEG leave of it; each has its own files."""
    from hvae_core.data.image_set import to_picture

    make_folder(folder)
    taken: set[str] = set()
    for title, coded in pictures.items():
        first = stem = Path(title).stem.replace(" ", "-")
        number = 1
        while stem in taken:
            number += 1
            stem = f"{first}-{number}"
        taken.add(stem)
        made = {"": coded.original}
        for k in range(len(coded.ratings)):
            made |= {f"-k{k}": coded.pictures[k], f"-k{k}-jpeg": coded.jpeg_pictures[k]}
        for part, picture in made.items():
            with written(folder / f"{stem}{part}.png") as draft:
                to_picture(picture).save(draft, "PNG")
