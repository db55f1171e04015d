"""What a model says of its layers and of a batch: ``LatentSpec``, ``Trace``, ``Aggregate``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor

from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.distributions.delta import Delta

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


class Drawn(NamedTuple):
    """One layer on the way of k = 0: q(z_i | .), p(z_i | .) and the draw z_i (S, B, *shape)."""

    q: Any
    p: Any
    z: Tensor


@dataclass(frozen=True)
class Trace:
    """All terms of L_>k for a batch of B images and S samples (HVK Eq. 5).

    ``k`` counts skipped levels, ``skip`` the layers in them (the same but in deep families).
    ``log_px`` (S, B); ``log_q``, ``log_p``, ``kl`` (L, S, B), zero at skipped layers, where q is p;
    ``kl`` is analytic where a closed form exists and log q - log p of the draw elsewhere.
    ``z`` holds the posterior mean of each layer (1 or S, B, ...), None where the layer is skipped.
    All in nats. ``drawn`` has every layer at k = 0, for terms by unit; it is empty at other k, and
    of models whose layers are not ours to take apart.
    """

    k: int
    skip: int
    log_px: Tensor
    log_q: Tensor
    log_p: Tensor
    kl: Tensor
    z: tuple[Tensor | None, ...]
    likelihood: Likelihood
    drawn: tuple[Drawn, ...] = ()


class Conditional(NamedTuple):
    """q(z_i | .) and p(z_i | .) of one layer at the draw of an image, (1, N, *shape) each.

    At a top layer p may be a mixture or a prior over u, and q certain of one value.
    """

    q: Any
    p: Any


class Aggregate(ABC):
    """One draw z_>k ~ q(z_>k | x) of each of N images, for every k, and its density given others.

    ``log_p`` (K, N) is log p(z_>k) of the draws in nats; ``conditionals`` those of z_1 .. z_L along
    the way of k = 0.
    """

    log_p: Tensor
    conditionals: tuple[Conditional, ...]

    @abstractmethod
    def log_q(self, x: Tensor) -> Tensor:
        """log q(z_>k | x) in nats (K, N) of all draws, for one prepared image (1, C, H, W)."""


@dataclass(frozen=True)
class Sampler:
    """How a diffusion prior draws u: ``steps`` (all of training's if None), and whether by DDIM."""

    steps: int | None = None
    deterministic: bool = False


ANCESTRAL = Sampler()
