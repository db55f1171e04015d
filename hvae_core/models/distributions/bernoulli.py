"""Binary pixels: the likelihood of dynamically binarised grey images (HVK App. B.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from hvae_core.models.distributions.base import PixelLikelihood


@dataclass(frozen=True)
class Bernoulli(PixelLikelihood):
    """Independent binary pixels with the given logits; x must be 0 or 1 (dynamic binarisation)."""

    logits: Tensor

    def terms(self, x: Tensor) -> Tensor:
        """x log pi + (1 - x) log(1 - pi) in nats (S, B, C, H, W), x in {0, 1}."""
        # log p = x * logit - softplus(logit), exact for x in {0, 1} and finite for any logit.
        return x * self.logits - F.softplus(self.logits)

    @property
    def mean(self) -> Tensor:
        """The probabilities pi of a white pixel (S, B, C, H, W)."""
        return torch.sigmoid(self.logits)

    @property
    def mode(self) -> Tensor:
        """White where pi > 1/2 (S, B, C, H, W)."""
        return (self.logits > 0).to(self.logits.dtype)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw binary images (S, B, C, H, W)."""
        return (noise < self.mean).to(self.logits.dtype)


@final
@dataclass(frozen=True)
class ClampedBernoulli(PixelLikelihood):
    """Independent binary pixels with probabilities cut to [1e-7, 1 - 1e-7], as in dvp_vae."""

    probabilities: Tensor

    @staticmethod
    def from_logits(logits: Tensor) -> ClampedBernoulli:
        """From a network's numbers (S, B, C, H, W)."""
        return ClampedBernoulli(logits.sigmoid().clamp(1e-7, 1 - 1e-7))

    def terms(self, x: Tensor) -> Tensor:
        """log p of every channel of every pixel in nats (S, B, C, H, W), x in {0, 1}."""
        p = self.probabilities
        return x * p.log() + (1 - x) * (1 - p).log()

    @property
    def mean(self) -> Tensor:
        """The probabilities of a white pixel (S, B, C, H, W)."""
        return self.probabilities

    @property
    def mode(self) -> Tensor:
        """White where that is above 1/2 (S, B, C, H, W)."""
        return (self.probabilities > 0.5).to(self.probabilities.dtype)

    def sample(self, noise: Tensor) -> Tensor:
        """Draw binary images (S, B, C, H, W)."""
        return (noise < self.probabilities).to(self.probabilities.dtype)
