"""``calibration``: false-alarm rates asked for against those obtained."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hvae_core.cli import show
from hvae_core.cli.options import (
    PARTS,
    CheckpointNames,
    DataOptions,
    Json,
    Limit,
    WorldName,
    kept,
    option,
    whole,
)
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.detection.combine import Correction
    from hvae_core.detection.false_alarms import Calibration, Point
    from hvae_core.evaluation.evaluation import Evaluation


def _between_0_and_1(_: type, rates: tuple[float, ...]) -> None:
    for rate in rates:
        if not 0 < rate < 1:
            raise ValueError(f"must lie between 0 and 1, not at {rate:g}")


@kept(PARTS)
def calibration(
    names: CheckpointNames,
    /,
    *,
    rates: Annotated[
        tuple[float, ...],
        Parameter(
            help="false-alarm rates to ask for",
            metavar="RATE...",
            consume_multiple=1,
            validator=_between_0_and_1,
        ),
    ] = (0.01, 0.05, 0.1),
    score: Annotated[str | None, option("a single score instead of the verdict", "KEY")] = None,
    bonferroni: Annotated[bool, option("correct by Bonferroni, not by ranks")] = False,
    world: WorldName = None,
    seed: Annotated[int, whole(0, "seed of the halves")] = 0,
    limit: Limit = SHIPPED_LIMIT,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """False-alarm rates asked for against those obtained, on held-out images.

    Judge in-distribution images as the page One image does, by likelihood, levels and path with its
    correction, and print which share is called out at each false-alarm rate. At each the verdict is
    that which an image gets at this rate: the path may have a say at one rate and not at another.

    Examples:
      python -m hvae_core calibration glyphs-hvae3-elbo fashion-hvae3-elbo
      python -m hvae_core calibration glyphs-hvae3-elbo --score elbo
          one score instead of the verdict
      python -m hvae_core calibration glyphs-hvae3-elbo --bonferroni --rates 0.01 0.02

    Halves: one random half of the validation images is the reference, the other half is judged.
    They are drawn alike, so the rate obtained must be the one asked for, but for chance. Test: all
    validation images are the reference, the test split is judged. Where that rate differs, the two
    splits differ to the model: the letters of Glyphs, for one, are of other font designs in either
    split. Behind each share stands its 95 % interval, then the range that chance explains
    (beta-binomial: the threshold is drawn too), and "no" where the share lies outside it.
    """
    from hvae_core.detection.false_alarms import calibrate, calibrate_halves, calibrate_verdict
    from hvae_core.detection.standard import standard_of
    from hvae_core.scores import Material, get_score
    from hvae_core.scores.material import fitted_half

    correction: Correction = "bonferroni" if bonferroni else "calibrated"
    calibrations: dict[str, tuple[Calibration, Calibration]] = {}
    for name in names:
        held_out, test = _splits(name, world, limit=limit, data=data)
        if score:
            rule = get_score(score, held_out.table.n_levels, held_out.names)
            fitted = Material.of(held_out).take(fitted_half(held_out.table))
            known, new = (replace(Material.of(e), held_out=fitted) for e in (held_out, test))
            reference, judged = rule(known)[rule.counted(known)][:, None], rule(new)[:, None]
            calibrations[name] = (
                calibrate_halves(reference, seed, correction, rates=rates),
                calibrate(reference, judged, "test", correction=correction, rates=rates),
            )
            continue
        standards = [standard_of(held_out.table, rate, correction) for rate in rates]
        for note in dict.fromkeys(one.note for one in standards if one.note):
            show.note(f"{name}: {note}")
        of_halves, of_test = calibrate_verdict(
            held_out.table, test.table, correction, rates=rates, seed=seed
        )
        calibrations[name] = of_halves, of_test
    if as_json:
        show.as_json({n: {c.kind: asdict(c) for c in pair} for n, pair in calibrations.items()})
        return
    _print(
        f"False alarms of the {score or 'verdict on one image'}, {correction}",
        calibrations,
    )


def _splits(
    name: str, world_name: str | None, *, limit: int, data: DataOptions
) -> tuple[Evaluation, Evaluation]:
    """The held-out and the test evaluation of a world, by default the checkpoint's own."""
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.lookup import evaluated
    from hvae_core.evaluation.worlds import held_out_name, world_of

    checkpoint = load_checkpoint(name)
    world = world_of(checkpoint, world_name)
    sets = data.sets(world, limit)
    names = (held_out_name(world), world.in_name)
    with show.progress_bar() as bar:
        held_out, test = (
            evaluated(checkpoint, sets, set_name, progress=bar).evaluation for set_name in names
        )
    return held_out, test


def _print(title: str, calibrations: dict[str, tuple[Calibration, Calibration]]) -> None:
    rows = [
        [name, f"{100 * halves.asked:g} %", *_cells(halves), *_cells(test)]
        for name, pair in calibrations.items()
        for halves, test in zip(pair[0].points, pair[1].points, strict=True)
    ]
    numbers = {
        f"{halves.obtained.n} judged by {halves.references}, {test.obtained.n} by {test.references}"
        for pair in calibrations.values()
        for halves, test in zip(pair[0].points, pair[1].points, strict=True)
    }
    show.table(
        title,
        ("checkpoint", "asked", "halves", "by chance", "met", "test", "by chance", "met"),
        rows,
        caption=f"Images of the halves, then of the test: {'; '.join(sorted(numbers))}.",
    )


def _cells(point: Point) -> tuple[str, str, str]:
    share = point.obtained
    return (
        f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}] %",
        f"{100 * point.low:.1f} to {100 * point.high:.1f} %",
        "yes" if point.met else "no, fewer" if point.kept else "no, more",
    )
