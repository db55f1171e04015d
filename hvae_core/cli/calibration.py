"""``calibration``: false-alarm rates asked for against those obtained."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from hvae_core.cli import show
from hvae_core.cli.options import (
    Commands,
    add_checkpoint,
    add_command,
    add_data,
    add_json,
    add_limit,
    add_seed,
)
from hvae_core.detection.false_alarms import CLAIMED

if TYPE_CHECKING:
    from hvae_core.detection.conformal import Correction
    from hvae_core.detection.false_alarms import Calibration, Point
    from hvae_core.evaluation.evaluation import Evaluation

_EXAMPLES = """\
  python -m hvae_core calibration glyphs-hvae3-elbo fashion-hvae3-elbo
  python -m hvae_core calibration glyphs-hvae3-elbo --score elbo
      one score instead of the verdict
  python -m hvae_core calibration glyphs-hvae3-elbo --bonferroni --rates 0.01 0.02

Halves: one random half of the validation images is the reference, the other half is judged. They
are drawn alike, so the rate obtained must be the one asked for, but for chance. Test: all
validation images are the reference, the test split is judged. Where that rate differs, the two
splits differ to the model: the letters of Glyphs, for one, are of other font designs in either
split. Behind each share stands its 95 % interval, then the range that chance explains
(beta-binomial: the threshold is drawn too), and "no" where the share lies outside it.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "calibration",
        run,
        summary="false-alarm rates asked for against those obtained, on held-out images",
        description="Judge in-distribution images as the page One image does, the verdict over all "
        "levels with its correction, and print which share is called out at each false-alarm rate.",
        examples=_EXAMPLES,
        kept="Finished parts are in the cache; the same command continues from there.",
    )
    add_checkpoint(command, several=True)
    command.add_argument(
        "--rates", type=_rate, nargs="+", default=list(CLAIMED), metavar="RATE",
        help="false-alarm rates to ask for (default: 0.01 0.05 0.1)",
    )  # fmt: skip
    command.add_argument("--score", metavar="KEY", help="a single score instead of the verdict")
    command.add_argument(
        "--bonferroni", action="store_true", help="correct by Bonferroni, not by the ranked minimum"
    )
    add_seed(command, "the halves")
    add_limit(command)
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Evaluate what is not at hand, then the table."""
    from hvae_core.detection.false_alarms import calibrate, calibrate_halves
    from hvae_core.detection.verdict import verdict_scores
    from hvae_core.scores import Material, get_score

    correction: Correction = "bonferroni" if args.bonferroni else "calibrated"
    found: dict[str, tuple[Calibration, Calibration]] = {}
    for name in args.checkpoints:
        held_out, test = _splits(args, name)
        if args.score:
            score = get_score(args.score, held_out.table.n_levels)
            known, new = score(Material.of(held_out))[:, None], score(Material.of(test))[:, None]
        else:
            known, new = verdict_scores(held_out.table), verdict_scores(test.table)
        found[name] = (
            calibrate_halves(known, args.seed, correction, args.rates),
            calibrate(known, new, "test", correction, args.rates),
        )
    if args.json:
        show.as_json({name: {c.kind: asdict(c) for c in pair} for name, pair in found.items()})
        return
    rows = [
        [name, f"{100 * halves.asked:g} %", *_cells(halves), *_cells(test)]
        for name, pair in found.items()
        for halves, test in zip(pair[0].points, pair[1].points, strict=True)
    ]
    what = args.score or "verdict over all levels"
    numbers = {
        f"{halves.images} judged by {halves.references}, {test.images} by {test.references}"
        for halves, test in found.values()
    }
    show.table(
        f"False alarms of the {what}, {correction}",
        ("checkpoint", "asked", "halves", "by chance", "met", "test", "by chance", "met"),
        rows,
        caption=f"Images of the halves, then of the test: {'; '.join(sorted(numbers))}.",
    )


def _splits(args: argparse.Namespace, name: str) -> tuple[Evaluation, Evaluation]:
    """The held-out and the test evaluation of a checkpoint's world."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import evaluated, world_of
    from hvae_core.evaluation.lookup import checkpoint_path

    checkpoint = load_checkpoint(checkpoint_path(name))
    world = world_of(checkpoint)
    held_out = world.with_role("validation")[0].name
    with show.progress_bar() as bar:
        known, new = (
            evaluated(args, checkpoint, world, name, bar).evaluation
            for name in (held_out, world.in_name)
        )
    return known, new


def _cells(point: Point) -> tuple[str, str, str]:
    share = point.obtained
    return (
        f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}] %",
        f"{100 * point.low:.1f} to {100 * point.high:.1f} %",
        "yes" if point.met else "no, fewer" if point.kept else "no, more",
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"a rate lies between 0 and 1, not at {text}")
    return rate
