"""``compare``: several checkpoints of one world on one set, a line a preset."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    Commands,
    add_checkpoint,
    add_command,
    add_data,
    add_json,
    add_limit,
    add_world,
)

if TYPE_CHECKING:
    from hvae_core.studies.compare import Line, OverSeeds, Spread

_EXAMPLES = """\
  python -m hvae_core compare glyphs-hvae3-elbo glyphs-hvae3-informative
  python -m hvae_core compare runs/*/*-small.safetensors --markdown
      checkpoints of one preset with different seeds make one line, with standard deviations
  python -m hvae_core compare runs/*/*-elbo.safetensors --out lower signs
      AUROC of every score on two sets too, a mean over the seeds of a preset
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
    add_checkpoint(command, several=True)
    command.add_argument(
        "--out", dest="outside", metavar="SET", nargs="+", default=[],
        help="out-of-distribution sets of the world: adds the AUROC of every score",
    )  # fmt: skip
    add_world(command, default="their own")
    add_limit(command)
    command.add_argument("--markdown", action="store_true", help="print a Markdown table")
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Evaluate what is not at hand, then the table."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import evaluated, world_of
    from hvae_core.detection.report import report
    from hvae_core.evaluation.lookup import checkpoint_path
    from hvae_core.studies.compare import compare, over_seeds, presets

    found, reports = [], []
    with show.progress_bar() as bar:
        for name in args.checkpoints:
            checkpoint = load_checkpoint(checkpoint_path(name))
            world = world_of(checkpoint, args.world)
            sets = [
                evaluated(args, checkpoint, world, set_name, bar).evaluation
                for set_name in (world.in_name, *args.outside)
            ]
            found.append((checkpoint, sets[0]))
            reports.append((checkpoint, report(sets[0], sets[1:], intervals=False)))
    lines = compare(found)
    areas = {preset: over_seeds(members) for preset, members in presets(reports).items()}
    if args.json:
        told = [{**asdict(line), "detection": _spreads(areas[line.preset])} for line in lines]
        show.as_json([_plain(line) for line in told])
        return
    heads = ("preset", "parameters", "layers", "seeds", "NLL (nats)", "bits/dim",
             "collapsed", "active units", "ms a step")  # fmt: skip
    rows = [_cells(line) for line in lines]
    images, s = len(found[0][1]), found[0][1].settings.samples
    title = f"{images:,} test images; NLL = -L^S with S = {s}, an upper bound of -log p(x)"
    _print(title, heads, rows, args.markdown)
    if args.outside:
        show.say()
        _print("AUROC, mean and standard deviation over seeds", *_areas(areas), args.markdown)


def _print(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool) -> None:
    if not markdown:
        show.table(title, heads, rows)
        return
    show.say("| " + " | ".join(heads) + " |")
    show.say("| --- |" + " ---: |" * (len(heads) - 1))
    for row in rows:
        show.say("| " + " | ".join((f"`{row[0]}`", *row[1:])) + " |")


def _areas(areas: Mapping[str, OverSeeds]) -> tuple[list[str], list[list[str]]]:
    """A row a preset and set, a column a score; a model of fewer levels has fewer scores."""
    keys = list(dict.fromkeys(k for sets in areas.values() for s in sets.values() for k in s))
    rows = [
        [preset, name, *(_cell(scores, key) for key in keys)]
        for preset, sets in areas.items()
        for name, scores in sets.items()
    ]
    return ["preset", "set", *keys], rows


def _cell(scores: Mapping[str, Mapping[str, Spread]], key: str) -> str:
    return scores[key]["auroc"].text(3) if key in scores else "-"


def _spreads(sets: OverSeeds) -> dict[str, Any]:
    """The spreads as plain values."""
    return {
        name: {key: {m: asdict(spread) for m, spread in of.items()} for key, of in scores.items()}
        for name, scores in sets.items()
    }


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
        line.nll.text(1),
        line.bits.text(3),
        f"{line.collapsed.text(1 if line.collapsed.deviation else 0)}{names}",
        f"{line.active.text(0)} of {line.units:,}",
        line.seconds_a_step.text(0, 1000),
    )
