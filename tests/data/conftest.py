"""Small images of known content, in every kind of file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hvae_core.data import ImageSet
from hvae_core.data.readers.parquet import write_parquet

Encode = Callable[..., bytes]


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    """One (H, W) or (H, W, C) array as an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(name="encode")
def _encode() -> Encode:
    return encode


@pytest.fixture
def pictures() -> np.ndarray:
    """Twelve grey pictures (12, 9, 7) of random pixels, all different."""
    return np.random.default_rng(3).integers(0, 256, (12, 9, 7), dtype=np.uint8)


@pytest.fixture
def small_set(pictures: np.ndarray) -> ImageSet:
    return ImageSet(
        "small", "Small", pictures[:, None], labels=np.arange(12) % 3, class_names=("a", "b", "c")
    )


@pytest.fixture
def parquet_file(tmp_path: Path, pictures: np.ndarray) -> Path:
    path = tmp_path / "set" / "test.parquet"
    blobs = [encode(picture) for picture in pictures]
    labels = [index % 3 for index in range(12)]
    write_parquet(path, [(blobs[:8], labels[:8]), (blobs[8:], labels[8:])], ("a", "b", "c"))
    return path
