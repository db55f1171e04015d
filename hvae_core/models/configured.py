"""What every family here takes from its configuration: layers, levels, images, pixels."""

from __future__ import annotations

from torch import Tensor

from hvae_core.common.noise import Noise
from hvae_core.models.base import HierarchicalVAE
from hvae_core.models.pixels import prepare_pixels
from hvae_core.models.trace import LatentSpec


class ConfiguredVAE(HierarchicalVAE):
    """Layers, levels and images as ``config`` names them."""

    half_weights = True

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        """The layers from z_1 to z_L, each with its level."""
        config = self.config
        named = zip(config.latent_names, config.latent_shapes, config.levels, strict=True)
        return tuple(
            LatentSpec(name=n, index=i, shape=s, group=level)
            for i, (n, s, level) in enumerate(named, start=1)
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        return self.config.image_shape

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Binarise for a Bernoulli likelihood, dequantise for a density."""
        return prepare_pixels(self.config.likelihood, x, noise)
