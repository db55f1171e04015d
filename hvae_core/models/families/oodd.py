"""The VAE of the project hvae-oodd (Havtorn et al. 2021), as its checkpoints have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.noise import Noise, StreamNoise
from hvae_core.config.families.oodd import OoddConfig
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import Bernoulli, ColourMixture, Gaussian, Likelihood, positive
from hvae_core.models.distributions.gaussian import widened
from hvae_core.models.inference.bottom_up import BottomUpVAE
from hvae_core.models.inference.memory import remembered
from hvae_core.models.layers.paths import ACTS, FromUnits, Path, SameConv, ToNumbers
from hvae_core.models.layers.residual import data_dependent_init, fold
from hvae_core.models.pixels import COMPONENTS, binarise, dequantise

_LEAST_STD = 1e-6


@final
class OoddVAE(ConfiguredVAE, BottomUpVAE):
    """Up: h_i from z_{i-1} (x for i = 1) and h_{i-1}; down: d_i from z_i and the blocks of d_{i+1}.

    q(z_i | z_<i, x) reads h_i, p(z_i | z_>i) reads d_{i+1}, p(x | z) reads d_1. h_{i-1} counts only
    where its shape differs from that of a block of stage i: in the usual networks q(z_i | .) reads
    z_{i-1} alone. KL terms are log q - log p of the draw, at the top too, as in the project.
    """

    config: OoddConfig
    raw_top: Tensor

    def __init__(self, config: OoddConfig) -> None:
        super().__init__()
        self.config = config
        act, top = config.act, len(config.stages) - 1
        layers = list(zip(config.stages, config.latent_shapes, config.features, strict=True))
        self.up = nn.ModuleList(Path(plans, act) for plans in config.ups)
        self.to_q = nn.ModuleList(
            ToNumbers(h, shape, act=act, kernel=stage.latent.kernel, normed=stage.latent.normed)
            for stage, shape, h in layers
        )
        self.from_q = nn.ModuleList(
            FromUnits(stage.latent.dim, h, dense=stage.latent.kind == "dense")
            for stage, _, h in layers[:-1]
        )
        self.down = nn.ModuleList(Path(plans, act) for plans in config.downs)
        ends = [plans[-1].output for plans in config.downs]  # d_i, from its stage
        self.to_p = nn.ModuleList(
            ToNumbers(
                ends[i + 1], shape, act=act, kernel=stage.latent.kernel, normed=stage.latent.normed
            )
            for i, (stage, shape, _) in enumerate(layers[:top])
        )
        self.from_p = nn.ModuleList(
            FromUnits(stage.latent.dim, h, dense=stage.latent.kind == "dense")
            for stage, _, h in layers
        )
        raw_top = torch.zeros(2 * config.latent_shapes[-1][0], *config.latent_shapes[-1][1:])
        if config.learned_top:
            self.raw_top = nn.Parameter(raw_top)
        else:
            self.register_buffer("raw_top", raw_top)
        binary = config.likelihood == "bernoulli"
        self.to_x = SameConv(
            ends[0][0],
            config.image_shape[0] if binary else 10 * COMPONENTS,
            3 if binary else 1,
            normed=config.stages[-1].blocks[-1].normed,
        )

    # --- up: q(z | x) --------------------------------------------------------------------------

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_<i, x) from h_i; scales are a softplus, at least 1e-6."""
        return _gaussian(*self.to_q[index - 1](self._up(index, x, below[: index - 1])))

    def _up(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Tensor:
        """h_index, from x and z_1 .. z_{index-1}."""

        def compute() -> Tensor:
            path: Any = self.up[index - 1]
            inputs = self.from_q[index - 2](below[-1]) if below else self._padded(x)
            reads = bool(below) and path.reads_skips
            h: Tensor = path(inputs, self._up(index - 1, x, below[:-1]) if reads else None)
            return h

        return remembered((id(self), "up", index), (x, *below), compute)

    def _first_read(self, index: int) -> int:
        """The lowest stage, from 0, that h_index depends on beside what is given."""
        first = index - 1
        while first > 0 and self.up[first].reads_skips:
            first -= 1
        return first

    @property
    def reach(self) -> int:
        """How many layers below z_i q(z_i | .) reads at most."""
        return max(index - self._first_read(index) for index in range(1, self.n_layers + 1))

    def _padded(self, x: Tensor) -> Tensor:
        """Zeros around images (1, B, C, H, W), as many on each side."""
        height, width = self.config.padded_size
        y, z = (height - x.shape[-2]) // 2, (width - x.shape[-1]) // 2
        return F.pad(x, (z, z, y, y)) if y or z else x

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up, and what brings latents to it."""
        modules = (self.up, self.to_q, self.from_q)
        return chain.from_iterable(module.parameters() for module in modules)

    # --- down: p(z), p(x | z) ------------------------------------------------------------------

    def top_prior(self, batch: int) -> Gaussian:
        """p(z_L) of B images: N(0, I), or the learned Gaussian."""
        mean, scale = self.raw_top.chunk(2)
        shape = (1, batch, *mean.shape)
        return _gaussian(mean.expand(shape), scale.expand(shape))

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_>i) from d_{i+1}."""
        return _gaussian(*self.to_p[index - 1](self._down(index, above)[-1]))

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z) from d_1, cut to the image."""
        d = self._down(0, z)[-1]
        _, height, width = self.config.image_shape
        y, left = (d.shape[-2] - height) // 2, (d.shape[-1] - width) // 2
        d = d[..., y : y + height, left : left + width]
        if self.config.likelihood == "bernoulli":
            act = ACTS[self.config.act]
            return Bernoulli(widened(fold(lambda t: self.to_x(act(t)), d)))
        # The mixture's convolution reads d as it is, without the activation.
        return ColourMixture.from_raw(widened(fold(self.to_x, d)))

    def _down(self, index: int, above: Sequence[Tensor]) -> list[Tensor]:
        """What the blocks of the stage above z_index give: the last is d_{index+1}."""

        def compute() -> list[Tensor]:
            path: Any = self.down[index]
            reads = len(above) > 1 and path.reads_skips
            skips = self._down(index + 1, above[1:]) if reads else []
            outputs: list[Tensor] = path.outputs(self.from_p[index](above[0]), skips)
            return outputs

        return remembered((id(self), "down", index), above, compute)

    # --- what the project does its own way -----------------------------------------------------

    def divergence(self, q: Gaussian, p: Gaussian, log_ratio: Tensor) -> Tensor:
        """log q - log p of the draw, at every layer."""
        return log_ratio

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Binary draws for a Bernoulli likelihood; else (v + u) / 256 of grey levels v = 0..255."""
        if self.config.likelihood == "bernoulli":
            return binarise(x, noise)
        return dequantise(x, noise)

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Data-dependent initialisation of weight-normalised layers on one batch (B, C, H, W)."""
        noise = StreamNoise(torch.Generator().manual_seed(seed))
        data_dependent_init(self, lambda: self.trace(self.prepare(x, noise), noise=noise))


def _gaussian(mean: Tensor, raw: Tensor) -> Gaussian:
    """N(mean, std^2), std a softplus with beta = ln 2 that is at least 1e-6."""
    return Gaussian(widened(mean), positive(widened(raw)).clamp_min(_LEAST_STD))
