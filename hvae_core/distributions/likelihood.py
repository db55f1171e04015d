"""What every p(x given z) offers: log-probability, expected image, likeliest image, draws."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class Likelihood(ABC):
    """p(x given z) for a batch: parameters (S, B, C, H, W) or with more numbers a pixel.

    Discrete likelihoods give probabilities of grey levels, so log p(x | z) <= 0. Continuous ones
    give densities over x in [0, 1] that can be above 1.
    """

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (S, B) for images x (B, C, H, W)."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Expected image (S, B, C, H, W) in [0, 1], for pictures."""

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """Likeliest image (S, B, C, H, W) in [0, 1], a value that data could have."""

    @abstractmethod
    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (S, B, C, H, W) in [0, 1] from uniform noise of that shape."""
