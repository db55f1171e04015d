"""Scores of the gradient of an image's own bounds in the weights, beside held-out images."""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.scores.material import Material
from hvae_core.scores.score import Score

_BERGAMIN = (
    "Bergamin et al. 2022, Model-agnostic Out-of-distribution Detection Using Combined "
    "Statistical Tests"
)
_DAUNCEY = (
    "Dauncey et al. 2024, Approximations to the Fisher Information Metric of Deep Generative "
    "Models for Out-of-distribution Detection"
)
_STILL = 1e-12
"""Spread of a logarithm below which a block never moves, and says nothing."""


def gradient_surprise(material: Material) -> Floats:
    """-log density of f_l = ln |d L / d theta_l|^2, l = 1 .. P, in nats (Dauncey 2024), (N,).

    A Gaussian of the P features is fitted to held-out images. As there may be more blocks than
    images say, its covariance is shrunk (Ledoit and Wolf 2004); the authors' code has independent
    Gaussians, and a block for each tensor of weights, where a block here is a module. Blocks on
    which L does not depend are left out, as there.
    """
    from sklearn.covariance import LedoitWolf

    known, new = (_log_norms(each) for each in (_held_out(material), material))
    moves = known.std(axis=0) > _STILL
    if not moves.any():
        raise ScoreError(
            "The gradient is the same for all held-out images, so no density can be fitted to it. "
            "Choose other held-out images."
        )
    mean, spread = known[:, moves].mean(axis=0), known[:, moves].std(axis=0)
    known, new = (known[:, moves] - mean) / spread, (new[:, moves] - mean) / spread
    fitted = LedoitWolf(assume_centered=True).fit(known)
    volume = np.linalg.slogdet(fitted.covariance_)[1] + 2 * np.log(spread).sum()
    constant = len(mean) * np.log(2 * np.pi) + volume
    # by rows alone: sklearn's own way through a product of all images rounds by their number
    inside = np.einsum("nd,de,ne->n", new, fitted.precision_, new)
    return np.asarray(0.5 * (inside + constant))


def score_test(material: Material, k: int) -> Floats:
    """-2 (ln p_typ + ln p_grad) of L_>k, Fisher's method (Bergamin et al. 2022), (N,).

    p_typ is that of |-L_>k - mean|, p_grad that of Rao's statistic g^T F^-1 g with g = d L_>k /
    d theta and F the Fisher information, both among held-out images. Of F the diagonal stands, one
    number for each block of weights: the mean of |g_l|^2 over held-out images divided by the
    block's weights. The authors' code has a number for every weight, takes it and the mean of L
    from training images, and p as the plain share of held-out images above; k > 0 is added here.
    """
    known = _held_out(material)
    bounds = -known.table.bound[:, k], -material.table.bound[:, k]
    far = [np.abs(each - bounds[0].mean()) for each in bounds]
    sizes, norms = gradients_of(known)
    squares = gradients_of(material)[1][:, k]
    fisher = norms[:, k].mean(axis=0) / sizes  # (P,)
    live = fisher > 0
    rao = [(each[:, live] / fisher[live]).sum(axis=1) for each in (norms[:, k], squares)]
    tests = tail_share(*far), tail_share(*rao)
    return -2 * np.log(tests).sum(axis=0)


def gradients_of(material: Material) -> tuple[Floats, Floats]:
    """Weights (P,) of every block and squared norms (N, K, P), of the measure ``gradients``."""
    rows = np.asarray(material.measures["gradients"], dtype=np.float64)
    table = rows.reshape(len(rows), 1 + material.table.n_levels, -1)
    return table[0, 0] if len(table) else table.sum(axis=(0, 1)), table[:, 1:]


def tail_share(known: Floats, new: Floats) -> Floats:
    """(1 + #{known >= value}) / (1 + M) of every new value: its empirical p-value, (N,)."""
    above = len(known) - np.searchsorted(np.sort(known), new, side="left")
    return np.asarray((1 + above) / (1 + len(known)))


def gradient_scores(n_levels: int) -> tuple[Score, ...]:
    """Norms of the gradient by block, and the score test with typicality for every k."""
    return (
        Score(
            key="gradients",
            name="gradient norms by block of weights",
            symbol=r"|\mathrm{grad}|",
            citation=_DAUNCEY,
            family="held_out",
            function=gradient_surprise,
            needs=("held_out", "gradient"),
            measures=("gradients",),
            cost="minutes",
        ),
        *(
            Score(
                key=f"score_test_{k}" if k else "score_test",
                name=f"score test and typicality of L>{k}" if k else "score test and typicality",
                symbol=rf"\mathrm{{Rao}}_{{>{k}}}" if k else r"\mathrm{Rao}",
                citation=_BERGAMIN,
                family="held_out",
                function=partial(score_test, k=k),
                needs=("held_out", "gradient"),
                measures=("gradients",),
                k=k,
                cost="minutes",
                unit="",
            )
            for k in range(n_levels)
        ),
    )


def _held_out(material: Material) -> Material:
    return cast("Material", material.held_out)  # as ``needs`` says


def _log_norms(material: Material) -> Floats:
    return np.asarray(np.log(gradients_of(material)[1][:, 0] + np.finfo(np.float64).tiny))
