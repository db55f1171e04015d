"""``compare``: several checkpoints of one world on one set, a line a preset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from hvae_core.cli import show
from hvae_core.cli.options import (
    PARTS,
    CheckpointNames,
    DataOptions,
    Json,
    Limit,
    kept,
    option,
    options,
)
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.studies.compare import Line, OverSeeds, Spread


@kept(PARTS)
def compare(
    names: CheckpointNames,
    /,
    *,
    outside: Annotated[
        tuple[str, ...],
        options(
            "out-of-distribution sets of the world: adds the AUROC of every score",
            "SET",
            name="--out",
        ),
    ] = (),
    world: Annotated[str | None, option("world of the set (default: their own)", "NAME")] = None,
    limit: Limit = SHIPPED_LIMIT,
    markdown: Annotated[bool, option("print a Markdown table")] = False,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """Parameters, likelihood, collapse, active units and speed of several checkpoints.

    Evaluate checkpoints on the in-distribution test set of their world and print a line for each
    preset: parameters, layers, negative log-likelihood (importance-weighted bound), collapsed
    layers, active units, seconds of training a step.

    Examples:
      python -m hvae_core compare glyphs-hvae3-elbo glyphs-hvae3-informative
      python -m hvae_core compare runs/*/*-small.safetensors --markdown
          checkpoints of one preset with different seeds make one line, with standard deviations
      python -m hvae_core compare runs/*/*-elbo.safetensors --out lower signs
          AUROC of every score on two sets too, a mean over the seeds of a preset
    """
    from hvae_core.detection.report import report
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.lookup import evaluated
    from hvae_core.evaluation.worlds import world_of
    from hvae_core.studies.compare import compare, over_seeds, presets

    tests, reports = [], []
    with show.progress_bar() as bar:
        for name in names:
            checkpoint = load_checkpoint(name)
            place = world_of(checkpoint, world)
            sets = data.sets(place, limit)
            test, *others = [
                evaluated(checkpoint, sets, set_name, progress=bar).evaluation
                for set_name in (place.in_name, *outside)
            ]
            tests.append((checkpoint, test))
            reports.append((checkpoint, report(test, others, intervals=False)))
    lines = compare(tests)
    areas = {preset: over_seeds(members) for preset, members in presets(reports).items()}
    show.need_numbers((line.nll.mean for line in lines), "likelihood")
    if as_json:
        rows = [{**asdict(line), "detection": _spreads(areas[line.preset])} for line in lines]
        show.as_json([_plain(row) for row in rows])
        return
    heads = ("preset", "parameters", "layers", "seeds", "NLL (nats)", "bits/dim",
             "collapsed", "active units", "ms a step")  # fmt: skip
    images, s = len(tests[0][1]), tests[0][1].settings.samples
    title = f"{images:,} test images; NLL = -L^S with S = {s}, an upper bound of -log p(x)"
    _print(title, heads, [_cells(line) for line in lines], markdown=markdown)
    if outside:
        show.say()
        _print("AUROC, mean and standard deviation over seeds", *_areas(areas), markdown)


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
