"""The bits of an image after lossless compression (Serra et al. 2020)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hvae_core.data.image_set import to_picture


@dataclass(frozen=True)
class ComplexitySettings:
    """PNG, optimised, and lossless WebP; ``formats`` are Pillow's names."""

    formats: tuple[str, ...] = ("PNG", "WEBP")


_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "quality": 100, "method": 4, "exact": True},
}


def compressed_bits(
    _model: None, pixels: np.ndarray, _digests: Sequence[int], settings: ComplexitySettings
) -> np.ndarray:
    """Bits of the smaller file of each uint8 image (B, C, H, W), headers included, (B,).

    A header is the same for every image: it moves all scores alike and no AUROC. For Bernoulli
    likelihoods -log2 p is of binary draws and the file of grey levels, so their difference is a
    score, not a code length.
    """
    return np.array(
        [min(_bits(image, kind) for kind in settings.formats) for image in pixels], dtype=np.float64
    )


def _bits(image: np.ndarray, kind: str) -> int:
    buffer = io.BytesIO()
    to_picture(image).save(buffer, kind, **_OPTIONS[kind])
    return 8 * buffer.tell()
