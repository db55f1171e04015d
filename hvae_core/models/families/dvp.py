"""DVP-VAE: noisy pseudoinputs that condition every prior, with a diffusion prior (DVP 3, 4)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn

from hvae_core.config import DVPConfig, PseudoConfig
from hvae_core.config.context import LOG_VARIANCE
from hvae_core.models.distributions import Gaussian
from hvae_core.models.families.topped import ToppedVAE
from hvae_core.models.layers.bottleneck import resize
from hvae_core.models.layers.residual import fold
from hvae_core.models.priors import Transform, UPrior, prior_from_config, transform_from_config


@final
class DVPVAE(ToppedVAE):
    """VDVAE whose priors see a pseudoinput, which has a diffusion prior of its own (DVP 3, 4).

    u ~ r(u | x) = N(f(x), sigma^2 I), sigma learnable; p(z_i | z_>i, u) (DVP Eq. 9-14). Brought
    back to the image domain and pooled, u stands beside h_dec where the parameters of a prior are
    read, and nowhere else: neither q(z | x) nor p(x | z) depends on it (Eq. 10, 12). For that a
    block's prior gives no features to h_dec, as it does in the VDVAE and in the authors' code,
    unless the configuration has ``features_from_prior``.
    """

    def __init__(self, config: DVPConfig) -> None:
        super().__init__(config)
        start = math.log(self.pseudo.sigma)
        if self.pseudo.sigma_scope == "scalar":
            self.log_sigma = nn.Parameter(torch.full((), start))
        else:
            self.log_variance = nn.Parameter(torch.full(self.transform.shape, 2 * start))

    @property
    def pseudo(self) -> PseudoConfig:
        """What the configuration says of the pseudoinput."""
        assert self.config.pseudo is not None  # the configuration sees to that
        return self.config.pseudo

    def build_top(self) -> tuple[Transform, UPrior]:
        """f, and the prior that the configuration names."""
        transform = transform_from_config(self.pseudo, self.config.image_shape)
        return transform, prior_from_config(self.pseudo, transform.shape)

    def inference_weights(self) -> Iterable[nn.Parameter]:
        """Those of the VDVAE, and sigma; f is shared with the way down."""
        yield from super().inference_weights()
        yield self.log_sigma if self.pseudo.sigma_scope == "scalar" else self.log_variance

    def posterior_u(self, u: Tensor) -> Gaussian:
        """r(u | x) = N(f(x), sigma^2 I) (DVP Eq. 9)."""
        if self.pseudo.sigma_scope == "scalar":
            sigma = self.log_sigma.exp()
        else:
            sigma = (self.log_variance.clamp(*LOG_VARIANCE) / 2).exp()
        return Gaussian(u, sigma.expand_as(u))

    def prior_channels(self) -> int:
        """h_dec and the pseudoinput."""
        return self.config.channels + self.config.image_shape[0]

    def prior_inputs(self, index: int, h: Tensor, context: Tensor) -> Tensor:
        """h_dec with the pooled pseudoinput beside it (DVP 4.2)."""
        size = self.config.sizes[self.config.scale_of[index - 1]]
        small = fold(lambda image: resize(image, size), context)
        samples = max(h.shape[0], small.shape[0])
        parts = [part.expand(samples, *part.shape[1:]) for part in (h, small)]
        return torch.cat(parts, 2)
