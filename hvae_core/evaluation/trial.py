"""A model tried on a few images: what it gives for them, and whether two answers are the same."""

from __future__ import annotations

import torch
from torch import Tensor

from hvae_core.common.noise import ImageNoise
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.bounds import log_weights
from hvae_core.models import HierarchicalVAE, Trace, prepared


class Trial:
    """A model with images, and its bounds of them under one seed."""

    def __init__(self, model: HierarchicalVAE, images: ImageSet, seed: int) -> None:
        self.model, self.images, self.seed = model, images, seed

    @property
    def half(self) -> bool:
        """Whether weights are in half precision, which rounds to three digits."""
        return any(w.is_floating_point() and w.itemsize < 4 for w in self.model.parameters())

    def same(self, a: Tensor, b: Tensor) -> bool:
        """Equal but for rounding, in nats."""
        loose = {"rtol": 1e-2, "atol": 0.5} if self.half else {"rtol": 1e-5, "atol": 2e-3}
        return torch.allclose(a, b, **loose, equal_nan=True)

    def close(self, a: Tensor, b: Tensor) -> bool:
        """Equal but for rounding, in the unit of pixels and units."""
        loose = {"rtol": 1e-2, "atol": 1e-2} if self.half else {"rtol": 1e-4, "atol": 1e-5}
        return torch.allclose(a, b, **loose, equal_nan=True)

    @property
    def names(self) -> str:
        """The layers with their shapes, z_1 first."""
        return ", ".join(f"{z.name} {'x'.join(map(str, z.shape))}" for z in self.model.latents)

    def x(self, images: ImageSet | None = None) -> Tensor:
        """The images (B, C, H, W) as the model takes them."""
        images = images or self.images
        return prepared(self.model, images.images, images.image_digests(), seed=self.seed)

    def traces(
        self, images: ImageSet | None = None, *, samples: int = 2, of: HierarchicalVAE | None = None
    ) -> list[Trace]:
        """A trace of the images for every k."""
        images, model = images or self.images, of or self.model
        noise = ImageNoise(images.image_digests(), self.seed)
        ks = range(model.n_levels)
        return model.traces(self.x(images), ks, noise=noise, samples=samples, skipped="sample")

    def weights(self, images: ImageSet | None = None, of: HierarchicalVAE | None = None) -> Tensor:
        """log weights (K, S, B) of the images."""
        return torch.stack([log_weights(trace) for trace in self.traces(images, of=of)])
