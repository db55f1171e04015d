"""For maintainers: ``ship`` adds checkpoints to the project, ``results`` evaluates them."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.cli import show
from hvae_core.cli.options import Commands, add_command, add_data, add_json

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data import ImageSet

_SHIP = """\
  python -m hvae_core ship runs/glyphs-hvae3-elbo/glyphs-hvae3-elbo.safetensors
  python -m hvae_core ship assets/checkpoints/*.safetensors    halves what is still in 32 bits
"""
_IMAGES, _SAMPLES = 200, 5
TOLERANCE = 1e-3
"""Share of a bound by which rounding the weights may change it, on the mean over the images."""


def add_ship(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "ship",
        run_ship,
        summary="for maintainers: write checkpoints to assets/checkpoints/ in half precision",
        description="For maintainers: store checkpoints in 16 bits under assets/checkpoints/, by "
        f"the name of their file, if every bound L_>k of {_IMAGES} validation images stays as it "
        f"was within {TOLERANCE:.1%} on the mean. `results` then computes their stored results.",
        examples=_SHIP,
        kept="Checkpoints already written stay.",
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="checkpoints of finished runs")
    add_data(command)
    add_json(command)


def run_ship(args: argparse.Namespace) -> None:
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
    from hvae_core.common.errors import CheckpointError

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
    from hvae_core.evaluation.compute import evaluate
    from hvae_core.evaluation.evaluation import EvalSettings

    settings = EvalSettings(_SAMPLES, _SAMPLES)
    old, new = (evaluate(c.model, c.digest, images, settings).table.bound for c in (before, after))
    return float((abs(old - new).mean(0) / abs(old).mean(0)).max())


_RESULTS = """\
  python -m hvae_core results                              every shipped checkpoint, all its sets
  python -m hvae_core results glyphs-hvae3-elbo
  python -m hvae_core results --data-root ~/images         with the sets that do not ship
"""


def add_results(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "results",
        run_results,
        summary="for maintainers: write assets/results/ for the shipped checkpoints again",
        description="For maintainers, after a shipped checkpoint or set has changed: evaluate the "
        "checkpoints in assets/checkpoints/ on every set of their world but the training set "
        "(default settings, at most 1,000 images a set) and write "
        "assets/results/<checkpoint>/<set>.npz, and reference.npz with what scores read of 1,000 "
        "training images. Sets whose images are not on this machine are "
        "named and their files are left as they are.",
        examples=_RESULTS,
        kept="Files already written stay; the same command computes only what is missing.",
    )
    command.add_argument(
        "names", nargs="*", metavar="NAME", help="shipped checkpoints (default: all of them)"
    )
    add_data(command)


def run_results(args: argparse.Namespace) -> None:
    """Write one file for every checkpoint and set."""
    from hvae_core.checkpoint import load_checkpoint, shipped_checkpoints
    from hvae_core.cli.sources import world_of
    from hvae_core.common.errors import CheckpointError, MissingImages
    from hvae_core.data import worlds
    from hvae_core.evaluation.sets import Sets
    from hvae_core.evaluation.store import store_identities, store_result
    from hvae_core.scores.reference import store_reference

    shipped = shipped_checkpoints()
    wrong = [name for name in args.names if name not in shipped]
    if wrong or not shipped:
        known = ", ".join(shipped) or "none"
        named = f"{', '.join(wrong)} is not" if wrong else "There is no checkpoint"
        raise CheckpointError(f"{named} in assets/checkpoints/ (there: {known}).")
    missing: set[str] = set()
    with show.progress_bar() as bar:
        for name in args.names or shipped:
            checkpoint = load_checkpoint(shipped[name])
            world = world_of(checkpoint)
            sets = Sets(world, args.data_root, download=args.download)
            stores = [
                partial(store_result, checkpoint, sets, spec.name, bar)
                for spec in world.with_role("validation", "in", "out", "control")
            ]
            if world.with_role("train"):
                stores.append(partial(store_reference, checkpoint, sets, bar))
            for store in stores:
                try:
                    path = store()
                    bar.line(f"{name}/{path.name}: {path.stat().st_size:,} bytes")
                except MissingImages as error:
                    missing.add(str(error))
        store_identities(Sets(worlds()["glyphs"]))
    for reason in sorted(missing):
        show.note(f"left out: {reason}")


def add(commands: Commands) -> None:
    """Declare both commands."""
    add_ship(commands)
    add_results(commands)
