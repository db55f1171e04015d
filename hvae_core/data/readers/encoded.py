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
_NOTHING = ("", "nan", "NaN", "NA", "N/A", "null", "NULL", "None", "<NA>")
"""What tables of text have in place of a value."""
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
    by_split = _split_level(list(paths.values()), depth)
    if by_split is not None:
        # The level of the splits is taken out of the path, above the classes or below them.
        groups: dict[str, list[Entry]] = {}
        others = 0
        for entry in entries:
            path = paths[entry.name]
            split = splits.split_of(path[by_split]) if len(path) > by_split + 1 else None
            if split is None:
                others += 1
                continue
            groups.setdefault(split, []).append(entry)
            paths[entry.name] = (*path[:by_split], *path[by_split + 1 :])
        taken, note = splits.choose(wanted.split, groups, wanted.title)
        notes.append(note)
        if others:
            notes.append(f"{others:,} images outside the splits left out")
        entries = groups[taken]
        depth = _wrapped([paths[entry.name] for entry in entries], splits_too=True)
    table, said = _labels_of_table(entries, metadata, wanted.title)
    notes += said
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


def _split_level(paths: Sequence[Sequence[str]], depth: int) -> int | None:
    """At which level folders are splits: the first, or the second below classes; None for none.

    Two splits are needed, or one alone: a class may be called test among others.
    """
    first = {path[depth] for path in paths if len(path) > depth + 1}
    found = {splits.split_of(name) for name in first}
    if len(found - {None}) >= 2 or (found and None not in found):
        return depth
    second = {path[depth + 1] for path in paths if len(path) > depth + 2}
    below = {splits.split_of(name) for name in second}
    return depth + 1 if len(below - {None}) >= 2 and None not in below else None


def _wrapped(paths: Sequence[Sequence[str]], *, splits_too: bool = False) -> int:
    """How many folders lie around all others: one whose files are nearly all in deeper folders."""
    depth = 0
    while True:
        within = [path for path in paths if len(path) > depth + 1]
        deep = [path for path in within if len(path) > depth + 2]
        if not deep or len(deep) < len(within) or len(deep) < 0.9 * len(paths):
            return depth
        first = deep[0][depth]
        if any(path[depth] != first for path in deep):
            return depth
        if splits.split_of(first) and not splits_too:
            return depth
        depth += 1


def _labels_of_table(
    entries: Sequence[Entry], metadata: Mapping[str, Callable[[], bytes]], title: str
) -> tuple[Labels | None, list[str]]:
    """Labels by file name from the tables beside the pictures, None without any; and notes."""
    by_file: dict[str, Any] = {}
    used, notes = "", list[str]()
    for place, read in metadata.items():
        rows = _rows(place, read(), title)
        columns = list(dict.fromkeys(column for row in rows for column in row))
        file = next((c for name in _FILE_COLUMNS for c in columns if c.casefold() == name), None)
        label = label_name(name for name in columns if name != file)
        notes += splits.not_split(columns)
        if file is None:
            had = f" (it has {', '.join(columns[:5])})" if columns else ", and no rows"
            notes.append(f"{place} has no column file_name{had}")
        elif label is None:
            notes += not_taken([name for name in columns if name != file])
        elif used:
            notes.append(f"labels from {used}, not from {place}")
        else:
            used = place
            folder = parts_of(place)[:-1]
            for row in rows:
                if row.get(file) is not None:
                    name = "/".join((*folder, *parts_of(str(row[file]))))
                    by_file[name] = row.get(label)
    if not by_file:
        return None, notes
    names = ["/".join(parts_of(entry.name)) for entry in entries]
    keys: list[str | None] = [name if name in by_file else None for name in names]
    if not any(keys):  # as other tables name files: without an ending, or by their last part
        stems = {_stem(name): name for name in by_file}
        keys = [stems.get(_stem(name)) for name in names]
    if not any(keys):
        return None, [*notes, f"no labels: no row of {used} names a file that is here"]
    found = [None if key is None else by_file[key] for key in keys]
    lists = [value for value in found if isinstance(value, list)]
    stored: Any = np.empty(len(found), object)
    stored[:] = found
    if len(lists) == len(found) and len({len(value) for value in lists}) == 1:
        stored = np.array(found)
    return read_labels(stored, len(entries), what=f"the labels of {parts_of(used)[-1]}"), notes


def _stem(name: str) -> str:
    return parts_of(name)[-1].rpartition(".")[0].casefold() or parts_of(name)[-1].casefold()


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
        table = csv.DictReader(io.StringIO(text))
        return [{k: None if v in _NOTHING else v for k, v in row.items() if k} for row in table]
    except Exception as exc:  # csv, json, unicode and arrow each have their own errors
        raise DataError(
            f"{place} in {title} cannot be read; save the table again, or take it away."
        ) from exc
