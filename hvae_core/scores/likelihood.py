"""Scores from the bounds alone: -L, -L_{>k}, LLR_{>k}, LLR_ada, LLR_optk.

Importance weighting: L^S replaces L in the *first* term of the likelihood ratio and L_{>k} stays
the plain bound, LLR^S_{>k} = L^S - L_{>k}, so that, with skipped layers drawn from the prior, for S
to infinity the ratio's expectation becomes the single divergence
KL(p(z_{<=k}|z_{>k}) q(z_{>k}|x) || p(z|x)) (Havtorn et al. 2021, Eq. 10); weighting both terms
would let that divergence vanish too. Where skipped layers pass on their means, L_{>k} is a score
rather than a bound. A table of one sample uses L in both. The scores -L
and -L_{>k} are always the plain bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores.material import Material
from hvae_core.scores.score import Score

_HVK = "Havtorn et al. 2021, Hierarchical VAEs Know What They Don't Know"
_INF = (
    "Li et al. 2022, Out-of-Distribution Detection with an Adaptive Likelihood Ratio on "
    "Informative Hierarchical VAE"
)


def negative_bound(material: Material, k: int) -> Floats:
    """-L_{>k} in nats (Havtorn et al. 2021, section 6.1), (N,)."""
    table = material.table
    _check_layer(table, k)
    return -table.bound[:, k]


def llr(material: Material, k: int) -> Floats:
    """LLR_{>k} = L - L_{>k} in nats, with L^S for L when samples > 1 (Eq. 6, 10), (N,)."""
    table = material.table
    _check_layer(table, k)
    first = table.iw if table.samples > 1 else table.bound
    return first[:, 0] - table.bound[:, k]


def llr_ada(material: Material) -> Floats:
    """sum_{k>=1} w_k (LLR_{>k} - LLR_{>k-1}), w_1 = 1, in nats (Li et al. 2022, Eq. 11), (N,).

    w_k = R(x, z_{>k-1}) / R(x, z_{>k}) = NLL_k / NLL_{k-1} for k >= 2, and LLR_{>0} = 0. With two
    layers it is LLR_{>1}. Raises ScoreError where an NLL is not positive.
    """
    table = material.table
    _check_layer(table, 1)
    ratios = np.stack([llr(material, k) for k in range(1, table.n_levels)], axis=1)  # (N, L-1)
    steps = np.diff(ratios, axis=1, prepend=0.0)
    weights = np.ones_like(steps)
    if table.n_levels > 2:
        # NLL_0 takes no part: the first weight is 1 by definition
        weights[:, 1:] = _relevance_ratios(table.nll[:, 1:])
    return np.asarray((weights * steps).sum(axis=1))


def llr_optk(material: Material) -> Floats:
    """LLR_{>k*} in nats, k* = argmax_{k>=1} NLL_k / NLL_{k-1} an image (Li 2022, App. L), (N,).

    The first k wins a tie. Raises ScoreError where an NLL is not positive.
    """
    table = material.table
    _check_layer(table, 1)
    best = 1 + _relevance_ratios(table.nll).argmax(axis=1)
    ratios = np.stack([llr(material, k) for k in range(1, table.n_levels)], axis=1)  # (N, L-1)
    return np.asarray(np.take_along_axis(ratios, best[:, None] - 1, axis=1)[:, 0])


def layer_kl(material: Material, layer: int) -> Floats:
    """KL_i = E_q[log q(z_i|.) - log p(z_i|.)] of one layer in nats (HVK Eq. 1), (N,)."""
    return material.table.kl[:, layer]


def likelihood_scores(n_levels: int) -> tuple[Score, ...]:
    """Scores that a model of K levels offers from its bounds; one level has no ratio."""
    ks = range(1, n_levels)
    elbo = Score(
        key="elbo",
        name="negative ELBO",
        symbol=r"-\mathcal{L}",
        citation=f"{_HVK}, section 6.1",
        family="bound",
        function=partial(negative_bound, k=0),
        k=0,
    )
    partials = (
        Score(
            key=f"bound_{k}",
            name=f"negative bound L>{k}",
            symbol=rf"-\mathcal{{L}}_{{>{k}}}",
            citation=f"{_HVK}, section 6.1",
            family="bound",
            function=partial(negative_bound, k=k),
            k=k,
        )
        for k in ks
    )
    llrs = (
        Score(
            key=f"llr_{k}",
            name=f"likelihood ratio LLR>{k}",
            symbol=rf"\mathrm{{LLR}}_{{>{k}}}",
            citation=f"{_HVK}, Eq. 6",
            family="ratio",
            function=partial(llr, k=k),
            k=k,
        )
        for k in ks
    )
    return (elbo, *partials, *llrs, *(_ADAPTIVE if n_levels > 1 else ()))


def kl_scores(layers: Sequence[str]) -> tuple[Score, ...]:
    """KL_i of every single layer as a score, for layers of these names."""
    return tuple(
        Score(
            key=f"kl_{name}",
            name=f"KL of layer {name}",
            symbol=rf"\mathrm{{KL}}_{{{name}}}",
            citation=f"{_HVK}, Eq. 1",
            family="kl",
            function=partial(layer_kl, layer=i),
            layer=name,
        )
        for i, name in enumerate(layers)
    )


_ADAPTIVE = (
    Score(
        key="llr_ada",
        name="adaptive likelihood ratio",
        symbol=r"\mathrm{LLR}_{\mathrm{ada}}",
        citation=f"{_INF}, Eq. 11",
        family="ratio",
        function=llr_ada,
    ),
    Score(
        key="llr_optk",
        name="likelihood ratio at the layer of the largest loss",
        symbol=r"\mathrm{LLR}_{\mathrm{opt}\,k}",
        citation=f"{_INF}, App. L",
        family="ratio",
        function=llr_optk,
    ),
)


def _relevance_ratios(nll: Floats) -> Floats:
    """R(x, z_{>k-1}) / R(x, z_{>k}) = NLL_k / NLL_{k-1} for neighbouring columns, (N, columns-1).

    R = 1/NLL orders layers by relevance only while NLL > 0, which a narrow density can break.
    """
    bad = (nll <= 0).any(axis=1)
    if bad.any():
        raise ScoreError(
            f"The relevance weights need -log p(x|z>k) above zero, and {int(bad.sum())} of "
            f"{len(nll)} images have one at or below it (lowest {nll.min():.4g} nats), as "
            "continuous densities allow. Use a model with a Bernoulli or discretised likelihood, "
            "or the scores LLR>k, which need no weights."
        )
    return np.asarray(nll[:, 1:] / nll[:, :-1])


def _check_layer(table: BoundTable, k: int) -> None:
    if k >= table.n_levels:
        raise ScoreError(
            f"A score that skips {k} layer{'s' if k > 1 else ''} needs a model of at least "
            f"{k + 1} layers; these bounds are of a model of {table.n_levels}."
        )
