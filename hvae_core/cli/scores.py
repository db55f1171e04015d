"""``scores``: the registry of out-of-distribution scores."""

from __future__ import annotations

import argparse

from hvae_core.cli import show
from hvae_core.cli.options import Commands, add_command, add_json, at_least

_EXAMPLES = """\
  python -m hvae_core scores                 for a model of three layers
  python -m hvae_core scores --layers 5 --json
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "scores",
        run,
        summary="list the out-of-distribution scores, with their papers",
        description="List the scores that a model of L layers offers. Each gives one number an "
        "image, higher when the image looks more out of distribution.",
        examples=_EXAMPLES,
    )
    command.add_argument(
        "--layers", type=at_least(1), default=3, metavar="L", help="latent layers (default: 3)"
    )
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Print the scores of a model of ``--layers`` layers."""
    from hvae_core.scores import score_list

    scores = score_list(args.layers)
    if args.json:
        names = ("key", "name", "symbol", "citation", "needs")
        found = [{name: getattr(score, name) for name in names} for score in scores]
        show.as_json({"layers": args.layers, "scores": found})
        return
    rows = [
        (s.key, s.name, s.symbol, ", ".join(s.needs) or "bounds only", s.citation) for s in scores
    ]
    heads = ("key", "name", "symbol", "needs", "from")
    show.table(f"Scores of a model of {args.layers} layers", heads, rows, left=5)
