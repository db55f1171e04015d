"""The files of a Parquet set, opened when they are read, and its columns row by row or by value.

Nothing here holds a column of Python objects as long as the set: a million rows take the memory of
their codes, and of one row group.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import AnyPath, FarPath
from hvae_core.data.readers.image_file import read_bytes
from hvae_core.data.readers.labels import MAX_CLASSES
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.names import parts_of
from hvae_core.data.readers.survey import in_words

MAX_GROUP_BYTES = 2**30
_SMALL_GROUP = 2**25
_BATCH = 256
_BUFFER = 2**20
"""Bytes of a column that are read at once: a group of a gigabyte is not held as a whole."""
BROKEN = (pa.ArrowException, OSError, ValueError, RecursionError, KeyError, TypeError,
          IndexError, MemoryError, OverflowError, UnicodeError)  # fmt: skip


class Shard:
    """One Parquet file: its footer is known, the file itself is open only while it is read."""

    def __init__(self, path: AnyPath) -> None:
        self.path = path
        with _opened(path) as file:
            self.metadata = file.metadata
            self.schema: pa.Schema = file.schema_arrow

    def batches(self, column: str, groups: list[int] | None = None) -> Iterator[pa.Array]:
        """A column in pieces of a few hundred rows, of some row groups or all."""
        with _opened(self.path, metadata=self.metadata, buffer_size=_BUFFER) as file:
            for batch in file.iter_batches(_BATCH, row_groups=groups, columns=[column]):
                yield batch.column(0)

    def column(self, name: str) -> pa.ChunkedArray:
        """A whole column."""
        with _opened(self.path, metadata=self.metadata) as file:
            return file.read(columns=[name]).column(0)


@contextmanager
def _opened(path: AnyPath, **options: Any) -> Iterator[pq.ParquetFile]:
    if isinstance(path, FarPath):
        with path.open() as source, pq.ParquetFile(source, **options) as file:
            yield file
    else:
        with pq.ParquetFile(path, **options) as file:
            yield file


def coded(shards: Sequence[Shard], column: str) -> tuple[NDArray[np.int64], list[Any]]:
    """A column by value: which value each row has, (N,), and the values, each once.

    More values than there may be classes become one value, of no class.
    """
    known: dict[Any, int] = {}
    codes = [np.empty(0, np.int64)]
    for piece in (piece for shard in shards for piece in shard.batches(column)):
        try:
            encoded = piece.dictionary_encode()
            values, index = encoded.dictionary.to_pylist(), encoded.indices
            index = index.fill_null(len(values)).to_numpy(zero_copy_only=False)
            values.append(None)
        except (pa.ArrowException, AttributeError):  # lists have no dictionary
            values = piece.to_pylist()
            index = np.arange(len(values))
        # A number that is none equals nothing, not even itself.
        keys = [_hashable(value if value == value else None) for value in values]
        used = np.unique(index)
        for number in used.tolist():
            if keys[number] not in known and len(known) <= MAX_CLASSES + 1:
                known[keys[number]] = len(known)
        table = np.array([known.get(key, MAX_CLASSES + 1) for key in keys], np.int64)
        codes.append(table[index])
    values = [list(key) if isinstance(key, tuple) else key for key in known]
    return np.concatenate(codes), values


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


class Rows:
    """The encoded images of the chosen rows of some Parquet files, counted through all of them."""

    def __init__(self, shards: list[Shard], column: str, chosen: NDArray[np.int64]) -> None:
        self.shards, self.column, self.chosen = shards, column, chosen
        self._groups = _Groups(shards)
        self._open: _Reading | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def name(self, number: int) -> str:
        """A row in words."""
        return f"Row {self.chosen[number]}"

    def names(self) -> Sequence[str]:
        """The names that the images had as files, where the table has kept those."""
        kind = self.shards[0].schema.field(self.column).type
        if not pa.types.is_struct(kind) or "path" not in [field.name for field in kind]:
            return ()
        named = _Names(self._groups, self.column, self.chosen)
        return named if named.any else ()

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        """The bytes of rows in rising order; groups without one of them are never read."""
        try:
            yield from self._read(self.chosen[numbers])
        except BROKEN as exc:
            raise DataError(
                f"The Parquet file is damaged; make or download it again ({short(exc)})."
            ) from exc

    def _read(self, rows: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        waiting = rows.tolist()[::-1]
        while waiting:
            group = self._groups.of(waiting[-1])
            # Within a group Parquet is read on from where the last part ended.
            reading, self._open = self._open, None
            if reading is None or reading.group != group or reading.number > waiting[-1]:
                reading = _Reading(self._groups, group, self.column)
            stop = self._groups.starts[group + 1]
            while waiting and waiting[-1] < stop:
                row = waiting.pop()
                yield partial(_bytes, reading.at(row), f"Row {row}")
            self._open = reading


class _Groups:
    """The row groups of all files in one order, and the rows at which they start."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self.places = [
            (file, group)
            for file, shard in enumerate(shards)
            for group in range(shard.metadata.num_row_groups)
            if shard.metadata.row_group(group).num_rows
        ]
        sizes = [shards[f].metadata.row_group(g).num_rows for f, g in self.places]
        self.starts: list[int] = np.cumsum([0, *sizes]).tolist()

    def of(self, row: int) -> int:
        """The number of the group that holds a row."""
        return bisect_right(self.starts, row) - 1

    def batches(self, group: int, column: str) -> Iterator[pa.Array]:
        """A column of one group in pieces."""
        file, number = self.places[group]
        return self.shards[file].batches(column, [number])

    def check(self, group: int) -> None:
        """Raise ``DataError`` for a group that is too large to be read."""
        file, number = self.places[group]
        most = min(MAX_GROUP_BYTES, max(max_set_bytes(), _SMALL_GROUP))
        if self.shards[file].metadata.row_group(number).total_byte_size > most:
            raise DataError(
                f"A row group of the Parquet file is larger than {in_words(most)}; "
                "write it with smaller row groups."
            )


