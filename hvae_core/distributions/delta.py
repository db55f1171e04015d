"""A latent that is known with certainty."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Delta:
    """All the mass of a discrete latent on ``mean`` (S, B, ...)."""

    mean: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """The one value, as often as there are samples in the noise (S, B, ...)."""
        return self.mean.expand(noise.shape)

    def log_prob(self, z: Tensor) -> Tensor:
        """log 1 = 0 of its own draws (S, B)."""
        return z.new_zeros(z.shape[:2])
