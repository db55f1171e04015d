"""Scores that read a measure of every image: complexity, likelihood regret, L_<l and its ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.scores.material import Material
from hvae_core.scores.score import Score

_SERRA = "Serra et al. 2020, Input Complexity and Out-of-distribution Detection"
_XIAO = "Xiao et al. 2020, Likelihood Regret"
_HVK_E = "Havtorn et al. 2021, Hierarchical VAEs Know What They Don't Know, App. E"


def complexity(material: Material) -> Floats:
    """-log2 p(x) - bits of x losslessly compressed, by -L for -log p(x) (Serra 2020), (N,) bits."""
    bits = -material.table.bound[:, 0] / math.log(2)
    return np.asarray(bits - material.measures["complexity"])


def measured(material: Material, name: str) -> Floats:
    """A measure that is a score by itself, (N,)."""
    return np.asarray(material.measures[name], dtype=np.float64)


def negative_lower(material: Material, level: int) -> Floats:
    """-L_<l in nats (HVK App. E), (N,)."""
    return -np.asarray(material.measures["lower"], dtype=np.float64)[:, level - 1]


def llr_between(material: Material, k: int, level: int) -> Floats:
    """LLR_{>k<l} = L_<l - L_>k in nats (HVK Eq. 21), (N,)."""
    return np.asarray(-negative_lower(material, level) - material.table.bound[:, k])


def measured_scores(n_levels: int, layers: Sequence[str]) -> tuple[Score, ...]:
    """Input complexity, regret, L_<l for l = 2..K, and LLR_{>k<l} for every k and l."""
    ls = range(2, n_levels + 1)
    return (
        Score(
            key="complexity",
            name="input complexity",
            symbol=r"-\mathrm{log}_{2}\,p - \mathrm{bits}(x)",
            citation=_SERRA,
            family="measured",
            function=complexity,
            measures=("complexity",),
            cost="seconds",
            unit="bits",
        ),
        Score(
            key="regret",
            name="likelihood regret",
            symbol=r"\mathrm{LR}",
            citation=_XIAO,
            family="measured",
            function=partial(measured, name="regret"),
            needs=("gradient",),
            measures=("regret",),
            cost="hours",
        ),
        Score(
            key="regret_z",
            name="likelihood regret, means and scales of the latents alone",
            symbol=r"\mathrm{LR}_z",
            citation=_XIAO,
            family="measured",
            function=partial(measured, name="regret_z"),
            needs=("gradient",),
            measures=("regret_z",),
            cost="minutes",
        ),
        *(
            Score(
                key=f"lower_{level}",
                name=f"negative bound L<{level}",
                symbol=rf"-\mathcal{{L}}_{{<{level}}}",
                citation=_HVK_E,
                family="lower",
                function=partial(negative_lower, level=level),
                measures=("lower",),
                cost="minutes",
            )
            for level in ls
        ),
        *(
            Score(
                key=f"llr_{k}_{level}",
                name=f"likelihood ratio LLR>{k}<{level}",
                symbol=rf"\mathrm{{LLR}}_{{>{k}<{level}}}",
                citation=f"{_HVK_E}, Eq. 21",
                family="lower",
                function=partial(llr_between, k=k, level=level),
                measures=("lower",),
                k=k,
                cost="minutes",
            )
            for k in range(1, n_levels)
            for level in ls
        ),
    )
