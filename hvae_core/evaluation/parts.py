"""Long computations over images in parts: each is kept on disk as soon as it is done.

An interrupted computation continues where it stopped, and memory stays flat however many images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hvae_core.common import cache
from hvae_core.common.progress import Progress
from hvae_core.data.image_set import ImageSet

Arrays = Mapping[str, np.ndarray]


def in_parts(
    key: str,
    images: ImageSet,
    compute: Callable[[ImageSet, Callable[[float], None]], Arrays],
    *,
    size: int,
    progress: Progress,
) -> list[Arrays]:
    """``compute(part, report)`` of every ``size`` images in turn, from the cache where it is.

    ``key`` is the digest of the whole; ``report`` takes the share of the part that is done.
    """
    parts = []
    for start, part_key in _keys(key, len(images), size):
        arrays: Arrays | None = cache.load("parts", part_key)
        if arrays is None:
            chosen = images.take(range(start, min(start + size, len(images))))

            def report(done: float, start: int = start, count: int = len(chosen)) -> None:
                progress((start + done * count) / len(images), images.title)

            arrays = compute(chosen, report)
            cache.store("parts", part_key, arrays)
        parts.append(arrays)
    return parts


def keep(kind: str, key: str, arrays: Arrays, images: ImageSet, *, size: int) -> None:
    """Store the whole under its key; once that is safe, its parts are dropped."""
    if cache.store(kind, key, arrays):
        for _, part_key in _keys(key, len(images), size):
            cache.entry_path("parts", part_key).unlink(missing_ok=True)


def _keys(key: str, count: int, size: int) -> list[tuple[int, str]]:
    """Where each part begins, and its key."""
    return [(start, cache.digest(key, "part-4", start, size)) for start in range(0, count, size)]
