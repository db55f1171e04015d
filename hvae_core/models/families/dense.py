"""A small dense HVAE: bottom-up inference as in HVK 3.2, without convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import final

import torch
from torch import Tensor, nn

from hvae_core.config.families.dense import DenseConfig
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import Bernoulli, Gaussian, GaussianPixels, Likelihood
from hvae_core.models.distributions.gaussian import widened
from hvae_core.models.inference.bottom_up import BottomUpVAE


@final
class DenseVAE(ConfiguredVAE, BottomUpVAE):
    """q(z_i | z_{i-1}, z_{i-2}) and p(z_i | z_{i+1}, z_{i+2}), z_0 being x (HVK 3.2).

    The second of each is read where there are skips. A conditional is one hidden layer with a leaky
    ReLU, or an affine map: with one layer of those and a Gaussian p(x | z) it is the linear VAE,
    whose optimum is probabilistic PCA (Lucas et al. 2019).
    """

    config: DenseConfig
    centre: Tensor
    """The mean training image (C, H, W): images are read, and Gaussian pixels told, from there."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("centre", torch.full(config.image_shape, 0.5))
        sizes = [math.prod(config.image_shape), *config.units]
        top = len(config.units)
        self.up = nn.ModuleList(
            self._map(sizes[i - 1] + self._skipped(sizes, i - 2), 2 * sizes[i])
            for i in range(1, top + 1)
        )
        self.down = nn.ModuleList(
            self._map(sizes[i + 1] + self._skipped(sizes, i + 2), (2 if i else 1) * sizes[i])
            for i in range(top)
        )

    def _map(self, inputs: int, outputs: int) -> nn.Module:
        hidden = self.config.hidden
        if not hidden:
            return nn.Linear(inputs, outputs)
        return nn.Sequential(
            nn.Linear(inputs, hidden), nn.LeakyReLU(0.01), nn.Linear(hidden, outputs)
        )

    def _skipped(self, sizes: Sequence[int], index: int) -> int:
        """Numbers that a skip adds from z_index, where there are skips and such a layer."""
        return sizes[index] if self.config.skip and 0 <= index < len(sizes) else 0

    @property
    def reach(self) -> int:
        """q(z_i | z_{i-1}, z_{i-2}), or q(z_i | z_{i-1}) without skips."""
        return 2 if self.config.skip else 1

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_{i-1}, z_{i-2}), where z_0 = x (HVK 3.2)."""
        near_last = [(x - self.centre).flatten(2), *below][:index]
        raw = self.up[index - 1](self._read(near_last[::-1]))
        return Gaussian.from_raw(raw, dim=2)

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_{i+1}, z_{i+2}) (HVK 3.2)."""
        return Gaussian.from_raw(self.down[index](self._read(above)), dim=2)

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z_1, z_2) (HVK 3.2)."""
        raw = widened(self.down[0](self._read(z))).unflatten(2, self.config.image_shape)
        if self.config.likelihood == "bernoulli":
            return Bernoulli(raw)
        return GaussianPixels(self.centre + 0.25 * raw, raw.new_full((), self.config.std))

    def _read(self, near_first: Sequence[Tensor]) -> Tensor:
        """The layer next to one, and the one behind it where there are skips, (S, B, numbers)."""
        read = near_first[: self.reach]
        if len(read) == 1:
            return read[0]
        samples = max(part.shape[0] for part in read)
        return torch.cat([part.expand(samples, -1, -1) for part in read], 2)

    def fit_to_data(self, batches: Iterable[Tensor], seed: int) -> None:
        """Take the mean image, of grey levels (B, C, H, W) as they are dequantised on average."""
        total, count = torch.zeros_like(self.centre), 0
        for x in batches:
            total, count = total + x.sum(0), count + len(x)
        self.centre.copy_((255 * total / max(count, 1) + 0.5) / 256)

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the maps upwards."""
        return chain.from_iterable(module.parameters() for module in self.up)
