"""BIVA, the bidirectional-inference VAE (Maaloe et al. 2019; HVK App. B.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import final

import torch
from torch import Tensor, nn

from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.families.layered import LayeredVAE
from hvae_core.models.inference.both_ways import BidirectionalVAE
from hvae_core.models.layers.residual import FromLatent, ToLatent, conv, fold


@final
class BIVA(LayeredVAE, BidirectionalVAE):
    """Pairs (z_i^BU, z_i^TD) below a single z_L, joined by deterministic paths up and down.

    Up: d_i comes from d_{i-1} and z_{i-1}^BU, d_0 being the image. Down: h_i, the features that
    p(z_i | z_>i) reads, comes from h_{i+1} and both parts of z_{i+1}, concatenated. The posterior
    of z_i^TD reads h_i and d_i, side by side. Features and a latent's map are added, as in the
    HVAE here; the papers leave it open. ``skip=False`` cuts both deterministic paths: d_i comes
    then from z_{i-1}^BU alone, h_i from z_{i+1} alone.
    """

    def build_up(self) -> None:
        """Stage i makes d_i, and from it z_i^BU, from z_{i-1}^BU (x for i = 1) and d_{i-1}."""
        config = self.config
        c, sizes, shapes = config.channels, config.stage_sizes, self._shapes
        length = len(shapes)
        inputs = [(config.image_shape[0] * config.stem**2, *sizes[0]), *shapes]
        self.up_in = nn.ModuleList(FromLatent(inputs[i], c, sizes[i]) for i in range(length))
        self.up = nn.ModuleList(self.stage(i, sizes[i + 1]) for i in range(length))
        self.to_up = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length - 1))
        self.merge = nn.ModuleList(conv(2 * c, c, 3) for _ in range(length - 1))
        self.to_down = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length))

    def build_down(self) -> None:
        """Stage i makes the features of z_i (of x for i = 0) from z_{i+1} and those above."""
        config = self.config
        c, sizes, shapes = config.channels, config.stage_sizes, self._shapes
        length = len(shapes)
        joint = [(2 * shape[0], *shape[1:]) for shape in shapes[:-1]]
        inputs = [*joint, shapes[-1]]
        self.down_in = nn.ModuleList(FromLatent(inputs[i], c, sizes[i + 1]) for i in range(length))
        self.down = nn.ModuleList(self.stage(i, sizes[i]) for i in range(length))
        self.to_p = nn.ModuleList(ToLatent(c, sizes[i + 1], joint[i]) for i in range(length - 1))

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up, and what merges it with the way down."""
        modules = (self.up_in, self.up, self.to_up, self.merge, self.to_down)
        return chain.from_iterable(module.parameters() for module in modules)

    @property
    def _shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of one part of z_1 .. z_L."""
        return self.config.part_shapes

    def enter(self, x: Tensor) -> Tensor:
        """The image in place of a feature map, at the first stage's width."""
        return fold(self.up_in[0], self.fold_pixels(x))

    def features(self, level: int, state: Tensor) -> Tensor:
        """d_i by its stage of residual blocks."""
        return fold(self.up[level - 1], state)

    def posterior_up(self, level: int, d: Tensor) -> Gaussian:
        """q(z_i^BU | d_i)."""
        return Gaussian.from_raw(fold(self.to_up[level - 1], d), dim=2)

    def rise(self, level: int, d: Tensor, z: Tensor) -> Tensor:
        """What the next stage reads: z_i^BU, and d_i."""
        h = fold(self.up_in[level], z)
        return h + d if self.config.skip else h

    def top_posterior(self, u: Tensor) -> Gaussian:
        """q(z_L | u) where every z_i^BU passes its mean up."""
        return self.top_by_means(u)

    def start(self, batch: int) -> None:
        """Nothing is above z_L."""

    def priors(self, level: int, state: Tensor) -> tuple[Gaussian, Gaussian]:
        """p(z_i^BU | h_i) and p(z_i^TD | h_i), halves of one Gaussian."""
        p = Gaussian.from_raw(fold(self.to_p[level - 1], state), dim=2)
        (m_up, m_down), (s_up, s_down) = p.mean.chunk(2, 2), p.std.chunk(2, 2)
        return Gaussian(m_up, s_up), Gaussian(m_down, s_down)

    def posterior_down(self, level: int, state: Tensor | None, d: Tensor) -> Gaussian:
        """q(z_i^TD | h_i, d_i), and q(z_L | d_L)."""
        if state is not None:
            samples = max(len(state), len(d))
            both = [t.expand(samples, *t.shape[1:]) for t in (state, d)]
            d = fold(self.merge[level - 1], torch.cat(both, 2))
        return Gaussian.from_raw(fold(self.to_down[level - 1], d), dim=2)

    def absorb(self, level: int, state: Tensor | None, parts: Sequence[Tensor]) -> Tensor:
        """h_{i-1} from both parts of z_i and h_i."""
        samples = max(map(len, parts))
        z = torch.cat([part.expand(samples, *part.shape[1:]) for part in parts], 2)
        h = fold(self.down_in[level - 1], z)
        if self.config.skip and state is not None:
            h = h + state
        return fold(self.down[level - 1], h)

    def emit(self, state: Tensor) -> Likelihood:
        """p(x | h_0)."""
        return self.picture(state)
