"""The two steps of every reader: a survey decides for the whole set, then its parts are read so.

A container opens a source without reading its pictures. ``survey`` looks at names, headers, labels
and ranges and decides split, scale, background and labels, each once for all images. ``parts``
reads single images by that decision, whichever and in whatever portions they are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.common.progress import Progress
from hvae_core.data.image_set import ImageSet, Pixels, Rule, describe_shape, fit_image, fit_note
from hvae_core.data.prepare import NOTES, prepared
from hvae_core.data.readers.labels import Labels
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.look import Contradicted
from hvae_core.data.readers.names import listed
from hvae_core.data.readers.scale import dark_note
from hvae_core.data.readers.wanted import Wanted

_PROGRESS_EVERY = 256
_HOPELESS = 1000  # images that cannot be read, before any that can


@dataclass(frozen=True)
class Item:
    """One image still unread.

    ``read`` gives its pixels and whether they were a JPEG, or raises ImageFileError.
    """

    read: Callable[[], tuple[Pixels, bool]]
    label: int = -1
    file: str = ""


@dataclass(frozen=True, eq=False)
class Survey:
    """What was decided for the whole set.

    ``files`` are the names of the single images, empty where they have none; ``spread`` says that
    a limit is spread over the images, as their order goes by class.
    """

    labels: Labels
    files: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    spread: bool = False

    def __len__(self) -> int:
        return len(self.labels.values)

    def file(self, index: int) -> str:
        """The name of an image, empty where it has none."""
        return self.files[index] if self.files else ""


class Container(Protocol):
    """A source that is open: what it holds is known, its pictures are not read."""

    split: str
    """Which of its splits was opened; empty for a source without splits."""
    notes: tuple[str, ...]
    """What was decided when it was opened."""

    def survey(self, wanted: Wanted, *, thorough: bool = False) -> Survey:
        """Decide for the whole set: from headers and a sample, or ``thorough`` from all of it."""

    def parts(self, survey: Survey, chosen: NDArray[np.int64]) -> Iterator[Item]:
        """The chosen images of the set, in their order, one after another."""


def read_set(container: Container, wanted: Wanted) -> ImageSet:
    """Return the wanted images of a container as one set.

    All are brought to the wanted shape, or where none is asked for to their most common one.
    Unreadable ones are left out with a note; an error is raised when none can be read.
    """
    wanted.progress(0.0, f"reading {wanted.title}")
    try:
        return _read(container, container.survey(wanted), wanted)
    except Contradicted:
        # A picture is not as the sample had the set: what was decided holds for none of them.
        return _read(container, container.survey(wanted, thorough=True), wanted)


def _read(container: Container, survey: Survey, wanted: Wanted) -> ImageSet:
    title = wanted.title
    chosen = wanted.choose(len(survey), spread=survey.spread)
    # 1. One image after another, each brought to its shape at once: a set of photographs at
    # their own sizes would not fit in memory.
    met = _Met()
    kept: list[Pixels] = []
    items: list[Item] = []
    used, most = 0, max_set_bytes()
    readable = _readable(container.parts(survey, chosen), len(chosen), wanted=wanted, met=met)
    for image, item in readable:
        fitted = image
        if wanted.image_shape is not None:
            fitted = fit_image(image, wanted.image_shape, wanted.rule)
        used += fitted.nbytes
        if used > most:
            raise DataError(
                f"{title} holds more than {in_words(most)} of pixels; "
                "set a limit on the number of images, or an image size to bring them to."
            )
        kept.append(fitted)
        items.append(item)
    if not kept:
        if len(chosen) == len(met.failures) == 1:
            raise ImageFileError(met.failures[0][1])
        reason = f" The first: {met.failures[0][1]}" if met.failures else ""
        raise DataError(f"{title} has no image that can be read.{reason}")
    # 2. To one shape, and what was done on the way in words.
    target = wanted.image_shape or met.shapes.most_common(1)[0][0]
    images = np.stack([fit_image(image, target) for image in kept])
    wanted.progress(1.0, f"read {title}: {len(kept):,} images")
    return ImageSet(
        name=wanted.name,
        title=title,
        images=images,
        labels=np.array([item.label for item in items], np.int64),
        class_names=survey.labels.names,
        notes=(
            *survey.notes,
            *survey.labels.notes,
            *dark_note(int(images.max())),
            *(NOTES[step] for step in wanted.prepare if step in NOTES),
            *met.notes(target, wanted.rule),
        ),
        files=tuple(item.file for item in items) if survey.files else (),
    )


def in_words(size: int) -> str:
    """A number of bytes for people, in GiB or MiB."""
    return f"{size / 2**30:g} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


@dataclass
class _Met:
    """What the images were like as they came: of which shapes, JPEG or not, unreadable."""

    shapes: Counter[Shape] = field(default_factory=Counter)
    jpegs: Counter[tuple[int, int]] = field(default_factory=Counter)
    """By height and width: colours do not hide the blocks."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Name of the image and the reason."""

    def notes(self, target: Shape, rule: Rule) -> tuple[str, ...]:
        """What was done to bring them to one shape, and what else a reader should know."""
        return (
            *_size_notes(self.shapes, target, rule),
            *_jpeg_notes(self.jpegs[target[1:]], self.shapes.total()),
            *_failure_notes(self.failures, self.shapes.total()),
        )


