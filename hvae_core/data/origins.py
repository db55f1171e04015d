"""Origins: where the images of one set of a world come from.

Each is a small frozen dataclass with `load` and `available`; it holds data only, so it can be sent
to a worker process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from hvae_core.data.controls import CONTROLS
from hvae_core.data.folder import load_folder
from hvae_core.data.hub import download
from hvae_core.data.image_set import ImageSet, Shape
from hvae_core.data.npz import load_npz
from hvae_core.data.parquet import load_parquet, row_count
from hvae_core.data.places import ASSETS, cache_data_root
from hvae_core.data.sources import load_source
from hvae_core.errors import MissingImages
from hvae_core.progress import Progress


@dataclass(frozen=True)
class Request:
    """What a page or a command asks of an origin."""

    title: str
    data_root: Path
    image_shape: Shape
    limit: int | None
    progress: Progress


class Origin(Protocol):
    """Gives the images of one set."""

    def available(self, data_root: Path) -> bool:
        """Return whether the images are on this machine, without reading them."""

    def load(self, request: Request) -> ImageSet:
        """Return the images, at most `request.limit`, or raise MissingImages."""


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
        found = load_parquet(
            ASSETS / self.path, title=request.title, progress=request.progress
        ).shuffled()
        return found if request.limit is None else found.take(request.limit)


@dataclass(frozen=True)
class Control:
    """A control set: every image of another origin changed in one known way."""

    of: Origin
    change: str

    def available(self, data_root: Path) -> bool:
        """Return whether the unchanged images are there."""
        return self.of.available(data_root)

    def load(self, request: Request) -> ImageSet:
        """Return the changed images."""
        # At the shape of the model first: a blur of the original size would mean something else.
        return CONTROLS[self.change](self.of.load(request).fit(request.image_shape))


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
        return ImageSet("handwritten", request.title, images, labels, names, (note,))


@dataclass(frozen=True)
class DataFolder:
    """A set in the user's data folder: <root>/<folder>/<split>.parquet, images, or <folder>.npz.

    `span` cuts a part out of the split, as fractions of its length. `shuffle` is for sets whose
    stored order goes by class. `hub` is the set's name on the Hugging Face hub, empty where it has
    none, written owner/name, or owner/name:split where the split is called otherwise there.
    Downloads land in the cache folder, which is looked at as well.
    """

    folder: str
    split: str
    hub: str
    span: tuple[float, float] = (0.0, 1.0)
    shuffle: bool = False

    def find(self, data_root: Path) -> Path | None:
        """Return the first place that holds the images, the data folder before the cache."""
        for root in dict.fromkeys((data_root, cache_data_root())):
            home = root / self.folder
            for place in (home / f"{self.split}.parquet", home / self.split,
                          root / f"{self.folder}.npz"):  # fmt: skip
                if place.exists():
                    return place
            if home.is_dir() and next(home.glob("*.parquet"), None) is None:
                return home
        return None

    def available(self, data_root: Path) -> bool:
        """Return whether any of the places holds the images."""
        return self.find(data_root) is not None

    def load(self, request: Request) -> ImageSet:
        """Return the images of the split, or of the span of it."""
        place = self.find(request.data_root)
        if place is None:
            raise MissingImages(self.missing(request.title))
        if place.suffix == ".parquet" and not self.shuffle:
            return self._rows(place, request)
        found = self._whole(place, request)
        if self.shuffle or place.is_dir():
            found = found.shuffled()
        start, stop = self._cut(len(found))
        found = found.take(np.arange(start, stop))
        return found if request.limit is None else found.take(request.limit)

    def fetch(self, progress: Progress) -> Path:
        """Download the split into the cache folder."""
        target = cache_data_root() / self.folder / f"{self.split}.parquet"
        name, _, split = self.hub.partition(":")
        return download(name, split or self.split, path=target, progress=progress)

    def missing(self, title: str) -> str:
        """Return the sentence that says what is missing and the ways to get it."""
        first = (
            f"Download them ({self.hub} on the Hugging Face hub), choose" if self.hub else "Choose"
        )
        return (
            f"The images of {title} are not on this machine. {first} a data folder that holds "
            f"{self.folder}/{self.split}.parquet, {self.folder}/ with images or "
            f"{self.folder}.npz, or upload images of your own."
        )

    def _cut(self, count: int) -> tuple[int, int]:
        return round(self.span[0] * count), round(self.span[1] * count)

    def _rows(self, place: Path, request: Request) -> ImageSet:
        return load_parquet(
            place,
            title=request.title,
            image_shape=request.image_shape,
            rows=self._cut(row_count(place)),
            limit=request.limit,
            progress=request.progress,
        )

    def _whole(self, place: Path, request: Request) -> ImageSet:
        title, shape, progress = request.title, request.image_shape, request.progress
        if place.suffix == ".npz":
            return load_npz(
                place, title=title, image_shape=shape, split=self.split, progress=progress
            )
        load = load_folder if place.is_dir() else load_parquet
        return load(place, title=title, image_shape=shape, progress=progress)


@dataclass(frozen=True)
class Own:
    """A set of the user's own: any source that `load_source` takes."""

    source: str
    allow_download: bool = False

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
