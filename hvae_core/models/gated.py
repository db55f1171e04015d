"""Stages of gated residual paths: the way down of the families of the project biva-pytorch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hvae_core.common.noise import Noise, StreamNoise
from hvae_core.config.gated import GatedConfig
from hvae_core.config.paths import Act, Map
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import Bernoulli, ColourMixture, Gaussian, Likelihood
from hvae_core.models.distributions.colour_mixture import NUMBERS
from hvae_core.models.distributions.gaussian import widened
from hvae_core.models.layers.paths import ACTS, FromUnits, Path, SameConv, ToNumbers
from hvae_core.models.layers.residual import data_dependent_init, fold

ACT: Act = "elu"
_LOG_VARIANCES = {"softplus": ACTS["softplus"], "tanh": torch.tanh, "identity": lambda raw: raw}


class GatedStages(ConfiguredVAE):
    """The way down: stages of gated blocks that read those of the stage above."""

    config: GatedConfig
    raw_top: Tensor

    def __init__(self, config: GatedConfig) -> None:
        super().__init__()
        self.config = config
        self.build_up()
        self.down = nn.ModuleList(Path(plans, ACT) for plans in config.downs)
        self.to_p = self.numbers(config.ends[1:])
        self.from_down = nn.ModuleList(
            FromUnits(parts * stage.latent.dim, h, dense=stage.latent.kind == "dense")
            for stage, parts, h in zip(config.stages, config.parts, config.features, strict=True)
        )
        top = config.z_shapes[-1]
        self.register_buffer("raw_top", torch.zeros(2 * top[0], *top[1:]))
        binary = config.likelihood == "bernoulli"
        outputs = config.image_shape[0] if binary else NUMBERS * config.components
        self.to_x = SameConv(config.ends[0][0], outputs, 1)

    @abstractmethod
    def build_up(self) -> None:
        """Register the modules of inference, before those of the generative path."""

    def numbers(self, maps: Sequence[Map]) -> nn.ModuleList:
        """The layers that give mean and log-variance of z_1, z_2, .. from these feature maps."""
        config = self.config
        return nn.ModuleList(
            ToNumbers(features, shape, act=ACT, kernel=stage.latent.kernel)
            for stage, shape, features in zip(config.stages, config.z_shapes, maps, strict=False)
        )

    def upward(self) -> nn.ModuleList:
        """The layers that bring z_1 .. z_{L-1} to the stage above on the way up."""
        config = self.config
        return nn.ModuleList(
            FromUnits(stage.latent.dim, h, dense=stage.latent.kind == "dense")
            for stage, h in zip(config.stages[:-1], config.features[:-1], strict=True)
        )

    def gaussian(self, layers: nn.ModuleList, i: int, h: Tensor) -> Gaussian:
        """N(mean, exp(log-variance)) of a latent of stage i (from 0) from its features."""
        mean, raw = layers[i](h)
        log_variance = _LOG_VARIANCES[self.config.log_variance](widened(raw))
        return Gaussian(widened(mean), (log_variance / 2).exp())

    def pixels(self, x: Tensor) -> Tensor:
        """What the first stage reads of prepared images: [-1, 1] where they are grey levels."""
        return x if self.config.likelihood == "bernoulli" else 2 * x - 1

    def descend(self, i: int, z: Tensor, above: Sequence[Tensor]) -> list[Tensor]:
        """What the blocks of stage i (from 0) give on the way down; the last are its features."""
        path: Any = self.down[i]
        outputs: list[Tensor] = path.outputs(self.from_down[i](z), above)
        return outputs

    def picture(self, d: Tensor) -> Likelihood:
        """p(x | z) from the features of the lowest stage."""
        raw = widened(fold(lambda t: self.to_x(ACTS[ACT](t)), d))
        if self.config.likelihood == "bernoulli":
            return Bernoulli(raw)
        return ColourMixture.from_raw(raw)

    def top_prior(self, batch: int) -> Gaussian:
        """p(z_L) of B images: N(0, I), kept in the file as mean and log-variance."""
        mean, log_variance = self.raw_top.chunk(2)
        shape = (1, batch, *mean.shape)
        return Gaussian(mean.expand(shape), (log_variance / 2).exp().expand(shape))

    def divergence(self, q: Any, p: Any, log_ratio: Tensor) -> Tensor:
        """log q - log p of the draw, at every layer."""
        return log_ratio

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Black and white for a Bernoulli likelihood, split at the middle grey; else grey levels.

        The project's binary images are fixed, so nothing is drawn.
        """
        return (x >= 0.5).to(x.dtype) if self.config.likelihood == "bernoulli" else x

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Data-dependent initialisation of weight-normalised layers on one batch (B, C, H, W)."""
        noise = StreamNoise(torch.Generator().manual_seed(seed))
        data_dependent_init(self, lambda: self.trace(self.prepare(x, noise), noise=noise))
