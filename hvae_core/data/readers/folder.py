"""A folder of picture files, with folders for splits and classes, or a table of labels beside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import AnyPath, FarPath
from hvae_core.data.readers import names
from hvae_core.data.readers.arrange import METADATA, Entry, arranged
from hvae_core.data.readers.encoded import Pictures
from hvae_core.data.readers.far_files import UnreadFar, pictures_among, read_far, walk_far
from hvae_core.data.readers.image_file import looks_like_picture, read_bytes
from hvae_core.data.readers.wanted import Wanted

MAX_FILES = 200_000
MAX_STREAMED = 5_000_000
"""Pictures of a folder that is read part by part: their names alone are held."""
MAX_DEPTH = 32
MAX_SCANNED = 1_000_000


class Files:
    """Entries as encoded pictures."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, number: int) -> str:
        """The file's name from the folder on."""
        return self.entries[number].name

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        """Each file's own bytes."""
        reads = [self.entries[number].read for number in numbers.tolist()]
        far = [read for read in reads if isinstance(read, UnreadFar)]
        return read_far(far) if far else iter(reads)


@dataclass(frozen=True, slots=True)
class _Unread:
    """One file of a folder: little, as there may be millions of them."""

    folder: Path
    name: str

    def __call__(self) -> bytes:
        return read_bytes(self.folder / self.name, self.name)


@dataclass
class _Found:
    """What lies in a folder: pictures and tables of labels, by name from there, and all else."""

    files: list[tuple[str, Callable[[], bytes]]] = field(default_factory=list)
    tables: list[tuple[str, Callable[[], bytes]]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Links that lead nowhere, pipes, devices."""


def open_folder(path: AnyPath, wanted: Wanted) -> Pictures:
    """Return the pictures of a folder and of all below it, unread."""
    most = MAX_STREAMED if wanted.streamed else MAX_FILES
    found = _found_far(path, most) if isinstance(path, FarPath) else _found(path, most)
    if not found.files:
        why = "".join(f": {note}" for note in names.other_pictures(found.others))
        raise DataError(
            f"{path} holds no {names.KINDS} image; choose a folder of images "
            f"(subfolders are taken as classes){why}."
        )
    kept = arranged([Entry(*file) for file in found.files], wanted, dict(found.tables))
    lost = (f"{len(found.lost):,} entries lead to no file ({names.listed(found.lost)})",)
    return Pictures(
        Files(kept.entries),
        kept.labels,
        files=tuple(entry.name for entry in kept.entries),
        notes=(
            *kept.notes,
            *names.left_out(found.others),
            *(lost if found.lost else ()),
            *unread_tables(found.others, kept.labels.names),
        ),
        spread=True,
        split=kept.split,
    )


def has_pictures(root: AnyPath) -> bool:
    """Return whether a picture lies in a folder or below it."""
    walk: Iterator[tuple[os.DirEntry[str] | FarPath, str]] = (
        walk_far(root, depth=MAX_DEPTH)
        if isinstance(root, FarPath)
        else _walk(root, "", seen=set(), depth=MAX_DEPTH)
    )
    return any(names.suffix_of(name) in names.SUFFIXES and entry.is_file() for entry, name in walk)


def _found(root: Path, most: int) -> _Found:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; check the path.")
    found = _Found()
    for entry, name in _walk(root, "", seen=set(), depth=MAX_DEPTH):
        path = Path(entry.path)
        if not entry.is_file():
            found.lost.append(name)
        elif parts_are(name, METADATA):
            found.tables.append((name, partial(read_bytes, path, name)))
        elif names.suffix_of(name) in names.SUFFIXES or (
            not names.suffix_of(name) and _starts_as_picture(path)
        ):
            found.files.append((name, _Unread(root, name)))
        else:
            found.others.append(name)
        _check_count(root, found, most)
    found.files.sort(key=_name)
    found.tables.sort(key=_name)
    return found


def _found_far(root: FarPath, most: int) -> _Found:
    found = _Found()
    unsure: list[tuple[FarPath, str]] = []
    for place, name in walk_far(root, depth=MAX_DEPTH):
        read = UnreadFar(root, name, place.size)
        if parts_are(name, METADATA):
            found.tables.append((name, read))
        elif names.suffix_of(name) in names.SUFFIXES:
            found.files.append((name, read))
        elif names.suffix_of(name):
            found.others.append(name)
        else:
            unsure.append((place, name))
        _check_count(root, found, most)
    known = pictures_among([place for place, _ in unsure])
    for place, name in unsure:
        if place.path in known:
            found.files.append((name, UnreadFar(root, name, place.size)))
        else:
            found.others.append(name)
    found.files.sort(key=_name)
    found.tables.sort(key=_name)
    return found


def _check_count(root: AnyPath, found: _Found, most: int) -> None:
    if len(found.files) > most:
        raise DataError(f"{root} holds more than {most:,} images; choose one of its subfolders.")


def _name(file: tuple[str, Callable[[], bytes]]) -> str:
    return file[0]


def parts_are(name: str, wanted: tuple[str, ...]) -> bool:
    """Return whether the last part of a name is one of some."""
    return names.parts_of(name)[-1:] in [(text,) for text in wanted]


def _walk(
    folder: Path, prefix: str, *, seen: set[tuple[int, int]], depth: int
) -> Iterator[tuple[os.DirEntry[str], str]]:
    # Links are followed, but no folder is entered twice: they can lead round in a circle.
    try:
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:
            return
        seen.add((state.st_dev, state.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as exc:
        raise DataError(f"{folder} cannot be read: {exc.strerror or exc}.") from exc
    for count, entry in enumerate(entries):
        if count > MAX_SCANNED:
            raise DataError(f"{folder} holds too many files; choose one of its subfolders.")
        if names.is_junk(entry.name):
            continue
        name = f"{prefix}{entry.name}"
        if not entry.is_dir():
            yield entry, name
        elif depth > 0:
            yield from _walk(Path(entry.path), f"{name}/", seen=seen, depth=depth - 1)


def _starts_as_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return looks_like_picture(file.read(12))
    except OSError:
        return False


def unread_tables(others: list[str], classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note on tables that may hold labels where none were found."""
    tables = [name for name in others if names.suffix_of(name) in (".csv", ".json", ".tsv")]
    if classes or not tables:
        return ()
    return (
        f"no labels, though {names.listed(tables)} is there; call it metadata.csv, with the "
        "columns file_name and label",
    )
