"""L_<l of images for every l (HVK App. E), averaged over draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hvae_core.common.noise import ImageNoise
from hvae_core.models import HierarchicalVAE, prepared
from hvae_core.scores.measures.settings import LowerSettings


def lower_bounds(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: LowerSettings
) -> np.ndarray:
    """L_<l in nats of uint8 images (B, C, H, W) for l = 1 .. K+1, (B, K+1); the last is the ELBO.

    The draws that q makes are those of an evaluation with the same seed.
    """
    ls = range(1, model.n_levels + 2)
    total = np.zeros((len(pixels), len(ls)))
    with torch.inference_mode():
        x = prepared(model, pixels, digests, seed=settings.seed)
        for sample in range(settings.samples):
            noise = ImageNoise(digests, settings.seed, sample)
            bounds = torch.stack(model.lower(x, ls, noise=noise), 1)  # (B, K+1)
            total += bounds.cpu().numpy()
    return total / settings.samples
