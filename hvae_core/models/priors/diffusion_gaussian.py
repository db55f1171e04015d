"""The variational diffusion prior over pseudoinputs (DVP App. A, Kingma et al. 2021)."""

from __future__ import annotations

import math

from torch import Tensor

from hvae_core.common.arrays import Shape
from hvae_core.config import PseudoConfig
from hvae_core.models.distributions import LOG_2PI, Gaussian
from hvae_core.models.priors.diffusion import DiffusionPrior, Levels


class VDM(DiffusionPrior):
    """Levels t = 0, 1/T, .., 1 with log SNR linear in t; p(y_s | y_t) has the variance of q."""

    def __init__(self, shape: Shape, config: PseudoConfig) -> None:
        super().__init__(shape, config.steps, config.denoiser)
        self.ends = (config.gamma_min, config.gamma_max)

    def gamma(self, time: Tensor) -> Tensor:
        """-log SNR(t) = gamma_min + (gamma_max - gamma_min) t."""
        low, high = self.ends
        return low + (high - low) * time

    def last_step(self, y: Tensor, level: Levels) -> tuple[Tensor, Tensor]:
        """Mean y_0 / alpha_0 and standard deviation sigma_0 / alpha_0 (DVP Eq. 30)."""
        return y / level.alpha, (level.sigma / level.alpha).expand_as(y)

    def log_last(self, u: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """log N(u | y_0 / alpha_0, sigma_0^2 / alpha_0^2) (DVP Eq. 30)."""
        return Gaussian(mean, std).log_prob(u)

    def finish(self, mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
        """u ~ N(y_0 / alpha_0, sigma_0^2 / alpha_0^2) (DVP Eq. 30)."""
        return mean + std * noise

    def reconstruction(self, log_last: Tensor, level: Levels) -> Tensor:
        """L_0 in closed form: u - y_0 / alpha_0 is Gaussian noise, and this its entropy."""
        each = (level.sigma / level.alpha).log() + 0.5 * (LOG_2PI + 1)
        return (math.prod(self.shape) * each).view(1, 1).expand_as(log_last)
