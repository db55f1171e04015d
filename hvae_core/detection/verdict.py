"""One image judged: every score with its p-value, and the verdict in words.

The verdict is one test of the likelihood, which may be too low or too high, and of every level. A
level k is the score LLR_{>k}: what the layers z_1 .. z_k knew of the image and the layers above do
not. The words are a function of the numbers alone, so that no page says more than they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.words import fmt, percent
from hvae_core.config import level_starts
from hvae_core.detection.combine import Correction, Verdict, verdict
from hvae_core.detection.conformal import conformal_p_values
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.collapse import collapsed_layers
from hvae_core.scores import Material, Score, get_score, score_list

BOTH_ENDS = (0,)
"""Columns of ``verdict_scores`` that are unusual at both ends: the likelihood."""


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


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict over the likelihood and the levels, with what its sentence needs.

    ``k`` is what differs the most: a level, or 0 for the likelihood, which is ``side`` the usual.
    ``level`` is the level that differs the most (0 where the model has one), ``above`` the level
    from which images are then read, ``blind`` whether every layer of it and above is collapsed;
    ``n`` is the size of the reference.
    """

    verdict: Verdict
    k: int
    side: Literal["low", "high"]
    level: int
    blind: bool
    n: int
    n_levels: int
    above: str

    @property
    def p_bound(self) -> float:
        """p-value of the likelihood, both ends counted."""
        return float(self.verdict.p_values[0])

    @property
    def p_level(self) -> float:
        """p-value of the level that differs the most; 1 where there is none."""
        return float(self.verdict.p_values[self.level]) if self.level else 1.0


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
    levels: Sequence[str],
    alpha: float,
    correction: Correction = "calibrated",
) -> Judgement:
    """Conformal verdict over -L and LLR_{>k}, k = 1 .. K-1 (Havtorn et al. 2021, section 5).

    ``units`` and ``levels`` say of each layer how many units it has and which level it belongs to;
    K is the number of levels. ScoreError where the scores are not finite or alpha lies outside
    (0, 1).
    """
    scores, known = verdict_scores(image)[0], verdict_scores(reference)
    decision = verdict(known, scores, alpha, correction=correction, two_sided=BOTH_ENDS)
    level = int(decision.p_values[1:].argmin()) + 1 if image.n_levels > 1 else 0
    # Blind: every layer above the k lowest levels has collapsed, so L_>k judges guesses alone.
    skip = level_starts(levels)[level]
    collapsed = set(collapsed_layers(reference.kl.mean(axis=0), units))
    return Judgement(
        verdict=decision,
        k=decision.place,
        side="low" if scores[0] >= np.median(known[:, 0]) else "high",
        level=level,
        blind=set(range(skip + 1, len(units) + 1)) <= collapsed,
        n=len(reference),
        n_levels=image.n_levels,
        above=levels[skip],
    )


def verdict_scores(table: BoundTable) -> Floats:
    """The scores of the verdict, (N, K): -L, then LLR_{>k} for k = 1 .. K-1."""
    keys = verdict_keys(table.n_levels)
    return np.stack([get_score(key, table.n_levels)(table) for key in keys], axis=1)


def verdict_keys(n_levels: int) -> tuple[str, ...]:
    """The keys of the verdict's scores, for K levels."""
    return ("elbo", *(f"llr_{k}" for k in range(1, n_levels)))


def in_words(judged: Judgement) -> tuple[str, str]:
    """The verdict as a headline and the sentences that explain it."""
    decision = judged.verdict
    if not decision.possible:
        return _undecided(judged)
    p = f"p = {fmt(decision.p_value)}"
    if decision.out:
        return f"Out of distribution{_where(judged)} ({p})", _why_out(judged)
    return f"Not flagged at a {percent(decision.alpha)} false-alarm rate ({p})", _why_in(judged)


def needed_references(judged: Judgement) -> int:
    """The smallest reference with which an image could be flagged at this rate."""
    # The likelihood alone is rare at either end, so one of the reference may be as rare.
    ends = 2 if judged.n_levels == 1 else 1
    scores = 1 if judged.verdict.correction == "calibrated" else len(judged.verdict.p_values)
    return max(1, math.ceil(ends * scores / judged.verdict.alpha - 1 - 1e-9))


def _reading(
    score: Score, image: Material | BoundTable, reference: Material | BoundTable | None
) -> Reading:
    value = None
    try:
        value = float(score(image)[0])
        if reference is None:
            raise ScoreError("There is no reference to hold it against yet.")
        others = score.unseen(score(reference))
        p_value = float(conformal_p_values(others, [value])[0])
    except ScoreError as error:
        return Reading(score, value, reference=None, p_value=None, reason=str(error))
    return Reading(score, value, reference=others, p_value=p_value)


