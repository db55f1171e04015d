"""From a network's output to p(x | z), and from grey levels to what p(x | z) is a density of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.noise import ImageNoise, Noise
from hvae_core.config import AnyLikelihood, LikelihoodName
from hvae_core.models.distributions import (
    Bernoulli,
    DiscretisedLogistic,
    GaussianPixels,
    Likelihood,
    MixtureLogistic,
)
from hvae_core.models.distributions.gaussian import widened
from hvae_core.models.distributions.mixture import numbers_a_pixel
from hvae_core.models.distributions.normal import pixel_std
from hvae_core.models.layers.residual import fold

if TYPE_CHECKING:
    from hvae_core.models.base import HierarchicalVAE

COMPONENTS = 10
"""Components of the mixture of logistics, as in Salimans et al. 2017."""
FIXED_STD = 0.1
"""Standard deviation of ``gaussian_fixed``, of the grey range."""
CONTINUOUS = frozenset({"gaussian_fixed", "gaussian", "oversmooth"})
"""Likelihoods that are densities over dequantised grey levels."""


def prepared(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], *, seed: int = 0
) -> Tensor:
    """uint8 images (B, C, H, W) as what p(x | z) is a density of, on the model's device.

    What is drawn on the way (binary pixels, fractions of grey levels) comes from each image's own
    stream: the same as in an evaluation of that seed.
    """
    return prepared_by(model, pixels, ImageNoise(digests, seed))


def prepared_by(model: HierarchicalVAE, pixels: np.ndarray, noise: Noise) -> Tensor:
    """The same with what is drawn on the way taken from ``noise``, as of images seen again."""
    x = torch.from_numpy(np.array(pixels)).to(model.device).float() / 255
    return model.prepare(x, noise)


def prepare_pixels(kind: AnyLikelihood, x: Tensor, noise: Noise) -> Tensor:
    """Grey levels (B, C, H, W), multiples of 1/255, as the likelihood wants them.

    Binary draws for ``bernoulli``, dequantised for densities, as they are for discretised ones.
    """
    if kind == "bernoulli":
        return binarise(x, noise)
    return dequantise(x, noise) if kind in CONTINUOUS else x


def binarise(x: Tensor, noise: Noise) -> Tensor:
    """Binary pixels drawn with the grey levels (B, C, H, W) as probabilities, anew each time."""
    return (_uniform(x, noise) < x).to(x.dtype)


def dequantise(x: Tensor, noise: Noise) -> Tensor:
    """(255 x + u) / 256 in [0, 1) with fresh uniform u: each grey level becomes an interval.

    A density of 256 times these bounds the log-probability of the grey levels from below (Theis et
    al. 2016); a density of the levels themselves could grow without limit.
    """
    return (255 * x + _uniform(x, noise)) / 256


def _uniform(x: Tensor, noise: Noise) -> Tensor:
    return noise.uniform("x", 1, x.shape[0], x.shape[1:])[0].to(x.device)


class PixelHead(nn.Module):
    """Likelihood of (S, B, C, H, W) images from raw numbers (S, B, raw_channels, h, w).

    ``stem`` x ``stem`` squares of pixels are unfolded from channels. ``gaussian_fixed`` has
    the std ``FIXED_STD``. ``oversmooth`` learns one sigma_x for all pixels, "a one-dimensional
    parameter and updated according to the training objective", p(x|z) = N(mu_x(z), sigma_x^2 I)
    (INF App. J; Takida et al. 2022, who hold a sigma_x that is too large to blame for oversmooth
    decoders and collapse). The objective's gradient moves it here; Takida et al. put in the best
    sigma_x^2, the mean squared error, which is where the gradient is zero.
    """

    def __init__(self, kind: LikelihoodName, colours: int, stem: int = 1) -> None:
        super().__init__()
        self.kind = kind
        self.colours = colours
        self.stem = stem
        self.raw_channels = stem**2 * _numbers(kind, colours)
        if kind == "oversmooth":
            self.raw_sigma = nn.Parameter(torch.zeros(()))

    def forward(self, raw: Tensor) -> Likelihood:
        """p(x | z) with the parameters that a network gave."""
        # Every number of a pixel lies in stem^2 neighbouring channels: unfolding keeps their order.
        raw = widened(fold(lambda t: F.pixel_shuffle(t, self.stem), raw))
        if self.kind == "bernoulli":
            return Bernoulli(raw)
        if self.kind == "discretised_logistic":
            return DiscretisedLogistic.from_raw(raw)
        if self.kind == "mixture_logistic":
            return MixtureLogistic.from_raw(raw, COMPONENTS, self.colours)
        if self.kind == "gaussian":
            return GaussianPixels.from_raw(raw)
        learned = self.kind == "oversmooth"
        return GaussianPixels.from_raw(
            raw, pixel_std(self.raw_sigma) if learned else raw.new_full((), FIXED_STD)
        )


def _numbers(kind: LikelihoodName, colours: int) -> int:
    """Raw numbers of one pixel."""
    if kind == "mixture_logistic":
        return numbers_a_pixel(COMPONENTS, colours)
    return colours * (2 if kind in ("gaussian", "discretised_logistic") else 1)
