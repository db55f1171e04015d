"""Files that someone brings, one or many at once, to sets of images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hvae_core.common.errors import DataError
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.load import load_source
from hvae_core.data.prepare import Step
from hvae_core.data.readers.idx import is_idx, is_idx_of_labels
from hvae_core.data.readers.names import SUFFIXES, parts_of
from hvae_core.data.readers.read import ARCHIVES

File = tuple[str, bytes]
"""A file's name and its bytes."""
KINDS = tuple(sorted(suffix.removeprefix(".") for suffix in {*ARCHIVES, *SUFFIXES, ".gz"}))
"""Endings that a field for files takes."""
_LONGEST = 120


def read_files(
    files: Sequence[File], prepare: tuple[Step, ...] = (), progress: Progress = silent
) -> list[ImageSet]:
    """Return the sets that files hold: pictures are one set together, every other file is one.

    Files of labels beside IDX images are read with these. Raises ``DataError``.
    """
    if not files:
        raise DataError("No file was given; choose one or several.")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        laid = [(title, _laid(folder, title, data)) for title, data in files]
        alone = [
            (title, path) for title, path in laid
            if path.suffix.casefold() not in SUFFIXES and not is_idx_of_labels(path)
        ]  # fmt: skip
        pictures = [pair for pair in laid if pair[1].suffix.casefold() in SUFFIXES]
        sets: list[tuple[str, Path]] = list(alone)
        if len(pictures) == 1:
            sets += pictures
        elif pictures:
            together = folder / "pictures"
            together.mkdir()
            for _, path in pictures:
                path.rename(together / path.name)
            sets.append((f"{len(pictures):,} pictures", together))
        if not sets:
            raise DataError("These are labels alone; bring the file of the images with them.")
        return [
            load_source(path, title=title, prepare=prepare, progress=progress)
            for title, path in sets
        ]


def _laid(folder: Path, title: str, data: bytes) -> Path:
    """Write a file under its own name, as far as that is one, and beside others of the same."""
    name = (parts_of(title) or ("file",))[-1].replace("\0", "")
    stem, dot, suffix = name.rpartition(".")
    if not is_idx(Path(name)) and dot:
        name = f"{plain(stem, _LONGEST)[: _LONGEST // 4]}.{suffix[:12]}"
    path, number = folder / name[-_LONGEST:], 1
    while path.exists():
        number += 1
        path = folder / f"{number}-{name[-_LONGEST:]}"
    path.write_bytes(data)
    return path
