"""Arrays of NumPy files: what a header claims is held against the bytes before anything is read."""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.survey import in_words

MAX_ENTRIES = 256
BROKEN = (OSError, ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError,
          KeyError, SyntaxError, TypeError, MemoryError, OverflowError, AttributeError, IndexError,
          UnicodeError, zlib.error, tokenize.TokenError, AssertionError)  # fmt: skip


class Members:
    """The arrays of an archive by name, each read when it is asked for.

    Of an archive whose ``path`` is given, arrays that are not compressed are read where they lie.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str, path: Path | None = None) -> None:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        keys = [info.filename.removesuffix(".npy") for info in infos]
        if len(infos) > MAX_ENTRIES or len(set(keys)) < len(keys):
            raise DataError(f"{name} holds too many or repeated arrays; save the images alone.")
        self.path = path
        if sum(info.file_size for info in infos if not self._lies(info)) > max_set_bytes():
            raise DataError(
                f"{name} unpacks to more than {in_words(max_set_bytes())}; save fewer images."
            )
        self.archive = archive
        self.infos = dict(zip(keys, infos, strict=True))

    def _lies(self, info: zipfile.ZipInfo) -> bool:
        return self.path is not None and info.compress_type == zipfile.ZIP_STORED

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type, from the header alone."""
        with self.archive.open(self.infos[key]) as file:
            return _header(file)

    def read(self, key: str, kinds: str = "biuf") -> NDArray[Any]:
        """The array; its header may claim any shape, which must be what the archive holds."""
        info = self.infos[key]
        shape, dtype = self.header(key)
        lies = self._lies(info) and math.prod(shape) > 0
        _check_plain(key, shape, dtype, held=info.file_size, kinds=kinds, any_size=lies)
        if lies and self.path is not None:
            return _mapped(self.path, _begin(self.path, info))
        with self.archive.open(info) as file:
            return npy.read_array(file, allow_pickle=False)

    def words(self, key: str) -> str:
        """A name with its shape."""
        try:
            return f"{key} {self.header(key)[0]}"
        except BROKEN:
            return key


def read_npy(path: Path, kinds: str = "biuf", *, mapped: bool = False) -> NDArray[Any]:
    """An .npy whose header claims no more than it holds; ``mapped`` leaves it where it lies."""
    try:
        with path.open("rb") as file:
            shape, dtype = _header(file)
            mapped = mapped and math.prod(shape) > 0
            held = path.stat().st_size
            _check_plain(path.stem, shape, dtype, held=held, kinds=kinds, any_size=mapped)
        if mapped:
            return _mapped(path, 0)
        with path.open("rb") as file:
            return npy.read_array(file, allow_pickle=False)
    except DataError:
        raise
    except BROKEN as exc:
        raise DataError(
            f"{path.name} cannot be read as a NumPy array; save it again with numpy.save."
        ) from exc


def _begin(path: Path, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a file begin that an archive holds as they are."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(30)
    name, extra = struct.unpack("<HH", head[26:30])
    return info.header_offset + 30 + int(name) + int(extra)


def _mapped(path: Path, start: int) -> NDArray[Any]:
    """An array as it lies in a file, of which only what is asked for is read."""
    with path.open("rb") as file:
        file.seek(start)
        version = npy.read_magic(file)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(file)
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.memmap(path, dtype, mode="r", offset=file.tell(), shape=shape, order=order)


def _header(file: BinaryIO | Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = reader(file)
    return tuple(int(side) for side in shape), dtype


def _check_plain(
    key: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    held: int,
    kinds: str = "biuf",
    any_size: bool = False,
) -> None:
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or dtype.kind not in kinds or declared > held or min(shape, default=0) < 0:
        what = (
            "holds Python objects, which could run code"
            if dtype.hasobject
            else (f"is not a plain array of numbers of the size it claims ({dtype}, {shape})")
        )
        raise DataError(f"The array {key} {what}; save plain numbers, as uint8, with numpy.savez.")
    if declared > max_set_bytes() and not any_size:
        raise DataError(f"{key} holds more than {in_words(max_set_bytes())}; save fewer images.")
