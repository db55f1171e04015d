"""The interface of a prior over u, the pseudoinput or context at the top (DVP 3.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from hvae_core.common.arrays import Shape
from hvae_core.common.noise import Noise
from hvae_core.models.trace import ANCESTRAL, Sampler


class UPrior(nn.Module, ABC):
    """p(u) over u (S, B, *shape)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    @abstractmethod
    def log_prob(self, u: Tensor, noise: Noise) -> Tensor:
        """log p(u) in nats (S, B) for u (S, B, *shape), or an estimate of a lower bound of it.

        In ``eval`` the exponential of an estimate has the expectation p(u), so that importance-
        weighted bounds stay bounds; in ``train`` only its own expectation is a bound. Noise is
        asked for by name, for S samples.
        """

    @abstractmethod
    def sample(
        self, n: int, noise: Noise, *, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw u (1, n, *shape), on the device of the weights if there are any.

        The ``sampler`` is for diffusion priors; others need one step and ignore it.
        """

    def samplers(self, steps: Sequence[int]) -> list[tuple[str, Sampler | None]]:
        """The ways to draw by name, those in steps with so many each."""
        return [("prior", None)]

    def check_objective(self, objective: str) -> None:
        """Raise ``ConfigError`` where the prior cannot be trained by an objective of that name."""
