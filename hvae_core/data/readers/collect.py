"""Gathering: a stream of single images to one ImageSet of one shape, within a fixed memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Pixels, Rule, describe_shape, fit_image, fit_note

MAX_SET_BYTES = 2 * 2**30
_PROGRESS_EVERY = 256


@dataclass(frozen=True)
class Item:
    """One image still unread: `read` gives its pixels or raises ImageFileError."""

    read: Callable[[], Pixels]
    label: int = -1
    jpeg: bool = False


def check_limit(limit: int | None) -> None:
    """Raise DataError for a limit on the number of images that leaves none."""
    if limit is not None and limit < 1:
        raise DataError(f"A limit of {limit} images leaves none; choose 1 or more.")


def gather(
    items: Iterable[Item],
    total: int,
    *,
    name: str,
    title: str,
    class_names: tuple[str, ...] = (),
    image_shape: Shape | None = None,
    rule: Rule = "resize",
    progress: Progress = silent,
) -> ImageSet:
    """Return the readable images of `items` as one set.

    All are brought to `image_shape` by `rule`, or where none is asked for to their most common
    shape.
    Unreadable ones are left out with a note; an error is raised when none can be read.
    """
    # 1. One image after another, each brought to its shape at once: a set of photographs at
    # their own sizes would not fit in memory.
    met, kept, labels, used = _Met(), [], [], 0
    for image, label in _readable(items, total, title=title, met=met, progress=progress):
        fitted = image if image_shape is None else fit_image(image, image_shape, rule)
        used += fitted.nbytes
        if used > MAX_SET_BYTES:
            raise DataError(
                f"{title} holds more than {MAX_SET_BYTES // 2**30} GiB of pixels; "
                "set a limit on the number of images, or an image size to bring them to."
            )
        kept.append(fitted)
        labels.append(label)
    if not kept:
        reason = f" The first: {met.failures[0]}" if met.failures else ""
        raise DataError(f"{title} has no image that can be read.{reason}")
    # 2. To one shape, and what was done on the way in words.
    target = image_shape or met.shapes.most_common(1)[0][0]
    images = np.stack([fit_image(image, target) for image in kept])
    progress(1.0, f"read {title}: {len(kept):,} images")
    return ImageSet(
        name=name,
        title=title,
        images=images,
        labels=np.array(labels, np.int64),
        class_names=class_names,
        notes=met.notes(target, rule),
    )


@dataclass
class _Met:
    """What the images were like as they came: of which shapes, JPEG or not, unreadable."""

    shapes: Counter[Shape] = field(default_factory=Counter)
    jpegs: Counter[tuple[int, int]] = field(default_factory=Counter)
    """By height and width: colours do not hide the blocks."""
    failures: list[str] = field(default_factory=list)

    def notes(self, target: Shape, rule: Rule) -> tuple[str, ...]:
        """What was done to bring them to one shape, and what else a reader should know."""
        return (
            *_size_notes(self.shapes, target, rule),
            *_jpeg_notes(self.jpegs[target[1:]], self.shapes.total()),
            *_failure_notes(self.failures, self.shapes.total()),
        )


def _readable(
    items: Iterable[Item], total: int, *, title: str, met: _Met, progress: Progress
) -> Iterator[tuple[Pixels, int]]:
    """Images that can be read, with their labels; ``met`` counts what came."""
    for done, item in enumerate(items):
        if done % _PROGRESS_EVERY == 0:
            progress(done / max(total, 1), f"reading {title}: {done:,} of {total:,} images")
        try:
            image = item.read()
        except ImageFileError as exc:
            met.failures.append(str(exc))
            continue
        channels, height, width = image.shape
        met.shapes[channels, height, width] += 1
        met.jpegs[height, width] += item.jpeg
        yield image, item.label


def _size_notes(sizes: Counter[Shape], target: Shape, rule: Rule) -> tuple[str, ...]:
    changed = {shape: count for shape, count in sizes.items() if shape != target}
    if not changed:
        return ()
    if len(sizes) == 1:
        (shape,) = changed
        return (fit_note(shape, target, rule),)
    count = sum(changed.values())
    done = "cropped" if rule == "crop" else "resized"
    return (f"{count:,} of {sizes.total():,} images {done} to {describe_shape(target)}",)


def _jpeg_notes(count: int, total: int) -> tuple[str, ...]:
    # At the very size that the model reads, its blocks alone can tell a set from one without them.
    if not count:
        return ()
    return ("JPEG-compressed" if count == total else f"{count:,} of {total:,} JPEG-compressed",)


def _failure_notes(failures: list[str], kept: int) -> tuple[str, ...]:
    if not failures:
        return ()
    total = len(failures) + kept
    return (f"{len(failures):,} of {total:,} images could not be read, the first: {failures[0]}",)
