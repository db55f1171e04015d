"""The distributions of the papers: diagonal Gaussian latents, binary and 256-level pixels.

Likelihoods sum over the pixels of an image and return nats, with the leading (S, B) kept.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)
_BETA = math.log(2)
_MIN_STD = 1e-3


def positive(raw: Tensor) -> Tensor:
    """Map to (0, inf) by softplus with beta = ln 2, so that 0 gives 1 (HVK App. B.1)."""
    return F.softplus(raw, beta=_BETA)


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian N(mean, std^2); both tensors (S, B, ...)."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def from_raw(raw: Tensor, dim: int) -> Gaussian:
        """Split a network's output along ``dim`` into mean and softplus scale (HVK App. B.1)."""
        mean, scale = raw.chunk(2, dim=dim)
        # The floor keeps log-densities finite where a layer becomes deterministic.
        return Gaussian(mean, positive(scale) + _MIN_STD)

    @staticmethod
    def standard_like(like: Tensor) -> Gaussian:
        """N(0, I) of the shape of ``like``: the prior of the top layer."""
        return Gaussian(torch.zeros_like(like), torch.ones_like(like))

    def sample(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw mean + temperature * std * noise (reparameterised)."""
        return self.mean + temperature * self.std * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, summed over all but the leading (S, B)."""
        term = -0.5 * ((z - self.mean) / self.std) ** 2 - self.std.log() - 0.5 * LOG_2PI
        return term.flatten(2).sum(-1)

    def kl(self, other: Gaussian) -> Tensor:
        """KL(self || other) in closed form, nats, summed over all but the leading (S, B)."""
        ratio = self.std / other.std
        term = 0.5 * (ratio**2 + ((self.mean - other.mean) / other.std) ** 2 - 1) - ratio.log()
        return term.flatten(2).sum(-1)


class Likelihood(ABC):
    """p(x given z) for a batch: parameters (S, B, C, H, W)."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (S, B) for images x (B, C, H, W)."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Expected image (S, B, C, H, W) in [0, 1], for pictures."""

    @abstractmethod
    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (S, B, C, H, W) in [0, 1] from uniform noise of that shape."""


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Independent binary pixels with the given logits; x must be 0 or 1 (dynamic binarisation)."""

    logits: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) = sum x log pi + (1 - x) log(1 - pi) in nats (S, B), x in {0, 1}."""
        # log p = x * logit - softplus(logit), exact for x in {0, 1} and finite for any logit.
        return (x * self.logits - F.softplus(self.logits)).flatten(2).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The probabilities pi of a white pixel (S, B, C, H, W)."""
        return torch.sigmoid(self.logits)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw binary images (S, B, C, H, W)."""
        return (noise < self.mean).to(self.logits.dtype)


@dataclass(frozen=True)
class DiscretisedLogistic(Likelihood):
    """A logistic density integrated over 256 grey levels, open at both ends (Salimans 2017).

    ``location`` and ``scale`` are in units of the grey range [0, 1].
    """

    location: Tensor
    scale: Tensor

    LEVELS = 256

    @staticmethod
    def from_raw(raw: Tensor) -> DiscretisedLogistic:
        """Split along the channel axis of (S, B, 2C, H, W); the location starts at mid-grey."""
        location, scale = raw.chunk(2, dim=2)
        # Starts at a scale of 0.1; never narrower than a tenth of a grey level.
        return DiscretisedLogistic(0.5 + 0.25 * location, 0.1 * positive(scale) + 4e-4)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (S, B), x a multiple of 1/255 in [0, 1]."""
        half = 0.5 / (self.LEVELS - 1)
        upper = (x + half - self.location) / self.scale
        lower = (x - half - self.location) / self.scale
        # log(sigmoid(u) - sigmoid(l)) = logsigmoid(u) + logsigmoid(-l) + log(1 - exp(l - u))
        inside = F.logsigmoid(upper) + F.logsigmoid(-lower)
        inside = inside + torch.log(-torch.expm1(-2 * half / self.scale))
        log_mass = torch.where(x < half, F.logsigmoid(upper), inside)
        log_mass = torch.where(x > 1 - half, F.logsigmoid(-lower), log_mass)
        return log_mass.flatten(2).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The locations, brought into the grey range (S, B, C, H, W)."""
        return self.location.clamp(0, 1)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images of 256 grey levels (S, B, C, H, W) by the inverse distribution function."""
        u = noise.clamp(1e-6, 1 - 1e-6)
        x = self.location + self.scale * (u.log() - torch.log1p(-u))
        return (x * (self.LEVELS - 1)).round().div(self.LEVELS - 1).clamp(0, 1)
