"""The bottom-up hierarchical VAE of HVK (3.2, Figure 4, App. B.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import final

from torch import Tensor, nn

from hvae_core.config import HVAEConfig
from hvae_core.models.distributions import Gaussian
from hvae_core.models.families.layered import SkipVAE
from hvae_core.models.inference.bottom_up import BottomUpVAE
from hvae_core.models.layers.residual import FromLatent, ToLatent, fold


@final
class HVAE(SkipVAE, BottomUpVAE):
    """Bottom-up inference with skips from z_{i-2}, top-down generation with skips from z_{i+2}."""

    config: HVAEConfig

    def build_up(self) -> None:
        """Stage i reads z_{i-1} and, as a skip, z_{i-2}, both brought to sizes[i-1]; z_0 = x."""
        config = self.config
        c, sizes, shapes = config.channels, config.stage_sizes, config.latent_shapes
        inputs = [(config.image_shape[0] * config.stem**2, *sizes[0]), *shapes]
        length = len(shapes)
        self.up_in = nn.ModuleList(FromLatent(inputs[i], c, sizes[i]) for i in range(length))
        self.up_skip = nn.ModuleList(
            FromLatent(inputs[i - 1], c, sizes[i]) for i in range(1, length) if self.skips_up
        )
        self.up = nn.ModuleList(self.stage(i, sizes[i + 1]) for i in range(length))
        self.to_q = nn.ModuleList(ToLatent(c, sizes[i + 1], shapes[i]) for i in range(length))

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the stages of the way up."""
        modules = (self.up_in, self.up_skip, self.up, self.to_q)
        return chain.from_iterable(module.parameters() for module in modules)

    @property
    def reach(self) -> int:
        """q(z_i | z_{i-1}, z_{i-2}), or q(z_i | z_{i-1}) without skips."""
        return 2 if self.skips_up else 1

    @property
    def skips_up(self) -> bool:
        """Whether the way up has skips."""
        return self.config.up_skips == "latent"

    def posterior(self, index: int, x: Tensor, below: Sequence[Tensor]) -> Gaussian:
        """q(z_i | z_{i-1}, z_{i-2}), where z_0 = x (HVK 3.2)."""
        inputs = [self.fold_pixels(x), *below]
        h = fold(self.up_in[index - 1], inputs[index - 1])
        if self.skips_up and index >= 2:
            h = h + fold(self.up_skip[index - 2], inputs[index - 2])
        raw = fold(lambda t: self.to_q[index - 1](self.up[index - 1](t)), h)
        return Gaussian.from_raw(raw, dim=2)

    def top_posterior(self, u: Tensor) -> Gaussian:
        """q(z_L | u) at the end of the chain of posterior means."""
        return self.chain_of_means(u)[-1]

    def prior(self, index: int, above: Sequence[Tensor]) -> Gaussian:
        """p(z_i | z_{i+1}, z_{i+2}) (HVK 3.2), or p(z_i | z_>i) with skips of features."""
        return self.prior_given(index, above)
