"""Mutated pixels: what a background model is trained on (Ren et al. 2019, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from hvae_core.noise import Noise


def mutate(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Grey levels (B, C, H, W) in [0, 1], each replaced by a uniform one of 256 at this rate.

    What images have in common at large is destroyed, and the background of plain pixels stays. A
    pixel of a colour image is replaced in all its channels or in none.
    """
    hit = noise.uniform("mutated", 1, len(x), (1, *x.shape[2:]))[0].to(x.device) < rate
    grey = noise.uniform("mutation", 1, len(x), x.shape[1:])[0].to(x.device)
    return torch.where(hit, (256 * grey).floor().clamp_max(255) / 255, x)
