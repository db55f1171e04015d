"""The z variant of likelihood regret: only means and scales of q(z | x) are refitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.evaluation.bounds import bound
from hvae_core.models import Gaussian, HierarchicalVAE, prepared
from hvae_core.scores.measures.refit import Parameters, refit, with_posteriors
from hvae_core.scores.measures.settings import RegretSettings


def regret_z(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: RegretSettings
) -> np.ndarray:
    """Gain of L in nats by refitting mean and scale of every layer's q to the image, (B,).

    Each q(z_i | .) = N(m, s^2) becomes N(m + s a_i, (s e^{b_i})^2), where a_i and b_i are the
    image's own and start at zero. A layer whose q is certain (a discrete context) stays as it is.
    """
    x = prepared(model, pixels, digests, seed=settings.seed)
    return refit_z(model, x, digests, settings=settings).double().cpu().numpy()


def refit_z(
    model: HierarchicalVAE, x: Tensor, digests: Sequence[int], *, settings: RegretSettings
) -> Tensor:
    """The same for images (B, C, H, W) that are already prepared, (B,)."""

    def bounds(values: Parameters, rows: Tensor, noise: Noise, samples: int) -> Tensor:
        with torch.no_grad():
            return _bound(model, x[rows], values, noise=noise, samples=samples)

    def gradients(values: Parameters, rows: Tensor, noise: Noise) -> Parameters:
        leaves = {name: value.detach().requires_grad_() for name, value in values.items()}
        with torch.enable_grad():
            total = _bound(model, x[rows], leaves, noise=noise, samples=1).sum()
        # None where q is certain: nothing depends on the shift.
        slopes = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        return {n: g for n, g in zip(leaves, slopes, strict=True) if g is not None}

    start = {
        f"{kind}{spec.index}": x.new_zeros((len(x), *spec.shape))
        for spec in model.latents
        for kind in ("a", "b")
    }
    return refit(start, bounds, gradients, digests=digests, settings=settings)


def _bound(
    model: HierarchicalVAE, x: Tensor, values: Parameters, *, noise: Noise, samples: int
) -> Tensor:
    def moved(index: int, q: Gaussian) -> Gaussian:
        a, b = values[f"a{index}"], values[f"b{index}"]
        return Gaussian(q.mean + q.std * a, q.std * b.exp())

    return bound(with_posteriors(model, moved).trace(x, noise=noise, samples=samples))
