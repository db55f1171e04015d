"""A zip of image files, read in memory; nothing is ever unpacked to disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Pixels
from hvae_core.data.readers.collect import Item, gather
from hvae_core.data.readers.image_file import MAX_BYTES, named_jpeg, open_image

MAX_ENTRIES = 50_000
MAX_TOTAL_BYTES = 2**30


def load_zip(
    path: str | Path,
    *,
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> ImageSet:
    """Return the images in a zip, without labels: the names inside are not looked at.

    Entry count, the size of each and of all are checked from the directory before reading, and
    no entry is read beyond the size it declares. `limit` spreads over the entries.
    """
    path = Path(path)
    title = title or path.stem
    try:
        with zipfile.ZipFile(path) as archive:
            infos = _checked(archive, path.name)
            if limit is not None and limit < len(infos):
                picks = np.linspace(0, len(infos), limit, endpoint=False, dtype=int)
                infos = [infos[index] for index in picks]
            return gather(
                _items(archive, infos),
                len(infos),
                name=path.stem,
                title=title,
                image_shape=image_shape,
                progress=progress,
            )
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as exc:
        raise DataError(f"{path.name} cannot be read as a zip; make the archive again.") from exc


def _checked(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    # What macOS adds beside each file is not an image.
    infos = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith("__MACOSX/")
    ]
    if len(infos) > MAX_ENTRIES:
        raise DataError(
            f"{name} holds {len(infos):,} files; split it into zips of at most {MAX_ENTRIES:,}."
        )
    if sum(info.file_size for info in infos) > MAX_TOTAL_BYTES:
        raise DataError(
            f"{name} unpacks to more than {MAX_TOTAL_BYTES // 2**30} GiB; make smaller zips."
        )
    return infos


def _items(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Item]:
    for number, info in enumerate(infos, start=1):
        read = partial(_read, archive, info, what=f"File {number} of the zip")
        yield Item(read, jpeg=named_jpeg(info.filename))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> Pixels:
    if info.file_size > MAX_BYTES:
        raise ImageFileError(f"{what} is larger than {MAX_BYTES // 2**20} MiB; shrink the image.")
    try:
        with archive.open(info) as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as exc:
        raise ImageFileError(
            f"{what} is damaged or locked by a password; make the zip again."
        ) from exc
    return open_image(data, what)
