"""A file or folder of a store by its URL, as s3://bucket/images, asked as a ``Path`` is.

What a store's library raises is one sentence, also where a file is read piece by piece.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, TypeVar, final

from hvae_core.common.errors import DataError
from hvae_core.common.far import is_bucket, protocols, told

BLOCK = 2**22
"""Bytes that are asked for at once where a file is read on and on."""
_TAGS = ("ETag", "etag", "md5Hash")
"""What stores call the digest of a file's contents."""


@final
@dataclass(frozen=True, order=True, slots=True)
class FarPath:
    """A path in the filesystem ``fs`` (of ``fsspec``); ``kind`` is file, directory or "" for none.

    ``size`` are its bytes and ``tag`` is what its store says of its contents, both as they were
    when it was found.
    """

    fs: Any = field(compare=False)
    path: str
    kind: str = field(compare=False)
    size: int = field(default=0, compare=False)
    tag: str = field(default="", compare=False)

    @classmethod
    def of(cls, text: str) -> FarPath:
        """What lies at a URL that someone wrote. Raises ``DataError`` where it cannot be asked."""
        from fsspec.core import url_to_fs

        with told(text, reading=True):
            fs, path = url_to_fs(text.strip())
            # What was there the last time may have changed.
            fs.invalidate_cache()
        return _found(fs, path.rstrip("/"))

    def __str__(self) -> str:
        return str(self.fs.unstrip_protocol(self.path))

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Its last part without ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> FarPath:
        """The folder that it is in."""
        return FarPath(self.fs, self.path.rpartition("/")[0], "directory")

    def with_name(self, name: str) -> FarPath:
        """Another file of its folder, or none."""
        return _found(self.fs, f"{self.path.rpartition('/')[0]}/{name}")

    def exists(self) -> bool:
        """Whether anything was there."""
        return bool(self.kind)

    def is_file(self) -> bool:
        """Whether a file was there."""
        return self.kind == "file"

    def is_dir(self) -> bool:
        """Whether a folder was there."""
        return self.kind == "directory"

    def iterdir(self) -> Iterator[FarPath]:
        """What lies in a folder, by name."""
        with told(str(self), reading=True):
            try:
                found = self.fs.ls(self.path, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                found = []
        places = (_place(self.fs, one) for one in found)
        # Some stores list a folder among what is in it.
        return iter(sorted(place for place in places if place.path != self.path))

    def glob(self, pattern: str) -> Iterator[FarPath]:
        """What in a folder, and folders below, is called as a pattern has it (no ``**``)."""
        first, _, rest = pattern.partition("/")
        for place in self.iterdir():
            if not fnmatchcase(place.name, first):
                continue
            if not rest:
                yield place
            elif place.is_dir():
                yield from place.glob(rest)

    def open(self, mode: str = "rb") -> io.BufferedReader:
        """The file, to be read from any place on, ahead by a few MiB."""
        with told(str(self), reading=True):
            file = self.fs.open(self.path, mode, block_size=BLOCK, cache_type="readahead")
        return io.BufferedReader(_Told(file, str(self)))

    def state(self) -> str:
        """What changes when a file does."""
        with told(str(self), reading=True):
            return str(self.fs.ukey(self.path))


AnyPath: TypeAlias = Path | FarPath
PathT = TypeVar("PathT", Path, FarPath)


def in_order(folder: AnyPath, pattern: str) -> list[AnyPath]:
    """What in a folder is called as a pattern has it, by name."""
    if isinstance(folder, FarPath):
        return [*sorted(folder.glob(pattern))]
    return [*sorted(folder.glob(pattern))]


def first_bytes(places: Sequence[FarPath], most: int) -> list[bytes | DataError]:
    """The first ``most`` bytes of some files of one store, asked for at once.

    A file that is gone or may not be read has its ``DataError`` in its place; others are raised.
    """
    if not places:
        return []
    fs, where = places[0].fs, f"{places[0].parent}"
    some = [place for place in places if place.size]
    with told(where, reading=True):
        data = fs.cat_ranges(
            [place.path for place in some],
            [0] * len(some),
            [min(place.size, most) for place in some],
            on_error="return",
        )
    held = dict(zip([place.path for place in some], data, strict=True))
    return [_had(held.get(place.path, b""), place) for place in places]


def _had(data: Any, place: FarPath) -> bytes | DataError:
    if not isinstance(data, Exception):
        return bytes(data)
    try:
        with told(str(place), reading=True):
            raise data
    except DataError as exc:
        if isinstance(data, FileNotFoundError | PermissionError):
            return exc
        raise


def _found(fs: Any, path: str) -> FarPath:
    where = str(fs.unstrip_protocol(path))
    with told(where, reading=True):
        try:
            return _place(fs, fs.info(path))
        except (FileNotFoundError, NotADirectoryError):
            bucket = path.partition("/")[0]
            if is_bucket(fs) and not fs.exists(bucket):
                raise DataError(
                    f"There is no {protocols(fs)[0]} bucket {bucket}; check its name."
                ) from None
    return FarPath(fs, path, "")


def _place(fs: Any, info: dict[str, Any]) -> FarPath:
    tag = next((str(info[name]).strip('"') for name in _TAGS if info.get(name)), "")
    path = str(info["name"]).rstrip("/")
    return FarPath(fs, path, str(info["type"]), int(info.get("size") or 0), tag)


@final
class _Told(io.RawIOBase):
    """A file of a store, whose errors are sentences."""

    def __init__(self, file: Any, what: str) -> None:
        self._file, self._what = file, what

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with memoryview(buffer).cast("B") as view, told(self._what, reading=True):
            data = self._file.read(len(view))
            view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with told(self._what, reading=True):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
