"""What stands in a leaderboard: the scores of every checkpoint, image by image, from results.

Nothing is computed but what follows from evaluations at hand: those that ship, and those of the
user's cache. Scores that read measures of the pixels, as likelihood regret, need more and stand in
none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.data.suites import SUITES, suite_sets, with_shifted
from hvae_core.data.worlds import World
from hvae_core.detection.metrics import checked
from hvae_core.detection.set_values import values_of
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.lookup import lookup
from hvae_core.evaluation.sets import Described, Sets
from hvae_core.scores import Score, all_scores
from hvae_core.scores.assemble import AtHand, assemble

LIKELIHOOD = "elbo"
"""The score that the others are never to be worse than."""
_READ = {"reference", "held_out", "latents"}


@dataclass(frozen=True, eq=False)
class Entry:
    """One score of one checkpoint: ``values`` of every image by the name of the set.

    ``inside`` are those of the in-distribution images. ``pixels`` are the digests of the sets,
    the in-distribution one under "": paired tests are of the same pixels alone.
    """

    model: str
    title: str
    digest: str
    score: Score
    inside: Floats
    values: Mapping[str, Floats]
    pixels: Mapping[str, str]
    own: bool = False


@dataclass(frozen=True, eq=False)
class Model:
    """A checkpoint that may enter: what results are found by, and its title for people."""

    described: Described
    title: str


def board_sets(sets: Sets) -> Sets:
    """The same sets with the shifted ones of the world, also where these are made on the fly."""
    return Sets(with_shifted(sets.world), sets.data_root, sets.limit, download=sets.download)


def counted_sets(world: World) -> tuple[str, ...]:
    """The names of the sets that count in some suite of a world from ``board_sets``."""
    return tuple(spec.name for suite in SUITES for spec in suite_sets(world, suite))


def readable(n_levels: int, layers: Sequence[str]) -> tuple[Score, ...]:
    """The scores of a model of K levels that follow from evaluations and a reference alone."""
    return tuple(
        score
        for score in all_scores(n_levels, layers)
        if not score.measures and _READ.issuperset(score.needs)
    )


def entries_of(models: Iterable[Model], sets: Sets) -> tuple[list[Entry], dict[str, list[str]]]:
    """The entries of checkpoints from the results at hand, and by model the sets that have none.

    ``sets`` are those of ``board_sets``. A checkpoint without a result of the in-distribution set
    has no entry, and every set is missing.
    """
    entries: list[Entry] = []
    missing: dict[str, list[str]] = {}
    names = counted_sets(sets.world)
    for model in models:
        inside = lookup(model.described, sets, sets.world.in_name).evaluation
        found = {
            name: evaluation
            for name in (names if inside is not None else ())
            if (evaluation := lookup(model.described, sets, name).evaluation) is not None
        }
        if lacking := [name for name in names if name not in found]:
            missing[model.described.name] = lacking
        if inside is not None and found:
            entries += scored(model, sets, inside, found)
    return entries, missing


def scored(
    model: Model, sets: Sets, inside: Evaluation, found: Mapping[str, Evaluation]
) -> list[Entry]:
    """The entries of evaluated sets, one a score that can be had of the in-distribution images."""
    scores = readable(inside.table.n_levels, inside.names)
    every = [inside, *found.values()]
    materials = assemble(AtHand(model.described, sets), every, scores).materials
    pixels = {name: evaluation.set_digest for name, evaluation in found.items()}
    entries = []
    for score in scores:
        values = {}
        for evaluation in every:
            try:
                values[evaluation.set_name] = checked(
                    values_of(score, evaluation, materials), evaluation.set_name
                )
            except ScoreError:
                continue  # it reads what is not kept of this set, or is no finite number there
        of_inside = values.pop(inside.set_name, None)
        if of_inside is None or not values:
            continue
        entries.append(
            Entry(
                model=model.described.name,
                title=model.title,
                digest=model.described.digest,
                score=score,
                inside=of_inside,
                values=values,
                pixels={"": inside.set_digest, **pixels},
            )
        )
    return entries
