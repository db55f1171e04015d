"""ImageSet: named uint8 images with labels, immutable and known by their content."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.plain import plain, printable

Pixels = NDArray[np.uint8]
Rule = Literal["resize", "crop"]
"""How a picture is brought to a smaller shape: all of it, or a window of it."""
T = TypeVar("T", bound=np.generic)


def describe_shape(shape: Sequence[int]) -> str:
    """Return an image shape (C, H, W) in words: "28x28 grey"."""
    channels, height, width = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'colour'}"


def fit_image(image: Pixels, shape: Shape, rule: Rule = "resize") -> Pixels:
    """Return one (C, H, W) image brought to `shape`: luma or repeated channels, then by `rule`.

    "resize" is bilinear and does not keep the aspect ratio: the sets that papers compare are
    stretched in the same way (HVK App. A). "crop" takes a window (INF App. D).
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise DataError(f"Images have 1 or 3 channels, not {channels}; choose another model.")
    if image.shape == shape:
        return image
    picture = to_picture(image)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        if rule == "crop":
            picture = _window(picture, width, height)
        else:
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return from_picture(picture)


def _window(picture: Image.Image, width: int, height: int) -> Image.Image:
    """A window at a place drawn from the pixels: uniform, and the same in every order and run.

    A picture that is smaller on a side is first scaled up to it, its aspect ratio kept.
    """
    scale = max(width / picture.width, height / picture.height)
    if scale > 1:
        size = max(width, round(scale * picture.width)), max(height, round(scale * picture.height))
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    key = f"{picture.mode} {picture.size}".encode() + picture.tobytes()
    drawn = hashlib.blake2b(key, digest_size=16).digest()
    left = int.from_bytes(drawn[:8], "little") % (picture.width - width + 1)
    top = int.from_bytes(drawn[8:], "little") % (picture.height - height + 1)
    return picture.crop((left, top, left + width, top + height))


def fit_note(before: Shape, after: Shape, rule: Rule = "resize") -> str:
    """Return the note of a change of shape, for people."""
    if rule == "crop" and before[1:] != after[1:]:
        return f"cropped from {describe_shape(before)} to {describe_shape(after)}"
    stretched = before[1] * after[2] != before[2] * after[1]
    tail = ", aspect ratio not kept" if stretched else ""
    return f"resized from {describe_shape(before)} to {describe_shape(after)}{tail}"


def to_picture(image: Pixels) -> Image.Image:
    """Return a (C, H, W) array as a PIL picture of mode L or RGB."""
    if image.shape[0] == 1:
        return Image.fromarray(np.ascontiguousarray(image[0]))
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))