def _readable(
    items: Iterator[Item], total: int, *, wanted: Wanted, met: _Met
) -> Iterator[tuple[Pixels, Item]]:
    """Images that can be read, with what is known of them; ``met`` counts what came."""
    for done, item in enumerate(items):
        _report(wanted.progress, done, total, wanted.title)
        try:
            image, jpeg = item.read()
        except ImageFileError as exc:
            met.failures.append((item.file, str(exc)))
            if len(met.failures) >= _HOPELESS and not met.shapes:
                raise DataError(
                    f"None of the first {_HOPELESS:,} images of {wanted.title} can be read. "
                    f"The first: {met.failures[0][1]}"
                ) from exc
            continue
        image = prepared(image, wanted.prepare)
        channels, height, width = image.shape
        met.shapes[channels, height, width] += 1
        met.jpegs[height, width] += jpeg
        yield image, item


def _report(progress: Progress, done: int, total: int, title: str) -> None:
    if done and done % _PROGRESS_EVERY == 0:
        progress(done / max(total, 1), f"reading {title}: {done:,} of {total:,} images")


def _size_notes(sizes: Counter[Shape], target: Shape, rule: Rule) -> tuple[str, ...]:
    changed = {shape: count for shape, count in sizes.items() if shape != target}
    if not changed:
        return ()
    if len(sizes) == 1:
        (shape,) = changed
        return (fit_note(shape, target, rule),)
    count = sum(changed.values())
    stretched = rule == "resize" and any(_stretched(shape, target) for shape in changed)
    sizes_differ = any(shape[1:] != target[1:] for shape in changed)
    done = ("cropped" if rule == "crop" else "resized") if sizes_differ else "brought"
    tail = ", aspect ratio not kept" if stretched else ""
    return (f"{count:,} of {sizes.total():,} images {done} to {describe_shape(target)}{tail}",)


def _stretched(before: Shape, after: Shape) -> bool:
    return before[1] * after[2] != before[2] * after[1]


def _jpeg_notes(count: int, total: int) -> tuple[str, ...]:
    # At the very size that the model reads, its blocks alone can tell a set from one without them.
    if not count:
        return ()
    return ("JPEG-compressed" if count == total else f"{count:,} of {total:,} JPEG-compressed",)


def _failure_notes(failures: Sequence[tuple[str, str]], kept: int) -> tuple[str, ...]:
    if not failures:
        return ()
    total, names = len(failures) + kept, [name for name, _ in failures if name]
    which = f": {listed(names)}" if names else ""
    first = failures[0][1]
    return (f"{len(failures):,} of {total:,} images could not be read{which}; the first: {first}",)
