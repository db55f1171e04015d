"""What a measure is: one or more numbers an image, under a model or none, streamed and cached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.evaluation.parts import kept_in_parts

Function = Callable[[Any, np.ndarray, Sequence[int], Any], np.ndarray]
"""(model or None, pixels (B, C, H, W) uint8, digests, settings) -> (B,) or (B, m)."""

PART_IMAGES = 100
_SLOW_SECONDS = 300.0
"""Measures above this come in smaller parts, so that progress is seen and little is lost."""
KIND = "measures"
"""Where the cache keeps them."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure: ``settings`` is a frozen dataclass of all it depends on beside model and images.

    The result of an image must not depend on the others of its batch. ``seconds`` is about what
    1,000 images take on one core under a small model. ``of`` names the kind of model it reads: the
    checkpoint's own, another kind such as "classifier", or none ("").
    """

    name: str
    doing: str
    function: Function
    seconds: float
    settings: Any = None
    of: str = "checkpoint"


def stored(
    measure: Measure,
    checkpoint: str,
    digest: str,
    settings: Any = None,
    *,
    first: int | None = None,
) -> np.ndarray | None:
    """The finished measure of the images of a digest from the cache, or None."""
    key = measure_key(measure, checkpoint, digest, settings=settings, first=first)
    return cache.peek(KIND, key, _values)


def compute(
    measure: Measure,
    model: Any,
    checkpoint: str,
    images: ImageSet,
    settings: Any = None,
    *,
    first: int | None = None,
    progress: Progress = silent,
) -> np.ndarray:
    """The measure of every image, (N,) or (N, m) float64, from the cache or computed.

    ``checkpoint`` is the digest of the model's weights; ``first`` leaves out all images but the
    first. Raises ``DataError`` if the images do not have the model's shape.
    """
    images.require(model.image_shape if measure.of else None)

    def part(rows: ImageSet, report: Callable[[float], None]) -> cache.Arrays:
        digests = rows.image_digests()
        values = measure.function(model, rows.images, digests, settings or measure.settings)
        report(1.0)
        return {"values": np.asarray(values, dtype=np.float64)}

    return kept_in_parts(
        KIND,
        measure_key(measure, checkpoint, images.digest, settings=settings, first=first),
        images if first is None else images.take(first),
        compute=part,
        join=lambda parts: {"values": np.concatenate([arrays["values"] for arrays in parts])},
        unpack=_values,
        size=PART_IMAGES if measure.seconds < _SLOW_SECONDS else PART_IMAGES // 10,
        progress=progress,
    )


def _values(arrays: cache.Arrays) -> np.ndarray:
    return arrays["values"]


def measure_key(
    measure: Measure,
    checkpoint: str,
    digest: str,
    *,
    settings: Any = None,
    first: int | None = None,
) -> str:
    """The digest under which the cache keeps a measure of the images of a digest."""
    of = checkpoint if measure.of else ""
    return fingerprint.digest(
        "measure-3", measure.name, of, digest, first, settings or measure.settings
    )
