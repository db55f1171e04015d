"""``shift``: which score sees which change of an image, and from what degree on."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hvae_core.cli import show
from hvae_core.cli.options import (
    PARTS,
    CheckpointName,
    DataOptions,
    Json,
    WorldName,
    kept,
    option,
    options,
    whole,
)
from hvae_core.common.files import named_path, written
from hvae_core.common.ladders import LADDERS, ChangeName
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.detection.by_degree import ByDegree, Change
    from hvae_core.evaluation.bounds import BoundTable

_ALPHA = 0.05


@kept(PARTS)
def shift(
    name: CheckpointName,
    /,
    *,
    changes: Annotated[
        tuple[ChangeName, ...], options("what is changed (default: all)", "CHANGE")
    ] = (),
    limit: Annotated[int, whole(0, "images that are changed at most; 0 for all")] = 200,
    world: WorldName = None,
    out: Annotated[str | None, option("write the curves as a file", "FILE.json")] = None,
    chart: Annotated[str | None, option("write the curves as a page", "FILE.html")] = None,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """AUROC and flagged share against rotation, blur, noise and contrast, for every level.

    Change in-distribution images by degrees and hold them against what they were: which level sees
    which change, and from what degree on.

    Examples:
      python -m hvae_core shift glyphs-hvae5-freebits
      python -m hvae_core shift glyphs-hvae3-elbo --changes rotation blur --limit 100
      python -m hvae_core shift glyphs-hvae3-elbo --chart shift.html

    Degrees are degrees of angle, pixels of blur (standard deviation), grey levels of noise (of
    256), and per cent of contrast taken away. AUROC tells changed from unchanged images: 0.5 where
    nothing is changed. Flagged is the share of changed images above the threshold that 5 % of
    held-out images pass; path and verdict are those of the page One image. A change that is small
    to a person should flag little: what is flagged then is a false alarm.
    """
    found = _computed(name, changes or tuple(LADDERS), world, limit=limit, data=data)
    if out:
        with written(named_path(out)) as draft:
            draft.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    if chart:
        _chart(named_path(chart), found)
    if as_json:
        show.as_json(asdict(found))
        return
    for change in found.changes:
        _print(change, found)


def _computed(
    name: str,
    changes: tuple[ChangeName, ...],
    world_name: str | None,
    *,
    limit: int,
    data: DataOptions,
) -> ByDegree:
    """The curves of a checkpoint on its world's test set."""
    from hvae_core.common.progress import part
    from hvae_core.data.degrees import by_degree
    from hvae_core.detection.by_degree import ByDegree, Change, curves
    from hvae_core.detection.standard import standard_of
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.evaluation.lookup import evaluated, evaluated_images
    from hvae_core.evaluation.worlds import held_out_name, world_of

    checkpoint, settings = load_checkpoint(name), EvalSettings()
    world = world_of(checkpoint, world_name)
    images = data.sets(world, limit).images(checkpoint, world.in_name)
    steps = sum(len(LADDERS[change].degrees) for change in changes)
    made: list[Change] = []
    with show.progress_bar() as bar:
        known = data.sets(world, SHIPPED_LIMIT)
        reference = evaluated(checkpoint, known, held_out_name(world), progress=bar).evaluation
        inside = evaluated_images(checkpoint, images, settings, progress=bar)
        for change in changes:
            tables: list[BoundTable] = []
            for degree in LADDERS[change].degrees:
                done = sum(len(one.degrees) for one in made) + len(tables)
                step = part(bar, done, steps, where=f"{change} {degree:g}")
                moved = by_degree(images, change, degree)
                tables.append(evaluated_images(checkpoint, moved, settings, progress=step).table)
            found = curves(reference.table, inside.table, tables, _ALPHA)
            made.append(Change(change, LADDERS[change].degrees, found))
    if note := standard_of(reference.table, _ALPHA).note:
        show.note(note)
    options_ = "".join(
        f" --{key} {value}"
        for key, value in (("changes", " ".join(changes)), ("limit", limit), ("world", world_name))
        if value not in (None, 200, " ".join(LADDERS))
    )
    return ByDegree(
        checkpoint.name,
        checkpoint.digest,
        world.in_name,
        len(images),
        references=len(reference.table),
        samples=settings.samples,
        alpha=_ALPHA,
        date=datetime.now(UTC).date().isoformat(),
        command=f"python -m hvae_core shift {checkpoint.name}{options_}",
        changes=tuple(made),
    )


def _print(change: Change, found: ByDegree) -> None:
    """One change: AUROC and flagged share, a row a score, a column a degree."""
    heads = tuple(f"{degree:g}" for degree in change.degrees)
    rows = [
        [
            curve.key,
            *(f"{a:.3f}, {100 * f:.0f} %" for a, f in zip(curve.auroc, curve.flagged, strict=True)),
        ]
        for curve in change.curves
    ]
    show.table(
        f"{LADDERS[change.name].axis}: AUROC, flagged at {100 * found.alpha:g} %",
        ("score", *heads),
        rows,
        caption=f"{found.images:,} images changed, threshold by {found.references:,} held out.",
    )


def _chart(path: Path, found: ByDegree) -> None:
    """Every change below the other, in one page."""
    from hvae_core.figures import LIGHT, figure_config
    from hvae_core.figures.by_degree import every_change

    panels = [
        (LADDERS[change.name].axis, change.degrees, change.areas, change.shares)
        for change in found.changes
    ]
    figure = every_change(panels, LIGHT, found.alpha)
    with written(path) as draft:
        figure.write_html(draft, include_plotlyjs=True, config=figure_config("shift-by-degrees"))
