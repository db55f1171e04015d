"""What a family supplies, by the way that it infers; all the rest follows from these steps.

Tensors carry leading (S, B); an S of 1 stands for "the same for all samples" and broadcasts. A
``State`` is whatever a family carries up or down; it is never changed in place, as several k start
from the same.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.base import HierarchicalVAE
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.priors.vamp import Prior

State = Any


class BottomUpSteps(HierarchicalVAE):
    """q(z | x) = q(z_1 | x) prod_i q(z_i | z_<i), p(x, z) = p(x | z) prod_i p(z_i | z_>i)."""

    @abstractmethod
    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_<i, x): ``x`` (1, B, C, H, W), ``below`` is z_1 .. z_{i-1}."""

    @abstractmethod
    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_>i) for i < L: ``above`` is z_{i+1} .. z_L."""

    @abstractmethod
    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z) from z_1 .. z_L."""

    @property
    def reach(self) -> int:
        """How many layers below z_i, the image being layer 0, q(z_i | .) reads at most."""
        return self.n_layers

    @property
    def posterior_steps(self) -> Mapping[str, Callable[[int], int]]:
        """``posterior`` of a layer's index."""
        return {"posterior": lambda index: index}


class TopDownSteps(HierarchicalVAE):
    """q(z | x) = q(z_L | x) prod_i q(z_i | z_>i, x), p(x, z) = p(x | z) prod_i p(z_i | z_>i)."""

    @abstractmethod
    def encode(self, x: Tensor) -> Any:
        """Deterministic features of images (1, B, C, H, W)."""

    def target(self, x: Tensor, noise: Noise) -> Tensor:
        """What log p(x | z) of a trace is taken of: x, which ``encode`` reads, in most families."""
        return x

    @abstractmethod
    def start(self, batch: int) -> State:
        """The state above z_L."""

    @abstractmethod
    def prior(self, index: int, state: State) -> Prior:
        """p(z_i | z_>i); a mixture at the top alone."""

    @abstractmethod
    def posterior(self, index: int, state: State, prior: Any, features: Any) -> Gaussian:
        """q(z_i | z_>i, x)."""

    def log_prior(self, index: int, p: Any, z: Tensor, noise: Noise) -> Tensor:
        """log p(z_i | z_>i) of a draw z in nats (S, B); a family may need noise to estimate it."""
        log_p: Tensor = p.log_prob(z)
        return log_p

    def ancestor(
        self, index: int, state: State, *, n: int, noise: Noise, temperature: float = 1.0
    ) -> Tensor:
        """Draw z_i (1, n, *shape) from p(z_i | z_>i)."""
        p = self.prior(index, state)
        return self.draw_prior(p, index, n=n, noise=noise, temperature=temperature)

    @abstractmethod
    def absorb(self, index: int, state: State, z: Tensor) -> State:
        """The state below z_i."""

    @abstractmethod
    def emit(self, state: State) -> Likelihood:
        """p(x | z) from the state below z_1."""

    @property
    def posterior_steps(self) -> Mapping[str, Callable[[int], int]]:
        """``posterior`` of a layer's index."""
        return {"posterior": lambda index: index}


class BidirectionalSteps(HierarchicalVAE):
    """Latents in the order z_1^BU, z_1^TD, z_2^BU, ..., z_L: an odd number of layers."""

    @abstractmethod
    def enter(self, x: Tensor) -> State:
        """The state below level 1 on the way up, for images (1, B, C, H, W)."""

    @abstractmethod
    def features(self, level: int, state: State) -> Tensor:
        """The deterministic features d_i(x, z_<i^BU) of a level."""

    @abstractmethod
    def posterior_up(self, level: int, d: Tensor) -> Gaussian:
        """q(z_i^BU | x, z_<i^BU) for i < L."""

    @abstractmethod
    def rise(self, level: int, d: Tensor, z: Tensor) -> State:
        """The state above z_i^BU on the way up."""

    @abstractmethod
    def start(self, batch: int) -> State:
        """The state above z_L on the way down."""

    @abstractmethod
    def priors(self, level: int, state: State) -> tuple[Gaussian, Gaussian]:
        """p(z_i^BU | z_>i) and p(z_i^TD | z_>i) for i < L."""

    @abstractmethod
    def posterior_down(self, level: int, state: State, d: Tensor) -> Gaussian:
        """q(z_i^TD | x, z_<i^BU, z_>i), and q(z_L | x, z^BU)."""

    @abstractmethod
    def absorb(self, level: int, state: State, parts: Sequence[Tensor]) -> State:
        """The state below z_i: of the two parts of a pair, or of z_L alone."""

    @abstractmethod
    def emit(self, state: State) -> Likelihood:
        """p(x | z) from the state below z_1."""

    def priors_of(self, level: int, state: State, batch: int) -> Sequence[Prior]:
        """p of the layers of a level for B images: of both parts of a pair, or of z_L alone."""
        return [self.top_prior(batch)] if level == self.n_levels else self.priors(level, state)

    def indices(self, level: int) -> range:
        """The layers of a level: z_i^BU and z_i^TD, or z_L alone."""
        return range(2 * level - 1, 2 * level + (level < self.n_levels))

    @property
    def posterior_steps(self) -> Mapping[str, Callable[[int], int]]:
        """``posterior_up`` and ``posterior_down`` of a level."""
        return {
            "posterior_up": lambda level: self.indices(level)[0],
            "posterior_down": lambda level: self.indices(level)[-1],
        }
