"""The discrete diffusion prior over the context of DCT-VAE (DCT App. C, Eq. 11-15)."""

from __future__ import annotations

import torch
from torch import Tensor

from hvae_core.common.arrays import Shape
from hvae_core.config import ContextConfig
from hvae_core.models.priors.diffusion import DiffusionPrior, Levels
from hvae_core.models.priors.transforms import quantise


def linear_betas(steps: int) -> Tensor:
    """beta_1 .. beta_T of the linear schedule, (T,) in float64.

    That of Ho et al. 2020 is from 1e-4 to 0.02 for 1000 steps; fewer steps must be that much
    larger to end in noise. 0.95 is the largest: 7 steps leave alpha-bar_T = 0.001.
    """
    last = min(20 / steps, 0.95)
    return torch.linspace(min(0.1 / steps, last), last, steps, dtype=torch.float64, device="cpu")


class DiscreteDiffusion(DiffusionPrior):
    """Levels t = 1 .. T; p(y_0 | y_1) is a Gaussian cut into bins, y_0 being the context itself.

    The variance of a step lies where the network puts it on the log scale, between that of
    q(y_{t-1} | y_t, y_0) and beta_t (Nichol and Dhariwal 2021), whose code the paper takes; for
    the last step between beta_1 / 100 and beta_1, as the first of these is zero there.
    """

    lowest = 0

    def __init__(self, shape: Shape, config: ContextConfig) -> None:
        super().__init__(shape, config.steps - 1, config.denoiser, parts=2)
        self.bins = config.bins

    def gamma(self, time: Tensor) -> Tensor:
        """-log SNR of y_t, linear between the levels of training."""
        log_alpha_bar = torch.log1p(-linear_betas(self.n + 1)).cumsum(0)
        trained = torch.log(-torch.expm1(log_alpha_bar)) - log_alpha_bar
        place = time * self.n
        below = place.long().clamp(max=self.n - 1)
        return torch.lerp(trained[below], trained[(below + 1).clamp(max=self.n)], place - below)

    def spread(self, raw: tuple[Tensor, ...], level: Levels) -> Tensor:
        """Between std and sqrt(beta_t): log variance = f log beta + (1 - f) log variance of q."""
        narrow = 2 * level.std.log()
        share = torch.sigmoid(raw[0])
        return torch.exp(0.5 * (narrow + share * (level.widest - narrow)))

    def last_step(self, y: Tensor, level: Levels) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the Gaussian under p(y_0 | y_1), by the network."""
        return self.predict(y, level)

    def log_last(self, u: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """log p(y_0 | y_1), the Gaussian's mass in the bin of every value (DCT Eq. 14)."""
        return log_bins(u, mean, std, bins=self.bins).flatten(2).sum(-1)

    def finish(self, mean: Tensor, std: Tensor, noise: Tensor) -> Tensor:
        """y_0 ~ p(y_0 | y_1): a Gaussian draw goes to its bin, beyond the ends to the end bins."""
        return quantise(mean + std * noise, self.bins)


def log_bins(u: Tensor, mean: Tensor, std: Tensor, *, bins: int) -> Tensor:
    """log of the mass of N(mean, std^2) in the bin of u, one of ``bins`` on [-1, 1] (DCT Eq. 14).

    A bin reaches 1 / (bins - 1) to both sides, the end bins to infinity (Eq. 15, where b counts
    the bins less one, as the 255 of Ho et al. 2020).
    """
    half = 1 / (bins - 1)
    upper, lower = (u + half - mean) / std, (u - half - mean) / std
    # In the upper tail both distribution functions are 1: mirror it into the lower one.
    flip = upper + lower > 0
    high, low = torch.where(flip, -lower, upper), torch.where(flip, -upper, lower)
    log_high, log_low = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    inside = log_high + torch.log(-torch.expm1((log_low - log_high).clamp(max=-1e-7)))
    first, last = u < -1 + half, u > 1 - half
    log_mass = torch.where(first, torch.special.log_ndtr(upper), inside)
    return torch.where(last, torch.special.log_ndtr(-lower), log_mass)
