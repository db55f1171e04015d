"""Which picture files of a folder or archive belong to a set, and their labels: by names alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hvae_core.common.errors import DataError
from hvae_core.data.readers import splits
from hvae_core.data.readers.labels import Labels, label_name, not_taken, read_labels
from hvae_core.data.readers.names import parts_of
from hvae_core.data.readers.wanted import Wanted

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "labels.csv")
_NOTHING = ("", "nan", "NaN", "NA", "N/A", "null", "NULL", "None", "<NA>")
"""What tables of text have in place of a value."""
_IMAGES = frozenset({"images", "image", "imgs", "img", "jpegimages", "inputs", "input"})
_MASKS = frozenset({"masks", "mask", "annotations", "annotation", "annots", "trimaps", "labels",
                    "label", "segmentations", "segmentation", "segmentationclass",
                    "segmentationobject", "seg", "segs", "gt", "groundtruth",
                    "ground_truth"})  # fmt: skip
"""What folders of pictures and of the masks that mark parts of them are called."""
_FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_id", "name")


@dataclass(frozen=True, slots=True)
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

    Folders called as splits are splits, else a column of the table beside the pictures says them,
    else the files' own names. The first folder below is the class, or the table ``metadata`` has
    the labels.
    """
    notes: list[str] = []
    paths = {entry.name: parts_of(entry.name) for entry in entries}
    # 1. Of folders that are splits one is taken.
    entries, taken, said = _of_split_folder(entries, paths, wanted)
    notes += said
    depth = _wrapped([paths[entry.name] for entry in entries], splits_too=bool(taken))
    # 2. Pictures that mark parts of others are no images of the set.
    entries, said = _without_masks(entries, paths, depth)
    notes += said
    # 3. The table beside them, which may name splits, or else the files do.
    table = _read_table(metadata, wanted.title)
    rows = table.rows_of(entries)
    notes += table.notes
    if not taken:
        found = splits.of_rows([None if row is None else row.split for row in rows])
        if found is None:
            notes += splits.not_split(table.split_column)
            found = _named_splits(entries)
        if found is not None:
            kept, taken, told = splits.cut(found, wanted.split, wanted.title)
            entries, rows = [entries[i] for i in kept], [rows[i] for i in kept]
            notes += told
    # 4. Labels: of the table, else the folders.
    labels, said = table.labels_of(rows)
    notes += said
    if labels is not None:
        return Arranged(list(entries), labels, tuple(notes), taken)
    classes = [
        paths[entry.name][depth] if len(paths[entry.name]) > depth + 1 else "" for entry in entries
    ]
    labels = read_labels(classes, len(entries), what="the folders") if any(classes) else None
    if any(len(paths[entry.name]) > depth + 2 for entry in entries):
        notes.append("classes are the folders of the first level; those below are not told apart")
    labels = labels or Labels.none(len(entries))
    return Arranged(list(entries), labels, tuple(notes), taken)


def _of_split_folder(
    entries: Sequence[Entry], paths: dict[str, tuple[str, ...]], wanted: Wanted
) -> tuple[Sequence[Entry], str, list[str]]:
    """The pictures of the split that is taken, which it is ("" without splits), and notes.

    The level of the splits is taken out of their ``paths``, above the classes or below them.
    """
    level = _split_level(list(paths.values()), _wrapped(list(paths.values())))
    if level is None:
        return entries, "", []
    groups: dict[str, list[Entry]] = {}
    others = 0
    for entry in entries:
        path = paths[entry.name]
        split = splits.split_of(path[level]) if len(path) > level + 1 else None
        if split is None:
            others += 1
            continue
        groups.setdefault(split, []).append(entry)
        paths[entry.name] = (*path[:level], *path[level + 1 :])
    taken, note = splits.choose(wanted.split, groups, wanted.title)
    lost = [f"{others:,} images outside the splits left out"] if others else []
    return groups[taken], taken, [note, *lost]


