"""DCT-VAE: a discrete context, a quantised transform of the image, on top (DCT App. C, E, F)."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from hvae_core.config import ContextConfig, DCTConfig
from hvae_core.models.distributions.delta import Delta
from hvae_core.models.families.topped import ToppedVAE
from hvae_core.models.layers.bottleneck import resize
from hvae_core.models.layers.residual import fold
from hvae_core.models.priors import Transform, UPrior, quantise, transform_from_config
from hvae_core.models.priors.diffusion_discrete import DiscreteDiffusion


@final
class DCTVAE(ToppedVAE):
    """VDVAE under a discrete context, a quantised transform of x (DCT App. C, E, F).

    As the context is a function of x, log q = 0 and its KL is -log p (DCT Eq. 13). Decoded to an
    image, pooled to each scale and read by a 1 x 1 convolution, it is added to the decoder's
    features at the start of the scale (DCT Figure 8): prior, posterior and image all see it.
    """

    def __init__(self, config: DCTConfig) -> None:
        super().__init__(config)
        colours = config.image_shape[0]
        self.from_context = nn.ModuleList(
            nn.Conv2d(colours, config.channels, 1) for _ in config.sizes
        )

    @property
    def context(self) -> ContextConfig:
        """What the configuration says of the context."""
        assert self.config.context is not None  # the configuration sees to that
        return self.config.context

    def build_top(self) -> tuple[Transform, UPrior]:
        """The transform that is quantised, and its discrete diffusion prior."""
        transform = transform_from_config(self.context, self.config.image_shape)
        return transform, DiscreteDiffusion(transform.shape, self.context)

    def posterior_u(self, u: Tensor) -> Delta:
        """The context itself, with certainty."""
        return Delta(quantise(u, self.context.bins))

    def enter_scale(self, scale: int, h: Tensor, context: Tensor) -> Tensor:
        """h_dec at the start of a scale, with the decoded context added."""
        h = super().enter_scale(scale, h, context)
        small = fold(lambda image: resize(image, self.config.sizes[scale]), context)
        return h + fold(self.from_context[scale], small)
