"""A latent that is known with certainty."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Delta:
    """All the mass of a discrete latent on ``mean`` (S, B, ...)."""

    mean: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """The one value, as often as there are samples in the noise (S, B, ...)."""
        return self.mean.expand(noise.shape)

    def log_prob(self, z: Tensor) -> Tensor:
        """log 1 = 0 of its own value, log 0 = -inf of any other (S, B)."""
        same = (z == self.mean).flatten(2).all(-1)
        return z.new_zeros(same.shape).masked_fill(~same, -torch.inf)
