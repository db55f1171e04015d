"""Long work by name, for worker processes: each function can be imported and takes ``progress``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hvae_core.checkpoint import Checkpoint, load_checkpoint
from hvae_core.common import cache
from hvae_core.common.progress import Progress, part, silent
from hvae_core.data import ImageSet, worlds
from hvae_core.data.image_set import Pixels
from hvae_core.evaluation.compute import evaluate, posterior_means
from hvae_core.evaluation.evaluation import EvalSettings, latents_key, stored_latents
from hvae_core.probes.attack import attacked
from hvae_core.probes.attack_record import Attacks, AttackSettings
from hvae_core.probes.compression import Compression, compressed
from hvae_core.probes.information import Information, measure_information
from hvae_core.probes.layer_likeness import (
    Likeness,
    likeness,
    likeness_key,
    store_likeness,
    stored_likeness,
)


def evaluate_sets(
    path: str, sets: Sequence[ImageSet], settings: EvalSettings, *, progress: Progress = silent
) -> None:
    """Evaluate sets under a checkpoint file (HVK Eq. 5); the results are left in the cache."""
    checkpoint = load_checkpoint(path)
    for done, images in enumerate(sets):
        fitted = images.fit(checkpoint.model.image_shape)
        evaluate(
            checkpoint.model,
            checkpoint.digest,
            fitted,
            settings,
            progress=part(progress, done, len(sets)),
        )


def latents_of_sets(
    path: str, sets: Sequence[ImageSet], seed: int, *, progress: Progress = silent
) -> None:
    """E[z_i | x] of every layer of sets under a checkpoint file, by one draw; left in the cache."""
    checkpoint = load_checkpoint(path)
    for done, images in enumerate(sets):
        fitted = images.fit(checkpoint.model.image_shape)
        if not cache.entry_path("latents", latents_key(checkpoint.digest, fitted, seed)).exists():
            _encoded(checkpoint, fitted, seed, part(progress, done, len(sets)))


def _encoded(
    checkpoint: Checkpoint, images: ImageSet, seed: int, progress: Progress
) -> list[np.ndarray]:
    """E[z_i | x] of every layer, left in the cache too."""
    means = posterior_means(checkpoint.model, images, seed, progress=progress)
    key = latents_key(checkpoint.digest, images, seed)
    cache.store("latents", key, {f"z{i}": mean for i, mean in enumerate(means, start=1)})
    return means


def information_of(
    path: str, images: ImageSet, seed: int, *, progress: Progress = silent
) -> Information:
    """I_q(x; z_>k) and the KL of units (INF App. A.1) of a set; also left in the cache."""
    checkpoint = load_checkpoint(path)
    fitted = images.fit(checkpoint.model.image_shape)
    return measure_information(checkpoint.model, checkpoint.digest, fitted, seed, progress=progress)


def likeness_of_sets(
    path_a: str, path_b: str, sets: Sequence[ImageSet], seed: int, *, progress: Progress = silent
) -> list[Likeness]:
    """Every layer of A against every one of B on each set (HVK Fig. 2); also left in the cache."""
    models = [load_checkpoint(path) for path in (path_a, path_b)]
    found = []
    for done, images in enumerate(sets):
        whole = part(progress, done, len(sets))
        fitted = [images.fit(one.model.image_shape) for one in models]
        digests = (models[0].digest, models[1].digest)
        key = likeness_key(digests, (fitted[0], fitted[1]), seed)
        known = stored_likeness(key)
        if known is None:
            a, b = (
                stored_latents(one.digest, pixels, seed)
                or _encoded(one, pixels, seed, part(whole, which, 3))
                for which, (one, pixels) in enumerate(zip(models, fitted, strict=True))
            )
            known = likeness(a, b, seed, progress=part(whole, 2, 3))
            store_likeness(key, known)
        found.append(known)
    return found


def compress_picture(
    path: str, picture: Pixels, seed: int, *, progress: Progress = silent
) -> Compression:
    """A picture rebuilt from the upper layers, beside JPEG (DCT App. G); also left in the cache."""
    checkpoint = load_checkpoint(path)
    return compressed(checkpoint.model, checkpoint.digest, picture, seed, progress=progress)


def attack_images(
    path: str, images: ImageSet, settings: AttackSettings, *, progress: Progress = silent
) -> Attacks:
    """Attacks on the upper layers of a set's images (DCT App. H); also left in the cache."""
    checkpoint = load_checkpoint(path)
    fitted = images.fit(checkpoint.model.image_shape)
    return attacked(checkpoint.model, checkpoint.digest, fitted, settings, progress=progress)


def measure_sets(
    path: str,
    world: str,
    names: Sequence[str],
    sets: Sequence[ImageSet],
    first: int | None = None,
    *,
    progress: Progress = silent,
) -> None:
    """Measures of sets by name, under a checkpoint file or what a world has; left in the cache.

    ``first`` leaves out all images of a set but the first.
    """
    from hvae_core.scores.classifier.ensemble import world_ensemble
    from hvae_core.scores.measures import MEASURES, compute

    checkpoint = load_checkpoint(path)
    models: dict[str, tuple[Any, str]] = {"": (None, "")}
    models["checkpoint"] = (checkpoint.model, checkpoint.digest)
    classifiers = world_ensemble(world)
    if classifiers is not None:
        models["classifier"] = (classifiers, classifiers.digest)
    work = [(name, images) for name in names for images in sets]
    for done, (name, images) in enumerate(work):
        measure = MEASURES[name]
        fitted = images.fit(checkpoint.model.image_shape)
        compute(
            measure,
            *models[measure.of],
            fitted,
            first=first,
            progress=part(progress, done, len(work)),
        )


def fit_reference_to(path: str, images: ImageSet, *, progress: Progress = silent) -> None:
    """Statistics of training images under a checkpoint file; left in the cache."""
    from hvae_core.scores.reference import fit_reference, pack_reference, reference_key

    checkpoint, settings = load_checkpoint(path), EvalSettings()
    fitted = images.fit(checkpoint.model.image_shape)
    found = evaluate(checkpoint.model, checkpoint.digest, fitted, settings, progress=progress)
    key = reference_key(checkpoint.digest, fitted.digest, settings)
    cache.store("references", key, pack_reference(fit_reference(found)))


def download_set(world: str, set_name: str, *, progress: Progress = silent) -> Path:
    """Fetch the images of a world's set from the hub into the data folder."""
    return worlds()[world].download(set_name, progress)
