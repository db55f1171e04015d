"""``draws``: how the AUROC of every score depends on the number of draws."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hvae_core.cli import show
from hvae_core.cli.options import (
    PARTS,
    CheckpointName,
    DataOptions,
    DrawOptions,
    Json,
    kept,
    option,
    whole,
)
from hvae_core.common.files import named_path, written

if TYPE_CHECKING:
    import numpy as np

    from hvae_core.detection.by_draws import ByDraws
    from hvae_core.evaluation.bounds import BoundTable
    from hvae_core.scores import Score


@kept(PARTS)
def draws(
    name: CheckpointName,
    /,
    *,
    out: Annotated[str, option("out-of-distribution set", "SET")],
    counts: Annotated[tuple[int, ...], whole(1, "numbers of draws", "S...", consume_multiple=1)] = (
        1,
        5,
        25,
        100,
    ),
    limit: Annotated[int, whole(0, "images of each set at most; 0 for all")] = 200,
    chart: Annotated[str | None, option("write the curves as a page", "FILE.html")] = None,
    how: DrawOptions = DrawOptions(),
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """AUROC of every score and noise of every bound against the number of draws.

    Compute the bounds of an in- and an out-of-distribution set once with the largest number of
    draws, and every score by the first 1, 5, 25, ... of them.

    Examples:
      python -m hvae_core draws glyphs-hvae3-elbo --out lower
      python -m hvae_core draws glyphs-hvae3-elbo --out lower --counts 1 5 25 100 1000 \\
          --limit 100 --chart draws.html

    The draws of a small S are the first of a large one, so the columns differ by the added draws
    alone. S is the number of draws of every bound, k = 0 or not. The second table is the mean
    Monte-Carlo standard error of one in-distribution image in nats, beside the deviation between
    images.
    """
    from hvae_core.detection.by_draws import auroc_by_draws, nested_tables
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.scores import score_list

    checkpoint = load_checkpoint(name)
    how.place(checkpoint)
    world, out_name = data.place(world_of(checkpoint), out, "out")
    sets = data.sets(world, limit)
    tables: list[dict[int, BoundTable]] = []
    with show.progress_bar() as bar:
        for set_name in (world.in_name, out_name):
            images = sets.images(checkpoint, set_name, bar)
            tables.append(
                nested_tables(
                    checkpoint.model,
                    checkpoint.digest,
                    images,
                    settings=how.settings(),
                    counts=counts,
                    progress=bar,
                )
            )
    inside, outside = tables
    scores = score_list(next(iter(inside.values())).n_levels)
    areas = auroc_by_draws(inside, outside, scores, seed=how.seed)
    if chart and areas:
        _chart(named_path(chart), areas, scores)
    show.need_numbers((area.areas[0][0] for area in areas if area.areas), "AUROC")
    had = {area.score for area in areas}
    lacking = [score.key for score in scores if score.key not in had]
    if as_json:
        errors = {s: {n: _means(v) for n, v in t.errors.items()} for s, t in inside.items()}
        found = [asdict(area) for area in areas]
        show.as_json({"auroc": found, "left_out": lacking, "errors": errors})
        return
    sizes = " and ".join(f"{len(next(iter(table.values()))):,}" for table in tables)
    title = f"AUROC by draws: {name}, {world.spec(out_name).title}, {sizes} images in and out"
    heads = tuple(f"S = {count:,}" for count in inside)
    rows = [
        [area.score, *(f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in area.areas)]
        for area in areas
    ]
    show.table(title, ("score", *heads), rows)
    if lacking:
        show.note(f"Left out, as these scores read more than bounds: {', '.join(lacking)}.")
    _noise(inside, heads)


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
            cells = ["-" if math.isnan(error) else f"{error:.2f}" for error in errors]
            spread = float(between[column][:, k].std(ddof=1)) if len(largest) > 1 else math.nan
            rows.append([name.format(k), *cells, "-" if math.isnan(spread) else f"{spread:.2f}"])
    show.table(
        "Monte-Carlo standard error of one in-distribution image, mean over images (nats)",
        ("bound", *heads, "between images"),
        rows,
    )


def _means(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values.mean(axis=0)]


def _chart(path: Path, by_draws: tuple[ByDraws, ...], scores: tuple[Score, ...]) -> None:
    from hvae_core.figures import LIGHT, auroc_by_draws, figure_config, symbol_html

    symbols = {score.key: symbol_html(score.symbol) for score in scores}
    areas = {symbols[area.score]: area.areas for area in by_draws}
    figure = auroc_by_draws(by_draws[0].samples, areas, LIGHT)
    with written(path) as draft:
        figure.write_html(draft, include_plotlyjs=True, config=figure_config("auroc-by-draws"))
