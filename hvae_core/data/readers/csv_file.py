"""Pixels in a CSV, a row an image, as competitions publish them: label, pixel0, pixel1, ..."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.axes import square
from hvae_core.data.readers.labels import label_name, not_taken
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.survey import in_words
from hvae_core.data.readers.wanted import Wanted

if TYPE_CHECKING:
    import pandas as pd


def open_csv(path: Path, wanted: Wanted) -> Arrays:
    """Return the images of a table: one column a pixel, or one of all pixels with spaces."""
    import pandas as pd

    if path.stat().st_size > max_set_bytes():
        raise DataError(
            f"{path.name} is larger than {in_words(max_set_bytes())}; save it as .npz instead."
        )
    try:
        separator = "\t" if path.suffix.casefold() == ".tsv" else ","
        table = pd.read_csv(path, sep=separator, nrows=2)
        named = any(not _is_number(str(column)) for column in table.columns)
        table = pd.read_csv(path, sep=separator, header=0 if named else None)
    except Exception as exc:  # pandas, csv and unicode each have their own errors
        raise DataError(
            f"{path.name} cannot be read as a table; save it with commas and one row an image."
        ) from exc
    return _without_names(table, path.name) if not named else _with_names(table, path.name)


def _with_names(table: pd.DataFrame, name: str) -> Arrays:
    columns = [str(column) for column in table.columns]
    table.columns = columns
    label = label_name(columns)
    rest = [column for column in columns if column != label]
    long = next((c for c in rest if c.casefold() in ("pixels", "image")), None)
    kinds = {name: kind.kind for name, kind in zip(columns, table.dtypes, strict=True)}
    if long is not None and kinds[long] not in "biuf":
        rows = [np.array(str(text).split(), dtype=np.float64) for text in table[long]]
        if len({len(row) for row in rows}) > 1:
            raise DataError(f"{name} has rows of different numbers of pixels; save them alike.")
        pixels = np.stack(rows)
        others = [column for column in rest if column != long]
    else:
        numbers = [c for c in rest if kinds[c] in "biuf"]
        chosen = [c for c in numbers if c.casefold().startswith(("pix", "px", "p_"))]
        if square(len(chosen)) is None:
            chosen = [c for c in numbers if c.casefold() not in ("id", "index", "unnamed: 0")]
        taken = set(chosen)
        others = [column for column in rest if column not in taken]
        pixels = table[chosen].to_numpy()
    stored = None if label is None else table[label].to_numpy()
    notes = not_taken(others) if label is None else ()
    return _rows(pixels, stored, name=name, label=label or "", notes=notes)


def _without_names(table: pd.DataFrame, name: str) -> Arrays:
    """A table without a head: all pixels, or a label first as in MNIST's tables."""
    values = table.to_numpy()
    if square(values.shape[1]) is None and square(values.shape[1] - 1) is not None:
        notes = ("the first column taken as labels",)
        return _rows(values[:, 1:], values[:, 0], name=name, label="the first", notes=notes)
    return _rows(values, None, name=name, label="", notes=())


def _rows(
    pixels: NDArray[Any],
    labels: NDArray[Any] | None,
    *,
    name: str,
    label: str,
    notes: tuple[str, ...],
) -> Arrays:
    shape = square(pixels.shape[1]) if pixels.size else None
    if shape is None or pixels.dtype.kind not in "biuf":
        raise DataError(
            f"{name} has {pixels.shape[1]} columns of pixels, which are no square picture; "
            "give each pixel a column, 784 for 28x28."
        )
    pictures = pixels.reshape(len(pixels), *shape)
    if pictures.dtype.kind == "f" and (pictures == np.round(pictures)).all():
        pictures = pictures.astype(np.int64)
    return Arrays(pictures, labels, what=name, labels_what=f"the column {label}", notes=notes)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