def _without_masks(
    entries: Sequence[Entry], paths: dict[str, tuple[str, ...]], depth: int
) -> tuple[Sequence[Entry], list[str]]:
    """The pictures without those of a folder of masks beside a folder of images, and a note.

    The folder of images, which is no class, is taken out of their ``paths``.
    """
    folders: dict[str, list[Entry]] = {}
    for entry in entries:
        path = paths[entry.name]
        folders.setdefault(path[depth] if len(path) > depth + 1 else "", []).append(entry)
    images = [name for name in folders if name.casefold() in _IMAGES]
    masks = [name for name in folders if name.casefold() in _MASKS]
    if len(images) != 1 or not masks or len(folders) > 1 + len(masks):
        return entries, []
    for entry in folders[images[0]]:
        path = paths[entry.name]
        paths[entry.name] = (*path[:depth], *path[depth + 1 :])
    count = sum(len(folders[name]) for name in masks)
    note = f"{count:,} pictures of {' and '.join(masks)} left out: masks of those in {images[0]}"
    return folders[images[0]], [note]


def _named_splits(entries: Sequence[Entry]) -> list[str | None] | None:
    """The split of each picture by its file's name, as train_00.png; None where these say none."""
    stems = [parts_of(entry.name)[-1].rpartition(".")[0] for entry in entries]
    found = [splits.split_of_shard(stem) for stem in stems]
    return found if None not in found and len(set(found)) > 1 else None


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


class _Row(NamedTuple):
    """What a table says of one picture."""

    label: Any = None
    split: Any = None


@dataclass
class _Table:
    """What the tables beside the pictures say of them, by the names of the files."""

    rows: dict[str, _Row] = field(default_factory=dict)
    used: str = ""
    """The table that labels come from; empty where none has any."""
    split_column: str | None = None
    notes: list[str] = field(default_factory=list)

    def rows_of(self, entries: Sequence[Entry]) -> list[_Row | None]:
        """The row of each picture, None where no table names it."""
        names = ["/".join(parts_of(entry.name)) for entry in entries]
        rows = [self.rows.get(name) for name in names]
        if not any(rows):  # as other tables name files: without an ending, or by their last part
            stems = {_stem(name): row for name, row in self.rows.items()}
            rows = [stems.get(_stem(name)) for name in names]
        return rows

    def labels_of(self, rows: Sequence[_Row | None]) -> tuple[Labels | None, list[str]]:
        """The labels of these rows, None without any; and notes."""
        if not self.used:
            return None, []
        if not any(rows):
            return None, [f"no labels: no row of {self.used} names a file that is here"]
        values = [None if row is None else row.label for row in rows]
        lists = [value for value in values if isinstance(value, list)]
        stored: Any = np.empty(len(values), object)
        stored[:] = values
        if len(lists) == len(values) and len({len(value) for value in lists}) == 1:
            stored = np.array(values)
        what = f"the labels of {parts_of(self.used)[-1]}"
        return read_labels(stored, len(values), what=what), []


def _read_table(metadata: Mapping[str, Callable[[], bytes]], title: str) -> _Table:
    """All tables beside the pictures; of a file that several name, the first one tells."""
    table = _Table()
    for place, read in metadata.items():
        rows = _rows(place, read(), title)
        columns = list(dict.fromkeys(column for row in rows for column in row))
        file = next((c for name in _FILE_COLUMNS for c in columns if c.casefold() == name), None)
        label = label_name(name for name in columns if name != file)
        split = splits.column_of(columns)
        table.split_column = table.split_column or split
        if file is None:
            had = f" (it has {', '.join(columns[:5])})" if columns else ", and no rows"
            table.notes.append(f"{place} has no column file_name{had}")
            continue
        if label is None:
            table.notes += not_taken([name for name in columns if name not in (file, split)])
        folder = parts_of(place)[:-1]
        named = {
            "/".join((*folder, *parts_of(str(row[file])))): _Row(
                None if label is None else row.get(label), None if split is None else row.get(split)
            )
            for row in rows
            if row.get(file) is not None
        }
        if label is not None and table.used and named.keys() <= table.rows.keys():
            table.notes.append(f"labels from {table.used}, not from {place}")
        elif label is not None:
            table.used = table.used or place
        table.rows = named | table.rows
    return table


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
