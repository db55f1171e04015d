"""``ship``: put trained checkpoints among those that come with the project, in half precision."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.cli import show
from hvae_core.cli.options import Commands, add_command, add_data, add_json

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data import ImageSet

_EXAMPLES = """\
  python -m hvae_core ship runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors
  python -m hvae_core ship assets/checkpoints/*.safetensors    halves what is still in 32 bits
"""
_IMAGES, _SAMPLES = 200, 5
TOLERANCE = 1e-3
"""Share of a bound by which rounding the weights may change it, on the mean over the images."""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "ship",
        run,
        summary="for maintainers: write checkpoints to assets/checkpoints/ in half precision",
        description="For maintainers: store checkpoints in 16 bits under assets/checkpoints/, by "
        f"the name of their file, if every bound L_>k of {_IMAGES} validation images stays as it "
        f"was within {TOLERANCE:.1%} on the mean. `results` then computes their stored results.",
        examples=_EXAMPLES,
        kept="Checkpoints already written stay.",
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="checkpoints of finished runs")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Write each file, or say why its weights must stay in 32 bits."""
    from hvae_core.checkpoint import library, load_checkpoint
    from hvae_core.cli.sources import fetch, world_of

    rows = []
    with show.progress_bar() as bar:
        for file in args.files:
            checkpoint = load_checkpoint(file)
            world = world_of(checkpoint)
            if args.download:
                fetch(world, "validation", args.data_root, bar)
            images = world.choose("validation", args.data_root, limit=_IMAGES, progress=bar)
            path = library.SHIPPED / f"{checkpoint.name}.safetensors"
            change = ship(checkpoint, images.fit(checkpoint.config.image_shape), path)
            rows.append({"path": str(path), "bytes": path.stat().st_size, "change": change})
    if args.json:
        show.as_json(rows)
        return
    for row in rows:
        show.say(f"{row['path']}: {row['bytes']:,} bytes, bounds change by {row['change']:.4%}")


def ship(checkpoint: Checkpoint, images: ImageSet, path: Path) -> float:
    """Write a checkpoint in 16 bits and return the largest mean change of a bound, as a share.

    Raises ``CheckpointError``, with nothing written, where it exceeds ``TOLERANCE``.
    """
    from hvae_core.checkpoint import load_checkpoint, save_checkpoint
    from hvae_core.errors import CheckpointError

    draft = path.with_suffix(".draft.safetensors")
    try:
        save_checkpoint(
            draft,
            checkpoint.model,
            card=checkpoint.card,
            history=checkpoint.history,
            train=checkpoint.train,
            half=True,
        )
        change = largest_change(checkpoint, load_checkpoint(draft), images)
        if change > TOLERANCE:
            raise CheckpointError(
                f"In 16 bits the bounds of {checkpoint.name} change by {change:.2%}, more than "
                f"{TOLERANCE:.1%}; ship it in 32 bits, as the run wrote it."
            )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return change


def largest_change(before: Checkpoint, after: Checkpoint, images: ImageSet) -> float:
    """max over k of mean |L_>k(before) - L_>k(after)| / mean |L_>k(before)| over the images."""
    from hvae_core.evaluated import EvalSettings
    from hvae_core.evaluation import evaluate

    settings = EvalSettings(_SAMPLES, _SAMPLES)
    old, new = (evaluate(c.model, c.digest, images, settings).table.bound for c in (before, after))
    return float((abs(old - new).mean(0) / abs(old).mean(0)).max())
