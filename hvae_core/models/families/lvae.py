"""The ladder VAE (Sonderby et al. 2016): inference follows the generative path and corrects it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, final

from torch import Tensor, nn

from hvae_core.models.distributions import Gaussian, Likelihood
from hvae_core.models.families.layered import SkipVAE
from hvae_core.models.inference.top_down import TopDownVAE
from hvae_core.models.layers.residual import FromLatent, ToLatent, fold
from hvae_core.models.priors.vamp import Prior


@final
class LVAE(SkipVAE, TopDownVAE):
    """A deterministic way up d_i(x); q(z_i | z_>i, x) is the product of N(d_i) and the prior.

    The top layer has no prior from above: q(z_L | x) = N(d_L). Skips are in the generative path
    alone, as in the HVAE; the state of the way down is the tuple z_i .. z_L.
    """

    def build_up(self) -> None:
        """Stage i refines d_{i-1}, d_0 being the image; each d_i gives a mean and a scale."""
        config = self.config
        c, sizes, shapes = config.channels, config.stage_sizes, config.latent_shapes
        pixels = (config.image_shape[0] * config.stem**2, *sizes[0])
        length = len(shapes)
        self.up_in = FromLatent(pixels, c, sizes[0])
        self.up = nn.ModuleList(self.stage(i, sizes[i + 1]) for i in range(length))
        self.to_q = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length))

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the way up."""
        modules = (self.up_in, self.up, self.to_q)
        return chain.from_iterable(module.parameters() for module in modules)

    def encode(self, x: Tensor) -> list[Gaussian]:
        """The bottom-up Gaussian of every layer, (1, B, *shape), z_1 first."""
        return [
            Gaussian.from_raw(fold(to_q, d), dim=2)
            for to_q, d in zip(self.to_q, self._climb(x), strict=True)
        ]

    def top_posterior(self, u: Tensor) -> Gaussian:
        """q(z_L | u), straight from the deterministic way up."""
        return Gaussian.from_raw(fold(self.to_q[-1], self._climb(u)[-1]), dim=2)

    def _climb(self, x: Tensor) -> list[Tensor]:
        """The features d_1 .. d_L of images (1, B, C, H, W)."""
        h = fold(self.up_in, self.fold_pixels(x))
        out = []
        for stage in self.up:
            h = fold(stage, h)
            out.append(h)
        return out

    def start(self, batch: int) -> tuple[int, tuple[Tensor, ...]]:
        """Nothing is above z_L but the number of images."""
        return batch, ()

    def prior(self, index: int, state: tuple[int, tuple[Tensor, ...]]) -> Prior:
        """p(z_i | z_{i+1}, z_{i+2}), and p(z_L) at the top."""
        batch, above = state
        return self.prior_given(index, above) if above else self.top_prior(batch)

    def posterior(
        self,
        index: int,
        state: tuple[int, tuple[Tensor, ...]],
        prior: Any,
        features: Sequence[Gaussian],
    ) -> Gaussian:
        """Precision-weighted product of the bottom-up Gaussian and the prior (Sonderby Eq. 6)."""
        upward = features[index - 1]
        return upward if not state[1] else precision_weighted(upward, prior)

    def absorb(
        self, index: int, state: tuple[int, tuple[Tensor, ...]], z: Tensor
    ) -> tuple[int, tuple[Tensor, ...]]:
        """Put z_i below the layers above it."""
        batch, above = state
        return batch, (z, *above)

    def emit(self, state: tuple[int, tuple[Tensor, ...]]) -> Likelihood:
        """p(x | z_1, z_2)."""
        return self.decode(state[1])


def precision_weighted(a: Gaussian, b: Gaussian) -> Gaussian:
    """The normalised product of two Gaussian densities: precisions add, means are weighted."""
    pa, pb = a.std**-2, b.std**-2
    return Gaussian((a.mean * pa + b.mean * pb) / (pa + pb), (pa + pb) ** -0.5)
