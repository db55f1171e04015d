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

    def pixels(self, x: Tensor) -> Tensor | None:
        """log p(x_d | z) in nats of every pixel d (S, B, H, W), which sum to ``log_prob``.

        The channels of a pixel are summed. None where log p(x | z) is no sum over pixels.
        """
        return None

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


class PixelLikelihood(Likelihood):
    """A p(x given z) whose pixels are independent, so that log p is a sum of terms."""

    @abstractmethod
    def terms(self, x: Tensor) -> Tensor:
        """Terms of log p(x | z) in nats (S, B, C or 1, H, W) for images x (B, C, H, W).

        One for each channel of a pixel, or one for a pixel whose channels depend on one another.
        """

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | z) in nats (S, B) for images x (B, C, H, W): the sum of all terms."""
        return self.terms(x).flatten(2).sum(-1)

    def pixels(self, x: Tensor) -> Tensor:
        """log p(x_d | z) in nats of every pixel d (S, B, H, W)."""
        return self.terms(x).sum(2)
