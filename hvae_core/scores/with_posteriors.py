"""Scores of what q makes of an image: its noise as the prior sees it, and a prior fitted later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.scores.material import Material, by_digest
from hvae_core.scores.score import REASONS, Score

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

_NOISE = (
    "Bomatter et al. 2026, The Signal in the Noise: OOD Detection Through Goodness-of-Fit Testing "
    "in Factorised Latent Spaces"
)
_PHP = (
    "Li et al. 2024, Resultant: Incremental Effectiveness on Likelihood for Unsupervised "
    "Out-of-Distribution Detection"
)
_COMPONENTS = (1, 2, 4, 8)
_DRAWS = 32
"""Draws of q for each image's KL to the fitted prior."""
_FLOOR = 1e-3
"""Added to every variance of the fitted prior."""


def noise_test(material: Material, test: int) -> Floats:
    """-2 sum_i ln p_i over layers: Fisher's method on tests of whitened noise, (N,).

    ``test`` 0 takes each layer's Kolmogorov-Smirnov test, 1 that of its sum of squares. Given the
    layers above, the noise of a layer is independent of theirs, so that for images drawn by the
    model itself, at exact inference, one draw is chi^2 with 2 L degrees of freedom. Layers without
    a Gaussian prior take no part. The authors have one layer, a flow's, and take the larger rank
    among held-out images of two statistics, Anderson and Darling's and the spread of the noise's
    power spectrum; whether the noise of neighbours is independent is not tested here.
    """
    found = _tests(material)[:, test]
    live = ~np.isnan(found).all(axis=0)
    if not live.any():
        raise ScoreError("No layer of this model has a Gaussian prior, so none has white noise.")
    return np.asarray(2 * found[:, live].sum(axis=1))


def layer_noise(material: Material, layer: int, name: str) -> Floats:
    """-ln p of the Kolmogorov-Smirnov test of one layer's whitened noise, (N,)."""
    values = _tests(material)[:, 0, layer]
    if np.isnan(values).all():
        raise ScoreError(REASONS["white"].format(layer=name))
    return values


def post_hoc_prior(material: Material, layer: int, name: str) -> Floats:
    """-(E_q log p(x|z) - KL) with KL(q, qhat) for KL_i of one layer, in nats (Li 2024), (N,).

    qhat is a mixture of Gaussians fitted to draws of z_i ~ q(z_i|x) of held-out images, where the
    authors train a network on training images; the number of components is the best of 1, 2, 4
    and 8 by BIC. One layer at a time is replaced.
    KL(q, qhat) is the mean of log q - log qhat over the same 32 directions for every image.
    """
    assert material.held_out is not None  # as ``needs`` says
    prior = _prior(material.held_out, layer, name)
    mean, std = _posterior(material, layer, name)
    eps = np.random.default_rng(1).standard_normal((_DRAWS, 1, mean.shape[1]))
    z = mean + std * eps  # (S, N, U)
    log_q = (-0.5 * eps**2 - np.log(std) - 0.5 * np.log(2 * np.pi)).sum(-1)
    log_prior = prior.score_samples(z.reshape(-1, z.shape[2])).reshape(log_q.shape)
    kl = (log_q - log_prior).mean(axis=0)
    table = material.table
    return np.asarray(-table.bound[:, 0] - table.kl[:, layer] + kl)


@lru_cache(maxsize=16)
def _prior(held_out: Material, layer: int, name: str) -> GaussianMixture:
    """Fitted once for all sets, which share their held-out images; their order says nothing."""
    order = by_digest(held_out.table)
    return fitted_prior(*(rows[order] for rows in _posterior(held_out, layer, name)))


def fitted_prior(mean: Floats, std: Floats) -> GaussianMixture:
    """The mixture of Gaussians of least BIC of one draw z ~ N(mean, std^2) a row (N, U)."""
    from sklearn.mixture import GaussianMixture

    z = mean + std * np.random.default_rng(0).standard_normal(mean.shape)
    fits = [
        GaussianMixture(n, reg_covar=_FLOOR, random_state=0).fit(z)
        for n in _COMPONENTS
        if n <= max(1, len(z) // 10)
    ]
    return min(fits, key=lambda fit: fit.bic(z))


def posterior_scores(n_levels: int, layers: Sequence[str]) -> tuple[Score, ...]:
    """Tests of the noise of all layers and of each, and the later prior of every layer."""
    both = (
        ("noise", 0, "test of the whitened noise of all layers", r"\mathrm{noise}"),
        (
            "size_of_noise",
            1,
            "test of the size of the noise of all layers",
            r"|\mathrm{noise}|",
        ),
    )
    return (
        *(
            Score(
                key=key,
                name=name,
                symbol=symbol,
                citation=_NOISE,
                family="measured",
                function=partial(noise_test, test=test),
                measures=("noise",),
                cost="minutes",
                unit="",
            )
            for key, test, name, symbol in both
        ),
        *(
            Score(
                key=f"noise_{name}",
                name=f"test of the whitened noise of layer {name}",
                symbol=rf"\mathrm{{noise}}_{{{name}}}",
                citation=_NOISE,
                family="measured",
                function=partial(layer_noise, layer=i, name=name),
                needs=("white",),
                measures=("noise",),
                layer=name,
                cost="minutes",
            )
            for i, name in enumerate(layers)
        ),
        *(
            Score(
                key=f"php_{name}",
                name=f"negative ELBO under a later prior of {name}",
                symbol=rf"\mathrm{{PHP}}_{{{name}}}",
                citation=_PHP,
                family="held_out",
                function=partial(post_hoc_prior, layer=i, name=name),
                needs=("held_out", "narrow"),
                measures=("posteriors",),
                layer=name,
                cost="minutes",
            )
            for i, name in enumerate(layers)
        ),
    )


def _tests(material: Material) -> Floats:
    """-ln p of both tests of every layer, (N, 2, L)."""
    rows = np.asarray(material.measures["noise"], dtype=np.float64)
    return rows.reshape(len(rows), 2, material.table.n_layers)


def _posterior(material: Material, layer: int, name: str) -> tuple[Floats, Floats]:
    """Mean and standard deviation of q of one layer, (N, U) each."""
    rows = np.asarray(material.measures["posteriors"], dtype=np.float64)
    layers = material.table.n_layers
    widths = (rows[0, :layers] if len(rows) else np.zeros(layers)).astype(int)
    units = int(widths[layer])
    if not units:
        raise ScoreError(REASONS["narrow"].format(layer=name))
    start = layers + 2 * int(widths[:layer].sum())
    return rows[:, start : start + units], rows[:, start + units : start + 2 * units]
