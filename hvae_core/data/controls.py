"""Control sets: known changes to known images, each a function of the image's content alone.

What a detector says about these is easy to read: the classes are those of the original, and only
one thing differs. Binarisation is among them as the papers' preparation: fixed, once for all
readers, where a Bernoulli likelihood binarises grey images anew at every look.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from hvae_core.data.image_set import ImageSet, Pixels, from_picture, to_picture


def inverted(images: ImageSet) -> ImageSet:
    """Return dark and light exchanged: 255 - x."""
    return _changed(images, 255 - images.images, "inverted")


def blurred(images: ImageSet, radius: float = 1.5) -> ImageSet:
    """Return Gaussian blur with a standard deviation of `radius` pixels."""

    def blur(image: Pixels) -> Pixels:
        return from_picture(to_picture(image).filter(ImageFilter.GaussianBlur(radius)))

    return _map(images, blur, f"blurred by {radius:g} pixels")


def faint(images: ImageSet, contrast: float = 0.3) -> ImageSet:
    """Return low contrast: x moved towards the image's median by 1 - `contrast`.

    The median is the ground of a drawing, light or dark, so it is the ink that fades.
    """
    pixels = images.images.astype(np.float32)
    ground = np.median(pixels, axis=(2, 3), keepdims=True)
    faded = np.round(ground + contrast * (pixels - ground)).astype(np.uint8)
    return _changed(images, faded, f"contrast lowered to {contrast:.0%}")


def noise(images: ImageSet, seed: int = 0) -> ImageSet:
    """Return noise with the histogram of each image: its pixels in an order drawn by seed.

    Brightness and contrast stay exactly those of the image, so that nothing but structure can
    tell the two apart; uniform noise would be told from letters by its brightness alone.
    """
    channels, height, width = images.image_shape
    flat = images.images.reshape(len(images), channels, height * width)
    shuffled = np.empty_like(flat)
    for row, image, digest in zip(shuffled, flat, images.image_digests(), strict=True):
        order = np.random.default_rng((seed, digest)).permutation(height * width)
        row[...] = image[:, order]
    return _changed(images, shuffled.reshape(images.images.shape), "pixels shuffled in place")


def binarised(images: ImageSet, seed: int = 0) -> ImageSet:
    """Return fixed binarisation: every pixel drawn once, 255 with probability x / 255, else 0.

    The draw comes from seed and image (Salakhutdinov and Murray 2008 fixed MNIST so).
    """
    pixels = np.empty_like(images.images)
    for row, image, digest in zip(pixels, images.images, images.image_digests(), strict=True):
        # Of 255 equally likely numbers x lie below the grey level x: 0 and 255 never change.
        draws = np.random.default_rng((seed, digest, 1)).integers(0, 255, image.shape)
        row[...] = np.where(draws < image, 255, 0)
    return _changed(images, pixels, "binarised, one draw for each pixel")


def thresholded(images: ImageSet) -> ImageSet:
    """Return 255 where a pixel is above 127, else 0."""
    return _changed(images, np.where(images.images > 127, 255, 0).astype(np.uint8), "thresholded")


def jpeg(images: ImageSet, quality: int = 75) -> ImageSet:
    """Return every image through one JPEG compression, its colours at half the resolution.

    A set that was stored so and one that was not can be told apart by the compression alone.
    """

    def compress(image: Pixels) -> Pixels:
        picture = to_picture(image)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, subsampling="4:2:0")
        return from_picture(Image.open(file))

    return _map(images, compress, f"JPEG-compressed at quality {quality}")


CONTROLS: dict[str, Callable[[ImageSet], ImageSet]] = {
    "inverted": inverted,
    "blurred": blurred,
    "faint": faint,
    "noise": noise,
    "binarised": binarised,
    "thresholded": thresholded,
    "jpeg": jpeg,
}


def _map(images: ImageSet, change: Callable[[Pixels], Pixels], note: str) -> ImageSet:
    changed = np.empty_like(images.images)
    for row, image in zip(changed, images.images, strict=True):
        row[...] = change(image)
    return _changed(images, changed, note)


def _changed(images: ImageSet, pixels: Pixels, note: str) -> ImageSet:
    return replace(images, images=pixels, notes=(*images.notes, note))
