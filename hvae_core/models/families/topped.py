"""Deep top-down VAEs with a transform of the image as their topmost latent (DCT App. E, DVP 3, 4).

Both families put u = f(x), noisy or quantised, above z_L as a layer and a level of its own, so that
traces, L_>k and the pages need nothing special: k counts from z_1, and u is skipped last. Its prior
is a bound of its own, with noise by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hvae_core.common.noise import Noise, StreamNoise
from hvae_core.config import DeepConfig
from hvae_core.models.families.deep import DeepState, DeepVAE
from hvae_core.models.layers.residual import fold
from hvae_core.models.priors import Transform, UPrior
from hvae_core.models.trace import ANCESTRAL, Sampler


class _Features(NamedTuple):
    """What the way up leaves: h_enc of every scale, and f(x) (1, B, C, d, d)."""

    h_enc: list[Tensor]
    u: Tensor


class ToppedVAE(DeepVAE):
    """z_1 .. z_L of a deep VAE under u, the layer L + 1; families say what u and q(u | x) are.

    The context that the way down carries is u brought back to the image domain.
    """

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(config)
        self.transform, self.u_prior = self.build_top()

    @abstractmethod
    def build_top(self) -> tuple[Transform, UPrior]:
        """f, and p(u)."""

    @abstractmethod
    def posterior_u(self, u: Tensor) -> Any:
        """q(u | x) from f(x)."""

    def encode(self, x: Tensor) -> Any:
        """h_enc of every scale, and f(x)."""
        return _Features(super().encode(x), self.transform(x[0]).unsqueeze(0))

    def start(self, batch: int) -> Any:
        """Nothing is above u."""
        return None

    def prior(self, index: int, state: Any) -> Any:
        """p(z_i | z_>i, u), and p(u) at the top."""
        return self.u_prior if index == self.n_layers else super().prior(index, state)

    def log_prior(self, index: int, p: Any, z: Tensor, noise: Noise) -> Tensor:
        """log p(z_i | z_>i, u) in nats (S, B); of u an estimate of a bound (see ``UPrior``)."""
        if index == self.n_layers:
            return self.u_prior.log_prob(z, noise)
        return super().log_prior(index, p, z, noise)

    def posterior(self, index: int, state: Any, prior: Any, features: Any) -> Any:
        """q(z_i | z_>i, x), and q(u | x) at the top."""
        if index == self.n_layers:
            return self.posterior_u(features.u)
        return super().posterior(index, state, prior, features.h_enc)

    def absorb(self, index: int, state: Any, z: Tensor) -> DeepState:
        """Under u begins the way down of the VDVAE, with u as an image for a context."""
        if index == self.n_layers:
            return self.start_from(z.shape[1], fold(self.transform.inverse, z))
        return super().absorb(index, state, z)

    def ancestor(
        self, index: int, state: Any, *, n: int, noise: Noise, temperature: float = 1.0
    ) -> Tensor:
        """Draw z_i (1, n, *shape) from p(z_i | z_>i, u), and u from its prior."""
        if index == self.n_layers:
            return self.sample_top(n, noise=noise, temperature=temperature).unsqueeze(0)
        return super().ancestor(index, state, n=n, noise=noise, temperature=temperature)

    def samplers(self, steps: Sequence[int]) -> list[tuple[str, Sampler | None]]:
        """Those of the prior of u."""
        return self.u_prior.samplers(steps)

    def sample_top(
        self, n: int, *, noise: Noise, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw u (n, C, d, d) from its prior; ``temperature`` scales every draw on the way."""
        drawn = self.u_prior.sample(n, noise, temperature=temperature, sampler=sampler)
        return drawn[0].to(self.device)

    def check_objective(self, objective: str) -> None:
        """As the prior of u allows."""
        self.u_prior.check_objective(objective)

    def pictures_of(self, index: int, z: Tensor) -> Tensor | None:
        """The image that u stands for, cut to [0, 1]; other layers stand for none."""
        if index != self.n_layers:
            return None
        return self.transform.inverse(z).clamp(0, 1)

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Fit the transform to one batch; ``fit_to_data`` does it with all images."""
        super().init_from_data(x, seed)
        self.fit_to_data([x], seed)

    def fit_to_data(self, batches: Iterable[Tensor], seed: int) -> None:
        """S of the DCT over images as the model sees them, one draw of binary pixels each."""
        noise = StreamNoise(torch.Generator().manual_seed(seed))
        self.transform.fit(self.prepare(x, noise) for x in batches)
