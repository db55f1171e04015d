"""Scores that compare with training images or with other checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ScoreError
from hvae_core.scores.material import ClassGaussians, Material
from hvae_core.scores.score import Score

_TYPICAL = "Nalisnick et al. 2019, Detecting Out-of-Distribution Inputs Using Typicality"
_WAIC = "Choi et al. 2019, WAIC, but Why?"
_BACKGROUND = "Ren et al. 2019, Likelihood Ratios for Out-of-Distribution Detection"
_LEE = "Lee et al. 2018, A Simple Unified Framework for Detecting Out-of-Distribution Samples"


def typicality(material: Material) -> Floats:
    """|-L(x) - mean of -L over training images| in nats (Nalisnick et al. 2019b), (N,)."""
    assert material.reference is not None  # as ``needs`` says
    return np.abs(-material.table.bound[:, 0] - material.reference.mean)


def waic(material: Material) -> Floats:
    """-(mean_m L_m - var_m L_m), nats, over this checkpoint and the others (Choi 2019), (N,).

    The variance is that over the M checkpoints themselves (divided by M). As it is in nats
    squared, it weighs the more the larger an image's likelihoods are.
    """
    members = (material.table, *material.ensemble)
    bounds = np.stack([table.bound[:, 0] for table in members])  # (M, N)
    return np.asarray(bounds.var(axis=0) - bounds.mean(axis=0))


def background_ratio(material: Material) -> Floats:
    """-(L_model(x) - L_background(x)) in nats (Ren et al. 2019), (N,)."""
    assert material.background is not None
    return np.asarray(material.background.bound[:, 0] - material.table.bound[:, 0])


def mahalanobis(material: Material, layer: int, name: str) -> Floats:
    """min_c (z - mu_c)^T Sigma^-1 (z - mu_c), z the posterior mean of a layer (Lee 2018), (N,)."""
    assert material.reference is not None
    layers = material.reference.layers
    gaussians = layers[layer] if layer < len(layers) else None
    z = np.asarray(material.latents[layer], dtype=np.float64)
    if gaussians is None or z.shape[1] != gaussians.means.shape[1]:
        raise ScoreError(
            f"The posterior means of {name} are not kept image by image: the layer has too many "
            "units, or these are stored results of a control set."
        )
    return squared_distance(z, gaussians)


def squared_distance(z: Floats, gaussians: ClassGaussians) -> Floats:
    """Squared Mahalanobis distance of vectors (N, U) to the nearest class mean, (N,)."""
    away = z[:, None] - gaussians.means  # (N, C, U)
    return np.asarray(((away @ gaussians.precision) * away).sum(-1).min(axis=1))


def fit_gaussians(z: Floats, labels: np.ndarray) -> ClassGaussians:
    """Class means and their common covariance, inverted (Lee et al. 2018, Eq. 1).

    Images without a label (-1) are left out where others have one; where none has, all are one
    class. Directions in which the training images hardly differ (collapsed units) count for
    nothing: noise there would outweigh everything.
    """
    z = np.asarray(z, dtype=np.float64)
    labels = np.asarray(labels) if (np.asarray(labels) >= 0).any() else np.zeros(len(z), int)
    z, labels = z[labels >= 0], labels[labels >= 0]
    classes, place = np.unique(labels, return_inverse=True)
    means = np.stack([z[place == c].mean(axis=0) for c in range(len(classes))])
    within = z - means[place]
    covariance = within.T @ within / len(z)
    return ClassGaussians(means, np.linalg.pinv(covariance, rcond=_RANK, hermitian=True))


_RANK = 1e-4
"""Share of the largest variance below which a direction counts for nothing."""


def comparing_scores(n_levels: int, layers: Sequence[str]) -> tuple[Score, ...]:
    """Typicality, WAIC, background ratio, and the Mahalanobis distance at every layer."""
    return (
        Score(
            key="typicality",
            name="typicality of the ELBO",
            symbol=r"|\mathcal{L} - \mathrm{mean}\,\mathcal{L}|",
            citation=_TYPICAL,
            family="compared",
            function=typicality,
            needs=("reference",),
        ),
        Score(
            key="waic",
            name="WAIC over checkpoints",
            symbol=r"\mathrm{WAIC}",
            citation=_WAIC,
            family="compared",
            function=waic,
            needs=("ensemble",),
        ),
        Score(
            key="background",
            name="background likelihood ratio",
            symbol=r"\mathcal{L}_{\mathrm{bg}} - \mathcal{L}",
            citation=_BACKGROUND,
            family="compared",
            function=background_ratio,
            needs=("background",),
        ),
        *(
            Score(
                key=f"mahalanobis_{name}",
                name=f"Mahalanobis distance of the latent {name}",
                symbol=rf"M({_latex(name)})",
                citation=_LEE,
                family="compared",
                function=partial(mahalanobis, layer=i, name=name),
                needs=("reference", "latents"),
                layer=name,
                unit="",
            )
            for i, name in enumerate(layers)
        ),
    )


def _latex(name: str) -> str:
    """A layer's name z12 as z_{12}."""
    return f"{name[0]}_{{{name[1:]}}}" if len(name) > 1 else name
