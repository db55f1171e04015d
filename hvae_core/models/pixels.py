"""From a network's output to p(x | z), and from grey levels to what p(x | z) is a density of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.config import LikelihoodName
from hvae_core.distributions import Bernoulli, DiscretisedLogistic, Likelihood
from hvae_core.nn.blocks import fold
from hvae_core.noise import Noise

_PARAMETERS = {"bernoulli": 1, "discretised_logistic": 2}
"""Parameters of the likelihood a colour value."""


def binarise(x: Tensor, noise: Noise) -> Tensor:
    """Binary pixels drawn with the grey levels (B, C, H, W) as probabilities, anew each time."""
    draw = noise.uniform("x", 1, x.shape[0], x.shape[1:])[0].to(x.device)
    return (draw < x).to(x.dtype)


class PixelHead(nn.Module):
    """Likelihood of (S, B, C, H, W) images from raw numbers (S, B, raw_channels, h, w).

    ``stem`` x ``stem`` squares of pixels are unfolded from channels.
    """

    def __init__(self, kind: LikelihoodName, colours: int, stem: int = 1) -> None:
        super().__init__()
        self.kind = kind
        self.stem = stem
        self.raw_channels = colours * stem**2 * _PARAMETERS[kind]

    def forward(self, raw: Tensor) -> Likelihood:
        """p(x | z) with the parameters that a network gave."""
        parts = [
            fold(lambda t: F.pixel_shuffle(t, self.stem), part)
            for part in raw.chunk(_PARAMETERS[self.kind], 2)
        ]
        if self.kind == "bernoulli":
            return Bernoulli(parts[0])
        return DiscretisedLogistic.from_raw(torch.cat(parts, 2))
