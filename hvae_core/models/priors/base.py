"""The interface of a prior over u, the pseudoinput or context at the top (DVP 3.4)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from hvae_core.common.noise import Noise

Shape = tuple[int, int, int]


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
        self,
        n: int,
        noise: Noise,
        *,
        temperature: float = 1.0,
        steps: int | None = None,
        deterministic: bool = False,
    ) -> Tensor:
        """Draw u (1, n, *shape), on the device of the weights if there are any.

        ``steps`` and ``deterministic`` are for diffusion priors: how many steps to take instead of
        all, and whether a step adds noise; other priors need one step and ignore them.
        """
