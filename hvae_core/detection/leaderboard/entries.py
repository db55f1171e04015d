"""What stands in a leaderboard: the scores of every checkpoint, image by image, from results.

Nothing is computed but what follows from evaluations at hand: those that ship, and those of the
user's cache. Scores that read measures of the pixels, as likelihood regret, need more and stand in
none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.progress import silent
from hvae_core.data.suites import SUITES, suite_sets, with_shifted
from hvae_core.data.worlds import World
from hvae_core.detection.conformal import threshold_at
from hvae_core.detection.judged_many import judge_many
from hvae_core.detection.metrics import checked
from hvae_core.detection.set_values import unseen_values, values_of
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.evaluation.lookup import lookup
from hvae_core.evaluation.sets import Described, Sets
from hvae_core.scores import Material, Score, all_scores
from hvae_core.scores.assemble import AtHand, assemble

LIKELIHOOD = "elbo"
"""The score that the others are never to be worse than."""
ALPHA = 0.05
"""The false-alarm rate at which images are called out."""
_READ = {"reference", "held_out", "latents"}


@dataclass(frozen=True)
class Joined:
    """What a row is of that is no single score: its names, as a ``Score`` has them."""

    key: str
    name: str
    symbol: str
    citation: str


VERDICT = Joined(
    "verdict",
    "the verdict on one image, ranked by its p-value",
    r"\mathrm{verdict}",
    "Wilson 2019, The harmonic mean p-value for combining dependent tests",
)
"""All scores of the verdict at once; its values are -p, higher for more unusual."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One score of one checkpoint, or its verdict: ``values`` of every image by the set's name.

    ``inside`` are those of the in-distribution images. ``pixels`` are the digests of the sets,
    the in-distribution one under "": paired tests are of the same pixels alone. ``alarm`` is the
    value from which on an image is called out at the false-alarm rate ``ALPHA``, by held-out images
    that neither of these sets has; None where there are no results of them.
    """

    model: str
    title: str
    digest: str
    score: Score | Joined
    inside: Floats
    values: Mapping[str, Floats]
    pixels: Mapping[str, str]
    own: bool = False
    alarm: float | None = None


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
    source = AtHand(model.described, sets)
    held_out = source.held_out(inside.settings, silent)
    read = every if held_out is None else [*every, held_out]
    materials = assemble(source, read, scores).materials
    whole = Entry(
        model=model.described.name,
        title=model.title,
        digest=model.described.digest,
        score=VERDICT,
        inside=inside.table.bound[:, 0],
        values={},
        pixels={"": inside.set_digest, **{n: one.set_digest for n, one in found.items()}},
    )
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
        alarm = None if held_out is None else _alarm(score, held_out, materials)
        entries.append(replace(whole, score=score, inside=of_inside, values=values, alarm=alarm))
    if held_out is not None:
        entries += _verdict(whole, held_out, every)
    return entries


def _alarm(
    score: Score, held_out: Evaluation, materials: Mapping[str, tuple[Material, ...]]
) -> float | None:
    """The value that calls an image out; None where the held-out images have none of this score."""
    try:
        return threshold_at(ALPHA, unseen_values(score, held_out, materials))
    except ScoreError:
        return None


def _verdict(whole: Entry, held_out: Evaluation, every: Sequence[Evaluation]) -> list[Entry]:
    """The verdict as a row: none where it cannot be had of the in-distribution images."""
    try:
        found = {one.set_name: -judge_many(one.table, held_out.table, ALPHA).p for one in every}
    except ScoreError:
        return []  # the model gives the held-out images no finite numbers
    name = every[0].set_name
    finite = {key: values for key, values in found.items() if np.isfinite(values).all()}
    inside = finite.pop(name, None)
    if inside is None or not finite:
        return []
    return [replace(whole, score=VERDICT, inside=inside, values=finite, alarm=-ALPHA)]
