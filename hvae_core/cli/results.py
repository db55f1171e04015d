"""``results``: compute the stored results that ship with the project again."""

from __future__ import annotations

import argparse

from hvae_core.cli import show
from hvae_core.cli.options import Commands, add_command, add_data

_EXAMPLES = """\
  python -m hvae_core results                              every shipped checkpoint, all its sets
  python -m hvae_core results glyphs-hvae3-elbo
  python -m hvae_core results --data-root ~/images         with the sets that do not ship
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "results",
        run,
        summary="for maintainers: write assets/results/ for the shipped checkpoints again",
        description="For maintainers, after a shipped checkpoint or set has changed: evaluate the "
        "checkpoints in assets/checkpoints/ on every set of their world but the training set "
        "(default settings, at most 1,000 images a set) and write "
        "assets/results/<checkpoint>/<set>.npz, and reference.npz with what scores read of 1,000 "
        "training images. Sets whose images are not on this machine are "
        "named and their files are left as they are.",
        examples=_EXAMPLES,
        kept="Files already written stay; the same command computes only what is missing.",
    )
    command.add_argument(
        "names", nargs="*", metavar="NAME", help="shipped checkpoints (default: all of them)"
    )
    add_data(command)


def run(args: argparse.Namespace) -> None:
    """Write one file for every checkpoint and set."""
    from hvae_core.checkpoint import load_checkpoint, shipped_checkpoints
    from hvae_core.cli.sources import fetch, world_of
    from hvae_core.errors import CheckpointError, MissingImages
    from hvae_core.materials import store_reference
    from hvae_core.results import store_result

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
            for spec in world.with_role("validation", "in", "out", "control"):
                try:
                    if args.download:
                        fetch(world, spec.name, args.data_root, bar)
                    path = store_result(
                        checkpoint, world, spec.name, data_root=args.data_root, progress=bar
                    )
                except MissingImages as error:
                    missing.add(str(error))
                    continue
                bar.line(f"{name}/{path.name}: {path.stat().st_size:,} bytes")
            if not world.with_role("train"):
                continue
            try:
                path = store_reference(checkpoint, world, data_root=args.data_root, progress=bar)
            except MissingImages as error:
                missing.add(str(error))
                continue
            bar.line(f"{name}/{path.name}: {path.stat().st_size:,} bytes")
    for reason in sorted(missing):
        show.note(f"left out: {reason}")
