"""Origins: where the images of one set of a world come from.

Each is a small frozen dataclass with `load` and `available`; it holds data only, so it can be sent
to a worker process.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from hvae_core.common import cache, fingerprint
from hvae_core.common.errors import MissingImages
from hvae_core.common.places import ASSETS
from hvae_core.data.image_set import ImageSet
from hvae_core.data.load import load_source
from hvae_core.data.prepare import Step
from hvae_core.data.readers.read import read_images
from hvae_core.data.readers.wanted import Wanted
from hvae_core.data.stored import Control, DataFolder, Origin, Request

__all__ = [
    "Control",
    "DataFolder",
    "Drawn",
    "HandwrittenDigits",
    "InMemory",
    "Origin",
    "Own",
    "Request",
    "Shipped",
]


@dataclass(frozen=True)
class Shipped:
    """A Parquet file of the project's assets, in an order drawn by content.

    The files are sorted by class; after the draw any first n images are a fair sample.
    """

    path: str

    def available(self, data_root: Path) -> bool:
        """Return whether the file is there."""
        return (ASSETS / self.path).is_file()

    def load(self, request: Request) -> ImageSet:
        """Return the images, shuffled."""
        if not self.available(request.data_root):
            raise MissingImages(
                f"The images of {request.title} (assets/{self.path}) are not in this copy of the "
                "project; get them again with a fresh clone."
            )
        place = ASSETS / self.path
        wanted = Wanted(name=place.stem, title=request.title, progress=request.progress)
        images = read_images(place, wanted).shuffled()
        return images if request.limit is None else images.take(request.limit)


@dataclass(frozen=True)
class HandwrittenDigits:
    """The 1,797 real handwritten digits that come with scikit-learn, 8x8 brought to 28x28."""

    def available(self, data_root: Path) -> bool:
        """Return True; they come with a package that the project needs."""
        return True

    def load(self, request: Request) -> ImageSet:
        """Return the digits, 20x20 in the middle of 28x28."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        count = len(digits.images) if request.limit is None else request.limit
        small = np.round(digits.images[:count] * (255 / 16)).astype(np.uint8)
        images = np.zeros((len(small), 1, 28, 28), np.uint8)
        for row, image in zip(images, small, strict=True):
            # A box of 20 in 28, as in MNIST.
            large = Image.fromarray(image).resize((20, 20), Image.Resampling.BICUBIC)
            row[0, 4:24, 4:24] = np.asarray(large)
        names = tuple(str(digit) for digit in range(10))
        labels = digits.target[:count].astype(np.int64)
        note = "resized from 8x8 grey to 20x20, with a margin of 4 pixels"
        return ImageSet(
            name="handwritten",
            title=request.title,
            images=images,
            labels=labels,
            class_names=names,
            notes=(note,),
        )


@dataclass(frozen=True)
class Drawn:
    """The training images of Cutouts, drawn on demand and then kept in the cache folder."""

    def available(self, data_root: Path) -> bool:
        """Return True; they are drawn where they are asked for."""
        return True

    @property
    def made_by(self) -> str:
        """What the pixels follow from."""
        return f"cutouts-1, pillow {PIL.__version__}, scikit-learn {version('scikit-learn')}"

    def load(self, request: Request) -> ImageSet:
        """Return the images, in a mixed order."""
        from hvae_core.data.cutouts import cutouts, outlines

        def draw() -> ImageSet:
            return cutouts("train", request.progress)

        def read(arrays: cache.Arrays) -> ImageSet:
            return ImageSet(
                "train", request.title, arrays["images"], arrays["labels"], tuple(outlines())
            )

        images = cache.kept(
            "drawn", fingerprint.digest(self.made_by), draw,
            pack=lambda drawn: {"images": drawn.images, "labels": drawn.labels}, unpack=read,
        )  # fmt: skip
        return images if request.limit is None else images.take(request.limit)


@dataclass(frozen=True)
class Own:
    """A set of the user's own: any source that `load_source` takes."""

    source: str
    allow_download: bool = False
    prepare: tuple[Step, ...] = ()

    def available(self, data_root: Path) -> bool:
        """Return True; only reading can tell."""
        return True

    def load(self, request: Request) -> ImageSet:
        """Return the images at the requested shape."""
        return load_source(
            self.source,
            title=request.title,
            image_shape=request.image_shape,
            limit=request.limit,
            prepare=self.prepare,
            allow_download=self.allow_download,
            progress=request.progress,
        )


@dataclass(frozen=True)
class InMemory:
    """Images already read, such as an upload."""

    images: ImageSet

    def available(self, data_root: Path) -> bool:
        """Return True; they are here."""
        return True

    def load(self, request: Request) -> ImageSet:
        """Return the images."""
        return self.images if request.limit is None else self.images.take(request.limit)
