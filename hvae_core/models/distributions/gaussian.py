"""The diagonal Gaussian of every latent layer, and the map from raw numbers to scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
_BETA = math.log(2)
_MIN_STD = 1e-3
EVENED = 1e-10
"""What dvp_vae's log-densities add to a variance."""


def positive(raw: Tensor) -> Tensor:
    """Map to (0, inf) by softplus with beta = ln 2, so that 0 gives 1 (HVK App. B.1)."""
    return F.softplus(raw, beta=_BETA)


def widened(raw: Tensor) -> Tensor:
    """A network's output in at least float32: densities need digits that half precision lacks."""
    return raw if raw.dtype in (torch.float32, torch.float64) else raw.float()


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian N(mean, std^2); both tensors (S, B, ...)."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def from_raw(raw: Tensor, dim: int) -> Gaussian:
        """Split a network's output along ``dim`` into mean and softplus scale (HVK App. B.1)."""
        mean, scale = widened(raw).chunk(2, dim=dim)
        # The floor keeps log-densities finite where a layer becomes deterministic.
        # Copied first, as processors take a half of the channels number by number.
        return Gaussian(mean, positive(scale.clone()) + _MIN_STD)

    @staticmethod
    def standard_like(like: Tensor) -> Gaussian:
        """N(0, I) of the shape of ``like``: the prior of the top layer."""
        return Gaussian(torch.zeros_like(like), torch.ones_like(like))

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw mean + temperature * std * noise (reparameterised)."""
        return self.mean + temperature * self.std * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, summed over all but the leading (S, B)."""
        return self.log_prob_by_unit(z).flatten(2).sum(-1)

    def log_prob_by_unit(self, z: Tensor) -> Tensor:
        """Log-density of every unit in nats, (S, B, ...)."""
        return -0.5 * ((z - self.mean) / self.std) ** 2 - self.std.log() - 0.5 * LOG_2PI

    def kl(self, other: Gaussian) -> Tensor:
        """KL(self || other) in closed form, nats, summed over all but the leading (S, B)."""
        return self.kl_by_unit(other).flatten(2).sum(-1)

    def kl_by_unit(self, other: Gaussian) -> Tensor:
        """KL(self || other) of every unit in closed form, nats, (S, B, ...)."""
        ratio = self.std / other.std
        return 0.5 * (ratio**2 + ((self.mean - other.mean) / other.std) ** 2 - 1) - ratio.log()


@final
@dataclass(frozen=True)
class EvenedGaussian(Gaussian):
    """A Gaussian whose log-density divides by std^2 + 1e-10, as in dvp_vae; its KL does not."""

    def log_prob_by_unit(self, z: Tensor) -> Tensor:
        """Log-density of every unit in nats, (S, B, ...)."""
        variance = self.std**2
        return -0.5 * (variance.log() + (z - self.mean) ** 2 / (variance + EVENED) + LOG_2PI)
