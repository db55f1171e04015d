"""``compare``: several checkpoints of one world on one set, a line a preset."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import Commands, add_command, add_data, add_json, at_least
from hvae_core.report import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.comparison import Line, Spread

_EXAMPLES = """\
  python -m hvae_core compare glyphs-hvae3-elbo glyphs-hvae3-informative
  python -m hvae_core compare runs/*/*-small.safetensors --markdown
      checkpoints of one preset with different seeds make one line, with standard deviations
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "compare",
        run,
        summary="parameters, likelihood, collapse, active units and speed of several checkpoints",
        description="Evaluate checkpoints on the in-distribution test set of their world and print "
        "a line for each preset: parameters, layers, negative log-likelihood (importance-weighted "
        "bound), collapsed layers, active units, seconds of training a step.",
        examples=_EXAMPLES,
        kept="Finished parts are in the cache; the same command continues from there.",
    )
    command.add_argument(
        "checkpoints", nargs="+", metavar="CHECKPOINT",
        help="a .safetensors file, or a checkpoint's name",
    )  # fmt: skip
    command.add_argument("--world", metavar="NAME", help="world of the set (default: their own)")
    command.add_argument(
        "--limit", type=at_least(0), default=SHIPPED_LIMIT, metavar="N",
        help=f"images at most; 0 for all (default: {SHIPPED_LIMIT})",
    )  # fmt: skip
    command.add_argument("--markdown", action="store_true", help="print a Markdown table")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Evaluate what is not at hand, then the table."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import fetch, world_of
    from hvae_core.comparison import compare
    from hvae_core.results import checkpoint_path, gather

    found = []
    with show.progress_bar() as bar:
        for name in args.checkpoints:
            checkpoint = load_checkpoint(checkpoint_path(name))
            world = world_of(checkpoint, args.world)
            if args.download:
                fetch(world, world.in_name, args.data_root, bar)
            gathered = gather(
                checkpoint, world, world.in_name, limit=args.limit or None,
                data_root=args.data_root, progress=bar,
            )  # fmt: skip
            found.append((checkpoint, gathered.evaluation))
    lines = compare(found)
    if args.json:
        show.as_json([_plain(asdict(line)) for line in lines])
        return
    heads = ("preset", "parameters", "layers", "seeds", "NLL (nats)", "bits/dim",
             "collapsed", "active units", "ms a step")  # fmt: skip
    rows = [_cells(line) for line in lines]
    if args.markdown:
        show.say("| " + " | ".join(heads) + " |")
        show.say("| --- |" + " ---: |" * (len(heads) - 1))
        for row in rows:
            show.say("| " + " | ".join((f"`{row[0]}`", *row[1:])) + " |")
        return
    images, s = len(found[0][1]), found[0][1].settings.samples
    show.table(
        f"{images:,} test images; NLL = -L^S with S = {s}, an upper bound of -log p(x)", heads, rows
    )


def _plain(value: Any) -> Any:
    """Nested values with None for what was not recorded (NaN), which JSON does not know."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _cells(line: Line) -> tuple[str, ...]:
    names = f" ({', '.join(line.collapsed_names)})" if line.collapsed_names else ""
    return (
        line.preset,
        f"{line.parameters:,}",
        str(line.layers),
        str(line.seeds),
        _spread(line.nll, 1),
        _spread(line.bits, 3),
        f"{_spread(line.collapsed, 1 if line.collapsed.deviation else 0)}{names}",
        f"{_spread(line.active, 0)} of {line.units:,}",
        _spread(line.seconds_a_step, 0, 1000),
    )


def _spread(value: Spread, digits: int, factor: float = 1.0) -> str:
    if math.isnan(value.mean):
        return "-"
    text = f"{value.mean * factor:.{digits}f}"
    if value.deviation is None:
        return text
    return f"{text} ± {value.deviation * factor:.{digits}f}"
