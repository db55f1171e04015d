"""Parquet in the Hugging Face image convention: columns image {bytes, path} and label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hvae_core.common.arrays import Shape
from hvae_core.common.errors import DataError
from hvae_core.common.progress import Progress, silent
from hvae_core.data.image_set import ImageSet, Rule
from hvae_core.data.readers.collect import Item, gather
from hvae_core.data.readers.image_file import is_jpeg, open_image

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "class")
MAX_GROUP_BYTES = 2**30
MAX_CLASSES = 10_000
_BATCH = 256


def load_parquet(
    path: str | Path,
    *,
    title: str | None = None,
    image_shape: Shape | None = None,
    limit: int | None = None,
    rows: tuple[int, int | None] = (0, None),
    rule: Rule = "resize",
    progress: Progress = silent,
) -> ImageSet:
    """Return the images of one Parquet file, or of a folder of shards in the order of names.

    `rows` = (start, stop) cuts a part out; `limit` keeps the first images of it.
    """
    path = Path(path)
    title = title or path.stem
    try:
        # 1. Which rows: the part asked for, as far as the files go.
        files = [pq.ParquetFile(shard) for shard in _shards(path)]
        ends = (row_count(path), rows[1], None if limit is None else rows[0] + limit)
        first, stop = rows[0], min(end for end in ends if end is not None)
        # 2. Which columns, and what the labels are called.
        columns = _columns(files[0].schema_arrow, title)
        class_names, index_of = _classes(files, columns[1])
        # 3. Row by row, so that the encoded images are never all in memory.
        items = (
            Item(partial(open_image, data, f"Row {number}"), index_of(label), is_jpeg(data))
            for number, data, label in _rows(files, columns, range(first, stop))
        )
        return gather(
            items,
            max(stop - first, 0),
            name=path.stem,
            title=title,
            class_names=class_names,
            image_shape=image_shape,
            rule=rule,
            progress=progress,
        )
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise DataError(
            f"{path.name} cannot be read as Parquet with an image column; "
            f"make or download the file again ({_short(exc)})."
        ) from exc


def row_count(path: str | Path) -> int:
    """Return the number of rows of a Parquet file or folder, from its footers alone."""
    return sum(pq.ParquetFile(shard).metadata.num_rows for shard in _shards(Path(path)))


def write_parquet(
    path: Path, batches: Iterable[tuple[list[bytes], list[int]]], class_names: tuple[str, ...]
) -> None:
    """Write encoded images and labels, batch by batch, to `path`, in one step at the end."""
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(class_names), "_type": "ClassLabel"},
    }
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with pq.ParquetWriter(part, schema) as writer:
            for blobs, labels in batches:
                images = [{"bytes": blob, "path": None} for blob in blobs]
                writer.write_table(pa.table({"image": images, "label": labels}, schema=schema))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _shards(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"There is no file {path}; check the path.")
    shards = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not shards:
        raise DataError(f"{path} holds no Parquet file; choose another folder.")
    return shards


def _columns(schema: pa.Schema, title: str) -> tuple[str, str | None]:
    image = next((column for column in IMAGE_COLUMNS if column in schema.names), None)
    if image is None:
        raise DataError(
            f"{title} has no column named image (its columns: {', '.join(schema.names[:8])}); "
            "store the images as in the Hugging Face image convention."
        )
    kind = schema.field(image).type
    if not (pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise DataError(f"The column {image} of {title} holds {kind}, not encoded images.")
    return image, next((column for column in LABEL_COLUMNS if column in schema.names), None)


class _Labels:
    """Turns the stored label of a row into an index of the class names."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.known = len(class_names)
        self.by_name = {text: index for index, text in enumerate(class_names)}

    def __call__(self, stored: Any) -> int:
        if isinstance(stored, str):
            return self.by_name.get(stored, -1)
        if isinstance(stored, int) and 0 <= stored < self.known:
            return stored
        return -1


def _classes(files: list[pq.ParquetFile], column: str | None) -> tuple[tuple[str, ...], _Labels]:
    names: tuple[str, ...] = ()
    if column is not None:
        names = _names_in_metadata(files[0].schema_arrow, column) or _names_in_rows(files, column)
    return names, _Labels(names)


def _names_in_metadata(schema: pa.Schema, column: str) -> tuple[str, ...]:
    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = stored["info"]["features"][column]["names"]
    except (ValueError, KeyError, TypeError):
        return ()
    if not isinstance(names, list) or not all(isinstance(text, str) for text in names):
        return ()
    return tuple(names[:MAX_CLASSES])


def _names_in_rows(files: list[pq.ParquetFile], column: str) -> tuple[str, ...]:
    kind = files[0].schema_arrow.field(column).type
    types = pa.types
    if not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)):
        return ()
    values = set()
    for file in files:
        values |= set(file.read(columns=[column]).column(0).unique().to_pylist())
    values.discard(None)
    if pa.types.is_integer(kind):
        top = max(values, default=-1)
        return tuple(str(index) for index in range(top + 1)) if top < MAX_CLASSES else ()
    return tuple(sorted(values)) if len(values) <= MAX_CLASSES else ()


def _rows(
    files: list[pq.ParquetFile], columns: tuple[str, str | None], wanted: range
) -> Iterator[tuple[int, bytes, Any]]:
    """Number, encoded image and stored label of each wanted row, counted through all files."""
    image_column, label_column = columns
    names = [name for name in columns if name is not None]
    number = 0
    for file in files:
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            # A group is what Parquet reads at once: one outside the rows is never read at all.
            if number + size <= wanted.start or number >= wanted.stop:
                number += size
                continue
            _check_group(file, group)
            for batch in file.iter_batches(_BATCH, row_groups=[group], columns=names):
                images = batch.column(image_column).to_pylist()
                labels = batch.column(label_column).to_pylist() if label_column else repeat(None)
                for stored, label in zip(images, labels, strict=False):  # strict ends no repeat
                    if number in wanted:
                        yield number, _bytes(stored), label
                    number += 1


def _check_group(file: pq.ParquetFile, group: int) -> None:
    if file.metadata.row_group(group).total_byte_size > MAX_GROUP_BYTES:
        raise DataError(
            f"A row group of the Parquet file is larger than {MAX_GROUP_BYTES // 2**30} GiB; "
            "write it with smaller row groups."
        )


def _bytes(stored: Any) -> bytes:
    if isinstance(stored, dict):
        # A path inside a file from elsewhere could name any file of this machine.
        if stored.get("bytes") is None and stored.get("path"):
            raise DataError(
                "The Parquet file names image files instead of holding them; "
                "store the encoded bytes in it, or choose the folder of the images."
            )
        stored = stored.get("bytes")
    return stored if isinstance(stored, bytes) else b""


def _short(exc: Exception) -> str:
    text = str(exc).strip().splitlines()
    return text[0][:120] if text else type(exc).__name__
