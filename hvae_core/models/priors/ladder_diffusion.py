"""The diffusion prior of dvp_vae's pseudoinput, in the terms that its authors' code reports.

gamma(t) = gamma_min + (gamma_max - gamma_min) t is the negative log signal-to-noise ratio,
alpha^2 = s(-gamma), sigma^2 = s(gamma), z_t = alpha_t u + sigma_t eps. Their bound on -log p(u) is
L0 + Lt + LT: u from the least noisy z_0, the cost of the noise along time, and the distance of the
noisiest z_1 from N(0, I) (Kingma et al. 2021; DVP Eq. 31). In ``eval`` Lt is the mean over the
times 1/T, ..., 1, each with noise of its own; in ``train`` it is that of one drawn time.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from hvae_core.common.arrays import Shape
from hvae_core.common.noise import Noise
from hvae_core.config.families.dvp_ladder import PseudoPlan
from hvae_core.models.distributions.gaussian import EVENED, LOG_2PI
from hvae_core.models.layers.unet import UNet
from hvae_core.models.priors.base import UPrior
from hvae_core.models.trace import ANCESTRAL, Sampler

_LEAST = 1e-10
_SHARP = 2304.0
"""How sharply z_0 tells one of the 256 values from the next."""


class CostTerms(NamedTuple):
    """L0, Lt and LT in nats (S, B)."""

    last: Tensor
    noise: Tensor
    first: Tensor

    @property
    def bound(self) -> Tensor:
        """-(L0 + Lt + LT), at most log p(u) in expectation."""
        return -(self.last + self.noise + self.first)


class NoiseSchedule(nn.Module):
    """gamma at both ends of time, as the files have them."""

    gamma_min: Tensor
    gamma_max: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gamma_min", torch.full((1, 1), -6.0))
        self.register_buffer("gamma_max", torch.full((1, 1), 7.0))

    def forward(self, t: Tensor) -> Tensor:
        """gamma(t), of the shape of t."""
        return self.gamma_min[0] + self.span * t

    @property
    def span(self) -> Tensor:
        """gamma'(t), which is the same at all times."""
        return (self.gamma_max - self.gamma_min)[0]


@final
class LadderDiffusion(UPrior):
    """p(u) by a network that guesses the noise in u."""

    def __init__(self, shape: Shape, plan: PseudoPlan) -> None:
        super().__init__(shape)
        self.steps, self.continuous, self.discrete = plan.steps, plan.continuous, plan.discrete
        net = plan.unet
        self.model = UNet(
            shape[0], net.channels, net.mult,
            blocks=net.blocks, attention=net.attention, heads=net.heads,
        )  # fmt: skip
        self.noise_schedule = NoiseSchedule()

    def log_prob(self, u: Tensor, noise: Noise) -> Tensor:
        """Minus the authors' cost of u in nats (S, B); in expectation at most log p(u)."""
        return self.terms(u, noise).bound

    def terms(self, u: Tensor, noise: Noise) -> CostTerms:
        """L0, Lt and LT of u (S, B, *shape); the noise is one an image, the same for all samples.

        So importance weighting gains nothing from it, and it cancels between bounds of one image.
        """
        last = self._last(u, _shared(noise, "u_0", u))
        if self.training:
            t = noise.uniform("u_t", u.shape[0], u.shape[1], ()).to(u)
            return CostTerms(last, self.noise_cost(u, t, _shared(noise, "u_t", u)), self._first(u))
        total = torch.zeros_like(last)
        for i in range(1, self.steps + 1):
            t = torch.full_like(last, i / self.steps)
            total = total + self._cost(u, t, _shared(noise, f"u_{i}", u))
        return CostTerms(last, total / self.steps, self._first(u))

    def noise_cost(self, u: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Lt from one time an image (S, B) for noise like u; in steps the next one counts."""
        return self._cost(u, t if self.continuous else (t * self.steps).ceil() / self.steps, eps)

    def _cost(self, u: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The weighted square of the error in the guessed noise (S, B), at a time as it is."""
        gamma = self.noise_schedule
        weight = gamma.span / 2
        if not self.continuous:
            weight = self.steps / 2 * torch.expm1(gamma(t) - gamma(t - 1 / self.steps))
        error = eps - self._guess(self._noised(u, t, eps), t)
        return weight * error.square().flatten(2).sum(-1)

    def sample(
        self, n: int, noise: Noise, *, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw u (1, n, *shape) down all times; the last draw is u itself."""
        like = self.noise_schedule.gamma_min.new_empty(1, n, *self.shape)
        z = temperature * _like(noise, f"p_u_{self.steps}", like)
        for i in range(self.steps, 0, -1):
            t, s = (like.new_full((1, n), step / self.steps) for step in (i, i - 1))
            (alpha_t, var_t), (alpha_s, var_s) = self._levels(t), self._levels(s)
            guess = (z - var_t.sqrt() * self._guess(z, t)) / alpha_t
            ratio = alpha_t / alpha_s
            added = var_t - ratio**2 * var_s
            mean = ratio * var_s / var_t * z + alpha_s * added / var_t * guess.clamp(-1, 1)
            eps = _like(noise, f"p_u_{i - 1}", like)
            z = mean + temperature * (added * var_s / var_t).sqrt() * eps
        return z

    def _levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma^2 at times (S, B), with axes to broadcast against u."""
        gamma = self.noise_schedule(t)[(...,) + (None,) * len(self.shape)]
        return torch.sigmoid(-gamma).sqrt(), torch.sigmoid(gamma)

    def _noised(self, u: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        alpha, variance = self._levels(t)
        return alpha * u + variance.sqrt() * eps

    def _guess(self, z: Tensor, t: Tensor) -> Tensor:
        out: Tensor = self.model(z.flatten(0, 1), t.flatten())
        return out.unflatten(0, z.shape[:2])

    def _first(self, u: Tensor) -> Tensor:
        """LT: KL of the noisiest z_1 given u and N(0, I)."""
        alpha, variance = self._levels(u.new_ones(u.shape[:2]))
        term = alpha**2 * u**2 + variance - variance.log() - 1
        return term.flatten(2).sum(-1) / 2

    def _last(self, u: Tensor, eps: Tensor) -> Tensor:
        """L0 = -log p(u given z_0): Gaussian, or of the nearest of 256 values."""
        start = u.new_zeros(u.shape[:2])
        z = self._noised(u, start, eps)
        if self.discrete:
            j = ((u.clamp(-1, 1) + 1) / 2 * 255).round()
            gap = z - ((2 * j + 1) / 256 - 1)
            mass = _normal_cdf(_SHARP * (gap + 1 / 255)) - _normal_cdf(_SHARP * (gap - 1 / 255))
            return -mass.clamp_min(_LEAST).log().flatten(2).sum(-1)
        log_variance = self.noise_schedule(start)[(...,) + (None,) * len(self.shape)]
        square = (u - z / self._levels(start)[0]) ** 2 / (log_variance.exp() + EVENED)
        return (LOG_2PI + log_variance + square).flatten(2).sum(-1) / 2


def _normal_cdf(x: Tensor) -> Tensor:
    """The authors' approximation by tanh of the normal distribution function."""
    return (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


def _like(noise: Noise, name: str, u: Tensor) -> Tensor:
    return noise.normal(name, u.shape[0], u.shape[1], u.shape[2:]).to(u)


def _shared(noise: Noise, name: str, u: Tensor) -> Tensor:
    return noise.once().normal(name, 1, u.shape[1], u.shape[2:]).to(u).expand_as(u)
