"""Images as one array of numbers, of any container: axes, scale and labels by one policy."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.data.image_set import Pixels
from hvae_core.data.readers.axes import as_nchw
from hvae_core.data.readers.labels import Labels, read_labels
from hvae_core.data.readers.look import Contradicted, Ground, composed
from hvae_core.data.readers.scale import Scale, scale_of
from hvae_core.data.readers.survey import Item, Survey
from hvae_core.data.readers.wanted import Wanted

_BLOCK = 1024
_SAMPLE = 16
"""Blocks of so many images that decide for an array which is streamed, spread over it."""


def forget(array: NDArray[Any]) -> None:
    """Give back the memory of what was read of an array that lies in a file."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


class Arrays:
    """An array of images with its labels; ``what`` names the array in sentences.

    ``class_names`` and ``files`` are as stored beside it, ``notes`` what was decided before.
    """

    def __init__(
        self,
        array: NDArray[Any],
        stored_labels: NDArray[Any] | None = None,
        *,
        what: str,
        labels_what: str = "the labels",
        class_names: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        split: str = "",
    ) -> None:
        self.labels_what = labels_what
        self.what = what
        self.split = split
        self.class_names = class_names
        self.files = files
        if stored_labels is not None and stored_labels.ndim == 2 and len(stored_labels) == 1:
            # One row of labels, or the one-hot label of one picture.
            count = stored_labels.shape[1]
            if array.shape[0] != 1 and count in (array.shape[0], array.shape[-1]):
                stored_labels = stored_labels[0]
        count = None if stored_labels is None else len(stored_labels)
        self.stored_labels = stored_labels
        self.view, said = as_nchw(array, count, what)
        self.notes = (*notes, *said)
        self._scale = Scale()
        self._sampled: tuple[float, float] | None = None
        self._opacity = Scale()
        self._ground: Ground = "black"

    def survey(self, wanted: Wanted, *, thorough: bool = False) -> Survey:
        """Range and transparency of all images, and what their labels are."""
        notes = list(self.notes)
        blocks = self._blocks(wanted)
        low, high, whole = self._range(blocks)
        self._sampled = (low, high) if wanted.streamed else None
        self._scale = scale_of(
            self.view.dtype, low, high, what=self.what, whole=whole, stretch=wanted.stretch
        )
        notes += [self._scale.note] if self._scale.note else []
        if self.view.shape[1] == 4:
            opaque = max(float(self.view[block, 3].max()) for block in blocks)
            self._opacity = Scale(1.0 if opaque > 1 else 255.0)
            transparent = self._under(blocks)
            if transparent:
                notes.append(f"transparent pixels on {self._ground}, for all images alike")
        count = len(self.view)
        labels = Labels.none(count)
        if self.stored_labels is not None:
            labels = read_labels(
                self.stored_labels, count, what=self.labels_what, names=self.class_names
            )
        files = self.files if len(self.files) == count else ()
        return Survey(labels, files, tuple(notes))

    def parts(self, survey: Survey, chosen: NDArray[np.int64]) -> Iterator[Item]:
        """The chosen images at the set's scale."""
        for number in chosen.tolist():
            label = int(survey.labels.values[number])
            yield Item(partial(self._image, number), label, survey.file(number))
        forget(self.view)

    def _image(self, number: int) -> tuple[Pixels, bool]:
        image = self.view[number]
        if self._sampled is not None:
            self._check(image)
        pixels = np.ascontiguousarray(self._scale.apply(image[:3]))
        if len(image) == 4:
            pixels = composed(pixels, self._opacity.apply(image[3]), self._ground)
        return pixels, False

    def _check(self, image: NDArray[Any]) -> None:
        """Raise ``Contradicted`` for an image whose values mean something else than the sample."""
        low, high = float(image[:3].min()), float(image[:3].max())
        first, last = self._sampled or (low, high)
        if first <= low and high <= last:
            return
        whole = image.dtype.kind != "f" or bool((image == np.round(image)).all())
        try:
            low, high = float(np.min([low, first])), float(np.max([high, last]))
            scale = scale_of(image.dtype, low, high, what="", whole=whole, stretch=False)
        except DataError as exc:
            raise Contradicted from exc
        if (scale.factor, scale.black) != (self._scale.factor, self._scale.black):
            raise Contradicted

    def _blocks(self, wanted: Wanted) -> list[slice]:
        """Which images decide for the set: all, or some of an array that is streamed."""
        starts = np.arange(0, len(self.view), _BLOCK)
        if not wanted.streamed or len(starts) <= _SAMPLE:
            return [slice(start, start + _BLOCK) for start in starts.tolist()]
        some = np.linspace(0, len(self.view), _SAMPLE, endpoint=False, dtype=np.int64)
        return [slice(start, start + _BLOCK // _SAMPLE) for start in some.tolist()]

    def _range(self, blocks: list[slice]) -> tuple[float, float, bool]:
        """The lowest and highest value, and whether all are whole numbers; by blocks."""
        lows, highs, whole = [], [], True
        view = self.view[:, :3]
        for place in blocks:
            block = view[place]
            lows.append(float(block.min()))
            highs.append(float(block.max()))
            if view.dtype.kind == "f" and whole:
                whole = bool((block == np.round(block)).all())
        return float(np.min(lows)), float(np.max(highs)), whole

    def _under(self, blocks: list[slice]) -> bool:
        """Decide the ground of all images; whether any pixel is transparent."""
        light = visible = 0.0
        transparent = False
        for place in blocks:
            block = self.view[place]
            opacity = self._opacity.apply(block[:, 3]).astype(np.float64)
            light += float((self._scale.apply(block[:, :3]).mean(axis=1) * opacity).sum())
            visible += float(opacity.sum())
            transparent |= bool((opacity < 255).any())
        self._ground = "black" if visible == 0 or light / visible >= 128 else "white"
        return transparent
