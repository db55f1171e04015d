"""What every p(x given z) offers: log-probability, expected image, likeliest image, draws."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class Likelihood(ABC):
    """p(x given z) for a batch: parameters (S, B, C, H, W) or with more numbers a pixel.

    Discrete likelihoods give probabilities of grey levels, so log p(x | z) <= 0. Continuous ones
    give densities over 256 x, x in [0, 1], in which a grey level is an interval of width 1.
    """

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (S, B) for images x (B, C, H, W)."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """Picture of what is expected (S, B, C, H, W) in [0, 1].

        The expectation for binary pixels; elsewhere the location, brought into the grey range.
        """

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """Likeliest image (S, B, C, H, W) in [0, 1], a value that data could have."""

    @abstractmethod
    def sample(self, noise: Tensor) -> Tensor:
        """Draw images (S, B, C, H, W) in [0, 1] from uniform noise of that shape."""
