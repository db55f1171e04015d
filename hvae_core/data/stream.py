"""Images of a source part by part: memory holds one part, however many there are.

The readers are those of every other set. What a set decides once (scale, axes, ground, labels) is
decided from a sample of the source, and every picture is read by it; one that contradicts it is
named, and not read some other way.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.common.far import is_far
from hvae_core.common.far_path import AnyPath, FarPath
from hvae_core.common.files import check_regular
from hvae_core.common.plain import plain, printable
from hvae_core.common.progress import Progress, silent
from hvae_core.data.fetched import fetched, has_to_be_fetched
from hvae_core.data.guard import one_sentence
from hvae_core.data.image_set import ImageSet, Pixels, fit_image, fit_note
from hvae_core.data.load import from_hub, path_and_split
from hvae_core.data.prepare import NOTES, Step, prepared
from hvae_core.data.readers.look import Contradicted
from hvae_core.data.readers.parquet import shards_in
from hvae_core.data.readers.read import ARCHIVES, opened
from hvae_core.data.readers.splits import split_asked
from hvae_core.data.readers.survey import Container, Item, Survey
from hvae_core.data.readers.tar import tars_in
from hvae_core.data.readers.wanted import Wanted, check_limit
from hvae_core.data.stored import find_named

_LOOKED = 16
"""Pictures at the start of a source whose size is noted."""
_REPORT = 512


@dataclass(frozen=True)
class Source:
    """What is read, to a shape (C, H, W).

    ``given`` is what someone wrote: a path or URL, also with :SPLIT, or a hub set.
    """

    given: str
    image_shape: Shape
    limit: int | None = None
    prepare: tuple[Step, ...] = ()
    allow_download: bool = False


@dataclass(frozen=True, eq=False)
class Read:
    """The images of one part: ``images`` are those that could be read.

    ``rows`` (n,) are the places of all of them in the source, ``files`` their names, ``labels``
    their classes (-1 for none); ``errors`` say of each why it could not be read, None where it
    could.
    """

    images: ImageSet
    rows: NDArray[np.int64]
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    errors: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.rows)


class Stream:
    """A source that is open. Raises ``DataError`` or ``MissingImages`` where it cannot be."""

    def __init__(self, source: Source, progress: Progress = silent) -> None:
        check_limit(source.limit)
        if "stretch" in source.prepare:
            raise DataError(
                "Stretching needs the darkest and the brightest value of all images, and they are "
                "read part by part; stretch the images first, and leave the step out."
            )
        self.source = source
        path, split = _found(source, progress)
        self.wanted = Wanted(
            name=path.stem if path.is_file() else path.name,
            title=path.stem if path.suffix.casefold() in ARCHIVES else path.name,
            image_shape=source.image_shape,
            limit=source.limit,
            split=split,
            prepare=source.prepare,
            streamed=True,
            progress=progress,
        )
        if not isinstance(path, FarPath):
            check_regular(path)
        with one_sentence(path.name):
            self._container: Container = opened(path, self.wanted)
            self._survey: Survey = self._container.survey(self.wanted)
            self._chosen = self.wanted.choose(len(self._survey), spread=self._survey.spread)
            self.contents = _contents(path, self._survey)
            self.notes = self._notes()

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def title(self) -> str:
        """What the source is called."""
        return self.wanted.title

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes that labels are an index of."""
        return self._survey.labels.names

    def read(self, start: int, stop: int, progress: Progress = silent) -> Read:
        """The images from ``start`` on and before ``stop``, in the order of the source.

        Raises ``DataError`` where the source itself cannot be read there.
        """
        with one_sentence(self.title):
            return self._read(self._chosen[start:stop], progress)

    def _read(self, rows: NDArray[np.int64], progress: Progress) -> Read:
        kept: list[Pixels] = []
        files: list[str] = []
        labels: list[int] = []
        errors: list[str | None] = []
        for done, item in enumerate(self._container.parts(self._survey, rows)):
            if done % _REPORT == 0:
                progress(done / len(rows), f"reading {self.title}")
            pixels, error = self._opened(item)
            if pixels is not None:
                image = prepared(pixels, self.wanted.prepare)
                kept.append(fit_image(image, self.source.image_shape, self.wanted.rule))
            files.append(printable(item.file))
            labels.append(item.label)
            errors.append(error)
        good = np.array([error is None for error in errors], dtype=bool)
        images = ImageSet(
            name=self.wanted.name,
            title=self.title,
            images=np.stack(kept) if kept else np.empty((0, *self.source.image_shape), np.uint8),
            labels=np.array(labels, np.int64)[good],
            class_names=self.class_names,
            files=tuple(file for file, is_good in zip(files, good, strict=True) if is_good),
        )
        return Read(images, rows, tuple(files), np.array(labels, np.int64), tuple(errors))

    def _opened(self, item: Item) -> tuple[Pixels | None, str | None]:
        """The pixels of one picture, or why there are none."""
        try:
            return item.read()[0], None
        except ImageFileError as exc:
            return None, str(exc)
        except Contradicted:
            return None, (
                f"{item.file or 'This picture'} has values, transparency or frames that the sample "
                "of the source had not; convert it, or score it apart."
            )

    def _notes(self) -> tuple[str, ...]:
        """What was decided for all, and of the first pictures how their size is changed."""
        target, rule = self.source.image_shape, self.wanted.rule
        shapes: Counter[Shape] = Counter()
        for item in self._container.parts(self._survey, self._chosen[:_LOOKED]):
            pixels, _ = self._opened(item)
            if pixels is not None:
                channels, height, width = prepared(pixels, self.wanted.prepare).shape
                shapes[channels, height, width] += 1
        sizes = [fit_note(shape, target, rule) for shape, _ in shapes.most_common(1)]
        return (
            *self._survey.notes,
            *self._survey.labels.notes,
            *(NOTES[step] for step in self.wanted.prepare if step in NOTES),
            *(sizes if target not in shapes else ()),
        )


