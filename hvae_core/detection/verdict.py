"""One image judged: every score with its p-value, and the verdict.

The verdict is one test of the likelihood, which may be too low or too high, of every level, and of
the path through the levels (``standard``). A level k is the score LLR_{>k}: what the layers z_1 ..
z_k knew of the image and the layers above do not. The path is how all terms go together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.config import level_starts
from hvae_core.detection.combine import Correction, Verdict, tied, verdict
from hvae_core.detection.conformal import conformal_p_values
from hvae_core.detection.standard import PATH, SEEN, By, Standard, standard_of
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.collapse import collapsed_layers
from hvae_core.scores import Material, Score, get_score, score_list
from hvae_core.scores.with_held_out import path_outlier


@dataclass(frozen=True, eq=False)
class Reading:
    """One score of one image: its value, the reference's (N,) and the conformal p-value.

    ``reason`` says why the score or its reference cannot be had; what is missing is None.
    ``error`` is the Monte-Carlo standard error of the value, None where none is known.
    """

    score: Score
    value: float | None
    reference: Floats | None
    p_value: float | None
    reason: str = ""
    error: float | None = None


@dataclass(frozen=True)
class PathTerm:
    """The path statistic that is farthest from where the others of its image put it.

    ``name`` says which in words; ``side`` whether it is too large or too small.
    """

    name: str
    side: Literal["large", "small"]


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict over the likelihood, the levels and the path, with what its sentence needs.

    ``k`` is what differs the most of likelihood and levels: a level, or 0 for the likelihood, which
    is ``side`` the usual. ``level`` is the level that differs the most (0 where the model has one);
    of several that tie both are the lowest, and ``ties`` and ``levels`` have them all. ``above`` is
    the level from which images are then read, ``blind`` whether every layer of it and above is
    collapsed; ``n`` is how many images ranked it, ``keys`` the scores that it rests on.
    ``path`` is None where the path has no say; ``note`` says why, or that the image is one of those
    which the path's density is fitted to.
    """

    verdict: Verdict
    k: int
    side: Literal["low", "high"]
    level: int
    blind: bool
    n: int
    n_levels: int
    above: str
    keys: tuple[str, ...]
    path: PathTerm | None = None
    note: str = ""

    @property
    def by_path(self) -> bool:
        """Whether the path is what differs the most."""
        return self.keys[self.verdict.place] == PATH

    @property
    def ties(self) -> tuple[int, ...]:
        """Places in ``keys`` of what differs the most: several where their p-values are equal."""
        return tied(self.verdict.p_values)

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that differ the most, all of one p-value; none where the model has one."""
        if not self.level:
            return ()
        return tuple(1 + k for k in tied(self.verdict.p_values[1 : self.n_levels]))

    @property
    def ks(self) -> tuple[int, ...]:
        """``k`` with what ties with it among likelihood (0) and levels."""
        return tied(self.verdict.p_values[: self.n_levels])

    @property
    def p_bound(self) -> float:
        """p-value of the likelihood, both ends counted."""
        return float(self.verdict.p_values[0])

    @property
    def p_level(self) -> float:
        """p-value of the level that differs the most; 1 where there is none."""
        return float(self.verdict.p_values[self.level]) if self.level else 1.0

    @property
    def p_path(self) -> float:
        """p-value of the path through the levels; 1 where it has no say."""
        return float(self.verdict.p_values[-1]) if self.path else 1.0


def readings(
    image: Material | BoundTable,
    reference: Material | BoundTable | None,
    scores: Sequence[Score] | None = None,
) -> tuple[Reading, ...]:
    """Scores of one image (material of one row) held against the reference's; those of bounds."""
    table = image.table if isinstance(image, Material) else image
    return tuple(
        replace(_reading(score, image, reference), error=sampling_error(score, table))
        for score in scores or score_list(table.n_levels)
    )


def sampling_error(score: Score, table: BoundTable) -> float | None:
    """Monte-Carlo standard error of a score of the table's first image, in its nats.

    Known for the bounds and the ratios LLR_{>k}; None for others, or where it was not recorded.
    """
    column = {"bound": "bound_error", "ratio": "ratio_error"}.get(score.family)
    if column not in table.errors or score.k is None:
        return None
    error = float(table.errors[column][0, score.k])
    return error if math.isfinite(error) else None


