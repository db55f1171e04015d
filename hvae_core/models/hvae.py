"""The bottom-up hierarchical VAE of HVK (3.2, Figure 4, App. B.1), readable top to bottom."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.config import HVAEConfig
from hvae_core.distributions import Bernoulli, DiscretisedLogistic, Gaussian, Likelihood
from hvae_core.models.base import LatentSpec
from hvae_core.models.bottomup import BottomUpVAE
from hvae_core.nn.blocks import FromLatent, Stage, ToLatent, conv, data_dependent_init, fold
from hvae_core.noise import Noise, StreamNoise


class HVAE(BottomUpVAE):
    """Bottom-up inference with skips from z_{i-2}, top-down generation with skips from z_{i+2}.

    Sizes: ``stage_sizes[0]`` is the image after the stem, ``stage_sizes[i]`` that of z_i's stage.
    """

    def __init__(self, config: HVAEConfig) -> None:
        super().__init__()
        self.config = config
        c, sizes, shapes = config.channels, config.stage_sizes, config.latent_shapes
        pixels = config.image_shape[0] * config.stem**2
        inputs = [(pixels, *sizes[0]), *shapes]  # z_0 = x
        length = len(shapes)

        def stage(i: int, size: tuple[int, int]) -> Stage:
            latent = config.latents[i]
            return Stage(c, latent.kernel, config.blocks, size, latent.stride)

        # Way up: stage i reads z_{i-1} and, as a skip, z_{i-2}, both brought to sizes[i-1].
        self.up_in = nn.ModuleList(FromLatent(inputs[i], c, sizes[i]) for i in range(length))
        self.up_skip = nn.ModuleList(
            FromLatent(inputs[i - 1], c, sizes[i]) for i in range(1, length) if config.skip
        )
        self.up = nn.ModuleList(stage(i, sizes[i + 1]) for i in range(length))
        self.to_q = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length))

        # Way down: stage i makes z_i (x for i = 0) from z_{i+1} and, as a skip, z_{i+2}.
        self.down_in = nn.ModuleList(FromLatent(shapes[i], c, sizes[i + 1]) for i in range(length))
        self.down_skip = nn.ModuleList(
            FromLatent(shapes[i + 1], c, sizes[i + 1]) for i in range(length - 1) if config.skip
        )
        self.down = nn.ModuleList(stage(i, sizes[i]) for i in range(length))
        self.to_p = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length - 1))
        self.to_x = conv(c, pixels * (1 if config.likelihood == "bernoulli" else 2), 3)

    @property
    def latents(self) -> tuple[LatentSpec, ...]:
        """The layers from z_1 to z_L; each is a scale group of its own."""
        return tuple(
            LatentSpec(f"z{i}", i, shape, f"z{i}")
            for i, shape in enumerate(self.config.latent_shapes, start=1)
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        return self.config.image_shape

    def prepare(self, x: Tensor, noise: Noise) -> Tensor:
        """Draw binary pixels with the grey levels as probabilities, for a Bernoulli likelihood."""
        if self.config.likelihood != "bernoulli":
            return x
        draw = noise.uniform("x", 1, x.shape[0], x.shape[1:])[0].to(x.device)
        return (draw < x).to(x.dtype)

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_{i-1}, z_{i-2}), where z_0 = x (HVK 3.2)."""
        pixels = fold(lambda image: F.pixel_unshuffle(image, self.config.stem), x)
        inputs = [pixels, *below]
        h = fold(self.up_in[index - 1], inputs[index - 1])
        if self.config.skip and index >= 2:
            h = h + fold(self.up_skip[index - 2], inputs[index - 2])
        raw = fold(lambda t: self.to_q[index - 1](self.up[index - 1](t)), h)
        return Gaussian.from_raw(raw, dim=2)

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_{i+1}, z_{i+2}) (HVK 3.2)."""
        raw = fold(self.to_p[index - 1], self._downwards(index, above))
        return Gaussian.from_raw(raw, dim=2)

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z_1, z_2) (HVK 3.2)."""
        raw = fold(lambda t: self.to_x(F.relu(t)), self._downwards(0, z))
        if self.config.likelihood == "bernoulli":
            return Bernoulli(fold(lambda t: F.pixel_shuffle(t, self.config.stem), raw))
        parts = [fold(lambda t: F.pixel_shuffle(t, self.config.stem), p) for p in raw.chunk(2, 2)]
        return DiscretisedLogistic.from_raw(torch.cat(parts, 2))

    def _downwards(self, index: int, above: Sequence[Tensor]) -> Tensor:
        """Features for z_index (0: the image) from z_{index+1} and the skip from z_{index+2}."""
        h = fold(self.down_in[index], above[0])
        if self.config.skip and len(above) > 1:
            h = h + fold(self.down_skip[index], above[1])
        return fold(self.down[index], h)

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Data-dependent initialisation of weight-normalised layers on one batch (B, C, H, W)."""
        noise = StreamNoise(torch.Generator().manual_seed(seed))

        def run() -> None:
            self.trace(self.prepare(x, noise), noise=noise)

        data_dependent_init(self, run)
