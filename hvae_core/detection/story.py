"""What tells the papers' story best on one model: a set that fools the likelihood, two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hvae_core.detection.metrics import auroc
from hvae_core.evaluation.evaluation import Evaluation
from hvae_core.scores import Material, Score, get_score

CAUGHT = 0.65
"""An AUROC from which on a score is said to tell a set apart."""


@dataclass(frozen=True)
class Story:
    """A set, the AUROC of -L on it, and the ratio LLR_{>k} with the largest AUROC (HVK 4.2).

    ``ratio`` is None for a model of one level. ``uncaught`` are the sets that look more likely than
    the model's own images and that no ratio tells apart, with the AUROC of -L and of the best one.
    """

    name: str
    likelihood: float
    ratio: Score | None
    remedied: float
    uncaught: tuple[tuple[str, float, float], ...] = ()


def story(inside: Evaluation, outside: Mapping[str, Evaluation]) -> Story:
    """The set on which a ratio gains most over the likelihood, of those that fool it.

    Sets that a ratio tells apart come first. Where none has an AUROC of -L below 0.5, the set with
    the smallest.
    """
    levels = inside.table.n_levels
    elbo = get_score("elbo", levels)
    ratios = [get_score(f"llr_{k}", levels) for k in range(1, levels)]
    areas = {name: _area(elbo, inside, other) for name, other in outside.items()}
    fooling = [name for name, area in areas.items() if area < 0.5]
    if not ratios or not fooling:
        name = min(areas, key=areas.__getitem__)
        best, area = _best(ratios, inside, outside[name]) if ratios else (None, areas[name])
        return Story(name, areas[name], best, remedied=area)
    found = {name: _best(ratios, inside, outside[name]) for name in fooling}
    caught = [name for name in fooling if found[name][1] >= CAUGHT]
    name = max(caught or fooling, key=lambda name: found[name][1] - areas[name])
    uncaught = tuple(
        (other, areas[other], found[other][1])
        for other in fooling
        if other != name and found[other][1] < CAUGHT
    )
    ratio, area = found[name]
    return Story(name, areas[name], ratio, remedied=area, uncaught=uncaught)


def _best(ratios: Sequence[Score], inside: Evaluation, other: Evaluation) -> tuple[Score, float]:
    areas = [_area(ratio, inside, other) for ratio in ratios]
    place = int(np.argmax(areas))
    return ratios[place], areas[place]


def _area(score: Score, inside: Evaluation, other: Evaluation) -> float:
    return auroc(score(inside.table), score(other.table))


def telling_pair(
    inside: Evaluation, outside: Evaluation, likelihood: Score, *, ratio: Score
) -> tuple[int, int]:
    """Indices of the two images that tell the story best (HVK 4.2): one in, one out.

    Out: of the images at least as likely as the median image inside (of all, if there are none),
    that with the largest ratio. In: that with the median ratio.
    """
    level = np.median(likelihood(Material.of(inside)))
    ratios = ratio(Material.of(outside))
    likely = likelihood(Material.of(outside)) <= level
    candidates = np.where(likely, ratios, -np.inf) if likely.any() else ratios
    order = np.argsort(ratio(Material.of(inside)), kind="stable")
    return int(order[len(order) // 2]), int(candidates.argmax())
