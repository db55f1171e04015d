"""Images of several sets as the points of one layer, row by row, with what is said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hvae_core.evaluation.evaluation import Evaluation, class_of


@dataclass(frozen=True, eq=False)
class LayerPoints:
    """N images in one layer, sorted by set.

    ``latents`` (N, units) float32 are E[z | x]; ``sets`` (N,) count the sets from 0; ``numbers``
    (N,) are those of images within their sets; ``classes[i]`` is the name of a class or "",
    ``files[i]`` the file that an image came from or "".
    """

    latents: np.ndarray
    sets: np.ndarray
    numbers: np.ndarray
    classes: tuple[str, ...]
    files: tuple[str, ...]


def layer_points(
    means: Sequence[np.ndarray], evaluations: Sequence[Evaluation], count: int
) -> LayerPoints:
    """The first ``count`` images of each set, of which ``means`` has the posterior means."""
    parts = [latents[:count] for latents in means]
    sizes = [len(part) for part in parts]
    known = list(zip(evaluations, sizes, strict=True))
    return LayerPoints(
        np.concatenate(parts).astype(np.float32),
        sets=np.repeat(np.arange(len(sizes)), sizes),
        numbers=np.concatenate([np.arange(size) for size in sizes]),
        classes=tuple(class_of(found, i) for found, size in known for i in range(size)),
        files=tuple(file for found, size in known for file in _files(found, size)),
    )


def _files(found: Evaluation, size: int) -> Sequence[str]:
    return found.files[:size] or [""] * size
