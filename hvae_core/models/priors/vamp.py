"""The VampPrior (Tomczak and Welling 2018; DVP 2.2, Eq. 7): p(z_L) as a mixture of posteriors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hvae_core.models.distributions import Gaussian

_CHUNK = 2**24  # numbers of one table of draws against components
_SPREAD = 0.05  # of the noise on the training images that pseudoinputs start from
_EDGE = 0.05  # pseudoinputs start this far from black and white, where the sigmoid is flat


@dataclass(frozen=True)
class GaussianMixture:
    """(1/K) sum_k N(mean_k, std_k^2), equal weights; ``mean`` and ``std`` are (K, *shape)."""

    mean: Tensor
    std: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats of z (S, B, *shape), by logsumexp over the components, (S, B)."""
        flat = z.flatten(2).flatten(0, 1)  # (S B, units)
        components = Gaussian(self.mean.flatten(1)[None], self.std.flatten(1)[None])
        # Many draws at once would make a table (S B, K, units) that does not fit in memory.
        rows = max(1, _CHUNK // components.mean.numel())
        parts = [components.log_prob(part[:, None]).logsumexp(1) for part in flat.split(rows)]
        return (torch.cat(parts) - math.log(len(self.mean))).unflatten(0, z.shape[:2])

    def component(self, u: Tensor) -> Gaussian:
        """The component that each of the uniform numbers u (S, B) in [0, 1) picks."""
        k = (u * len(self.mean)).long().clamp_max(len(self.mean) - 1)
        return Gaussian(self.mean[k], self.std[k])


Prior = Gaussian | GaussianMixture
"""What a top layer may have as p(z_L)."""


def divergence(q: Gaussian, p: Prior, log_ratio: Tensor) -> Tensor:
    """KL(q || p): in closed form for a Gaussian p, else log q - log p of the draw (nats)."""
    return q.kl(p) if isinstance(p, Gaussian) else log_ratio


class Pseudoinputs(nn.Module):
    """K learnable images u_k, kept in (0, 1) by a sigmoid."""

    def __init__(self, number: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(number, *image_shape))

    def forward(self) -> Tensor:
        """The images, (K, C, H, W)."""
        return torch.sigmoid(self.logits)

    @torch.no_grad()
    def start_from(self, x: Tensor, seed: int) -> None:
        """Start at training images (B, C, H, W) with a little noise, in turn where K > B."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(self.logits.shape, generator=generator)
        order = torch.randperm(len(x), generator=generator)
        picks = order[torch.arange(len(self.logits)) % len(x)]
        u = x[picks.to(x.device)] + _SPREAD * noise.to(x.device)
        self.logits.copy_(torch.logit(u.clamp(_EDGE, 1 - _EDGE)))
