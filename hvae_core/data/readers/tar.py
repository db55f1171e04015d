"""Tars of samples as webdataset writes them: 000001.png beside 000001.cls or 000001.json.

Nothing is unpacked to disk. Of every sample the place of its first file is known; names and bytes
are read when it is its turn, in the order of the tar.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.common.far_path import AnyPath, in_order
from hvae_core.data.readers import splits
from hvae_core.data.readers.encoded import Pictures
from hvae_core.data.readers.image_file import MAX_BYTES, read_bytes
from hvae_core.data.readers.labels import MAX_CLASSES, label_name, read_labels
from hvae_core.data.readers.names import SUFFIXES, is_junk, listed, parts_of, suffix_of
from hvae_core.data.readers.wanted import Wanted

_MOST_LABEL = 2**16  # bytes of a file that may say a label
_BROKEN = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, UnicodeError)


def open_tar(path: AnyPath, wanted: Wanted) -> Pictures:
    """Return the pictures of one tar, or of a folder of tars in the order of names, unread.

    Tars named as splits, ``train-000000.tar``, are splits.
    """
    shards = tars_in(path) if path.is_dir() else [path]
    notes: tuple[str, ...] = ()
    split = ""
    by_split: dict[str, list[AnyPath]] = {}
    for shard in shards:
        by_split.setdefault(splits.split_of_shard(shard.stem) or "", []).append(shard)
    if len(shards) > 1 and list(by_split) != [""]:
        if "" in by_split:
            names = listed([shard.name for shard in by_split[""]])
            raise DataError(
                f"{wanted.title} has tars of splits, and others ({names}) of which no split is "
                "said; take away one or the other."
            )
        split, note = splits.choose(wanted.split, by_split, wanted.title, counted=False)
        shards, notes = by_split[split], (note,)
    found = _Found(shards)
    if not any(map(len, found.starts)):
        raise DataError(f"{wanted.title} holds no pictures; make a tar of images.")
    blobs = _Samples(shards, np.concatenate(found.shard_of), np.concatenate(found.starts))
    values = np.empty(len(found.values), object)
    values[:] = list(found.values)
    codes = np.concatenate(found.codes)
    used, codes, times = np.unique(codes, return_inverse=True, return_counts=True)
    labels = read_labels(values[used], len(used), what="the labels of the samples", times=times)
    labels = replace(labels, values=labels.values[codes])
    if found.skipped:
        notes += (f"{found.skipped:,} samples without a picture left out",)
    return Pictures(
        blobs,
        labels,
        files=_Names(blobs),
        notes=notes,
        split=split,
    )


def tars_in(folder: AnyPath) -> list[AnyPath]:
    """The tars in a folder, in the order of their names."""
    return [path for path in in_order(folder, "*.tar") if path.is_file() and not is_junk(path.name)]


class _Member(NamedTuple):
    """One file of a tar: where its entry begins, how long it is, and how it is read."""

    name: str
    start: int
    size: int
    read: Callable[[], bytes]


def _members(path: AnyPath, start: int = 0) -> Iterator[_Member]:
    """The files of a tar from an entry on, one after another."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (info := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # it would hold all of them
                    if info.isfile() and not info.issparse() and not is_junk(info.name):
                        read = partial(_content, file, path, info.offset_data, size=info.size)
                        yield _Member(info.name, info.offset, info.size, read)
    except _BROKEN as exc:
        raise DataError(f"{path.name} cannot be read as a tar; make or download it again.") from exc


def _content(tar: BinaryIO, path: AnyPath, start: int, *, size: int) -> bytes:
    """The bytes of a file of a tar, which is opened again where it has been read to its end."""
    with path.open("rb") if tar.closed else nullcontext(tar) as file:
        file.seek(start)
        return file.read(size)


def _samples(path: AnyPath, start: int = 0) -> Iterator[list[_Member]]:
    """The samples of a tar: neighbouring files that are called the same up to the first dot."""
    sample: list[_Member] = []
    for member in _members(path, start):
        if sample and _key(sample[0].name) != _key(member.name):
            yield sample
            sample = []
        sample.append(member)
    if sample:
        yield sample


