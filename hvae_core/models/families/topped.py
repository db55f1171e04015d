"""Deep top-down VAEs with a transform of the image as their topmost latent (DCT App. E, DVP 3, 4).

Both families put u = f(x), noisy or quantised, above z_L as a layer and a level of its own, so that
traces, L_>k and the pages need nothing special: k counts from z_1, and u is skipped last. Its prior
is a bound of its own, with noise by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hvae_core.common.noise import Noise, StreamNoise
from hvae_core.config import DeepConfig
from hvae_core.config.context import ContextConfig, PseudoConfig
from hvae_core.models.distributions import Likelihood
from hvae_core.models.families.vdvae import VDVAE, DeepState
from hvae_core.models.layers.residual import fold
from hvae_core.models.priors import UPrior, prior_from_config, transform_from_config


@dataclass(frozen=True)
class Sampler:
    """How a diffusion prior draws u: ``steps`` (all of training's if None), and whether by DDIM."""

    steps: int | None = None
    deterministic: bool = False


ANCESTRAL = Sampler()


class _Features(NamedTuple):
    """What the way up leaves: h_enc of every scale, and f(x) (1, B, C, d, d)."""

    h_enc: list[Tensor]
    u: Tensor


class ToppedVAE(VDVAE):
    """z_1 .. z_L of the VDVAE under u, the layer L + 1; subclasses say what q(u | x) is.

    The context that the way down carries is u brought back to the image domain.
    """

    def __init__(self, config: DeepConfig) -> None:
        super().__init__(config)
        self.transform = transform_from_config(self._above_all(), config.image_shape)
        self.u_prior: UPrior = prior_from_config(self._above_all(), self.transform.shape)

    def _above_all(self) -> PseudoConfig | ContextConfig:
        """The part of the configuration that is about u."""
        part = self.config.on_top
        assert part is not None  # the configuration sees to that
        return part

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

    def sample(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
        sampler: Sampler = ANCESTRAL,
    ) -> Likelihood:
        """Draw u by the ``sampler`` of its prior, then z_L .. z_1; ``given`` layers are not drawn.

        ``temperature`` scales every draw of the sampler of u.
        """
        if self.n_layers not in (given or {}):
            u = self.sample_u(n, noise, self._heat(temperature)[-1], sampler)
            given = {**(given or {}), self.n_layers: u}
        return super().sample(n, noise=noise, temperature=temperature, given=given)

    def sample_u(
        self, n: int, noise: Noise, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw u (n, C, d, d) from its prior."""
        ways: Any = {"steps": sampler.steps, "deterministic": sampler.deterministic}
        drawn = self.u_prior.sample(n, noise, temperature=temperature, **ways)
        return drawn[0].to(self.device)

    def sample_top(self, n: int, *, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Draw u (n, C, d, d) from its prior."""
        return self.sample_u(n, noise, temperature)

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
