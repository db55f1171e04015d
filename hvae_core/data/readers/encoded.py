"""Picture files of any container: which belong to the set, what they have in common, one by one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError, ImageFileError
from hvae_core.data.image_set import Pixels
from hvae_core.data.readers import splits
from hvae_core.data.readers.image_file import Look, decode, is_jpeg
from hvae_core.data.readers.labels import Labels, label_name, not_taken, read_labels
from hvae_core.data.readers.names import parts_of
from hvae_core.data.readers.survey import Item, Survey
from hvae_core.data.readers.wanted import Wanted

SAMPLE = 48
"""Pictures that are looked at before the first is read, spread over the set."""
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "labels.csv")
_FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "name")


class Blobs(Protocol):
    """Encoded pictures in an order, read by their numbers."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, number: int) -> str:
        """What one is called in a sentence."""

    def read(self, numbers: NDArray[np.int64]) -> Iterator[Callable[[], bytes]]:
        """Their bytes, in the order of rising numbers."""


class Pictures:
    """Encoded pictures with their labels: the common part of folders, archives and tables."""

    def __init__(
        self,
        blobs: Blobs,
        labels: Labels,
        *,
        files: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        spread: bool = False,
        split: str = "",
    ) -> None:
        self.blobs = blobs
        self.labels = labels
        self.files = files
        self.notes = notes
        self.spread = spread
        self.split = split
        self._look = Look()

    def survey(self, wanted: Wanted, *, thorough: bool = False) -> Survey:
        """Look at some of the pictures, or where these decide nothing at all of them."""
        count = len(self.blobs)
        some = np.linspace(0, count, min(SAMPLE, count), endpoint=False, dtype=np.int64)
        if not thorough:
            self._look = self._look_at(some, wanted)
        if thorough or (len(some) < count and self._look.all_needed):
            self._look = self._look_at(np.arange(count), wanted)
        notes = (*self.notes, *self._look.notes())
        return Survey(self.labels, self.files, notes, spread=self.spread)

    def parts(self, survey: Survey, chosen: NDArray[np.int64]) -> Iterator[Item]:
        """The chosen pictures, by the last look."""
        look, values = self._look, survey.labels.values
        for number, read in zip(chosen.tolist(), self.blobs.read(chosen), strict=True):
            name = self.blobs.name(number)
            opened = partial(_opened, read, name, look)
            yield Item(opened, int(values[number]), survey.file(number) or name)

    def _look_at(self, numbers: NDArray[np.int64], wanted: Wanted) -> Look:
        look = Look(stretch=wanted.stretch)
        for done, (number, read) in enumerate(
            zip(numbers.tolist(), self.blobs.read(numbers), strict=True)
        ):
            if len(numbers) > SAMPLE and done % 256 == 0:
                wanted.progress(0.0, f"looking at {wanted.title}: {done:,} of {len(numbers):,}")
            try:
                look.add(decode(read(), self.blobs.name(number)))
            except ImageFileError:
                continue  # counted and named when the parts are read
        return look


def _opened(read: Callable[[], bytes], name: str, look: Look) -> tuple[Pixels, bool]:
    """The pixels of one picture by what the look decided, and whether it is a JPEG."""
    data = read()
    picture = decode(data, name)
    look.check(picture)
    return picture.pixels(look), is_jpeg(data)


@dataclass(frozen=True)
class Entry:
    """One file of a folder or archive: its name from there, with slashes, and its bytes."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Arranged:
    """The pictures of a split with their labels; ``split`` is empty where there are no splits."""

    entries: list[Entry]
    labels: Labels
    notes: tuple[str, ...]
    split: str


def arranged(
    entries: Sequence[Entry], wanted: Wanted, metadata: Mapping[str, Callable[[], bytes]]
) -> Arranged:
    """Which pictures belong to the wanted split, their labels and notes, from their names alone.

    Folders called as splits are splits; the first folder below is the class, or the table
    ``metadata`` beside the pictures has the labels.
    """
    notes: list[str] = []
    taken = ""
    paths = {entry.name: parts_of(entry.name) for entry in entries}
    depth = _wrapped(list(paths.values()))
    groups: dict[str, list[Entry]] = {}
    others: list[Entry] = []
    for entry in entries:
        folder = paths[entry.name][depth] if len(paths[entry.name]) > depth + 1 else ""
        found = splits.split_of(folder)
        (groups.setdefault(found, []) if found else others).append(entry)
    whole_splits = {"train", "test"} <= set(groups) or (groups and not others)
    if whole_splits:
        taken, note = splits.choose(wanted.split, groups, wanted.title)
        notes.append(note)
        if others:
            notes.append(f"{len(others):,} images outside the splits left out")
        entries, depth = groups[taken], depth + 1
        depth += _wrapped([paths[entry.name][depth:] for entry in entries])
    table = _labels_of_table(entries, metadata, wanted.title)
    if table is not None:
        return Arranged(list(entries), table, tuple(notes), taken)
    classes = [
        paths[entry.name][depth] if len(paths[entry.name]) > depth + 1 else "" for entry in entries
    ]
    labels = read_labels(classes, len(entries), what="the folders") if any(classes) else None
    if any(len(paths[entry.name]) > depth + 2 for entry in entries):
        notes.append("classes are the folders of the first level; those below are not told apart")
    labels = labels or Labels.none(len(entries))
    return Arranged(list(entries), labels, tuple(notes), taken)


def _wrapped(paths: Sequence[Sequence[str]]) -> int:
    """How many folders lie around all others: one whose files are all in deeper folders."""
    depth = 0
    while paths and all(len(path) > depth + 2 for path in paths):
        first = paths[0][depth]
        if any(path[depth] != first for path in paths) or splits.split_of(first):
            break
        depth += 1
    return depth


def _labels_of_table(
    entries: Sequence[Entry], metadata: Mapping[str, Callable[[], bytes]], title: str
) -> Labels | None:
    """Labels by file name from the tables beside the pictures; None where there are none."""
    by_file: dict[str, Any] = {}
    column, notes = "", list[str]()
    for place, read in metadata.items():
        rows = _rows(place, read(), title)
        columns = list(rows[0]) if rows else []
        file = next((name for name in _FILE_COLUMNS if name in columns), None)
        label = label_name(name for name in columns if name != file)
        if file is None:
            notes.append(f"{place} has no column file_name (it has {', '.join(columns[:5])})")
            continue
        if label is None:
            notes += not_taken([name for name in columns if name != file])
            continue
        column = f"the column {label} of {parts_of(place)[-1]}"
        folder = parts_of(place)[:-1]
        for row in rows:
            by_file["/".join((*folder, *parts_of(str(row[file]))))] = row[label]
    if not by_file:
        return Labels.none(len(entries), *notes) if notes else None
    found = [by_file.get("/".join(parts_of(entry.name))) for entry in entries]
    return read_labels(np.array(found, object), len(entries), what=column)


def _rows(place: str, data: bytes, title: str) -> list[dict[str, Any]]:
    try:
        if place.endswith(".parquet"):
            import pyarrow.parquet as pq

            table = pq.read_table(io.BytesIO(data))
            return [dict(row) for row in table.to_pylist()]
        text = data.decode("utf-8-sig")
        if place.endswith(".jsonl"):
            return [row for line in text.splitlines() if line.strip()
                    if isinstance(row := json.loads(line), dict)]  # fmt: skip
        return [dict(row) for row in csv.DictReader(io.StringIO(text))]
    except Exception as exc:  # csv, json, unicode and arrow each have their own errors
        raise DataError(
            f"{place} in {title} cannot be read; save the table again, or take it away."
        ) from exc
