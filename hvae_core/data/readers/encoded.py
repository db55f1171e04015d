"""Picture files of any container: what they have in common, and their pixels one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import ImageFileError
from hvae_core.data.image_set import Pixels
from hvae_core.data.readers.image_file import decode, is_jpeg
from hvae_core.data.readers.labels import Labels
from hvae_core.data.readers.look import Look
from hvae_core.data.readers.survey import Item, Survey
from hvae_core.data.readers.wanted import Wanted

SAMPLE = 48
"""Pictures that are looked at before the first is read, spread over the set."""
STREAMED = 1024
"""Where these decide nothing for the others, of a source that is streamed; else all."""


class Blobs(Protocol):
    """Encoded pictures in an order, read by their numbers."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, number: int) -> str:
        """What one is called in a sentence."""

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        """Their bytes, in the order of rising numbers."""


class Pictures:
    """Encoded pictures with their labels: the common part of folders, archives and tables."""

    def __init__(
        self,
        blobs: Blobs,
        labels: Labels,
        *,
        files: Sequence[str] = (),
        notes: tuple[str, ...] = (),
        spread: bool = False,
        split: str = "",
    ) -> None:
        self.blobs = blobs
        self.labels = labels
        self.files = files
        self.notes = notes
        self.spread = spread
        self.split = split
        self._look = Look()

    def survey(self, wanted: Wanted, *, thorough: bool = False) -> Survey:
        """Look at some of the pictures, or where these decide nothing at all of them."""
        count = len(self.blobs)
        looked = min(SAMPLE, count)
        if not thorough:
            self._look = self._look_at(_spread(count, looked), wanted)
        if thorough or (looked < count and self._look.all_needed):
            looked = min(STREAMED, count) if wanted.streamed else count
            self._look = self._look_at(_spread(count, looked), wanted)
        said = self._look.notes()
        if said and wanted.streamed and looked < count:
            said = (*said, f"decided from {looked:,} of {count:,} pictures")
        notes = (*self.notes, *said)
        return Survey(self.labels, self.files, notes, spread=self.spread)

    def parts(self, survey: Survey, chosen: NDArray[np.int64]) -> Iterator[Item]:
        """The chosen pictures, by the last look."""
        look, values = self._look, survey.labels.values
        for number, read in zip(chosen.tolist(), self.blobs.read(chosen), strict=True):
            name = self.blobs.name(number)
            opened = partial(_opened, read, name, look)
            yield Item(opened, int(values[number]), survey.file(number) or name)

    def _look_at(self, numbers: NDArray[np.int64], wanted: Wanted) -> Look:
        look = Look(stretch=wanted.stretch)
        for done, (number, read) in enumerate(
            zip(numbers.tolist(), self.blobs.read(numbers), strict=True)
        ):
            if len(numbers) > SAMPLE and done % 256 == 0:
                wanted.progress(0.0, f"looking at {wanted.title}: {done:,} of {len(numbers):,}")
            try:
                look.add(decode(read(), self.blobs.name(number)))
            except ImageFileError:
                continue  # counted and named when the parts are read
        return look


def _spread(count: int, some: int) -> NDArray[np.int64]:
    return np.linspace(0, count, some, endpoint=False, dtype=np.int64)


def _opened(read: Callable[[], bytes], name: str, look: Look) -> tuple[Pixels, bool]:
    """The pixels of one picture by what the look decided, and whether it is a JPEG."""
    data = read()
    picture = decode(data, name)
    look.check(picture)
    return picture.pixels(look), is_jpeg(data)
