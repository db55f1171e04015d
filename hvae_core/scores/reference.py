"""Statistics of training images under a checkpoint, which some scores compare with; kept as arrays.

They rest on the training split alone: neither on validation images, by which thresholds are
placed, nor on test images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hvae_core.common import cache
from hvae_core.evaluation.evaluation import EvalSettings, Evaluation
from hvae_core.scores.base import ClassGaussians, Reference
from hvae_core.scores.with_reference import fit_gaussians

FILE = "reference.npz"


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


def reference_key(checkpoint: str, digest: str, settings: EvalSettings) -> str:
    """The key under which the cache keeps what was fitted to training images of that digest."""
    return cache.digest("reference-1", checkpoint, digest, settings)


def pack_reference(fitted: Fitted) -> dict[str, np.ndarray]:
    """As plain arrays for an ``.npz`` file, float32."""
    known = fitted.reference
    about = {
        "checkpoint": fitted.checkpoint,
        "settings": asdict(fitted.settings),
        "mean": known.mean,
        "images": known.images,
        "layers": [layer is not None for layer in known.layers],
    }
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for i, layer in enumerate(known.layers, start=1):
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


def shipped_reference(folder: Path, checkpoint: str, settings: EvalSettings) -> Reference | None:
    """What ships with a checkpoint's results, or None if it is of others."""
    path = folder / FILE
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        fitted = unpack_reference(dict(file))
    same = (fitted.checkpoint, fitted.settings) == (checkpoint, settings)
    return fitted.reference if same else None


def cached_reference(key: str) -> Reference | None:
    """What was fitted before, or None: computes nothing."""
    arrays = cache.load("references", key)
    return None if arrays is None else unpack_reference(arrays).reference
