"""IDX files, as MNIST and its kin are published: images and labels in two files, often gzipped."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import AnyPath, PathT
from hvae_core.data.readers import splits
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.survey import in_words
from hvae_core.data.readers.wanted import Wanted

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IMAGES = re.compile(r"(.*?)[-_.]?images?([-_.]idx\d.*)", re.IGNORECASE)
_TEST_NAMES = {"t10k": "test"}


def is_idx(path: AnyPath) -> bool:
    """Return whether a file is IDX by its name: ...-images-idx3-ubyte, with or without .gz."""
    return bool(re.search(r"[-_.]idx\d", path.name, re.IGNORECASE))


def is_idx_of_labels(path: AnyPath) -> bool:
    """Return whether a file is IDX of labels by its name."""
    return is_idx(path) and _IMAGES.fullmatch(path.name) is None


def open_idx(path: Path, wanted: Wanted) -> Arrays:
    """Return the images of an IDX file, with the labels of the file beside it."""
    array = _read(path, mapped=wanted.streamed)
    if array.ndim < 3:
        raise DataError(f"{path.name} holds labels, no images; choose the file of the images.")
    beside = labels_of(path)
    notes = (f"labels from {beside.name} beside it",) if beside else ("no file of labels beside",)
    return Arrays(
        array,
        None if beside is None else _read(beside),
        what=path.name,
        labels_what=beside.name if beside else "the labels",
        notes=notes,
    )


def images_in(folder: Path) -> list[Path]:
    """The IDX files of images in a folder."""
    found = sorted(
        path for path in folder.iterdir()
        if is_idx(path) and path.is_file() and _IMAGES.fullmatch(path.name)
    )  # fmt: skip
    # Of a file and its gzipped twin, as downloads leave them, the unpacked one.
    plain = {path.name for path in found}
    return [path for path in found if path.name.removesuffix(".gz") not in plain - {path.name}]


def open_idx_folder(paths: list[Path], wanted: Wanted) -> Arrays:
    """Return the images of a folder of IDX files, of the split that is asked for."""
    by_split: dict[str, list[Path]] = {}
    for path in paths:
        match = _IMAGES.fullmatch(path.name)
        stem = match.group(1).casefold() if match else ""
        split = _TEST_NAMES.get(stem) or splits.split_of_shard(stem) or ""
        by_split.setdefault(split, []).append(path)
    if len(paths) == 1 and "" in by_split:
        return open_idx(paths[0], wanted)
    sizes = {split: _Counted(held) for split, held in by_split.items() if split}
    if not sizes or any(len(held) > 1 for held in by_split.values()):
        raise DataError(
            f"{paths[0].parent} holds several files of images "
            f"({', '.join(path.name for path in paths[:4])}); choose one of them."
        )
    split, note = splits.choose(wanted.split, sizes, wanted.title)
    opened = open_idx(by_split[split][0], wanted)
    opened.notes, opened.split = (note, *opened.notes), split
    return opened


def labels_of(path: PathT) -> PathT | None:
    """The file of labels beside one of images."""
    match = _IMAGES.fullmatch(path.name)
    if match is None:
        return None
    tail = re.sub(r"idx\d", "idx1", match.group(2), count=1, flags=re.IGNORECASE)
    for word in ("labels", "label"):
        for ending in (tail, tail.removesuffix(".gz"), f"{tail.removesuffix('.gz')}.gz"):
            joint = "-" if match.group(1) else ""
            place = path.with_name(f"{match.group(1)}{joint}{word}{ending}")
            if place.is_file():
                return place
    return None


class _Counted:
    """Files of one split, counted from their headers."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return sum(_header(path)[0][0] for path in self.paths)


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.casefold().endswith(".gz") else path.open("rb")


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        with _open(path) as file:
            return _header_of(file, path.name)
    except (OSError, EOFError, zlib.error, struct.error) as exc:
        raise _damaged(path) from exc


def _header_of(file: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    zero, kind, rank = struct.unpack(">HBB", file.read(4))
    if zero or kind not in _TYPES or not 1 <= rank <= 4:
        raise DataError(f"{name} is not an IDX file of numbers; download it again.")
    shape = struct.unpack(f">{rank}I", file.read(4 * rank))
    return shape, np.dtype(_TYPES[kind])


def _read(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    """The numbers of a file; ``mapped`` reads them where they lie, if they are not packed."""
    try:
        with _open(path) as file:
            shape, dtype = _header_of(file, path.name)
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            start = file.tell()
            if mapped and size and not path.name.casefold().endswith(".gz"):
                if path.stat().st_size != start + size:
                    raise _damaged(path)
                return np.memmap(path, dtype, mode="r", offset=start, shape=shape)
            if size > max_set_bytes():
                raise DataError(
                    f"{path.name} unpacks to more than {in_words(max_set_bytes())}; "
                    "save fewer images."
                )
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error, struct.error) as exc:
        raise _damaged(path) from exc
    if len(data) != size:
        raise _damaged(path)
    return np.frombuffer(data, dtype).reshape(shape)


def _damaged(path: Path) -> DataError:
    return DataError(f"{path.name} is damaged or cut short; download it again.")
