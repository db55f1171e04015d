"""``draws``: how the AUROC of every score depends on the number of draws."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.cli import show
from hvae_core.cli.options import (
    Commands,
    add_checkpoint,
    add_command,
    add_data,
    add_json,
    add_limit,
    add_settings,
    at_least,
    move,
    settings_of,
)

if TYPE_CHECKING:
    from hvae_core.detection.by_draws import ByDraws
    from hvae_core.evaluation.bounds import BoundTable
    from hvae_core.scores import Score

COUNTS = (1, 5, 25, 100)
_EXAMPLES = """\
  python -m hvae_core draws glyphs-hvae3-elbo --out lower
  python -m hvae_core draws glyphs-hvae3-elbo --out lower --counts 1 5 25 100 1000 --limit 100 \\
      --chart draws.html

The draws of a small S are the first of a large one, so the columns differ by the added draws alone.
S is the number of draws of every bound, k = 0 or not. The second table is the mean Monte-Carlo
standard error of one in-distribution image in nats, beside the deviation between images.
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "draws",
        run,
        summary="AUROC of every score and noise of every bound against the number of draws",
        description="Compute the bounds of an in- and an out-of-distribution set once with the "
        "largest number of draws, and every score by the first 1, 5, 25, ... of them.",
        examples=_EXAMPLES,
        kept="Finished parts are in the cache; the same command continues from there.",
    )
    add_checkpoint(command)
    command.add_argument("--out", metavar="SET", required=True, help="out-of-distribution set")
    command.add_argument(
        "--counts", type=at_least(1), nargs="+", default=list(COUNTS), metavar="S",
        help="numbers of draws (default: 1 5 25 100)",
    )  # fmt: skip
    add_limit(command, 200)
    command.add_argument("--chart", metavar="FILE.html", help="write the curves as a page")
    add_settings(command, samples=False)
    add_data(command)
    add_json(command)


def run(args: argparse.Namespace) -> None:
    """Compute what is not at hand, then the tables and the chart."""
    from hvae_core.detection.by_draws import auroc_by_draws
    from hvae_core.scores import score_list

    inside, outside, title = _tables(args)
    first = next(iter(inside.values()))
    scores = score_list(first.n_levels)
    found = auroc_by_draws(inside, outside, scores, args.seed)
    if args.chart:
        _chart(Path(args.chart), found, scores)
    if args.json:
        errors = {s: {n: _means(v) for n, v in t.errors.items()} for s, t in inside.items()}
        show.as_json({"auroc": [asdict(one) for one in found], "errors": errors})
        return
    heads = tuple(f"S = {s:,}" for s in inside)
    rows = [[one.score, *(f"{v:.3f} [{a:.3f}, {b:.3f}]" for v, a, b in one.areas)] for one in found]
    show.table(f"AUROC by draws: {title}", ("score", *heads), rows)
    _noise(inside, heads)


def _tables(
    args: argparse.Namespace,
) -> tuple[dict[int, BoundTable], dict[int, BoundTable], str]:
    """The nested tables of both sets, and a title that names them."""
    from hvae_core.checkpoint import load_checkpoint
    from hvae_core.cli.sources import images_of, with_source, world_of
    from hvae_core.detection.by_draws import nested_tables
    from hvae_core.evaluation.lookup import checkpoint_path

    checkpoint = load_checkpoint(checkpoint_path(args.checkpoint))
    move(checkpoint, args.device)
    world, out_name = with_source(world_of(checkpoint), args.out, "out", download=args.download)
    tables = []
    with show.progress_bar() as bar:
        for name in (world.in_name, out_name):
            images = images_of(args, checkpoint, world, name, args.limit, bar)
            settings = settings_of(args)
            tables.append(
                nested_tables(
                    checkpoint.model, checkpoint.digest, images, settings, args.counts, progress=bar
                )
            )
    sizes = " and ".join(f"{len(next(iter(t.values()))):,}" for t in tables)
    title = f"{args.checkpoint}, {world.spec(out_name).title}, {sizes} images in and out"
    return tables[0], tables[1], title


def _noise(inside: dict[int, BoundTable], heads: tuple[str, ...]) -> None:
    """Mean standard errors by k, and the deviation between images for scale."""
    largest = inside[max(inside)]
    levels = largest.n_levels
    names = {"bound_error": "L>{}", "iw_error": "L^S>{}", "ratio_error": "L^S - L>{}"}
    between = {
        "bound_error": largest.bound,
        "iw_error": largest.iw,
        "ratio_error": largest.iw[:, :1] - largest.bound,
    }
    rows = []
    for column, name in names.items():
        for k in range(levels):
            errors = [float(t.errors[column][:, k].mean()) for t in inside.values()]
            cells = ["-" if np.isnan(error) else f"{error:.2f}" for error in errors]
            rows.append([name.format(k), *cells, f"{between[column][:, k].std(ddof=1):.2f}"])
    show.table(
        "Monte-Carlo standard error of one in-distribution image, mean over images (nats)",
        ("bound", *heads, "between images"),
        rows,
    )


def _means(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values.mean(axis=0)]


def _chart(path: Path, found: tuple[ByDraws, ...], scores: tuple[Score, ...]) -> None:
    from hvae_core.figures import LIGHT, auroc_by_draws, figure_config, symbol_html

    symbols = {score.key: symbol_html(score.symbol) for score in scores}
    areas = {symbols[one.score]: one.areas for one in found}
    figure = auroc_by_draws(found[0].samples, areas, LIGHT)
    with show.writing(path):
        figure.write_html(path, include_plotlyjs=True, config=figure_config("auroc-by-draws"))
