"""Parquet in the Hugging Face image convention: columns image {bytes, path} and label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.common.far_path import AnyPath, in_order
from hvae_core.common.files import whole
from hvae_core.data.readers import splits
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.encoded import Pictures
from hvae_core.data.readers.labels import MAX_CLASSES, Labels, label_name, not_taken, read_labels
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.names import listed
from hvae_core.data.readers.parquet_rows import BROKEN, Rows, Shard, coded, rows_of, short
from hvae_core.data.readers.survey import in_words
from hvae_core.data.readers.wanted import Wanted

IMAGE_COLUMNS = ("image", "img", "images", "picture", "jpg", "png", "image_bytes", "bytes")
PIXEL_COLUMNS = ("pixels", "image", "img", "images", "x", "data")


def open_parquet(path: AnyPath, wanted: Wanted) -> Pictures | Arrays:
    """Return the images of one Parquet file, or of a folder of shards in the order of names.

    Shards named as splits, ``train-00000-of-00002``, are splits.
    """
    shards = _shards(path)
    notes: tuple[str, ...] = ()
    split = ""
    try:
        if len(shards) > 1:
            shards, notes, split = _of_split(shards, wanted)
        return _opened([Shard(shard) for shard in shards], wanted, notes, split)
    except DataError:
        raise
    except BROKEN as exc:
        raise DataError(
            f"{path.name} cannot be read as Parquet with an image column; "
            f"make or download the file again ({short(exc)})."
        ) from exc


def shards_in(folder: AnyPath) -> list[AnyPath]:
    """The Parquet files of images in a folder, or in its folder ``data`` as the hub has them."""
    for pattern in ("*.parquet", "data/*.parquet", "*/*.parquet"):
        try:
            every = [path for path in in_order(folder, pattern) if path.name != "metadata.parquet"]
            found = [path for path in every if path.is_file()]  # a pipe would never end
        except OSError:
            return []
        if found and (pattern != "*/*.parquet" or _of_one(found)):
            return found
    return []


def _of_one(shards: list[AnyPath]) -> bool:
    """Whether shards in folders are of one set: of one folder, or of folders that are splits."""
    folders = {shard.parent.name for shard in shards}
    return len(folders) == 1 or all(splits.split_of(name) for name in folders)


def row_count(path: str | Path) -> int:
    """Return the number of rows of a Parquet file or folder, from its footers alone."""
    return rows_of([Shard(shard) for shard in _shards(Path(path))])


def write_parquet(
    path: Path,
    batches: Iterable[tuple[list[bytes], list[int] | list[str]]],
    class_names: tuple[str, ...],
    *,
    texts: bool = False,
) -> None:
    """Write encoded images and labels, batch by batch, to `path`, in one step at the end.

    Labels are numbers of the named classes, or ``texts``.
    """
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(class_names), "_type": "ClassLabel"},
    }
    if texts:
        features["label"] = {"dtype": "string", "_type": "Value"}
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.string() if texts else pa.int64()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as draft, pq.ParquetWriter(draft, schema) as writer:
        for blobs, labels in batches:
            images = [{"bytes": blob, "path": None} for blob in blobs]
            writer.write_table(pa.table({"image": images, "label": labels}, schema=schema))


def _shards(path: AnyPath) -> list[AnyPath]:
    if not path.exists():
        raise DataError(f"There is no file {path}; check the path.")
    shards = shards_in(path) if path.is_dir() else [path]
    if not shards:
        raise DataError(f"{path} holds no Parquet file; choose another folder.")
    return shards


def _of_split(shards: list[AnyPath], wanted: Wanted) -> tuple[list[AnyPath], tuple[str, ...], str]:
    """The shards of one split, where all are named as splits, a note, and which split that is."""
    by_split: dict[str, list[AnyPath]] = {}
    for shard in shards:
        split = splits.split_of_shard(shard.stem) or splits.split_of(shard.parent.name)
        by_split.setdefault(split or "", []).append(shard)
    if list(by_split) == [""]:
        return shards, (), ""
    if "" in by_split:
        names = listed([shard.name for shard in by_split[""]])
        raise DataError(
            f"{wanted.title} has files of the {' and '.join(s for s in by_split if s)} split, and "
            f"others ({names}) of which that is not said; take away one or the other."
        )
    there = {name: _Counted(held) for name, held in by_split.items()}
    split, note = splits.choose(wanted.split, there, wanted.title)
    return by_split[split], (note,) if len(by_split) > 1 else (), split


class _Counted:
    """Shards that are counted from their footers."""

    def __init__(self, shards: list[AnyPath]) -> None:
        self.shards = shards

    def __len__(self) -> int:
        return rows_of([Shard(shard) for shard in self.shards])


def _opened(
    shards: list[Shard], wanted: Wanted, notes: tuple[str, ...], split: str
) -> Pictures | Arrays:
    """The images of files of one kind; ``split`` is theirs by their names, "" where these say none.

    Then a column may say of each row to which split it belongs.
    """
    schema, title = shards[0].schema, wanted.title
    image = _image_column(schema, title)
    label = label_name(name for name in schema.names if name != image)
    others = [name for name in schema.names if name not in (image, label)]
    if any(shard.schema.names != schema.names for shard in shards):
        raise DataError(f"The files of {title} have different columns; keep those of one kind.")
    count = rows_of(shards)
    if not count:
        raise DataError(f"{title} has no rows; choose another file.")
    chosen, column = np.arange(count), splits.column_of(others)
    found = None if split or column is None else splits.of_rows(_values(shards, column))
    if found is None:
        notes += () if split else splits.not_split(column)
    else:
        rows, split, said = splits.cut(found, wanted.split, title)
        chosen, notes = np.array(rows), notes + said
        others = [name for name in others if name != column]
    more = [name for name in others if _is_encoded(schema.field(name).type)]
    if more:
        notes += (f"images of the column {image}, not of {', '.join(more[:4])}",)
    names = _names_in_metadata(schema, label) if label else ()
    unlabelled = () if label else not_taken(_plain(schema, others))
    if _is_numbers(schema.field(image).type):
        pixels, what = _numbers(shards, image, title), f"the column {image} of {title}"
        stored = None if label is None else _rows_of_values(_values(shards, label))[chosen]
        pixels, notes = pixels if found is None else pixels[chosen], (*notes, *unlabelled)
        return Arrays(pixels, stored, what=what, class_names=names, notes=notes, split=split)
    if label is None:
        labels = Labels.none(len(chosen), *unlabelled)
    else:
        labels = _labels(shards, label, chosen, names=names)
    encoded = Rows(shards, image, chosen)
    return Pictures(encoded, labels, files=encoded.names(), notes=notes, split=split)


def _image_column(schema: pa.Schema, title: str) -> str:
    encoded = _called(IMAGE_COLUMNS, schema)
    image = next((n for n in encoded if _is_encoded(schema.field(n).type)), None)
    numbers = _called(PIXEL_COLUMNS, schema)
    image = image or next((n for n in numbers if _is_numbers(schema.field(n).type)), None)
    if image is not None:
        return image
    if encoded:
        kind = schema.field(encoded[0]).type
        raise DataError(
            f"The column {encoded[0]} of {title} holds {kind}, not encoded images; "
            "store the images as PNG in it."
        )
    raise DataError(
        f"{title} has no column named image (its columns: {', '.join(schema.names[:8])}); "
        "store the images as in the Hugging Face image convention."
    )


def _called(wanted: Sequence[str], schema: pa.Schema) -> list[str]:
    """Columns of some names, in any case of letters."""
    return [name for text in wanted for name in schema.names if name.casefold() == text]


def _is_encoded(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_struct(kind) or types.is_binary(kind) or types.is_large_binary(kind)


def _is_numbers(kind: pa.DataType) -> bool:
    types = pa.types
    depth = 0
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return 1 <= depth <= 3 and (types.is_integer(kind) or types.is_floating(kind))


def _plain(schema: pa.Schema, names: Sequence[str]) -> list[str]:
    """Which columns hold one plain value a row: what labels could be."""
    types = pa.types
    return [
        name for name in names
        if not name.startswith("__") and not (
            types.is_nested(schema.field(name).type)
            or types.is_binary(schema.field(name).type)
            or types.is_large_binary(schema.field(name).type)
        )
    ]  # fmt: skip


def _labels(
    shards: list[Shard], column: str, chosen: NDArray[np.int64], *, names: tuple[str, ...]
) -> Labels:
    """The labels of chosen rows: every value is read once, however many rows have it."""
    codes, values = coded(shards, column)
    codes = codes[chosen]
    used, codes, times = np.unique(codes, return_inverse=True, return_counts=True)
    stored = _rows_of_values([values[code] for code in used.tolist()])
    what = f"the column {column}"
    labels = read_labels(stored, len(used), what=what, names=names, times=times)
    return replace(labels, values=labels.values[codes])


def _values(shards: list[Shard], column: str) -> list[Any]:
    """The value of a column in every row; equal ones are one object."""
    codes, values = coded(shards, column)
    return [values[code] for code in codes.tolist()]


def _rows_of_values(values: list[Any]) -> NDArray[Any]:
    """Values as an array; lists of equal length become rows."""
    if values and all(isinstance(value, list) for value in values):
        if len({len(value) for value in values}) == 1:
            return np.array(values)
        values = [None] * len(values)
    stored = np.empty(len(values), object)
    stored[:] = values
    return stored


def _numbers(shards: list[Shard], name: str, title: str) -> NDArray[Any]:
    size = 0
    for shard in shards:
        for group in range(shard.metadata.num_row_groups):
            size += shard.metadata.row_group(group).total_byte_size
    if size > max_set_bytes():
        raise DataError(
            f"{title} unpacks to more than {in_words(max_set_bytes())}; make it smaller."
        )
    chunks = [chunk for shard in shards for chunk in shard.column(name).chunks]
    column = pa.chunked_array(chunks).combine_chunks()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    rows, shape = len(column), []
    while pa.types.is_nested(column.type):
        lengths = set(column.value_lengths().to_pylist())
        if len(lengths) != 1 or None in lengths:
            raise DataError(f"The rows of {name} in {title} differ in length; save them alike.")
        shape.append(lengths.pop())
        column = column.flatten()
    if column.null_count:
        raise DataError(f"The column {name} of {title} lacks numbers; save them all.")
    return column.to_numpy(zero_copy_only=False).reshape(rows, *shape)


def _names_in_metadata(schema: pa.Schema, column: str) -> tuple[str, ...]:
    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = stored["info"]["features"][column]["names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    if not isinstance(names, list) or not all(isinstance(text, str) for text in names):
        return ()
    return tuple(names[:MAX_CLASSES])
