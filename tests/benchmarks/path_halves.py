"""What the path adds to the verdict, by the number of held-out images and by which of them fit it.

    python -m tests.benchmarks.path_halves [--counts 60 100 150 200 500 1000] [--draws 5]
    python -m tests.benchmarks.path_halves --counts 200 400 1000 --ranking 50 75 100 150 200

For every shipped checkpoint: a random part of the validation images, in a random order, is the
reference, and every second image of it fits the density of the path; with --ranking all but so
many of them, as where many are equal. Printed for each world is the
share of out-of-distribution images called out at 5 % false alarms, in per cent: without the path
and with it, each as the mean over checkpoints and the deviation of that mean over the draws. It
reads stored results alone and takes some minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from hvae_core.common.errors import HVAEError
from hvae_core.detection.power import RULES
from hvae_core.door import load_checkpoint
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.lookup import RESULTS, evaluated
from hvae_core.evaluation.sets import Sets
from hvae_core.evaluation.worlds import held_out_name, world_of

ALPHA = 0.05
WAYS = ("harmonic_both", "path_harmonic")
_RULES = {rule.key: rule for rule in RULES}


def caught(way: str, reference: BoundTable, outside: list[BoundTable]) -> float:
    """Mean share of images of every set that a way of deciding calls out."""
    rule = _RULES[way]
    known = rule.held_out(reference)
    shares = [
        np.mean(rule.p_values(known, rule.read(reference, table)) <= ALPHA) for table in outside
    ]
    return float(np.mean(shares))


def divided(reference: BoundTable, ranking: int) -> BoundTable:
    """The same images as if so many were equal that only ``ranking`` of them rank; 0 for halves."""
    if not ranking:
        return reference
    # By the order of the digests, every second one is fitted to, with all that are equal.
    rank = 2 * np.arange(ranking) + 1
    fit = 2 * (np.arange(len(reference) - ranking) % (ranking + 1))
    return replace(reference, digests=np.concatenate([rank, fit]).astype(np.uint64))


def main() -> None:
    """Print one table a world."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[60, 100, 150, 200, 500, 1000])
    parser.add_argument("--ranking", type=int, nargs="+", default=[0], help="0: one half")
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    asked = [(n, rank) for n in args.counts for rank in args.ranking if 2 * rank <= n]
    rng = np.random.default_rng(0)
    found: dict[str, dict[tuple[int, int, str], list[list[float]]]] = {}
    for name in sorted(folder.name for folder in RESULTS.iterdir() if folder.is_dir()):
        checkpoint = load_checkpoint(name)
        world = world_of(checkpoint)
        sets = Sets(world)
        inside = evaluated(checkpoint, sets, held_out_name(world)).evaluation.table
        outside = []
        for spec in world.with_role("out"):
            try:
                outside.append(evaluated(checkpoint, sets, spec.name).evaluation.table)
            except HVAEError as error:
                print(f"left out {spec.title} for {name}: {error}")
        of_world = found.setdefault(world.title, {})
        for count, rank in asked:
            # Both ways judge by the same images.
            drawn = [inside.take(rng.permutation(len(inside))[:count]) for _ in range(args.draws)]
            for way in WAYS:
                shares = [caught(way, divided(reference, rank), outside) for reference in drawn]
                of_world.setdefault((count, rank, way), []).append(shares)
        print(f"read {name}", flush=True)
    for title, of_world in found.items():
        print(f"\n{title}\n\n| held-out images | of which rank | without the path | with it |")
        print("| ---: | ---: | ---: | ---: |")
        for count, rank in asked:
            cells = []
            for way in WAYS:
                by_draw = 100 * np.mean(of_world[count, rank, way], axis=0)
                cells.append(
                    f"{by_draw.mean():.1f} ± {by_draw.std(ddof=min(1, args.draws - 1)):.1f}"
                )
            print(f"| {count:,} | {rank or count // 2:,} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