def _found(source: Source, progress: Progress) -> tuple[AnyPath, str | None]:
    text = source.given.strip()
    if not text:
        raise DataError("No images are named; give a path, or a hub set as owner/name.")
    if is_far(text):
        return _found_far(text, progress)
    path, split = path_and_split(text)
    if path is None and find_named(text) is not None:
        raise DataError(
            f"{text} is a set by its name, which `evaluate` reads; give a file or a folder here."
        )
    return (
        (from_hub(text, source.allow_download, progress), None) if path is None else (path, split)
    )


def _found_far(text: str, progress: Progress) -> tuple[AnyPath, str | None]:
    """What lies at a URL, in the store or fetched from there; and the split after a colon."""
    path, split = FarPath.of(text), None
    asked = split_asked(text)
    if not path.exists() and asked is not None:
        path, split = FarPath.of(asked[0]), asked[1]
    if not path.exists():
        raise DataError(f"There is no file or folder {plain(text)}; check the path.")
    if has_to_be_fetched(path):
        return fetched(path, progress), split
    return path, split


def _contents(path: AnyPath, survey: Survey) -> str:
    """A digest of what a source is made of: names and sizes of its files, and the images' count."""
    hasher = hashlib.sha256(f"{len(survey)} images".encode())
    if path.is_file():
        files: list[AnyPath] = [path]
    else:
        shards = shards_in(path) or tars_in(path)
        beside: list[AnyPath] = [*path.iterdir()]
        files = shards or sorted((p for p in beside if p.is_file()), key=_name)
        for name in () if shards else survey.files:
            hasher.update(f"\n{name}".encode(errors="surrogatepass"))
    for file in files:
        hasher.update(f"\n{file.name} {_state(file)}".encode(errors="surrogatepass"))
    return hasher.hexdigest()


def _state(file: AnyPath) -> str:
    """The size of a file, and the digest that a store has of it."""
    if isinstance(file, FarPath):
        return f"{file.size} {file.tag}".strip()
    return str(file.stat().st_size)


def _name(path: AnyPath) -> str:
    return path.name