def _key(name: str) -> tuple[str, ...]:
    *folders, last = parts_of(name) or ("",)
    return (*folders, last.partition(".")[0])


def _picture(sample: list[_Member]) -> _Member | None:
    return next((member for member in sample if suffix_of(member.name) in SUFFIXES), None)


def _label(sample: list[_Member]) -> Any:
    """What a sample says of its class: the text of its .cls, or the label of its .json."""
    for member in sample:
        ending = parts_of(member.name)[-1].partition(".")[2].casefold()
        if ending not in ("cls", "cls.txt", "json") or member.size > _MOST_LABEL:
            continue
        text = member.read().decode("utf-8", "replace").strip()
        if ending != "json":
            return text or None
        try:
            stored = json.loads(text)
        except (ValueError, RecursionError):
            return None
        name = label_name(stored) if isinstance(stored, dict) else None
        value = None if name is None else stored[name]
        return value if isinstance(value, str | int | float) else None
    return None


class _Found:
    """The samples that have a picture: where they begin, and which label each has by its code."""

    def __init__(self, shards: list[AnyPath]) -> None:
        self.starts: list[NDArray[np.int64]] = []
        self.shard_of: list[NDArray[np.int32]] = []
        self.codes: list[NDArray[np.int64]] = []
        self.values: dict[Any, int] = {}
        self.skipped = 0
        for number, shard in enumerate(shards):
            starts, codes = self._of(shard)
            self.starts.append(np.array(starts, np.int64))
            self.codes.append(np.array(codes, np.int64))
            self.shard_of.append(np.full(len(starts), number, np.int32))

    def _of(self, shard: AnyPath) -> tuple[list[int], list[int]]:
        starts, codes = [], []
        for sample in _samples(shard):
            if _picture(sample) is None:
                self.skipped += 1
                continue
            value = _label(sample)
            if len(self.values) <= MAX_CLASSES + 1:
                self.values.setdefault(value, len(self.values))
            starts.append(sample[0].start)
            codes.append(self.values.get(value, MAX_CLASSES + 1))
        return starts, codes


class _Samples:
    """The pictures of tars, read on from sample to sample."""

    def __init__(
        self, shards: list[AnyPath], shard_of: NDArray[np.int32], starts: NDArray[np.int64]
    ) -> None:
        self.shards, self.shard_of, self.starts = shards, shard_of, starts
        self._named = (-1, "")

    def __len__(self) -> int:
        return len(self.starts)

    def name(self, number: int) -> str:
        """The name of a picture's file while that picture is read; at other times its place."""
        return self._named[1] if self._named[0] == number else f"Picture {number}"

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        """The bytes of pictures in rising order; a gap is jumped over."""
        reading: Iterator[list[_Member]] = iter(())
        before = -2
        for number in numbers.tolist():
            shard = int(self.shard_of[number])
            if number != before + 1 or shard != int(self.shard_of[before]):
                reading = _samples(self.shards[shard], int(self.starts[number]))
            # Those without a picture stand between, and are in no count.
            member = next(filter(None, map(_picture, reading)))
            before, self._named = number, (number, "/".join(parts_of(member.name)))
            yield partial(_bytes, member)


def _bytes(member: _Member) -> bytes:
    if member.size > MAX_BYTES:
        raise ImageFileError(
            f"{member.name} is larger than {MAX_BYTES // 2**20} MiB; shrink the image."
        )
    return read_bytes(member.read(), member.name)


class _Names(Sequence[str]):
    """The names of the pictures, each known while it is read."""

    def __init__(self, blobs: _Samples) -> None:
        self._blobs = blobs

    def __len__(self) -> int:
        return len(self._blobs)

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self._blobs.name(number) for number in range(*which.indices(len(self)))]
        return self._blobs.name(which)
