"""The discretised logistic over 256 grey levels (Salimans et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.models.distributions.base import PixelLikelihood
from hvae_core.models.distributions.gaussian import positive

LEVELS = 256
HALF = 0.5 / (LEVELS - 1)
"""Half the distance of neighbouring grey levels."""


def log_mass(x: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Log-probability of each grey level x under a logistic, open at both ends (Salimans 2017)."""
    upper = (x + HALF - location) / scale
    lower = (x - HALF - location) / scale
    # log(sigmoid(u) - sigmoid(l)) = logsigmoid(u) + logsigmoid(-l) + log(1 - exp(l - u))
    inside = F.logsigmoid(upper) + F.logsigmoid(-lower)
    inside = inside + torch.log(-torch.expm1(-2 * HALF / scale))
    mass = torch.where(x < HALF, F.logsigmoid(upper), inside)
    return torch.where(x > 1 - HALF, F.logsigmoid(-lower), mass)


def location_and_scale(location: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """From raw numbers to units of the grey range: the location starts at mid-grey."""
    # Starts at a scale of 0.1; never narrower than a tenth of a grey level.
    return 0.5 + 0.25 * location, 0.1 * positive(scale) + 4e-4


def nearest_level(x: Tensor) -> Tensor:
    """The grey level closest to x, in [0, 1]."""
    return (x * (LEVELS - 1)).round().div(LEVELS - 1).clamp(0, 1)


def draw_level(noise: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Draw grey levels by the inverse distribution function of the logistic."""
    u = noise.clamp(1e-6, 1 - 1e-6)
    return nearest_level(location + scale * (u.log() - torch.log1p(-u)))


@dataclass(frozen=True)
class DiscretisedLogistic(PixelLikelihood):
    """A logistic density integrated over 256 grey levels, open at both ends (Salimans 2017).

    ``location`` and ``scale`` are in units of the grey range [0, 1].
    """

    location: Tensor
    scale: Tensor

    @staticmethod
    def from_raw(raw: Tensor) -> DiscretisedLogistic:
        """Split along the channel axis of (S, B, 2C, H, W); the location starts at mid-grey."""
        return DiscretisedLogistic(*location_and_scale(*raw.chunk(2, dim=2)))

    def terms(self, x: Tensor) -> Tensor:
        """log P of every grey level in nats (S, B, C, H, W), x a multiple of 1/255 in [0, 1]."""
        return log_mass(x, self.location, self.scale)

    @property
    def mean(self) -> Tensor:
        """The locations, brought into the grey range (S, B, C, H, W)."""
        return self.location.clamp(0, 1)

    @property
    def mode(self) -> Tensor:
        """The likeliest grey level: that of the location, or an end, which holds a whole tail."""
        inner = nearest_level(self.location)
        levels = torch.stack([inner, torch.zeros_like(inner), torch.ones_like(inner)])
        best = log_mass(levels, self.location, self.scale).argmax(0, keepdim=True)
        return levels.gather(0, best)[0]

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images of 256 grey levels (S, B, C, H, W) by the inverse distribution function."""
        return draw_level(noise, self.location, self.scale)
