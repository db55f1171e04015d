"""Rules of decision beside each other: what each catches, and whether it keeps its promise.

A rule takes some of -L and the ratios LLR_{>k} (HVK Eq. 11) and makes one conformal p-value of
them. All rules are held against the same reference and judge the same images. Those that read the
path fit its density to one half of the reference and rank by the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.detection.combine import Combination, brown_p_values, combined_p_values
from hvae_core.detection.false_alarms import CLAIMED, halves
from hvae_core.detection.metrics import auroc
from hvae_core.detection.standard import verdict_scores
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import Material, get_score
from hvae_core.scores.material import fitted_half


@dataclass(frozen=True)
class Rule:
    """A rule: some of the K scores (-L, LLR_{>1}, ...), joined ``how``.

    ``first`` and ``last`` count columns of ``verdict_scores``, both included, as 0 for -L; without
    a last it takes all. ``both_ends``: a likelihood that is too high counts as one too low does;
    with ``twice`` -L counts a second time, as too low alone. ``path`` adds the path through the
    levels as the last column, or takes it ``"alone"``. ``table``: its p-value is read off a
    table that allows for dependence (Brown 1975), not ranked among the reference.
    """

    key: str
    title: str
    how: Combination = "minimum"
    first: int = 0
    last: int | None = None
    both_ends: bool = False
    twice: bool = False
    path: Literal["", "alone", "added"] = ""
    table: bool = False

    def read(self, reference: BoundTable, table: BoundTable) -> Floats:
        """The scores that it chooses from, of the images of a table, (N, K) or (N, K + 1)."""
        scores = verdict_scores(table)
        if not self.path:
            return scores
        fitted = Material(table, held_out=Material(reference.take(fitted_half(reference))))
        density = get_score("path", table.n_levels)(fitted)
        return np.column_stack([scores, density])

    def held_out(self, reference: BoundTable) -> Floats:
        """The same of the reference itself: of the images to which no density was fitted."""
        ranking = reference.take(~fitted_half(reference)) if self.path else reference
        return self.read(reference, ranking)

    def p_values(self, reference: Floats, scores: Floats) -> Floats:
        """Conformal p-values (B,) of images (B, K) against a reference (N, K)."""
        # A model of one level has no ratio; there the bound stands for it.
        first = min(self.first, reference.shape[1] - 1)
        if self.path == "alone":
            first = reference.shape[1] - 1
        last = reference.shape[1] - 1 if self.last is None else max(first, self.last)
        members = [*range(first, last + 1), *([first] if self.twice else [])]
        ends = (0,) if self.both_ends else ()
        reference, scores = reference[:, members], scores[:, members]
        if self.table:
            return brown_p_values(reference, scores, two_sided=ends)
        return combined_p_values(reference, scores, self.how, two_sided=ends).calibrated


RULES = (
    Rule("ratios", "LLR>k alone, minimum", first=1),
    Rule("elbo", "-L alone, too low", last=0),
    Rule("typical", "-L alone, both ends", last=0, both_ends=True),
    Rule("llr_1", "LLR>1 alone", first=1, last=1),
    Rule("minimum", "-L and LLR>k, minimum"),
    Rule("harmonic", "-L and LLR>k, harmonic mean", how="harmonic"),
    Rule("fisher", "-L and LLR>k, Fisher", how="fisher"),
    Rule("minimum_both", "the same, both ends of -L, minimum", both_ends=True),
    Rule("harmonic_both", "the same, both ends of -L, harmonic mean", "harmonic", both_ends=True),
    Rule(
        "harmonic_twice",
        "the same, -L too low as well, harmonic mean",
        "harmonic",
        both_ends=True,
        twice=True,
    ),
    Rule("fisher_both", "the same, both ends of -L, Fisher", "fisher", both_ends=True),
    Rule("brown_both", "the same, Fisher by Brown's table", "fisher", both_ends=True, table=True),
    Rule("path", "path alone", path="alone"),
    Rule("path_minimum", "path, both ends of -L, LLR>k, minimum", both_ends=True, path="added"),
    Rule(
        "path_harmonic",
        "path, both ends of -L, LLR>k, harmonic mean",
        "harmonic",
        both_ends=True,
        path="added",
    ),
)
"""Those that the verdict was chosen from, and those that came later."""


SPLITS = 20
"""Random halves of the held-out images."""


@dataclass(frozen=True)
class Power:
    """One rule under one model: by set the share called out and the AUROC of its p-value.

    ``halves`` and ``test`` are the shares of held-out images called out at the rates ``CLAIMED``:
    one half of the validation images by the other, the mean over ``SPLITS`` random halves, and the
    test images by all of them.
    """

    rule: str
    caught: Mapping[str, float]
    areas: Mapping[str, float]
    halves: tuple[float, ...]
    test: tuple[float, ...]


def power(
    reference: BoundTable,
    test: BoundTable,
    outs: Mapping[str, BoundTable],
    rules: Sequence[Rule] = RULES,
    *,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[Power, ...]:
    """Every rule against held-out images, on the test images and the sets held against them.

    A larger AUROC means that the rule's p-values are lower on the set than on the test images.
    """
    found = []
    for rule in rules:
        known = rule.held_out(reference)
        inside = rule.p_values(known, rule.read(reference, test))
        outside = {
            name: rule.p_values(known, rule.read(reference, table)) for name, table in outs.items()
        }
        split = [_shares(rule.p_values(*halves(known, seed + n))) for n in range(SPLITS)]
        found.append(
            Power(
                rule=rule.key,
                caught={name: float(np.mean(p <= alpha)) for name, p in outside.items()},
                areas={name: auroc(-inside, -p) for name, p in outside.items()},
                halves=tuple(np.mean(split, axis=0).tolist()),
                test=_shares(inside),
            )
        )
    return tuple(found)


def _shares(p_values: Floats) -> tuple[float, ...]:
    return tuple(float(np.mean(p_values <= rate)) for rate in CLAIMED)
