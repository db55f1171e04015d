"""``attack``: small changes of images that move the posterior of the upper layers most."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    Commands,
    add_command,
    add_data,
    add_images,
    add_json,
    add_one_set,
    add_seed,
    at_least,
)

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.probes.attack_record import Attacks

_EXAMPLES = """\
  python -m hvae_core attack glyphs-hvae3-freebits
  python -m hvae_core attack glyphs-hvae3-freebits --starts 5 --radius 0.05 --json
      five random starts an image, as in the paper

An image and its twin differ by at most the radius in every pixel (grey levels from 0 to 1). The
twin is found by projected gradient ascent on the symmetric KL of the attacked layers' posteriors;
the random change moves every pixel by the whole radius, up or down. Binary models read a binary
draw of the image; the twin may be grey.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "attack",
        run,
        summary="attacks on the upper layers, and how alike the reconstructions stay",
        description="Attack the layers above k for every k (Kuzina and Tomczak, App. H): find the "
        "twin of each image within a small ball whose posterior lies farthest, and compare what is "
        "rebuilt of both by MS-SSIM, beside a random change of the same size.",
        examples=_EXAMPLES,
        kept="Nothing is kept of what was not finished.",
    )
    add_one_set(command)
    add_images(command, 50)
    command.add_argument(
        "--radius", type=float, default=0.1, metavar="R", help="of the ball (default: 0.1)"
    )
    command.add_argument(
        "--steps", type=at_least(1), default=50, metavar="T", help="of the ascent (default: 50)"
    )
    command.add_argument(
        "--starts", type=at_least(1), default=1, metavar="R", help="random starts (default: 1)"
    )
    add_seed(command, "the starts")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Attack, then the table."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import images_of, one_set
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.probes.attack import attacked
    from hvae_core.probes.attack_record import AttackSettings

    settings = AttackSettings(args.radius, args.steps, args.starts, args.seed)
    checkpoint = load_checkpoint(checkpoint_path(args.checkpoint))
    world, name = one_set(checkpoint, args.world, args.set, download=args.download)
    with show.progress_bar() as bar:
        images = images_of(args, checkpoint, world, name, args.images, bar)
        found = attacked(checkpoint.model, checkpoint.digest, images, settings, progress=bar)
    rows = levels_of(found, checkpoint)
    if args.json:
        show.as_json(
            {"name": checkpoint.name, "set": name, "images": len(images), "radius": args.radius,
             "steps": args.steps, "starts": args.starts, "seed": args.seed, "levels": rows}
        )  # fmt: skip
        return
    _print(args, checkpoint, name, len(images), rows)


def levels_of(found: Attacks, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """What an attack on the layers above k does, one entry a k, the top alone first."""
    groups = [spec.group for spec in checkpoint.model.latents]
    rows = []
    for k in reversed(range(found.n_levels)):
        row: dict[str, Any] = {
            "attacked_levels": found.n_levels - k,
            "k": k,
            "from": groups[checkpoint.model.skips[k]],
        }
        for name in ("moved", "inputs", "own", "whole"):
            attack, chance = found.similarity(name)
            row |= {name: float(attack[k]), f"{name}_random": float(chance[k])}
        half = found.interval("own")[:, k]
        rows.append(row | dict(zip(("own_half", "own_half_random"), map(float, half), strict=True)))
    return rows


def _print(
    args: argparse.Namespace,
    checkpoint: Checkpoint,
    name: str,
    count: int,
    rows: list[dict[str, Any]],
) -> None:
    heads = ("attacked levels", "KL moved (nats)", "by chance", "images", "by chance",
             "rebuilt from them", "by chance", "rebuilt from all", "by chance")  # fmt: skip
    table = []
    for row in rows:
        lead = f"{row['attacked_levels']}: {row['from']} up"
        own = (
            f"{row['own']:.3f} +-{row['own_half']:.3f}",
            f"{row['own_random']:.3f} +-{row['own_half_random']:.3f}",
        )
        rest = [f"{row[key]:.3f}" for key in ("inputs", "inputs_random")]
        whole = [f"{row[key]:.3f}" for key in ("whole", "whole_random")]
        moved = [f"{row[key]:.2f}" for key in ("moved", "moved_random")]
        table.append((lead, *moved, *rest, *own, *whole))
    show.table(
        f"MS-SSIM of {count} images of {name} and their twins, radius {args.radius:g}, under "
        f"{checkpoint.name}",
        heads,
        table,
        caption="KL moved: symmetric KL of the attacked layers; +- is half the 95 % interval over "
        "images; by chance: a random change of the same size",
    )
