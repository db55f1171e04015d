"""Where in a picture log p(x | z_>k) is lost: pixel by pixel, against what images lose usually."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike

from hvae_core.common import cache, fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import ModelError
from hvae_core.common.noise import ImageNoise
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.models import HierarchicalVAE, prepared

USUAL_IMAGES = 64
"""Held-out images whose mean map is smooth enough to compare with."""
_ROWS = 64
"""Images x samples that go through the model at once."""


def pixel_changes(
    model: HierarchicalVAE,
    pixels: np.ndarray,
    digests: Sequence[int],
    settings: EvalSettings,
) -> Floats:
    """log p(x_d | z_>k) - log p(x_d | z_>0) of every pixel d in nats, (N, K, H, W), k = 0 .. K-1.

    The mean over the samples, drawn as in an evaluation of these settings (HVK Eq. 5); zero at
    k = 0. Negative where the pixel is lost once the k lowest levels come from the prior. The
    channels of a pixel are summed; the pixels of an image sum to the difference of log p(x | z),
    which is nll_0 - nll_k of its table. ``pixels`` are uint8 (N, C, H, W).

    Raises ``ModelError`` where log p(x | z) is no sum over pixels, as in some networks of one's
    own.
    """
    at_once = max(1, _ROWS // settings.samples)
    parts = [
        _changes(model, pixels[start : start + at_once], digests[start : start + at_once], settings)
        for start in range(0, len(pixels), at_once)
    ]
    return np.concatenate(parts)


def _changes(
    model: HierarchicalVAE, pixels: np.ndarray, digests: Sequence[int], settings: EvalSettings
) -> Floats:
    with torch.inference_mode():
        x = prepared(model, pixels, digests, seed=settings.seed)
        traces = model.traces(
            x,
            range(model.n_levels),
            noise=ImageNoise(digests, settings.seed),
            samples=settings.samples,
            skipped=settings.skipped,
            up=settings.up,
        )
        maps = [trace.likelihood.pixels(x) for trace in traces]
        shape = (len(x), *model.image_shape[1:])
        if any(each is None or each.shape[1:] != shape for each in maps):
            raise ModelError(
                "This model's log p(x | z) is no sum over pixels, so there is no map of where it "
                "is lost."
            )
        found = torch.stack([each.double().mean(0) for each in maps if each is not None], 1)
        return np.asarray((found - found[:, :1]).cpu().numpy())


def mean_changes(
    model: HierarchicalVAE,
    pixels: np.ndarray,
    digests: Sequence[int],
    settings: EvalSettings,
    *,
    checkpoint: str,
) -> Floats:
    """The mean of ``pixel_changes`` over some images, by one draw each (K, H, W); kept.

    ``checkpoint`` is the digest of the weights.
    """
    one = replace(settings, samples=1, partial_samples=1)
    return cache.kept(
        "pixel-changes",
        fingerprint.digest("pixel-changes-1", checkpoint, list(digests), one),
        lambda: pixel_changes(model, pixels, digests, one).mean(axis=0),
        pack=lambda mean: {"mean": mean.astype(np.float32)},
        unpack=lambda arrays: np.asarray(arrays["mean"], dtype=np.float64),
    )


def against_usual(changes: ArrayLike, mean: ArrayLike, median: ArrayLike) -> Floats:
    """Maps of one image (K, H, W) less what held-out images lose usually, in nats a pixel.

    What is usual is the mean map of held-out images (K, H, W), lifted evenly so that its pixels sum
    to the change ``median`` (K,) of the median held-out image. So the map of an image sums to how
    much more (negative) or less it loses than the median one, and shows where. The median of each
    pixel would not do: most pixels of most images lose next to nothing, so these medians sum to far
    less than any image loses, and every image would look strange. The map of the one image in the
    middle would not do either: its own drawing would stand in every map.
    """
    changes, mean = np.asarray(changes, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    lift = (np.asarray(median, dtype=np.float64) - mean.sum(axis=(1, 2))) / mean[0].size
    return np.asarray(changes - mean - lift[:, None, None])
