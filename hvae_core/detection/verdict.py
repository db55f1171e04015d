"""One image judged: every score with its p-value, and the verdict over the levels in words.

A level k is the score LLR_{>k}: what the layers z_1 .. z_k knew of the image and the layers above
do not. The words are a function of the numbers alone, so that no page says more than they do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.common.words import fmt, percent
from hvae_core.config import level_starts
from hvae_core.detection.conformal import Correction, Verdict, conformal_p_values, verdict
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.evaluation.collapse import collapsed_layers
from hvae_core.scores import Material, Score, get_score, score_list


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
    """The verdict over the levels with what its sentence needs.

    ``k`` is the level that differs the most, ``above`` the level from which images are then read,
    ``blind`` whether every layer of it and above is collapsed;
    ``p_bound`` is the p-value of -L, ``n`` the size of the reference, ``levels`` their number.
    """

    verdict: Verdict
    k: int
    blind: bool
    p_bound: float
    n: int
    levels: int
    n_levels: int
    above: str


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
    """Conformal verdict over LLR_{>k}, k = 1 .. K-1 (Havtorn et al. 2021, section 5).

    ``units`` and ``levels`` say of each layer how many units it has and which level it belongs to;
    K is the number of levels. A model of one level has no ratio; there the bound itself, k = 0,
    decides. ScoreError where the scores are not finite or alpha lies outside (0, 1).
    """
    n_levels = image.n_levels
    decision = verdict(
        verdict_scores(reference), verdict_scores(image)[0], alpha=alpha, correction=correction
    )
    k = decision.place + 1 if n_levels > 1 else 0
    # Blind: every layer above the k lowest levels has collapsed, so L_>k judges guesses alone.
    skip = level_starts(levels)[k]
    collapsed = set(collapsed_layers(reference.kl.mean(axis=0), units))
    elbo = get_score("elbo", n_levels)
    return Judgement(
        verdict=decision,
        k=k,
        blind=set(range(skip + 1, len(units) + 1)) <= collapsed,
        p_bound=float(conformal_p_values(elbo(reference), elbo(image))[0]),
        n=len(reference),
        levels=len(decision.p_values),
        n_levels=n_levels,
        above=levels[skip],
    )


def verdict_scores(table: BoundTable) -> Floats:
    """The scores of the verdict, (N, levels): LLR_{>k} for k >= 1, or the bound of one level."""
    keys = [f"llr_{k}" for k in range(1, table.n_levels)] or ["elbo"]
    return np.stack([get_score(key, table.n_levels)(table) for key in keys], axis=1)


def in_words(judged: Judgement) -> tuple[str, str]:
    """The verdict as a headline and the sentences that explain it."""
    decision = judged.verdict
    if not decision.possible:
        return _undecided(judged)
    p = f"p = {fmt(decision.p_value)}"
    if decision.out:
        at = f" at level {judged.k}" if judged.k else ""
        return f"Out of distribution{at} ({p})", _why_out(judged)
    return f"In distribution, as far as {percent(decision.alpha)} false alarms can tell ({p})", (
        _why_in(judged)
    )


def needed_references(judged: Judgement) -> int:
    """The smallest reference with which an image could be flagged at this rate."""
    factor = 1 if judged.verdict.correction == "calibrated" else judged.levels
    return max(1, math.ceil(factor / judged.verdict.alpha - 1 - 1e-9))


def _reading(
    score: Score, image: Material | BoundTable, reference: Material | BoundTable | None
) -> Reading:
    value = None
    try:
        value = float(score(image)[0])
        if reference is None:
            raise ScoreError("There is no reference to hold it against yet.")
        others = score(reference)
        p_value = float(conformal_p_values(others, [value])[0])
    except ScoreError as error:
        return Reading(score, value, reference=None, p_value=None, reason=str(error))
    return Reading(score, value, reference=others, p_value=p_value)


def _level_p(judged: Judgement) -> str:
    return f"p(LLR>{judged.k}) = {fmt(float(judged.verdict.p_values[judged.verdict.place]))}"


def _bound_p(judged: Judgement) -> str:
    return f"p(\N{MINUS SIGN}L) = {fmt(judged.p_bound)}"


def _why_out(judged: Judgement) -> str:
    if not judged.k:
        return "This model has one layer, so only the likelihood itself could be tested."
    if judged.p_bound > judged.verdict.alpha:
        tail = f"({_level_p(judged)}): its likelihood alone would let it pass."
        first = f"Its strokes are familiar ({_bound_p(judged)}), its shape is not {tail}"
        if judged.blind:
            first = (
                f"Its likelihood alone would let it pass ({_bound_p(judged)}); held against what "
                f"this model paints without looking at it, it stands out ({_level_p(judged)})."
            )
    else:
        what = "the guesses of level" if judged.blind else "its shape at level"
        first = (
            f"Its likelihood alone gives it away too ({_bound_p(judged)}), and so does "
            f"{what} {judged.k} ({_level_p(judged)})."
        )
    return f"{first} {_blindness(judged)}".strip()


def _why_in(judged: Judgement) -> str:
    decision = judged.verdict
    if not judged.k:
        return "This model has one layer, so only the likelihood itself could be tested."
    smallest = float(decision.p_values[decision.place])
    rare = smallest <= decision.alpha  # some level alone, before the correction
    shape = "no level finds it strange" if judged.blind else "its shape is familiar at every level"
    if rare:
        again = (
            f"Level {judged.k} alone would flag it ({_level_p(judged)}), but not after the "
            f"correction for having looked at {judged.levels} levels."
        )
    else:
        again = f"At its strangest, level {judged.k}, {_level_p(judged)}."
    if judged.p_bound <= decision.alpha:
        first = f"Its likelihood is rare ({_bound_p(judged)})"
        first += ", so its strokes are unusual." if rare else f", yet {shape}."
    elif rare:
        first = f"Its strokes are familiar ({_bound_p(judged)})."
    else:
        first = f"Its strokes are familiar ({_bound_p(judged)}) and {shape}."
    return f"{first} {again}"


def _undecided(judged: Judgement) -> tuple[str, str]:
    decision = judged.verdict
    rate = percent(decision.alpha)
    return (
        f"No verdict at {rate} false alarms: the reference is too small",
        f"Among {judged.n} reference images no image can be rare enough; it takes "
        f"{needed_references(judged)}, or a higher false-alarm rate. The most unusual score here "
        f"is {'LLR>' + str(judged.k) if judged.k else 'the bound'}, with p = "
        f"{fmt(float(decision.p_values[decision.place]))} before the correction.",
    )


def _blindness(judged: Judgement) -> str:
    if not judged.blind:
        return ""
    above = judged.above + (" and above are" if judged.k + 1 < judged.n_levels else " is")
    return f"(In this model {above} collapsed: level {judged.k} sees no shape, only blind guesses.)"