def _level_p(judged: Judgement) -> str:
    return f"p(LLR>{judged.level}) = {fmt(judged.p_level)}"


def _bound_p(judged: Judgement) -> str:
    return f"p(L) = {fmt(judged.p_bound)}"


def _rare(judged: Judgement) -> tuple[bool, bool]:
    """Whether the likelihood, and whether the strangest level, is rare by itself."""
    alpha = judged.verdict.alpha
    return judged.p_bound <= alpha, judged.p_level <= alpha


def _where(judged: Judgement) -> str:
    if not any(_rare(judged)):
        return ""
    return f" at level {judged.k}" if judged.k else f": its likelihood is too {judged.side}"


def _why_out(judged: Judgement) -> str:
    likely, strange = _rare(judged)
    level = f"level {judged.level}"
    if judged.n_levels == 1:
        return _one_layer(judged)
    if not likely and not strange:
        return (
            f"No score alone is that rare, but together they are: {_bound_p(judged)}, and at its "
            f"strangest, {level}, {_level_p(judged)}. {_blindness(judged)}"
        ).strip()
    if not strange:
        return (
            f"{_likelihood(judged)}. No level finds it strange: at most {level}, "
            f"{_level_p(judged)}."
        )
    if likely:
        shape = "it stands out from the guesses of" if judged.blind else "the whole is strange at"
        text = f"{_likelihood(judged)}, and {shape} {level} ({_level_p(judged)})."
    elif judged.blind:
        text = (
            f"Its likelihood alone would let it pass ({_bound_p(judged)}); held against what this "
            f"model paints without looking at it, it stands out ({_level_p(judged)})."
        )
    else:
        text = (
            f"Its details are familiar ({_bound_p(judged)}), the whole is not "
            f"({_level_p(judged)}): its likelihood alone would let it pass."
        )
    return f"{text} {_blindness(judged)}".strip()


def _why_in(judged: Judgement) -> str:
    likely, strange = _rare(judged)
    level = f"level {judged.level}"
    if judged.n_levels == 1:
        return _one_layer(judged)
    shape = "no level finds it strange" if judged.blind else "the whole is familiar at every level"
    most = f"At its strangest, {level}, {_level_p(judged)}."
    corrected = (
        f"but not after the correction for having looked at {len(judged.verdict.p_values)} scores"
    )
    if likely and strange:
        return (
            f"Its likelihood, too {judged.side} ({_bound_p(judged)}), and {level} "
            f"({_level_p(judged)}) would each flag it alone, {corrected}."
        )
    if likely:
        return (
            f"Its likelihood alone would flag it as too {judged.side} ({_bound_p(judged)}), "
            f"{corrected}; {shape}. {most}"
        )
    if strange:
        return (
            f"Its details are familiar ({_bound_p(judged)}). Level {judged.level} alone would flag "
            f"it ({_level_p(judged)}), {corrected}."
        )
    return f"Its details are familiar ({_bound_p(judged)}) and {shape}. {most}"


def _likelihood(judged: Judgement) -> str:
    """What is wrong with the likelihood, without a full stop."""
    than = "less" if judged.side == "low" else "more"
    return (
        f"Its likelihood is too {judged.side} ({_bound_p(judged)}): the model finds it {than} "
        "likely than nearly all held-out images"
    )


def _one_layer(judged: Judgement) -> str:
    found = (
        _likelihood(judged)
        if judged.verdict.out
        else f"Its likelihood is familiar ({_bound_p(judged)})"
    )
    return f"{found}. This model has one layer, so only the likelihood itself could be tested."


def _undecided(judged: Judgement) -> tuple[str, str]:
    decision = judged.verdict
    rate = percent(decision.alpha)
    return (
        f"No verdict at {rate} false alarms: the reference is too small",
        f"Among {judged.n} reference images no image can be rare enough; it takes "
        f"{needed_references(judged)}, or a higher false-alarm rate. The most unusual score here "
        f"is {'LLR>' + str(judged.k) if judged.k else 'the likelihood'}, with p = "
        f"{fmt(float(decision.p_values[decision.place]))} before the correction.",
    )


def _blindness(judged: Judgement) -> str:
    if not judged.blind:
        return ""
    above = judged.above + (" and above are" if judged.level + 1 < judged.n_levels else " is")
    return (
        f"(In this model {above} collapsed: level {judged.level} sees no shape, only blind "
        "guesses.)"
    )
