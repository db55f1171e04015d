"""``information``: what images and levels know of each other, and how many units say nothing."""

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
)
from hvae_core.evaluation import SHIPPED_LIMIT
from hvae_core.evaluation.collapse import COLLAPSE_THRESHOLD, collapsed_curve
from hvae_core.probes.information import DELTAS, IMAGES, MAX_IMAGES

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.probes.information import Information

_EXAMPLES = f"""\
  python -m hvae_core information glyphs-hvae5-freebits
  python -m hvae_core information glyphs-hvae5-freebits --set digits --images 128 --json

N images can show log N nats at most: {IMAGES} images 5.30 nats, {MAX_IMAGES:,} images 6.91.
The time grows with the square of N.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "information",
        run,
        summary="mutual information of images and levels, and collapsed units",
        description="Mutual information I_q(x; z_>k) for every k (Li et al. 2022, App. A.1): the "
        "KL term E_x KL(q(z_>k|x) || p(z_>k)) less KL(q(z_>k) || p(z_>k)), the aggregated "
        "posterior being that of N images. Below it the share of units of each layer whose KL "
        "stays below eps for at least 1 - delta of the images (Lucas et al. 2019).",
        examples=_EXAMPLES,
        kept="Nothing is kept of what was not finished.",
    )
    add_one_set(command)
    add_images(command, IMAGES, lowest=2, most=MAX_IMAGES)
    command.add_argument(
        "--eps", type=float, default=COLLAPSE_THRESHOLD, metavar="NATS",
        help=f"KL of a unit that counts as nothing (default: {COLLAPSE_THRESHOLD})",
    )  # fmt: skip
    add_seed(command, "the draws")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Measure what is not at hand, then the tables."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import images_of, one_set
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.probes.information import measure_information

    checkpoint = load_checkpoint(checkpoint_path(args.checkpoint))
    world, name = one_set(checkpoint, args.world, args.set, download=args.download)
    with show.progress_bar() as bar:
        # The pages take their images from the same ones.
        limit = max(SHIPPED_LIMIT, args.images)
        images = images_of(args, checkpoint, world, name, limit, bar)
        found = measure_information(
            checkpoint.model, checkpoint.digest, images.sample(args.images), args.seed, progress=bar
        )
    if args.json:
        show.as_json({"name": checkpoint.name, "set": name, **_plain(checkpoint, found, args.eps)})
        return
    _print(checkpoint, found, world.spec(name).title, args.eps)


def _print(checkpoint: Checkpoint, found: Information, title: str, eps: float) -> None:
    told = _plain(checkpoint, found, eps)
    heads = ("k", "from", "I(x; z>k)", "standard error", "E KL(q(z>k|x) || p)", "KL(q(z>k) || p)")
    rows = [
        (str(row["k"]), row["level"], f"{row['information']:.3f}", f"{row['error']:.3f}",
         f"{row['rate']:.3f}", f"{row['marginal']:.3f}")
        for row in told["levels"]
    ]  # fmt: skip
    show.table(
        f"{checkpoint.card.title or checkpoint.name}, {len(found)} images of {title}, in nats",
        heads, rows, left=2,
        caption=f"{len(found)} images can show log N = {found.ceiling:.3f} nats at most; a value "
        "near it says \"as much or more\"",
    )  # fmt: skip
    columns = ("layer", "units", *(f"delta {delta:g}" for delta in DELTAS))
    shares = [
        (row["layer"], f"{row['units']:,}",
         *("-" if share is None else f"{100 * share:.1f} %" for share in row["collapsed"].values()))
        for row in told["layers"]
    ]  # fmt: skip
    title = f"Units with KL < {eps:g} nats for at least 1 - delta of the images"
    show.table(title, columns, shares)


def _plain(checkpoint: Checkpoint, found: Information, eps: float) -> dict[str, Any]:
    """The figures as plain values."""
    latents, skips = checkpoint.model.latents, checkpoint.model.skips
    columns = zip(found.mean, found.error, found.rate.mean(1), found.marginal, strict=True)
    levels = [
        {"k": k, "level": latents[skips[k]].group, "information": float(i), "error": float(e),
         "rate": float(rate), "marginal": float(gap)}
        for k, (i, e, rate, gap) in enumerate(columns)
    ]  # fmt: skip
    layers = []
    for spec, table in zip(latents, found.levels, strict=True):
        shares = {
            f"{delta:g}": float(collapsed_curve(row, [eps])[0]) if row.size else None
            for delta, row in zip(DELTAS, table, strict=True)
        }
        layers.append({"layer": spec.name, "units": spec.units, "collapsed": shares})
    return {
        "images": len(found), "ceiling": found.ceiling, "eps": eps, "levels": levels,
        "layers": layers,
    }  # fmt: skip