def judge(
    image: BoundTable,
    reference: BoundTable,
    units: Sequence[int],
    *,
    levels: Sequence[str],
    alpha: float,
    correction: Correction = "calibrated",
    by: By = "levels",
) -> Judgement:
    """Conformal verdict over -L, LLR_{>k}, k = 1 .. K-1 (Havtorn et al. 2021, section 5), and path.

    ``units`` and ``levels`` say of each layer how many units it has and which level it belongs to;
    K is the number of levels. By "bounds", or where the reference is too small for more
    (``standard_of``), the path has no say. ScoreError where the scores are not finite or alpha lies
    outside (0, 1).
    """
    return judge_by(
        standard_of(reference, alpha, correction, by=by), image, reference,
        units=units, levels=levels, alpha=alpha, correction=correction,
    )  # fmt: skip


def judge_by(
    standard: Standard,
    image: BoundTable,
    reference: BoundTable,
    *,
    units: Sequence[int],
    levels: Sequence[str],
    alpha: float,
    correction: Correction = "calibrated",
) -> Judgement:
    """As ``judge``, by a standard that is made already from the reference."""
    scores = standard.read(image)[0]
    decision = verdict(standard.joint, scores, alpha, correction=correction)
    of_bounds = decision.p_values[: image.n_levels]
    level = int(of_bounds[1:].argmin()) + 1 if image.n_levels > 1 else 0
    # Blind: every layer above the k lowest levels has collapsed, so L_>k judges guesses alone.
    skip = level_starts(levels)[level]
    collapsed = set(collapsed_layers(reference.kl.mean(axis=0), units))
    return Judgement(
        verdict=decision,
        k=int(of_bounds.argmin()),
        side="low" if scores[0] >= np.median(standard.scores[:, 0]) else "high",
        level=level,
        blind=set(range(skip + 1, len(units) + 1)) <= collapsed,
        n=standard.joint.n,
        n_levels=image.n_levels,
        above=levels[skip],
        keys=standard.keys,
        path=_path_term(standard.fitted, image, levels) if standard.fitted else None,
        note=SEEN if standard.seen(image)[0] else standard.note,
    )


def with_standard(
    found: Sequence[Reading], image: BoundTable, standard: Standard
) -> tuple[Reading, ...]:
    """Readings of one image, the verdict's scores held against the images that rank them.

    The path stands last, where it has a say.
    """
    scores = standard.read(image)[0]
    columns = dict(zip(standard.keys, zip(scores, standard.scores.T, strict=True), strict=True))
    path = get_score(PATH, image.n_levels)
    known = [one for one in found if one.score.key != PATH or PATH not in columns]
    if PATH in columns:
        known.append(Reading(path, value=None, reference=None, p_value=None))
    ranked = []
    for one in known:
        if one.score.key in columns:
            value, others = columns[one.score.key]
            p_value = float(conformal_p_values(others, [value])[0])
            one = replace(one, value=float(value), reference=others, p_value=p_value)
        ranked.append(one)
    return tuple(ranked)


def _path_term(fitted: BoundTable, image: BoundTable, levels: Sequence[str]) -> PathTerm:
    place, large = path_outlier(fitted, image)
    k, layer = place, place - image.n_levels
    if layer >= 0:
        name = levels[layer] if len({*levels}) == len(levels) else f"a layer of {levels[layer]}"
        name = f"the KL of {name}"
    else:
        above = f" from {levels[level_starts(levels)[k]]} up" if k else ""  # as pages call it
        name = f"its reconstruction error{above}"
    return PathTerm(name, "large" if large else "small")


def _reading(
    score: Score, image: Material | BoundTable, reference: Material | BoundTable | None
) -> Reading:
    value = None
    try:
        value = float(score(image)[0])
        if reference is None:
            raise ScoreError("There is no reference to hold it against yet.")
        known = reference if isinstance(reference, Material) else Material(reference)
        others = score(known)[score.counted(known)]
        if not len(others):
            raise ScoreError("Its density is fitted to every image of the reference.")
        p_value = float(conformal_p_values(others, [value])[0])
    except ScoreError as error:
        return Reading(score, value, reference=None, p_value=None, reason=str(error))
    return Reading(score, value, reference=others, p_value=p_value)
