"""The dense HVAE: an affine one of one layer is probabilistic PCA, whose every number is known."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from hvae_core.config.families.dense import DenseConfig
from hvae_core.evaluation.bounds import bound
from hvae_core.models import HierarchicalVAE, model_from_config
from tests.small import stream

SHAPE, STD, UNITS = (1, 4, 5), 0.2, 2


def optimum(x: np.ndarray) -> tuple[HierarchicalVAE, np.ndarray]:
    """The linear VAE at the optimum of its ELBO (Lucas et al. 2019), and all eigenvalues."""
    mean, cov = x.mean(0), np.cov(x.T, bias=True)
    values, vectors = np.linalg.eigh(cov)
    values, vectors = values[::-1], vectors[:, ::-1]
    w = vectors[:, :UNITS] * np.sqrt(values[:UNITS] - STD**2)
    up = w.T / values[:UNITS, None]  # M = W'W + s^2 = diag(lambda)
    spread = STD / np.sqrt(values[:UNITS]) - 1e-3  # the layer adds its floor
    config = DenseConfig(SHAPE, (UNITS,), hidden=0, likelihood="gaussian_fixed", std=STD)
    model = model_from_config(config)
    with torch.no_grad():
        model.up[0].weight.copy_(torch.tensor(np.concatenate([up, 0 * up])))
        model.up[0].bias.copy_(torch.tensor(np.concatenate([0 * spread, np.log2(2**spread - 1)])))
        model.down[0].weight.copy_(torch.tensor(4 * w))  # the location is centre + raw / 4
        model.down[0].bias.zero_()
        model.centre.copy_(torch.tensor(mean).view(SHAPE))
    return model, values


def data(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 20)) @ rng.normal(size=(20, 20)) * 0.15 + 0.5
    assert np.linalg.eigvalsh(np.cov(x.T))[-UNITS] > STD**2
    return x


def test_an_affine_one_is_probabilistic_pca() -> None:
    x = data()
    model, values = optimum(x)
    images = torch.tensor(x, dtype=torch.float32).unflatten(1, SHAPE)
    with torch.no_grad():
        trace = model.trace(images, noise=stream(), samples=400)
    # 1. Each unit says 0.5 ln(lambda / sigma^2): none where sigma^2 is the eigenvalue.
    expected = 0.5 * np.log(values[:UNITS] / STD**2).sum()
    assert math.isclose(float(trace.kl.mean()), expected, rel_tol=1e-4)
    # 2. The posterior is exact, so the bound is the marginal likelihood of N(mean, WW' + s^2 I).
    kept = np.concatenate([values[:UNITS], np.full(20 - UNITS, STD**2)])
    rest = values[UNITS:].sum() / STD**2 + UNITS
    log_px = -0.5 * (20 * math.log(2 * math.pi) + np.log(kept).sum() + rest) - 20 * math.log(256)
    assert math.isclose(float(bound(trace).mean()), log_px, rel_tol=1e-3)


def test_skips_read_the_layer_behind() -> None:
    def changes(skip: bool) -> tuple[bool, bool]:
        config = DenseConfig(SHAPE, (2, 3, 2), hidden=4, skip=skip)
        model = model_from_config(config)
        x = torch.rand(1, 2, *SHAPE)
        z: list[Tensor] = [torch.randn(1, 2, n) for n in config.units]
        far = [z[0], z[1] + 1, z[2]]
        q = [model.posterior(2, image, z[:1]).mean for image in (x, 1 - x)]
        p = [model.decode(latents).mean for latents in (z, far)]
        return not torch.equal(*q), not torch.equal(*p)

    assert changes(skip=True) == (True, True)
    assert changes(skip=False) == (False, False)
