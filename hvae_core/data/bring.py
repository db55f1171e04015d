"""Files that someone brings, one or many at once, to sets of images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet
from hvae_core.data.load import load_source
from hvae_core.data.prepare import Step
from hvae_core.data.readers.arrange import METADATA
from hvae_core.data.readers.idx import is_idx_of_labels
from hvae_core.data.readers.names import SUFFIXES, is_junk, parts_of
from hvae_core.data.readers.npz import labels_place
from hvae_core.data.readers.read import ARCHIVES

File = tuple[str, bytes]
"""A file's name and its bytes."""
KINDS = tuple(sorted(suffix.removeprefix(".") for suffix in {*ARCHIVES, *SUFFIXES, ".gz"}))
"""Endings that a field for files takes."""
_LONGEST = 200


def read_files(
    files: Sequence[File], prepare: tuple[Step, ...] = (), progress: Progress = silent
) -> list[ImageSet]:
    """Return the sets that files hold: pictures are one set together, every other file is one.

    Files of labels are read with their images. A file that cannot be read is a note of the others;
    ``DataError`` where none can.
    """
    files = [(title, data) for title, data in files if not is_junk(title)]
    if not files:
        raise DataError("No file was given; choose one or several.")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        laid = [(title, _laid(folder, title, data)) for title, data in files]
        sets, problems = list[ImageSet](), list[str]()
        for title, path in _sources(laid, folder):
            try:
                sets.append(load_source(path, title=title, prepare=prepare, progress=progress))
            except DataError as error:
                if len(laid) == 1:
                    raise
                problems.append(f"left out: {error}")
        if not sets:
            labels = "These are labels alone; bring the file of the images with them."
            raise DataError(problems[0].removeprefix("left out: ") if problems else labels)
        sets[0] = replace(sets[0], notes=(*sets[0].notes, *problems))
        return sets


def _sources(laid: Sequence[tuple[str, Path]], folder: Path) -> list[tuple[str, Path]]:
    """What is read as one set each, with its title."""
    labels = {labels_place(path) for _, path in laid}
    pictures, tables, alone = [], [], []
    for title, path in laid:
        if path.suffix.casefold() in SUFFIXES:
            pictures.append((title, path))
        elif path.name in METADATA:
            tables.append(path)
        elif path not in labels and not is_idx_of_labels(path):
            alone.append((title, path))
    if len(pictures) == 1 and not tables:
        return [*alone, *pictures]
    if pictures:
        together = folder / "pictures"
        together.mkdir()
        for path in (*(path for _, path in pictures), *tables):
            path.rename(together / path.name)
        alone.append((f"{len(pictures):,} pictures", together))
    return alone


def _laid(folder: Path, title: str, data: bytes) -> Path:
    """Write a file under its own name, as far as that is one, and beside others of the same."""
    name = (parts_of(title) or ("file",))[-1].replace("\0", "")
    stem, dot, suffix = name.rpartition(".")
    if len(name.encode()) > _LONGEST:  # beyond what file systems take
        kept = stem.encode()[: _LONGEST - 20].decode("utf-8", "ignore")
        name = (
            f"{kept}{dot}{suffix[:12]}"
            if dot
            else name.encode()[:_LONGEST].decode("utf-8", "ignore")
        )
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{number}-{name}"
    path.write_bytes(data)
    return path
