"""``combine``: what a verdict catches by -L, by the ratios, and by ways to put them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hvae_core.cli import show
from hvae_core.cli.options import PARTS, DataOptions, Json, Limit, WorldName, kept, whole
from hvae_core.evaluation import SHIPPED_LIMIT

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.detection.power import Power
    from hvae_core.evaluation.bounds import BoundTable

Found = dict[str, tuple[str, tuple["Power", ...]]]
"""By checkpoint its world and the rules under it."""


@kept(PARTS)
def combine(
    names: Annotated[
        tuple[str, ...],
        Parameter(name="CHECKPOINT", help="checkpoints (default: all that results ship for)"),
    ] = (),
    /,
    *,
    each: Annotated[bool, Parameter(help="a table of each checkpoint, set by set")] = False,
    world: WorldName = None,
    seed: Annotated[int, whole(0, "seed of the first halves")] = 0,
    limit: Limit = SHIPPED_LIMIT,
    data: DataOptions = DataOptions(),
    as_json: Json = False,
) -> None:
    """What ways to decide by several scores at once catch, and their false alarms.

    Hold the likelihood alone, the ratios alone, and their combinations against the same held-out
    images: the share of every out-of-distribution set that is called out at 5 % false alarms, the
    AUROC of the p-value, and the false alarms obtained at 1, 5 and 10 %. Means over the sets held
    against the checkpoints of a world; control sets stand in the tables of --each alone.

    Examples:
      python -m hvae_core combine
      python -m hvae_core combine fashion-hvae3-elbo cifar-hvae3-elbo --each

    A combination is itself ranked among the held-out images, so each keeps the promised rate
    whatever the scores have to do with each other; Brown's table promises no more than its shape.
    Halves: one half of the validation images judges the other, mean over 20 random halves. Test:
    all of them judge the test images, which may differ. The density of the path is
    fitted to half of the validation images, so there the other half judges.
    """
    from hvae_core.detection.power import RULES, power
    from hvae_core.door import load_checkpoint
    from hvae_core.evaluation.lookup import RESULTS

    names = names or tuple(sorted(folder.name for folder in RESULTS.iterdir() if folder.is_dir()))
    found: Found = {}
    with show.progress_bar() as bar:
        for place, name in enumerate(names):
            bar(place / len(names), name)
            key, tables = _tables(load_checkpoint(name), world, each=each, limit=limit, data=data)
            known, test = tables.pop("validation"), tables.pop("test")
            found[name] = key, power(known, test, tables, RULES, seed=seed)
    if as_json:
        show.as_json({n: {"world": w, "rules": [asdict(p) for p in ps]}
                      for n, (w, ps) in found.items()})  # fmt: skip
        return
    if each:
        for name, (_, powers) in found.items():
            _by_set(name, powers)
        return
    for key in dict.fromkeys(key for key, _ in found.values()):
        _means(key, {name: powers for name, (of, powers) in found.items() if of == key})


def _tables(
    checkpoint: Checkpoint, world_name: str | None, *, each: bool, limit: int, data: DataOptions
) -> tuple[str, dict[str, BoundTable]]:
    """A checkpoint's world, and the bounds of its held-out, test and other sets by name."""
    from hvae_core.common.errors import DataError, MissingImages
    from hvae_core.evaluation.lookup import evaluated
    from hvae_core.evaluation.worlds import held_out_name, world_of

    world = world_of(checkpoint, world_name)
    sets = data.sets(world, limit)
    tables = {
        role: evaluated(checkpoint, sets, name).evaluation.table
        for role, name in (
            ("validation", held_out_name(world)),
            ("test", world.in_name),
        )
    }
    for spec in world.with_role("out", "control") if each else world.with_role("out"):
        try:
            tables[spec.name] = evaluated(checkpoint, sets, spec.name).evaluation.table
        except MissingImages as error:
            show.note(f"left out {spec.title} for {checkpoint.name}: {error}")
    if len(tables) < 3:
        raise DataError(
            f"No set of {world.title} is on this machine; name a folder by --data-root."
        )
    return world.key, tables


def _means(world: str, found: Mapping[str, Sequence[Power]]) -> None:
    import numpy as np

    from hvae_core.detection.power import RULES

    rows = []
    for rule, powers in zip(RULES, zip(*found.values(), strict=True), strict=True):
        caught = [share for one in powers for share in one.caught.values()]
        areas = [area for one in powers for area in one.areas.values()]
        alarms = (
            " / ".join(f"{100 * share:.1f}" for share in np.mean(shares, axis=0))
            for shares in ([one.halves for one in powers], [one.test for one in powers])
        )
        rows.append(
            (rule.title, f"{100 * np.mean(caught):.1f} %", f"{np.mean(areas):.3f}",
             f"{np.min(areas):.2f}", *alarms)
        )  # fmt: skip
    pairs = sum(len(powers[0].caught) for powers in found.values())
    show.table(
        f"{world}: {len(found)} checkpoints, {pairs} pairs of checkpoint and set",
        ("decided by", "caught at 5 %", "AUROC", "lowest", "halves 1/5/10 %", "test 1/5/10 %"),
        rows,
    )


def _by_set(name: str, powers: Sequence[Power]) -> None:
    from hvae_core.detection.power import RULES

    rows = [
        (rule.title, *(f"{100 * one.caught[s]:.0f} %, {one.areas[s]:.2f}" for s in one.caught))
        for rule, one in zip(RULES, powers, strict=True)
    ]
    show.table(f"{name}: called out at 5 %, AUROC", ("decided by", *powers[0].caught), rows)
