"""The one interface that pages, scores and training see: ``HierarchicalVAE``."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hvae_core.common.noise import Noise
from hvae_core.config import ModelConfig, level_starts
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.priors.vamp import GaussianMixture, Prior, divergence
from hvae_core.models.trace import (
    ANCESTRAL,
    Aggregate,
    Draw,
    LatentSpec,
    Posterior,
    Sampler,
    Skipped,
    Trace,
    Up,
)

Change = Callable[[int, Any], Any]
"""What becomes of the posterior of a layer (by its index), which is given as the model has it."""


class HierarchicalVAE(nn.Module, ABC):
    """A VAE with L stochastic layers z_1 (closest to the image) to z_L (the top)."""

    config: ModelConfig
    channels_last = True
    """Whether a copy for evaluation may hold its features channels last, which is quicker."""
    half_weights = False
    """Whether its layers' weights are read by these layers alone, and may be held in bfloat16."""

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

    def as_seen(self, x: Tensor) -> Tensor:
        """What the network takes of prepared images (B, C, H, W): of a family the images."""
        return x

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
        posteriors = self.posteriors(x, noise=noise, samples=samples, up=up)
        return tuple(q.mean.mean(0) for q in posteriors)

    def lower(self, x: Tensor, ls: Sequence[int], *, noise: Noise) -> list[Tensor]:
        """One-draw estimates of L_<l in nats, (B,) each, for every l of ``ls`` (HVK App. E).

        ``x`` (B, C, H, W) is prepared. Levels from the l-th up are drawn from the prior: at l = 1
        all are, at l = K+1 none, which gives the ELBO with the draws of ``trace``. Terms are
        divergences where these have a closed form, as in ``bounds.bound``.
        """
        if any(not 1 <= level <= self.n_levels + 1 for level in ls):
            raise ValueError(f"l must lie in 1..{self.n_levels + 1}, not {list(ls)}")
        ends = (*self.skips, self.n_layers)
        return self._lower(x, [ends[level - 1] for level in ls], noise)

    @abstractmethod
    def _lower(self, x: Tensor, reads: Sequence[int], noise: Noise) -> list[Tensor]:
        """L_<l where the lowest layers read the image, as many as each entry of ``reads`` says."""

    @abstractmethod
    def aggregate(self, x: Tensor, *, noise: Noise) -> Aggregate:
        """Draws of N prepared images (N, C, H, W), to be held against each of them (INF Eq. 12)."""

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

    def ancestors(
        self,
        n: int,
        *,
        noise: Noise,
        temperature: float | Sequence[float] = 1.0,
        given: Mapping[int, Tensor] | None = None,
    ) -> list[Tensor] | None:
        """Draw z_1 .. z_L (1, n, *shape) from p(z); None where the family gives p(x | z) alone."""
        return None

    def from_prior(self, x: Tensor, *, noise: Noise) -> dict[str, Tensor]:
        """What the prior gives, by name, while the model is shown images x (B, C, H, W).

        The same whatever they are, or the model is none. No family here looks at them.
        """
        return {"p(x | z)": self.sample(len(x), noise=noise).mean}

    def top_prior(self, batch: int) -> Prior:
        """p(z_L) for B images: N(0, I) unless the family has another."""
        shape = (1, batch, *self.latents[-1].shape)
        return Gaussian.standard_like(torch.zeros(shape, device=self.device))

    def divergence(self, q: Any, p: Any, log_ratio: Tensor) -> Tensor:
        """The KL term of a layer (S, B) in nats: in closed form where there is one.

        ``log_ratio`` is log q - log p of the draw, which stands elsewhere, and everywhere in
        families whose authors never take the closed form.
        """
        return divergence(q, p, log_ratio)

    def samplers(self, steps: Sequence[int]) -> list[tuple[str, Sampler | None]]:
        """The ways to draw z_L by name, those in steps with so many each: one for most models."""
        return [("prior", None)]

    def sample_top(
        self, n: int, *, noise: Noise, temperature: float = 1.0, sampler: Sampler = ANCESTRAL
    ) -> Tensor:
        """Draw z_L (n, *shape) from its prior: what ``sample`` draws first.

        The ``sampler`` is for priors that have several, see ``samplers``.
        """
        return self.draw_prior(
            self.top_prior(n), self.n_layers, n=n, noise=noise, temperature=temperature
        )[0]

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

    # --- what training and refitting may do ------------------------------------------------------

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Set the starting weights from one batch of grey levels, if the family does that."""

    def fit_to_data(self, batches: Iterable[Tensor], seed: int) -> None:
        """Take constants from all training images, batches of grey levels, if there are any."""

    def settle(self) -> None:
        """Compute once what depends on the weights alone, which change no more, if there is any."""

    def check_objective(self, objective: str) -> None:
        """Raise ``ConfigError`` where the model cannot be trained by an objective of that name."""

    @abstractmethod
    def inference_weights(self) -> Iterable[nn.Parameter]:
        """The weights of q(z | x): those on which neither p(z) nor p(x | z) depends."""

    def inference_parameters(self) -> dict[str, Tensor]:
        """``inference_weights`` by name, without gradients, in the order of the model."""
        own = {id(weight) for weight in self.inference_weights()}
        return {name: p.detach() for name, p in self.named_parameters() if id(p) in own}

    @property
    @abstractmethod
    def posterior_steps(self) -> Mapping[str, Callable[[int], int]]:
        """Methods that give a posterior, each with the layer's index from its first argument."""

    def with_posteriors(self, change: Change) -> HierarchicalVAE:
        """A view of the model whose posteriors are ``change``d; the model itself is left alone.

        Its p(z_L) stays what it is, as a VampPrior, made of posteriors, would not.
        """
        view: Any = copy.copy(self)
        fixed = self.top_prior(1)
        view.top_prior = lambda batch: fixed

        def changed(plain: Callable[..., Any], index_of: Callable[[int], int]) -> Any:
            return lambda step, *given: change(index_of(step), plain(step, *given))

        for name, index_of in self.posterior_steps.items():
            setattr(view, name, changed(getattr(view, name), index_of))
        model: HierarchicalVAE = view
        return model

    @property
    def source(self) -> str:
        """What the numbers depend on beside weights and configuration; nothing for a family."""
        return ""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def _check_levels(self, ks: Sequence[int]) -> None:
        if any(not 0 <= k < self.n_levels for k in ks):
            raise ValueError(f"k must lie in 0..{self.n_levels - 1}, not {list(ks)}")

    def draws(self, noise: Noise, samples: int, x: Tensor) -> Draw:
        """Standard normal numbers by name, drawn once: shared by all k that ask for the same."""
        drawn: dict[str, Tensor] = {}

        def draw(role: str, index: int) -> Tensor:
            name = f"{role}{index}"
            if name not in drawn:
                shape = self.latents[index - 1].shape
                drawn[name] = noise.normal(name, samples, x.shape[0], shape).to(x.device)
            return drawn[name]

        return draw

    def draw_prior(
        self, p: Prior, index: int, *, n: int, noise: Noise, temperature: float = 1.0
    ) -> Tensor:
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
