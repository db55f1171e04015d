"""Statistics of training images under a checkpoint, which some scores compare with; kept as arrays.

They rest on the training split alone: neither on validation images, by which thresholds are
placed, nor on test images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.errors import DataError
from hvae_core.common.npz import read_npz
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.worlds import World
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.evaluation.lookup import RESULTS
from hvae_core.evaluation.sets import Described, Sets
from hvae_core.scores.material import ClassGaussians, Reference
from hvae_core.scores.with_reference import fit_gaussians

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint

FILE = "reference.npz"
KIND = "references"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A reference with the checkpoint (digest) and the settings it was made with."""

    checkpoint: str
    settings: EvalSettings
    reference: Reference


def fit_reference(training: Evaluation) -> Fitted:
    """Mean of -L, and Gaussians of the classes at every layer whose latents are kept.

    ``training`` is the evaluation of images of the training split.
    """
    layers = tuple(
        fit_gaussians(z, training.labels) if z.shape[1] else None for z in training.latents
    )
    mean = float(-training.table.bound[:, 0].mean())
    return Fitted(training.checkpoint, training.settings, Reference(mean, layers, len(training)))


def reference_key(checkpoint: str, pixels: str, settings: EvalSettings) -> str:
    """The key under which the cache keeps what was fitted to training images of that digest."""
    return fingerprint.digest("reference-2", checkpoint, pixels, settings)


def pack_reference(fitted: Fitted) -> dict[str, np.ndarray]:
    """As plain arrays for an ``.npz`` file, float32."""
    reference = fitted.reference
    about = {
        "checkpoint": fitted.checkpoint,
        "settings": asdict(fitted.settings),
        "mean": reference.mean,
        "images": reference.images,
        "layers": [layer is not None for layer in reference.layers],
    }
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for i, layer in enumerate(reference.layers, start=1):
        if layer is not None:
            arrays[f"means{i}"] = layer.means.astype(np.float32)
            arrays[f"precision{i}"] = layer.precision.astype(np.float32)
    return arrays


def unpack_reference(arrays: Mapping[str, np.ndarray]) -> Fitted:
    """Read back what ``pack_reference`` wrote."""
    about = json.loads(arrays["about"].tobytes())
    layers = tuple(
        ClassGaussians(
            *(arrays[f"{name}{i}"].astype(np.float64) for name in ("means", "precision"))
        )
        if kept
        else None
        for i, kept in enumerate(about["layers"], start=1)
    )
    reference = Reference(about["mean"], layers, about["images"])
    return Fitted(about["checkpoint"], EvalSettings(**about["settings"]), reference)


def lookup_reference(checkpoint: Described, sets: Sets, settings: EvalSettings) -> Reference | None:
    """Statistics of the world's training images, shipped or cached, or None: computes nothing."""
    shipped = _shipped_reference(checkpoint, settings)
    if shipped is not None:
        return shipped
    name = training_set(sets.world)
    if name is None or not sets.available(name):
        return None
    pixels = sets.identity(checkpoint, name).digest
    fitted = cache.peek(KIND, reference_key(checkpoint.digest, pixels, settings), unpack_reference)
    return None if fitted is None else fitted.reference


def reference_of(
    checkpoint: Checkpoint, sets: Sets, settings: EvalSettings, *, progress: Progress = silent
) -> Reference:
    """As ``lookup_reference``, but fitted now where it is not at hand.

    Raises ``DataError`` where the world has no training split, ``MissingImages`` where it is not
    on this machine.
    """
    known = lookup_reference(checkpoint, sets, settings)
    if known is not None:
        return known
    name = training_set(sets.world)
    if name is None:
        raise DataError(
            f"{sets.world.title} has no training set to fit a reference to; use a world that has "
            "one."
        )
    images = sets.images(checkpoint, name)
    return reference_to(checkpoint, images, settings, progress=progress)


def reference_to(
    checkpoint: Checkpoint, images: ImageSet, settings: EvalSettings, *, progress: Progress = silent
) -> Reference:
    """Statistics of these training images, at the model's shape, from the cache or fitted now."""
    from hvae_core.evaluation.compute import evaluate

    def fit() -> Fitted:
        model, digest = checkpoint.model, checkpoint.digest
        return fit_reference(evaluate(model, digest, images, settings=settings, progress=progress))

    key = reference_key(checkpoint.digest, images.digest, settings)
    return cache.kept(KIND, key, fit, pack=pack_reference, unpack=unpack_reference).reference


def training_set(world: World) -> str | None:
    """The name of the world's training set, or None."""
    return next((spec.name for spec in world.with_role("train")), None)


def store_reference(checkpoint: Checkpoint, sets: Sets, progress: Progress = silent) -> Path:
    """Fit the reference of a shipped checkpoint and write it to the project's stored results."""
    settings = EvalSettings()
    reference = reference_of(checkpoint, sets, settings, progress=progress)
    path = RESULTS / checkpoint.name / FILE
    fitted = Fitted(checkpoint.digest, settings, reference)
    cache.write_npz(path, pack_reference(fitted), compressed=True)
    return path


def _shipped_reference(checkpoint: Described, settings: EvalSettings) -> Reference | None:
    """What ships with a checkpoint's results, or None if it is of others."""
    path = RESULTS / Path(checkpoint.name).name / FILE
    if not path.is_file():
        return None
    fitted = _read(path, path.stat().st_mtime_ns)
    same = (fitted.checkpoint, fitted.settings) == (checkpoint.digest, settings)
    return fitted.reference if same else None


@lru_cache(maxsize=64)
def _read(path: Path, modified: int) -> Fitted:
    return unpack_reference(read_npz(path))
