"""The files of a folder of a store: listed folder by folder, fetched some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.common.far_path import FarPath, first_bytes
from hvae_core.data.readers.image_file import MAX_BYTES, looks_like_picture, read_bytes
from hvae_core.data.readers.names import is_junk

_TOGETHER = 64
_TOGETHER_BYTES = 2**25
"""Files that are asked for at once: so many, of not more than so many bytes."""
_START = 12  # bytes by which a picture is known
_STARTS = 512  # files of which they are asked for at once


@dataclass(frozen=True, slots=True)
class UnreadFar:
    """One file of a folder: little, as there may be millions of them."""

    folder: FarPath
    name: str
    size: int

    def __call__(self) -> bytes:
        """Its bytes."""
        return next(read_far([self]))()


def read_far(files: Sequence[UnreadFar]) -> Iterator[Callable[[], bytes]]:
    """The bytes of files in their order, some fetched together.

    ``ImageFileError`` says which is gone, or has no bytes or too many; a store that does not answer
    is a ``DataError``.
    """
    for some in _together(files):
        places = [
            FarPath(file.folder.fs, f"{file.folder.path}/{file.name}", "file", file.size)
            for file in some
        ]
        for data, file in zip(first_bytes(places, MAX_BYTES + 1), some, strict=True):
            yield partial(_had, data, file.name)


def walk_far(folder: FarPath, prefix: str = "", *, depth: int) -> Iterator[tuple[FarPath, str]]:
    """The files of a folder and of those below it, with their names from there."""
    for place in folder.iterdir():
        if is_junk(place.name):
            continue
        name = f"{prefix}{place.name}"
        if not place.is_dir():
            yield place, name
        elif depth > 0:
            yield from walk_far(place, f"{name}/", depth=depth - 1)


def pictures_among(files: Sequence[FarPath]) -> set[str]:
    """The paths of those files that begin as pictures do, whatever they are called."""
    known: set[str] = set()
    for begin in range(0, len(files), _STARTS):
        some = files[begin : begin + _STARTS]
        for file, start in zip(some, first_bytes(some, _START), strict=True):
            if isinstance(start, bytes) and looks_like_picture(start):
                known.add(file.path)
    return known


def _together(files: Sequence[UnreadFar]) -> Iterator[list[UnreadFar]]:
    some: list[UnreadFar] = []
    size = 0
    for file in files:
        if some and (len(some) == _TOGETHER or size + file.size > _TOGETHER_BYTES):
            yield some
            some, size = [], 0
        some.append(file)
        size += file.size
    if some:
        yield some


def _had(data: bytes | DataError, name: str) -> bytes:
    if isinstance(data, DataError):
        raise ImageFileError(str(data)) from data
    return read_bytes(data, name)