def from_picture(picture: Image.Image) -> Pixels:
    """Return a PIL picture of mode L or RGB as a contiguous (C, H, W) array."""
    pixels = np.asarray(picture, dtype=np.uint8)
    if pixels.ndim == 2:
        return pixels[None].copy()
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images (N, C, H, W) uint8 with labels (N,) int64; -1 is "no label".

    The arrays are made read-only: sets are shared between pages and threads. `notes` says in
    words what was done to the images on their way here (resized, files skipped, ...); `files`
    are the names of the single images where they came from, empty where they have none. Texts are
    made plain: names from files may hold anything.
    """

    name: str
    title: str
    images: Pixels
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        images = np.ascontiguousarray(self.images)
        labels = np.asarray(self.labels, dtype=np.int64)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise DataError(
                f"The images of {self.title} must be uint8 of shape (N, 1 or 3, H, W), "
                f"not {images.dtype} of shape {images.shape}; convert them first."
            )
        if labels.shape != (len(images),):
            raise DataError(
                f"{self.title} has {len(images)} images but labels of shape {labels.shape}; "
                "give one label an image."
            )
        if len(labels) and labels.max() >= len(self.class_names):
            raise DataError(
                f"{self.title} has label {labels.max()} but {len(self.class_names)} class names; "
                "give a name to every class."
            )
        if len(self.files) not in (0, len(images)):
            raise DataError(
                f"{self.title} has {len(images)} images but {len(self.files)} file names; "
                "give every image its own, or none."
            )
        object.__setattr__(self, "images", _read_only(images))
        object.__setattr__(self, "labels", _read_only(labels))
        # Names from strangers' files are shown on every page.
        object.__setattr__(self, "title", plain(self.title))
        object.__setattr__(self, "class_names", tuple(map(plain, self.class_names)))
        object.__setattr__(self, "notes", tuple(plain(note, 1000) for note in self.notes))
        object.__setattr__(self, "files", tuple(map(printable, self.files)))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> Shape:
        """The shape (C, H, W) of one image."""
        channels, height, width = self.images.shape[1:]
        return int(channels), int(height), int(width)

    @cached_property
    def digest(self) -> str:
        """The sha256 (hex) of shape and pixels; the key of every cache of results."""
        hasher = hashlib.sha256(repr(self.images.shape).encode())
        hasher.update(self.images.data)
        return hasher.hexdigest()

    def image_digests(self) -> list[int]:
        """Return one 64-bit int an image, from its shape and pixels alone (N ints).

        Randomness seeded by these does not depend on batch size or on the order of the images.
        """
        return list(self._image_digests)

    @cached_property
    def _image_digests(self) -> tuple[int, ...]:
        start = hashlib.blake2b(repr(self.image_shape).encode(), digest_size=8)
        rows = self.images.reshape(len(self), math.prod(self.image_shape))
        return tuple(_digest_row(start, row) for row in rows)

    def take(self, which: int | np.integer | Sequence[int] | NDArray[np.integer]) -> ImageSet:
        """Return the first `which` images, or the images at the indices `which`."""
        if isinstance(which, int | np.integer):
            index = np.arange(min(max(int(which), 0), len(self)))
        else:
            index = np.asarray(which, dtype=np.int64).reshape(-1)
            if len(index) and (index.min() < 0 or index.max() >= len(self)):
                raise DataError(
                    f"{self.title} has {len(self)} images, numbered 0 to {len(self) - 1}; "
                    f"there is no image {index.max() if index.min() >= 0 else index.min()}."
                )
        files = tuple(self.files[i] for i in index) if self.files else ()
        return replace(self, images=self.images[index], labels=self.labels[index], files=files)

    def file(self, number: int) -> str:
        """Return the name of the file that an image came from, empty where it has none."""
        return self.files[number] if self.files else ""

    def sample(self, n: int, seed: int = 0) -> ImageSet:
        """Return `n` images drawn by seed and content, kept in the order of the set."""
        return self.take(np.sort(self._shuffled_index(seed)[:n]))

    def shuffled(self, seed: int = 0) -> ImageSet:
        """Return all images in an order given by seed and content, so that any start is fair."""
        return self.take(self._shuffled_index(seed))

    def _shuffled_index(self, seed: int) -> NDArray[np.int64]:
        key = f"{seed}:".encode()
        ranks = [
            hashlib.blake2b(key + digest.to_bytes(8, "little"), digest_size=8).digest()
            for digest in self._image_digests
        ]
        return np.array(sorted(range(len(self)), key=ranks.__getitem__), dtype=np.int64)

    def fit(self, image_shape: Shape, rule: Rule = "resize") -> ImageSet:
        """Return the images brought to `image_shape` (C, H, W), with a note of the change."""
        target = (int(image_shape[0]), int(image_shape[1]), int(image_shape[2]))
        if self.image_shape == target:
            return self
        images = np.empty((len(self), *target), np.uint8)
        for row, image in zip(images, self.images, strict=True):
            row[...] = fit_image(image, target, rule)
        note = fit_note(self.image_shape, target, rule)
        return replace(self, images=images, notes=(*self.notes, note))

    def require(
        self, shape: Shape | None, of: str = "the model", *, empty: str = "; choose another set"
    ) -> None:
        """Raise ``DataError`` unless there are images, of the shape that ``of`` wants."""
        if not len(self):
            raise DataError(f"{self.title} holds no images{empty}.")
        if shape not in (None, self.image_shape):
            raise DataError(
                f"{self.title} has images of shape {self.image_shape}, {of} wants {shape}; "
                "resize the set first."
            )

    def renamed(self, name: str, title: str) -> ImageSet:
        """Return the same images under another name."""
        return replace(self, name=name, title=title)


def shared_note(images: ImageSet, others: ImageSet) -> tuple[str, ...]:
    """Return a note on pictures that two sets share: no score can tell those apart."""
    known = set(others.image_digests())
    count = sum(digest in known for digest in images.image_digests())
    if not count:
        return ()
    return (f"{count:,} of {len(images):,} images are also in {others.title}",)


def _read_only(array: NDArray[T]) -> NDArray[T]:
    # A view, so that the caller's own array keeps its flags.
    view = array.view()
    view.flags.writeable = False
    return view


def _digest_row(start: hashlib.blake2b, row: Pixels) -> int:
    hasher = start.copy()
    hasher.update(row.data)
    return int.from_bytes(hasher.digest(), "little")
