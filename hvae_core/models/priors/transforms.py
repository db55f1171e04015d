"""f(x) and its inverse: what a pseudoinput or a context keeps of an image (DVP 3.2, DCT App. F).

Every transform maps images (N, C, H, W) to u (N, C, d, d), roughly within [-1, 1], and back.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hvae_core.common.arrays import Shape
from hvae_core.config import ContextConfig, PseudoConfig

_NOTHING = 1e-4  # a DCT value this small is rounding


def dct_matrix(size: int, like: Tensor) -> Tensor:
    """C with C[0,n] = sqrt(1/D), C[k,n] = sqrt(2/D) cos(pi/D (n + 1/2) k), orthonormal (DVP 3.2).

    (D, D), of the device and dtype of ``like``; made once, as it comes from the host.
    """
    return _dct_matrix(size, like.device, like.dtype)


@lru_cache(maxsize=64)
def _dct_matrix(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):  # else no gradient could pass through what is kept
        at = torch.arange(size, dtype=torch.float64, device="cpu")
        matrix = (math.pi / size * at[:, None] * (at + 0.5)).cos() * math.sqrt(2 / size)
        matrix[0] = math.sqrt(1 / size)
        return matrix.to(device, dtype)


def dct2(x: Tensor) -> Tensor:
    """Orthonormal DCT-II of the last two axes: C x C^T (DVP 3.2)."""
    return dct_matrix(x.shape[-2], x) @ x @ dct_matrix(x.shape[-1], x).mT


def idct2(u: Tensor) -> Tensor:
    """Inverse of ``dct2``: C^T u C (DVP Algorithm 2)."""
    return dct_matrix(u.shape[-2], u).mT @ u @ dct_matrix(u.shape[-1], u)


def quantise(u: Tensor, bins: int) -> Tensor:
    """The nearest of ``bins`` values evenly spread over [-1, 1], both ends included (DCT App. C).

    What lies beyond the ends goes to the end; elsewhere the error is at most 1 / (bins - 1). The
    gradient is that without rounding, so that an attack can see where a value would go.
    """
    inside = u.clamp(-1, 1)
    index = ((inside + 1) * ((bins - 1) / 2)).round()
    return index.detach() * (2 / (bins - 1)) - 1 + (inside - inside.detach())


class Transform(nn.Module, ABC):
    """f: images (N, C, H, W) to u (N, C, d, d); ``inverse`` brings u back to the image domain."""

    def __init__(self, image_shape: Shape, size: int) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.shape: Shape = (image_shape[0], size, size)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """f(x), (N, C, d, d)."""

    @abstractmethod
    def inverse(self, u: Tensor) -> Tensor:
        """The image that u stands for, (N, C, H, W)."""

    def fit(self, batches: Iterable[Tensor]) -> None:
        """Take what the transform must know of the training images, batches (N, C, H, W)."""


class DCTTransform(Transform):
    """Low frequencies, each divided by its largest size S over training data (DVP Alg. 1, 2)."""

    scale: Tensor

    def __init__(self, image_shape: Shape, size: int) -> None:
        super().__init__(image_shape, size)
        self.register_buffer("scale", torch.ones(self.shape))

    def forward(self, x: Tensor) -> Tensor:
        """DCT, crop to d x d, divide by S (DVP Algorithm 1)."""
        return self._low(x) / self.scale

    def inverse(self, u: Tensor) -> Tensor:
        """Multiply by S, pad with zeros, inverse DCT (DVP Algorithm 2)."""
        size = self.shape[-1]
        _, height, width = self.image_shape
        return idct2(F.pad(u * self.scale, (0, width - size, 0, height - size)))

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """S = max |DCT(x)| over all images (DVP 3.2); 1 for a frequency that no image has."""
        largest = torch.zeros_like(self.scale)
        for x in batches:
            largest = torch.maximum(largest, self._low(x.to(largest)).abs().amax(0))
        self.scale.copy_(torch.where(largest > _NOTHING, largest, 1.0))

    def _low(self, x: Tensor) -> Tensor:
        return dct2(x)[..., : self.shape[-2], : self.shape[-1]]


class Downsample(Transform):
    """Average pooling and nearest upsampling (DCT Algorithms 3, 4), grey range put on [-1, 1].

    Where d does not divide the side, neighbouring windows share pixels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Average pooling to d x d."""
        return 2 * F.adaptive_avg_pool2d(x, self.shape[1:]) - 1

    def inverse(self, u: Tensor) -> Tensor:
        """Nearest-neighbour upsampling."""
        return F.interpolate((u + 1) / 2, size=self.image_shape[1:], mode="nearest")


class LinearTransform(Transform):
    """A learnable linear map there, and another one back (DVP 6.3, Figure 6)."""

    def __init__(self, image_shape: Shape, size: int) -> None:
        super().__init__(image_shape, size)
        pixels, units = math.prod(image_shape), math.prod(self.shape)
        self.there = nn.Linear(pixels, units)
        self.back = nn.Linear(units, pixels)

    def forward(self, x: Tensor) -> Tensor:
        """W x + b."""
        out: Tensor = self.there(x.flatten(1))
        return out.unflatten(1, self.shape)

    def inverse(self, u: Tensor) -> Tensor:
        """W' u + b'."""
        out: Tensor = self.back(u.flatten(1))
        return out.unflatten(1, self.image_shape)


_TRANSFORMS: dict[str, type[Transform]] = {
    "dct": DCTTransform,
    "downsample": Downsample,
    "linear": LinearTransform,
}


def transform_from_config(config: PseudoConfig | ContextConfig, image_shape: Shape) -> Transform:
    """The transform f that a configuration names."""
    return _TRANSFORMS[config.transform](image_shape, config.size)
