"""A folder of image files: one subfolder a class, or all files side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Rule
from hvae_core.data.readers.collect import Item, gather
from hvae_core.data.readers.image_file import SUFFIXES, named_jpeg, open_image

MAX_FILES = 200_000
MAX_DEPTH = 2


def load_folder(
    path: str | Path,
    *,
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    rule: Rule = "resize",
    progress: Progress = silent,
) -> ImageSet:
    """Return the images of a folder, of its subfolders and of theirs; the first level is the class.

    `limit` spreads over the files in the order of their names, so that every class is met.
    """
    path = Path(path)
    title = title or path.name
    files = image_files(path)
    if not files:
        raise DataError(
            f"{path} holds no PNG, JPEG, BMP or WebP image; choose a folder of images "
            "(subfolders are taken as classes)."
        )
    if limit is not None and limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files), limit, endpoint=False, dtype=int)]
    classes = [_class_of(file, path) for file in files]
    class_names = tuple(sorted({text for text in classes if text is not None}))
    index: dict[str | None, int] = {text: number for number, text in enumerate(class_names)}
    items = (
        Item(
            partial(open_image, file, str(file.relative_to(path))),
            index.get(text, -1),
            named_jpeg(file.name),
        )
        for file, text in zip(files, classes, strict=True)
    )
    return gather(
        items,
        len(files),
        name=path.name,
        title=title,
        class_names=class_names,
        image_shape=image_shape,
        rule=rule,
        progress=progress,
    )


def image_files(path: Path) -> list[Path]:
    """Return the image files under a folder, sorted, to the depth that `load_folder` reads."""
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; check the path.")
    files = list(islice(_walk(path, MAX_DEPTH), MAX_FILES + 1))
    if len(files) > MAX_FILES:
        raise DataError(
            f"{path} holds more than {MAX_FILES:,} images; choose one of its subfolders."
        )
    return sorted(files)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    # Links to folders are not followed: they can lead round in a circle or out of the folder.
    try:
        entries = list(os.scandir(folder))
    except OSError as exc:
        raise DataError(f"{folder} cannot be read: {exc.strerror or exc}.") from exc
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth > 0:
                yield from _walk(Path(entry.path), depth - 1)
        elif Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file():
            yield Path(entry.path)


def _class_of(file: Path, root: Path) -> str | None:
    parts = file.relative_to(root).parts
    return parts[0] if len(parts) > 1 else None