class _Reading:
    """A column of one row group, read on in rising order; ``number`` is the first row at hand."""

    def __init__(self, groups: _Groups, group: int, column: str) -> None:
        groups.check(group)
        self.group, self.number = group, groups.starts[group]
        self._pieces = groups.batches(group, column)
        self._piece: Any = ()

    def at(self, row: int) -> Any:
        """What is stored in a row, which is none before the last one that was asked for."""
        while row >= self.number + len(self._piece):
            self.number += len(self._piece)
            self._piece = next(self._pieces)
        return self._piece[row - self.number].as_py()


class _Names(Sequence[str]):
    """The names of the images as files: of one row group at a time."""

    def __init__(self, groups: _Groups, column: str, chosen: NDArray[np.int64]) -> None:
        self._groups, self._column, self._chosen = groups, f"{column}.path", chosen
        self._at, self._held = -1, [""]

    def __len__(self) -> int:
        return len(self._chosen)

    @cached_property
    def any(self) -> bool:
        """Whether any row has a name."""
        return any(any(self._names(group)) for group in range(len(self._groups.places)))

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self[number] for number in range(*which.indices(len(self)))]
        row = int(self._chosen[which])
        group = self._groups.of(row)
        return self._names(group)[row - self._groups.starts[group]] or f"Row {row}"

    def _names(self, group: int) -> list[str]:
        if self._at != group:
            pieces = self._groups.batches(group, self._column)
            stored = [row for piece in pieces for row in piece.to_pylist()]
            self._held = ["/".join(parts_of((row or {}).get("path") or "")) for row in stored]
            self._at = group
        return self._held


def rows_of(shards: Sequence[Shard]) -> int:
    """How many rows files have together."""
    return sum(shard.metadata.num_rows for shard in shards)


def _bytes(stored: Any, name: str) -> bytes:
    if isinstance(stored, dict):
        # A path inside a file from elsewhere could name any file of this machine.
        if stored.get("bytes") is None and stored.get("path"):
            raise DataError(
                "The Parquet file names image files instead of holding them; "
                "store the encoded bytes in it, or choose the folder of the images."
            )
        stored = stored.get("bytes")
    return read_bytes(stored if isinstance(stored, bytes) else b"", name)


def short(exc: Exception) -> str:
    """The first line of what a library says."""
    text = str(exc).strip().splitlines()
    return text[0][:120] if text else type(exc).__name__
