"""``sampling``: quality and time of samples, for a diffusion prior by the number of steps."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import Commands, add_command, add_data, add_json, add_seed, at_least
from hvae_core.common.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np

    from hvae_core.checkpoint import Checkpoint

_EXAMPLES = """\
  python -m hvae_core sampling glyphs-hvae3-elbo --judge glyphs-hvae3-freebits
  python -m hvae_core sampling glyphs-dvp-small --judge glyphs-hvae3-freebits --steps 50 20 10 5 2
      the sampler of the prior over u, ancestral and deterministic, at several numbers of steps
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "sampling",
        run,
        summary="quality of samples under another model, and the time they take",
        description="Draw samples and let another checkpoint of the same world, the judge, read "
        "them beside real test images: mean -L under the judge, Frechet distance of its latents to "
        "those of test images, mean distance to the nearest one. Validation images are measured "
        "in the same way: good samples could do as well as they.",
        examples=_EXAMPLES,
        kept="Nothing is kept.",
    )
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="the model that draws")
    command.add_argument(
        "--judge", metavar="CHECKPOINT", required=True, help="the model that reads"
    )
    command.add_argument("-n", type=at_least(1), default=1000, metavar="N", help="samples (1000)")
    command.add_argument(
        "--steps", type=at_least(1), nargs="+", default=[50, 20, 10, 5, 2], metavar="T",
        help="steps of a diffusion prior (default: 50 20 10 5 2)",
    )  # fmt: skip
    add_seed(command, "the samples")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Draw, judge, print."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import world_of
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.probes.sample_quality import draw, judged, quality

    checkpoint = load_checkpoint(checkpoint_path(args.checkpoint))
    judge = load_checkpoint(checkpoint_path(args.judge))
    if judge.digest == checkpoint.digest:
        raise CheckpointError("A model cannot judge its own samples; name another with --judge.")
    if judge.config.image_shape != checkpoint.config.image_shape:
        raise CheckpointError("The judge reads images of another shape; name another with --judge.")
    world = world_of(judge)
    rows: list[dict[str, Any]] = []
    with show.progress_bar() as bar:
        held = {
            name: judged(judge.model, _pixels(world, name, args, checkpoint), progress=bar)
            for name in ("test", "validation")
        }
        found = quality(held["validation"], held["test"])
        rows.append({"sampler": "validation images", "seconds_u": None, "seconds": None,
                     **asdict(found)})  # fmt: skip
        for name, way in checkpoint.model.samplers(args.steps):
            drawn = draw(checkpoint.model, args.n, args.seed, way)
            found = quality(judged(judge.model, drawn.pixels, progress=bar), held["test"])
            per = 1000 / args.n
            rows.append({"sampler": name, "seconds_u": drawn.seconds_u and drawn.seconds_u * per,
                         "seconds": drawn.seconds * per, **asdict(found)})  # fmt: skip
    if args.json:
        show.as_json({"n": args.n, "judge": judge.name, "samplers": rows})
        return
    heads = ("sampler", "-L of the judge", "Frechet", "nearest", "s / 1000, u", "s / 1000, all")
    show.table(
        f"{args.n:,} samples of {checkpoint.name}, read by {judge.name}", heads,
        [(r["sampler"], *(f"{r[key]:.2f}" for key in ("nll", "frechet", "nearest")),
          *("-" if r[key] is None else f"{r[key]:.3f}" for key in ("seconds_u", "seconds")))
         for r in rows],
    )  # fmt: skip


def _pixels(world: Any, name: str, args: argparse.Namespace, checkpoint: Checkpoint) -> np.ndarray:
    found = world.choose(name, args.data_root, limit=args.n)
    pixels: np.ndarray = found.fit(checkpoint.config.image_shape).images
    return pixels
