"""The one interface that pages, scores and training see: ``HierarchicalVAE`` and its ``Trace``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.config import ModelConfig, level_starts
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.distributions.delta import Delta
from hvae_core.models.pixels import prepare_pixels
from hvae_core.models.priors.vamp import GaussianMixture, Prior

Skipped = Literal["sample", "mean"]
"""What a skipped layer z_i, i <= k, passes down: a draw from p(z_i | z_>i), or its mean."""
Up = Literal["mean", "sample"]
"""What a skipped layer passes up to q(z_>k | x): its posterior mean (HVK App. D), or a draw."""

Posterior = Gaussian | Delta
"""What q(z_i | x, .) may be: Gaussian, or certain as for a context (DCT App. C)."""

Draw = Callable[[str, int], Tensor]
"""Noise of a role ("q" or "p") and a layer's index, (S, B, *shape)."""


@dataclass(frozen=True)
class LatentSpec:
    """One stochastic layer: ``name`` z1..zL, ``index`` 1..L, ``shape`` of one image, ``group``.

    Neighbours of one group make a *level*: k counts levels. Most families have one layer a level,
    deep ones all layers of a scale, BIVA the pair of bottom-up and top-down latents.
    """

    name: str
    index: int
    shape: tuple[int, ...]
    group: str

    @property
    def units(self) -> int:
        """Number of latent units (dimensions)."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Trace:
    """All terms of L_>k for a batch of B images and S samples (HVK Eq. 5).

    ``k`` counts skipped levels, ``skip`` the layers in them (the same but in deep families).
    ``log_px`` (S, B); ``log_q``, ``log_p``, ``kl`` (L, S, B), zero at skipped layers, where q is p;
    ``kl`` is analytic where a closed form exists and log q - log p of the draw elsewhere.
    ``z`` holds the posterior mean of each layer (1 or S, B, ...), None where the layer is skipped.
    All in nats.
    """

    k: int
    skip: int
    log_px: Tensor
    log_q: Tensor
    log_p: Tensor
    kl: Tensor
    z: tuple[Tensor | None, ...]
    likelihood: Likelihood


class HierarchicalVAE(nn.Module, ABC):
    """A VAE with L stochastic layers z_1 (closest to the image) to z_L (the top)."""

    config: ModelConfig

    @property
    @abstractmethod
    def latents(self) -> tuple[LatentSpec, ...]:
        """The layers from z_1 to z_L."""

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""

    @property
    def n_layers(self) -> int:
        """Number of stochastic layers, L."""
        return len(self.latents)

    @property
    def skips(self) -> tuple[int, ...]:
        """Layers that L_>k skips, for k = 0, 1, ...: one entry a level."""
        return level_starts([spec.group for spec in self.latents])

    @property
    def n_levels(self) -> int:
        """Number of levels: k runs from 0 to one less."""
        return len(self.skips)

    @property
    def dims(self) -> int:
        """D = C H W, the number of observed dimensions."""
        return math.prod(self.image_shape)

    @abstractmethod
    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Turn grey levels (B, C, H, W) in [0, 1] into what the likelihood is a density of.

        Bernoulli likelihoods see a fresh binary draw each time (dynamic binarisation), continuous
        ones a fresh point in the interval of each grey level (dequantisation).
        """

    @abstractmethod
    def traces(
        self,
        x: Tensor,
        ks: Sequence[int],
        *,
        noise: Noise,
        samples: int = 1,
        skipped: Skipped = "sample",
        up: Up = "mean",
        temperature: float = 1.0,
    ) -> list[Trace]:
        """Run the model once for every k in ``ks`` (HVK Eq. 5), sharing what does not depend on k.

        ``x`` (B, C, H, W) is already prepared. ``temperature`` scales the spread of the draws of
        skipped layers. The result bounds log p(x) only with ``skipped="sample"`` at temperature 1;
        elsewhere it bounds the likelihood of the model whose skipped layers are drawn like that.
        """

    def trace(
        self,
        x: Tensor,
        *,
        noise: Noise,
        k: int = 0,
        samples: int = 1,
        skipped: Skipped = "sample",
        up: Up = "mean",
        temperature: float = 1.0,
    ) -> Trace:
        """Run the model for one k: the terms of L_>k (HVK Eq. 5); L_>0 is the ELBO."""
        return self.traces(
            x, [k], noise=noise, samples=samples, skipped=skipped, up=up, temperature=temperature
        )[0]

    @abstractmethod
    def posteriors(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Posterior, ...]:
        """q(z_i | x, .) of every layer, (1 or S, B, *shape), given S samples of those it reads.

        With ``up="mean"`` the layers that are read on the way up stand at their means.
        """

    def posterior_means(
        self, x: Tensor, *, noise: Noise, samples: int = 1, up: Up = "mean"
    ) -> tuple[Tensor, ...]:
        """E[z_i | x] for every layer, (B, *shape), averaged over S samples of the other layers."""
        found = self.posteriors(x, noise=noise, samples=samples, up=up)
        return tuple(q.mean.mean(0) for q in found)

    @abstractmethod
    def sample(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> Likelihood:
        """Draw z from the prior and return p(x | z) for (1, n) images.

        ``temperature`` is one number or one a layer, z_1 first; ``given`` fixes layers by index
        (1..L), each (n, *shape).
        """

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Set the starting weights from one batch of grey levels, if the family does that."""

    def fit_to_data(self, batches: Iterable[Tensor], seed: int) -> None:
        """Take constants from all training images, batches of grey levels, if there are any."""

    def settle(self) -> None:
        """Compute once what depends on the weights alone, which change no more, if there is any."""

    def top_prior(self, batch: int) -> Prior:
        """p(z_L) for B images: N(0, I) unless the family has another."""
        shape = (1, batch, *self.latents[-1].shape)
        return Gaussian.standard_like(torch.zeros(shape, device=self.device))

    def sample_top(self, n: int, *, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Draw z_L (n, *shape) from its prior: what ``sample`` draws first."""
        return self._ancestor(self.top_prior(n), self.n_layers, n, noise, temperature)[0]

    def pictures_of(self, index: int, z: Tensor) -> Tensor | None:
        """The images (n, C, H, W) in [0, 1] that z_index (n, *shape) stands for.

        None where the layer is no picture of anything, as most are.
        """
        return None

    def prior_images(self) -> tuple[Tensor, Gaussian] | None:
        """Learned images (K, C, H, W) in [0, 1] whose q(z_L | u_k) (K, *shape) make up p(z_L).

        None where the prior is not made of images.
        """
        return None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def _check_levels(self, ks: Sequence[int]) -> None:
        if any(not 0 <= k < self.n_levels for k in ks):
            raise ValueError(f"k must lie in 0..{self.n_levels - 1}, not {list(ks)}")

    def _draws(self, noise: Noise, samples: int, x: Tensor) -> Draw:
        """Standard normal numbers by name, drawn once: shared by all k that ask for the same."""
        known: dict[str, Tensor] = {}

        def draw(role: str, index: int) -> Tensor:
            name = f"{role}{index}"
            if name not in known:
                shape = self.latents[index - 1].shape
                known[name] = noise.normal(name, samples, x.shape[0], shape).to(x.device)
            return known[name]

        return draw

    def _ancestor(self, p: Prior, index: int, n: int, noise: Noise, temperature: float) -> Tensor:
        """Draw z_i (1, n, *shape) from its prior; the component of a mixture by a name of its own.

        The temperature scales the spread of the Gaussian, not the choice of the component.
        """
        if isinstance(p, GaussianMixture):
            p = p.component(noise.uniform(f"c{index}", 1, n, ()).to(self.device))
        eps = noise.normal(f"p{index}", 1, n, self.latents[index - 1].shape)
        return p.sample(eps.to(self.device), temperature)

    def _heat(self, temperature: float | Sequence[float]) -> list[float]:
        """One temperature a layer, z_1 first."""
        if isinstance(temperature, float | int):
            return [float(temperature)] * self.n_layers
        return list(temperature)


class ConfiguredVAE(HierarchicalVAE):
    """Layers, levels and images as ``config`` names them."""

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        """The layers from z_1 to z_L, each with its level."""
        config = self.config
        named = zip(config.latent_names, config.latent_shapes, config.levels, strict=True)
        return tuple(LatentSpec(n, i, s, level) for i, (n, s, level) in enumerate(named, start=1))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        return self.config.image_shape

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Binarise for a Bernoulli likelihood, dequantise for a density."""
        return prepare_pixels(self.config.likelihood, x, noise)
