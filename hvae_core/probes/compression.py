"""Pictures rebuilt from the upper layers alone, at their rate, beside JPEG (DCT App. G).

Reading results needs no torch; ``rebuild`` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Pixels, fit_image
from hvae_core.probes import jpeg
from hvae_core.probes.picture_quality import ms_ssim, psnr
from hvae_core.probes.tiles import cut, join

if TYPE_CHECKING:
    from hvae_core.models import HierarchicalVAE


MAX_PIXELS = 2048 * 2048
CURVE = (1, 2, 5, 10, 20, 30, 50, 70, 80, 90, 95)
"""Qualities of JPEG that draw its curve."""
_JPEG = "jpeg"
KIND = "compression"
_DRAWS, _MANY = 10, 100
_RATED = ("ratings", "jpeg", "curve")  # fields of a compression that are ratings, not pictures


@dataclass(frozen=True)
class Rating:
    """What a coded picture costs, in bits a pixel, and how near it comes to the original.

    ``quality`` is JPEG's, 0 for a model.
    """

    bpp: float
    psnr: float
    ms_ssim: float
    quality: int = 0


@dataclass(frozen=True, eq=False)
class Compression:
    """A picture (C, H, W) rebuilt from z_>k for k = 0..K-1, and JPEG at the nearest rate.

    ``pictures`` and ``jpeg_pictures`` (K, C, H, W) are bytes; ``ratings`` and ``jpeg`` have one
    entry a k, ``curve`` one for each quality of ``CURVE``.
    """

    original: Pixels
    pictures: Pixels
    ratings: tuple[Rating, ...]
    jpeg_pictures: Pixels
    jpeg: tuple[Rating, ...]
    curve: tuple[Rating, ...]


def compress(
    model: HierarchicalVAE, picture: Pixels, *, seed: int = 0, progress: Progress = silent
) -> Compression:
    """Code a picture (C, H, W) of any size tile by tile, at every k (DCT App. G).

    The rate is the KL of the layers above k, in bits a pixel of the picture; the k lowest levels
    follow from their prior means. A grey model codes the luminance. All pictures are rounded to
    bytes, as JPEG's are. Raises ``DataError`` for a picture that is too large.
    """
    channels, height, width = (model.image_shape[0], *picture.shape[1:])
    if height * width > MAX_PIXELS:
        raise DataError(
            f"A picture of {width} x {height} pixels is too large to be coded; scale it down to "
            f"{MAX_PIXELS / 1e6:.1f} million pixels or fewer."
        )
    original = fit_image(picture, (channels, height, width))
    tiles = cut(original, model.image_shape[1:])
    rebuilt, bits = rebuild(model, tiles, seed=seed, progress=progress)
    pictures = np.stack([join(each, (height, width)) for each in rebuilt])
    progress(1.0, "measuring")
    near = [jpeg.nearest_rate(original, float(total)) for total in bits.sum(1)]
    coded = zip(pictures, bits.sum(1), strict=True)
    return Compression(
        original=original,
        pictures=pictures,
        ratings=tuple(rated(original, picture, total) for picture, total in coded),
        jpeg_pictures=np.stack([coded.picture for coded in near]),
        jpeg=tuple(_of_jpeg(original, coded) for coded in near),
        curve=jpeg_curve(original),
    )


def jpeg_curve(original: Pixels) -> tuple[Rating, ...]:
    """JPEG at each quality of ``CURVE``, from the cache or computed: it hangs on no model."""
    key = fingerprint.digest("jpeg-curve-1", original, CURVE)

    def measure() -> tuple[Rating, ...]:
        return tuple(_of_jpeg(original, jpeg.encoded(original, quality)) for quality in CURVE)

    return cache.kept(
        _JPEG,
        key,
        measure,
        pack=lambda curve: {"curve": table_of(curve)},
        unpack=lambda arrays: ratings_of(arrays["curve"]),
    )


def rebuild(
    model: HierarchicalVAE, tiles: Pixels, *, seed: int = 0, progress: Progress = silent
) -> tuple[Pixels, Floats]:
    """Tiles (N, C, h, w) from z_>k for every k (K, N, C, h, w), and their KL in bits (K, N).

    z_>k is one draw from q, as the KL is what sending a draw costs. Where the KL of a layer is
    sampled, the rate is the mean over ten draws; over one from a hundred tiles on, which average
    among themselves.
    """
    import torch

    from hvae_core.common.noise import ImageNoise
    from hvae_core.evaluation.scorer import BATCH_PIXELS
    from hvae_core.models import prepared

    digests = ImageSet(
        name="tiles", title="Tiles", images=tiles, labels=np.full(len(tiles), -1)
    ).image_digests()
    samples = _DRAWS if len(tiles) < _MANY else 1
    size = max(1, BATCH_PIXELS // model.dims // samples)
    pictures = np.empty((model.n_levels, *tiles.shape), np.uint8)
    bits = np.empty((model.n_levels, len(tiles)))
    for start in range(0, len(tiles), size):
        part = slice(start, start + size)
        noise = ImageNoise(digests[part], seed)
        with torch.inference_mode():
            x = prepared(model, tiles[part], digests[part], seed=seed)
            ks = range(model.n_levels)
            for trace in model.traces(x, ks, noise=noise, samples=samples, skipped="mean"):
                mean = trace.likelihood.mean[0].clamp(0, 1)
                pictures[trace.k, part] = (255 * mean).round().byte().cpu().numpy()
                bits[trace.k, part] = trace.kl.sum(0).mean(0).double().cpu().numpy()
        progress(min(1.0, (start + size) / len(tiles)), "tiles")
    return pictures, bits / math.log(2)


def pack(compression: Compression) -> dict[str, np.ndarray]:
    """As arrays, for the cache."""
    return {
        name: table_of(value) if name in _RATED else value
        for name, value in vars(compression).items()
    }


def unpack(arrays: Mapping[str, np.ndarray]) -> Compression:
    """Read back what ``pack`` wrote."""
    values: dict[str, Any] = {
        name: ratings_of(array) if name in _RATED else array for name, array in arrays.items()
    }
    return Compression(**values)


def table_of(ratings: tuple[Rating, ...]) -> Floats:
    """Ratings as an array (N, 4), for the cache."""
    return np.array([astuple(rating) for rating in ratings], dtype=np.float64)


def ratings_of(table: Floats) -> tuple[Rating, ...]:
    """Read back what ``table_of`` made."""
    return tuple(Rating(bpp, near, like, quality=int(q)) for bpp, near, like, q in table.tolist())


def rated(original: Pixels, coded: Pixels, bits: float, *, quality: int = 0) -> Rating:
    """What a copy of a picture (C, H, W) costs and how near it comes; both are bytes."""
    pixels = original.shape[1] * original.shape[2]
    return Rating(
        bpp=float(bits) / pixels,
        psnr=psnr(original, coded),
        ms_ssim=float(ms_ssim(original[None], coded[None])[0]),
        quality=quality,
    )


def _of_jpeg(original: Pixels, coded: jpeg.Jpeg) -> Rating:
    return rated(original, coded.picture, coded.bits, quality=coded.quality)


def stored_compression(checkpoint: str, picture: Pixels, seed: int = 0) -> Compression | None:
    """A compression from the cache, by the digest of the weights: computes nothing."""
    return cache.peek(KIND, compression_key(checkpoint, picture, seed), unpack)


def compressed(
    model: HierarchicalVAE,
    checkpoint: str,
    picture: Pixels,
    seed: int = 0,
    *,
    progress: Progress = silent,
) -> Compression:
    """``compress``, from the cache or computed and left there."""
    return cache.kept(
        KIND,
        compression_key(checkpoint, picture, seed),
        lambda: compress(model, picture, seed=seed, progress=progress),
        pack=pack,
        unpack=unpack,
    )


def compress_picture(
    path: str, picture: Pixels, seed: int, *, progress: Progress = silent
) -> Compression:
    """A job: ``compressed`` under a checkpoint file."""
    from hvae_core.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    return compressed(checkpoint.model, checkpoint.digest, picture, seed=seed, progress=progress)


def compression_key(checkpoint: str, picture: Pixels, seed: int) -> str:
    """The digest under which the cache keeps what is left of a picture under a checkpoint."""
    return fingerprint.digest("compression-2", checkpoint, picture, seed)
