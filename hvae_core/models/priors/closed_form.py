"""Priors over u whose density is known, and the choice of a prior by its configuration."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hvae_core.common.arrays import Shape
from hvae_core.common.noise import Noise
from hvae_core.config.context import PseudoConfig
from hvae_core.models.distributions import Gaussian, positive
from hvae_core.models.priors.base import UPrior
from hvae_core.models.priors.diffusion_gaussian import VDM
from hvae_core.models.trace import ANCESTRAL, Sampler


class NormalPrior(UPrior):
    """N(0, I): nothing to learn."""

    def log_prob(self, u: Tensor, noise: Noise) -> Tensor:
        """The log-density, known exactly."""
        return Gaussian.standard_like(u).log_prob(u)

    def sample(
        self, n: int, noise: Noise, *, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw u (1, n, *shape)."""
        return temperature * noise.normal("u", 1, n, self.shape)


_MIN_STD = 1e-2


class MixturePrior(UPrior):
    """K diagonal Gaussians with learnable weights, means and scales (DVP Figure 5)."""

    def __init__(self, shape: Shape, components: int) -> None:
        super().__init__(shape)
        # Means all over the range of u: from one point, all components would stay alike.
        self.mean = nn.Parameter(0.5 * torch.randn(components, *shape))
        self.raw_scale = nn.Parameter(torch.full((components, *shape), -1.0))
        self.logits = nn.Parameter(torch.zeros(components))

    def log_prob(self, u: Tensor, noise: Noise) -> Tensor:
        """log sum_k pi_k N(u | mu_k, sigma_k^2), known exactly."""
        each = Gaussian(self.mean, self._std)  # (K, *shape)
        wide = u.unsqueeze(2)  # (S, B, 1, *shape)
        term = -0.5 * ((wide - each.mean) / each.std) ** 2 - each.std.log()
        value = term.flatten(3).sum(-1) - 0.5 * math.prod(self.shape) * math.log(2 * math.pi)
        return (value + self.logits.log_softmax(0)).logsumexp(-1)

    def sample(
        self, n: int, noise: Noise, *, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw a component, then u (1, n, *shape); temperature scales the component's spread."""
        pick = noise.uniform("u_component", 1, n, ()).to(self.mean.device)
        ends = self.logits.softmax(0).cumsum(0)
        k = torch.searchsorted(ends, pick).clamp(max=len(ends) - 1)  # (1, n)
        eps = noise.normal("u", 1, n, self.shape).to(self.mean.device)
        return self.mean[k] + temperature * self._std[k] * eps

    @property
    def _std(self) -> Tensor:
        return positive(self.raw_scale) + _MIN_STD


def prior_from_config(config: PseudoConfig, shape: Shape) -> UPrior:
    """The prior over a pseudoinput (C, d, d) that a configuration names."""
    if config.prior == "diffusion":
        return VDM(shape, config)
    return (
        MixturePrior(shape, config.components) if config.prior == "mixture" else NormalPrior(shape)
    )
