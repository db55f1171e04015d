"""What HVAE, LVAE and BIVA share: stages of residual blocks, pixels, the prior of the top layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.noise import StreamNoise
from hvae_core.config import LayeredConfig
from hvae_core.models.configured import ConfiguredVAE
from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.inference.memory import remembered
from hvae_core.models.layers.residual import (
    FromLatent,
    Stage,
    ToLatent,
    conv,
    data_dependent_init,
    fold,
)
from hvae_core.models.pixels import PixelHead
from hvae_core.models.priors.vamp import GaussianMixture, Prior, Pseudoinputs


class LayeredVAE(ConfiguredVAE):
    """Layers z_1 .. z_L, each with its stages of residual blocks on the way up and down.

    Sizes: ``stage_sizes[0]`` is the image after the stem, ``stage_sizes[i]`` that of z_i's stage.
    With ``pseudoinputs`` p(z_L) is a VampPrior (DVP Eq. 7), else N(0, I).
    """

    config: LayeredConfig

    def __init__(self, config: LayeredConfig) -> None:
        super().__init__()
        self.config = config
        self._settled: tuple[Tensor, Gaussian] | None = None
        self.build_up()
        self.build_down()
        self.pixels = PixelHead(config.likelihood, config.image_shape[0], config.stem)
        self.to_x = conv(config.channels, self.pixels.raw_channels, 3)
        if config.pseudoinputs:
            self.pseudoinputs = Pseudoinputs(config.pseudoinputs, config.image_shape)

    @abstractmethod
    def build_up(self) -> None:
        """Register the modules of inference, before those of the generative path."""

    @abstractmethod
    def build_down(self) -> None:
        """Register the modules of the generative path, down to the features of the image."""

    @abstractmethod
    def top_posterior(self, u: Tensor) -> Gaussian:
        """q(z_L | u) for images u (1, K, C, H, W), without a draw."""

    def top_prior(self, batch: int) -> Prior:
        """p(z_L): N(0, I), or (1/K) sum_k q(z_L | u_k) with learned u_k (DVP Eq. 7).

        Where q(z_L | u) goes through latents below, as in HVAE and BIVA, they pass their posterior
        means on. The divergence from the mixture has no closed form: it is sampled.
        """
        pictures = self.prior_images()
        if pictures is None:
            return super().top_prior(batch)
        _, q = pictures
        return GaussianMixture(q.mean, q.std)

    def prior_images(self) -> tuple[Tensor, Gaussian] | None:
        """The learned pseudoinputs u_k (K, C, H, W) and q(z_L | u_k) (K, *shape)."""
        if not self.config.pseudoinputs:
            return None
        if self._settled is not None:
            return self._settled
        u = self.pseudoinputs()
        q = self.top_posterior(u.unsqueeze(0))
        return u, Gaussian(q.mean[0], q.std[0])

    def settle(self) -> None:
        """Keep the posteriors of the pseudoinputs."""
        self._settled = self.prior_images()

    def stage(self, i: int, size: tuple[int, int]) -> Stage:
        """Residual blocks of latent i (from 0) that end at ``size``."""
        config, latent = self.config, self.config.latents[i]
        return Stage(
            channels=config.channels,
            kernel=latent.kernel,
            blocks=config.blocks,
            size=size,
            stride=latent.stride,
        )

    def fold_pixels(self, x: Tensor) -> Tensor:
        """Fold stem x stem squares of pixels into channels: (S, B, C, H, W)."""
        return fold(lambda image: F.pixel_unshuffle(image, self.config.stem), x)

    def picture(self, h: Tensor) -> Likelihood:
        """p(x | z) from the features (S, B, channels, h, w) at the end of the way down."""
        likelihood: Likelihood = self.pixels(fold(lambda t: self.to_x(F.relu(t)), h))
        return likelihood

    def init_from_data(self, x: Tensor, seed: int) -> None:
        """Data-dependent initialisation of weight-normalised layers on one batch (B, C, H, W).

        Pseudoinputs start at images of the batch.
        """
        noise = StreamNoise(torch.Generator().manual_seed(seed))
        if self.config.pseudoinputs:
            self.pseudoinputs.start_from(x, seed)

        def run() -> None:
            self.trace(self.prepare(x, noise), noise=noise)

        data_dependent_init(self, run)


class SkipVAE(LayeredVAE):
    """The generative path of HVAE and LVAE: z_i given z_{i+1} and z_{i+2} (HVK 3.2, Figure 4)."""

    def build_down(self) -> None:
        """Stage i makes z_i (x for i = 0) from z_{i+1} and, as a skip, what is above that."""
        config = self.config
        c, sizes, shapes = config.channels, config.stage_sizes, config.latent_shapes
        length = len(shapes)
        features = [(c, *size) for size in sizes[1:]]  # of the stages above
        skips = {"none": (), "latent": shapes[1:], "deterministic": features[:-1]}
        self.down_in = nn.ModuleList(FromLatent(shapes[i], c, sizes[i + 1]) for i in range(length))
        self.down_skip = nn.ModuleList(
            FromLatent(shape, c, sizes[i + 1]) for i, shape in enumerate(skips[config.down_skips])
        )
        self.down = nn.ModuleList(self.stage(i, sizes[i]) for i in range(length))
        self.to_p = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length - 1))

    def prior_given(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_{i+1}, z_{i+2}) for i < L (HVK 3.2)."""
        return Gaussian.from_raw(fold(self.to_p[index - 1], self._downwards(index, above)), dim=2)

    def decode(self, z: Sequence[Tensor]) -> Likelihood:
        """p(x | z_1, z_2) (HVK 3.2)."""
        return self.picture(self._downwards(0, z))

    def _downwards(self, index: int, above: Sequence[Tensor]) -> Tensor:
        """Features for z_index (0: the image) from z_{index+1} and the skip.

        That is from z_{index+2}, or of the features for z_{index+1}, which come from all above it.
        """

        def compute() -> Tensor:
            h = fold(self.down_in[index], above[0])
            kind = self.config.down_skips
            if kind == "latent" and len(above) > 1:
                h = h + fold(self.down_skip[index], above[1])
            elif kind == "deterministic" and len(above) > 1:
                h = h + fold(self.down_skip[index], F.relu(self._downwards(index + 1, above[1:])))
            return fold(self.down[index], h)

        if self.config.down_skips != "deterministic":
            return compute()
        return remembered((id(self), "down", index), above, compute)  # the stage below asks too
