"""``compress``: pictures rebuilt from the upper layers, their rate, and JPEG beside them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    Commands,
    add_checkpoint,
    add_command,
    add_data,
    add_images,
    add_json,
    add_seed,
    add_world,
)
from hvae_core.common.errors import DataError

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data.image_set import Pixels
    from hvae_core.probes.compression import Compression, Rating

_EXAMPLES = """\
  python -m hvae_core compress fashion-hvae3-freebits
      the two photographs that are on every machine, china and flower
  python -m hvae_core compress fashion-hvae3-freebits --image ~/pictures/street.jpg --save out
      a picture of your own; what is rebuilt of it, and JPEG's, go to the folder out
  python -m hvae_core compress glyphs-hvae3-freebits --set test --images 100 --json
      the mean over pictures of a set

A picture of any size is cut into tiles of the model's size; a grey model codes the luminance. The
rate of a model is the KL of the layers used; of JPEG the coded pixels without header and tables,
which both sides know as they know the weights. JPEG has no quality below 1: where its rate is
higher than the model's, that is the nearest.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "compress",
        run,
        summary="pictures rebuilt from the upper layers, with bits a pixel, beside JPEG",
        description="Rebuild pictures from z_>k for every k, the k lowest levels at their prior "
        "means (Kuzina and Tomczak, App. G): bits a pixel, PSNR and MS-SSIM, and JPEG at the "
        "quality that comes nearest to the same rate.",
        examples=_EXAMPLES,
        kept="Finished pictures are in the cache.",
    )
    add_checkpoint(command)
    command.add_argument(
        "--image", metavar="FILE", nargs="+",
        help="PNG, JPEG, BMP or WebP files, or china or flower (default: both)",
    )  # fmt: skip
    command.add_argument("--set", metavar="SET", help="pictures of a set as in evaluate instead")
    add_world(command)
    add_images(command, 100)
    command.add_argument("--save", metavar="DIR", help="write the pictures as PNG files")
    add_seed(command, "the draws")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Code every picture, print a table each, or one of means for a set."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.probes.compression import compressed

    if args.set and args.image:
        raise DataError("Name pictures with --image or a set with --set, not both.")
    checkpoint = load_checkpoint(checkpoint_path(args.checkpoint))
    found: dict[str, Compression] = {}
    with show.progress_bar() as bar:
        for title, picture in _pictures(args, checkpoint, bar):
            bar(0.0, title)
            found[title] = compressed(
                checkpoint.model, checkpoint.digest, picture, args.seed, progress=bar
            )
    if args.save:
        _save(Path(args.save), found)
    if args.set:
        found_of = {f"the mean of {len(found)} pictures of {args.set}": list(found.values())}
    else:
        found_of = {title: [one] for title, one in found.items()}
    _print(args, checkpoint, found_of)


def _pictures(
    args: argparse.Namespace, checkpoint: Checkpoint, bar: show.Bar
) -> Iterator[tuple[str, Pixels]]:
    """Title and pixels, read one by one."""
    from hvae_core.cli.sources import images_of, one_set
    from hvae_core.data import open_image
    from hvae_core.data.photographs import PHOTOGRAPHS, photograph

    if args.set:
        world, name = one_set(checkpoint, args.world, args.set, download=args.download)
        images = images_of(args, checkpoint, world, name, args.images, bar)
        for number, picture in enumerate(images.images):
            yield f"{name} {number}", picture
        return
    for name in args.image or list(PHOTOGRAPHS):
        path = Path(name).expanduser()
        if name in PHOTOGRAPHS and not path.exists():
            yield name, photograph(name)
        else:
            yield path.name, open_image(path, path.name)


def _print(
    args: argparse.Namespace, checkpoint: Checkpoint, found: dict[str, list[Compression]]
) -> None:
    levels = [spec.group for spec in checkpoint.model.latents]
    names = [levels[skip] for skip in checkpoint.model.skips]
    if args.json:
        told = [
            {
                "title": title,
                "pictures": len(each),
                "size": list(each[0].original.shape),
                "levels": [
                    {"k": k, "from": name, "model": _mean([one.ratings[k] for one in each]),
                     "jpeg": _mean([one.jpeg[k] for one in each])}
                    for k, name in enumerate(names)
                ],
            }
            for title, each in found.items()
        ]  # fmt: skip
        show.as_json({"name": checkpoint.name, "seed": args.seed, "compressions": told})
        return
    heads = ("from", "bits a pixel", "PSNR (dB)", "MS-SSIM", "JPEG quality", "bits a pixel",
             "PSNR (dB)", "MS-SSIM")  # fmt: skip
    for title, each in found.items():
        rows = []
        for k, name in enumerate(names):
            model, jpeg = (_mean([getattr(one, kind)[k] for one in each])
                           for kind in ("ratings", "jpeg"))  # fmt: skip
            rows.append((f"{name} up", *_cells(model), f"{jpeg['quality']:g}", *_cells(jpeg)))
        _, height, width = each[0].original.shape
        show.table(f"{title}, {width}x{height}, under {checkpoint.name}", heads, rows)


def _mean(ratings: Sequence[Rating]) -> dict[str, Any]:
    """Means over pictures; None for the PSNR of a perfect copy."""
    out: dict[str, Any] = {}
    for name in ("bpp", "psnr", "ms_ssim", "quality"):
        mean = sum(getattr(rating, name) for rating in ratings) / len(ratings)
        out[name] = mean if math.isfinite(mean) else None
    return out


def _cells(told: dict[str, Any]) -> tuple[str, ...]:
    near = "perfect" if told["psnr"] is None else f"{told['psnr']:.2f}"
    return f"{told['bpp']:.4f}", near, f"{told['ms_ssim']:.3f}"


def _save(folder: Path, found: dict[str, Compression]) -> None:
    """The original, and for every k what the model and JPEG leave of it."""
    from hvae_core.data.image_set import to_picture

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for title, one in found.items():
            stem = Path(title).stem.replace(" ", "-")
            to_picture(one.original).save(folder / f"{stem}.png")
            for k in range(len(one.ratings)):
                to_picture(one.pictures[k]).save(folder / f"{stem}-k{k}.png")
                to_picture(one.jpeg_pictures[k]).save(folder / f"{stem}-k{k}-jpeg.png")
    except OSError as exc:
        raise DataError(f"{folder} cannot be written; name another folder with --save.") from exc
