"""Long work by name, for worker processes: each function can be imported and takes ``progress``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hvae_core import cache
from hvae_core.checkpoint import load_checkpoint
from hvae_core.data import ImageSet, worlds
from hvae_core.evaluated import EvalSettings
from hvae_core.evaluation import evaluate, posterior_means
from hvae_core.progress import Progress, silent


def evaluate_sets(
    path: str, sets: Sequence[ImageSet], settings: EvalSettings, *, progress: Progress = silent
) -> None:
    """Evaluate sets under a checkpoint file (HVK Eq. 5); the results are left in the cache."""
    checkpoint = load_checkpoint(path)
    for done, images in enumerate(sets):

        def report(fraction: float, message: str, done: int = done) -> None:
            progress((done + fraction) / len(sets), message)

        fitted = images.fit(checkpoint.model.image_shape)
        evaluate(checkpoint.model, checkpoint.digest, fitted, settings, progress=report)


def latents_key(checkpoint: str, images: ImageSet, seed: int) -> str:
    """The digest under which the posterior means of a set are kept."""
    return cache.digest("latents-1", checkpoint, images.digest, seed)


def stored_latents(checkpoint: str, images: ImageSet, seed: int) -> list[np.ndarray] | None:
    """Posterior means of every layer from the cache, z_1 first, or None: computes nothing."""
    arrays = cache.load("latents", latents_key(checkpoint, images, seed))
    if arrays is None:
        return None
    return [arrays[f"z{i}"] for i in range(1, len(arrays) + 1)]


def latents_of_sets(
    path: str, sets: Sequence[ImageSet], seed: int, *, progress: Progress = silent
) -> None:
    """E[z_i | x] of every layer of sets under a checkpoint file, by one draw; left in the cache."""
    checkpoint = load_checkpoint(path)
    for done, images in enumerate(sets):

        def report(fraction: float, message: str, done: int = done) -> None:
            progress((done + fraction) / len(sets), message)

        fitted = images.fit(checkpoint.model.image_shape)
        key = latents_key(checkpoint.digest, fitted, seed)
        if cache.entry_path("latents", key).exists():
            continue
        means = posterior_means(checkpoint.model, fitted, seed, progress=report)
        cache.store("latents", key, {f"z{i}": mean for i, mean in enumerate(means, start=1)})


def download_set(world: str, set_name: str, *, progress: Progress = silent) -> Path:
    """Fetch the images of a world's set from the hub into the data folder."""
    return worlds()[world].download(set_name, progress)
