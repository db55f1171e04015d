"""Posterior means of every layer of a set, which maps and comparisons of models read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data.image_set import ImageSet

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint

KIND = "latents"


def latents_key(checkpoint: str, images: ImageSet, seed: int) -> str:
    """The digest under which the posterior means of a set are kept."""
    return fingerprint.digest("latents-2", checkpoint, images.digest, seed)


def unpack(arrays: cache.Arrays) -> list[np.ndarray]:
    """Posterior means as the cache has them, z_1 first, (N, units) each."""
    return [arrays[f"z{i}"] for i in range(1, len(arrays) + 1)]


def stored_latents(checkpoint: str, images: ImageSet, seed: int) -> list[np.ndarray] | None:
    """Posterior means of every layer from the cache, z_1 first, or None: computes nothing."""
    return cache.kept(KIND, latents_key(checkpoint, images, seed), unpack=unpack)


def encoded(
    checkpoint: Checkpoint, images: ImageSet, seed: int, progress: Progress = silent
) -> list[np.ndarray]:
    """E[z_i | x] of every layer, by one draw of those it depends on, from the cache or computed."""
    from hvae_core.evaluation.compute import posterior_means

    return cache.kept(
        KIND,
        latents_key(checkpoint.digest, images, seed),
        lambda: posterior_means(checkpoint.model, images, seed, progress=progress),
        pack=lambda means: {f"z{i}": mean for i, mean in enumerate(means, start=1)},
        unpack=unpack,
    )


def latents_of_sets(
    path: str, sets: Sequence[ImageSet], seed: int, *, progress: Progress = silent
) -> None:
    """A job: ``encoded`` of sets under a checkpoint file, left in the cache."""
    from hvae_core.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    for done, images in enumerate(sets):
        fitted = images.fit(checkpoint.image_shape)
        encoded(checkpoint, fitted, seed, progress=part(progress, done, len(sets)))
