"""Gaussian pixels: a density over dequantised grey levels, with one std, or one for each pixel.

x = (255 g + u) / 256 for a grey level g and uniform u, so a level is an interval of width 1/256 and
log P(level image) >= E_u[log p(x)] - D ln 256 (Theis et al. 2016). Log-densities here are those of
256 x, with the constant D ln 256 (8 bits a dimension) taken off: so every bound is one on the
discrete images, nats and bits a dimension compare with those of discrete likelihoods, and
-log p(x | z) stays above zero but for a model that is sure of every level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hvae_core.models.distributions.base import PixelLikelihood
from hvae_core.models.distributions.gaussian import LOG_2PI, positive

_START = 0.1
_MIN_STD = 1e-3
_LN_LEVELS = math.log(256)


def pixel_std(raw: Tensor) -> Tensor:
    """Standard deviation of a pixel from a raw number, 0.1 of the grey range at 0.

    The floor of 0.001 is about the std of one grey level's interval, 1 / (256 sqrt 12): to be
    narrower is to gain density without telling levels apart better.
    """
    return _START * positive(raw) + _MIN_STD


@dataclass(frozen=True)
class GaussianPixels(PixelLikelihood):
    """Independent pixels N(location, std^2), a density over 256 x for dequantised x in [0, 1].

    ``std`` broadcasts against ``location`` (S, B, C, H, W): one number for all pixels (fixed, or
    learned: OverSmooth, INF App. J) or one for each.
    """

    location: Tensor
    std: Tensor

    @staticmethod
    def from_raw(raw: Tensor, std: Tensor | None = None) -> GaussianPixels:
        """Locations from (S, B, C, H, W), or with an own std a pixel from (S, B, 2C, H, W)."""
        if std is not None:
            return GaussianPixels(0.5 + 0.25 * raw, std)
        location, scale = raw.chunk(2, dim=2)
        return GaussianPixels(0.5 + 0.25 * location, pixel_std(scale))

    def terms(self, x: Tensor) -> Tensor:
        """log p(256 x | z) in nats (S, B, C, H, W), on average at most log P of the grey levels."""
        term = -0.5 * ((x - self.location) / self.std) ** 2 - self.std.log() - 0.5 * LOG_2PI
        return term - _LN_LEVELS

    @property
    def mean(self) -> Tensor:
        """The locations, brought into the grey range (S, B, C, H, W)."""
        return self.location.clamp(0, 1)

    @property
    def mode(self) -> Tensor:
        """The same as the mean: on [0, 1] the density is largest nearest to the location."""
        return self.mean

    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (S, B, C, H, W); what falls outside the grey range becomes black or white."""
        normal = torch.special.ndtri(noise.clamp(1e-6, 1 - 1e-6))
        return (self.location + self.std * normal).clamp(0, 1)
