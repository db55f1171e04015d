"""Pixels in a CSV, a row an image, as competitions publish them: label, pixel0, pixel1, ..."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError
from hvae_core.data.readers import splits
from hvae_core.data.readers.arrays import Arrays
from hvae_core.data.readers.axes import square, unfolded
from hvae_core.data.readers.labels import label_name, not_taken
from hvae_core.data.readers.limits import max_set_bytes
from hvae_core.data.readers.survey import in_words
from hvae_core.data.readers.wanted import Wanted

_LEAST_SIDE = 4
_WORDS = re.compile(r"[^\s,\[\]()]+")

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
        separator = _separator(path)
        first = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str)
        cells = [str(cell) for cell in first.iloc[0]]
        named = not all(_is_number(cell) for cell in cells) or _counts(cells)
        table = pd.read_csv(path, sep=separator, header=0 if named else None)
    except Exception as exc:  # pandas, csv and unicode each have their own errors
        raise DataError(
            f"{path.name} cannot be read as a table; save it with commas and one row an image."
        ) from exc
    if table.empty:
        raise DataError(f"{path.name} has no rows of images; choose another table.")
    if not named:
        return _without_names(table, path.name)
    table.columns = [str(column) for column in table.columns]
    return _with_names(table, path.name, wanted)


def _separator(path: Path) -> str:
    with path.open("rb") as file:
        line = file.readline(2**16)
    return max("\t,;", key=lambda sign: line.count(sign.encode()))


def _counts(cells: list[str]) -> bool:
    """Whether a first row is that of pandas without names: 0, 1, 2, ... or 1, 2, 3, ..."""
    first = cells[0] == "" and len(cells) > 1
    numbers = cells[first:]
    return len(numbers) > 2 and any(
        numbers == [str(start + place) for place in range(len(numbers))] for start in (0, 1)
    )


def _with_names(table: pd.DataFrame, name: str, wanted: Wanted) -> Arrays:
    column, split, said = splits.column_of(table.columns), "", tuple[str, ...]()
    found = None if column is None else splits.of_rows(table[column].tolist())
    if found is None:
        said = splits.not_split(column)
    else:
        kept, split, said = splits.cut(found, wanted.split, wanted.title)
        table = table.iloc[kept].drop(columns=column)
    columns = list(table.columns)
    label = label_name(columns)
    rest = [column for column in columns if column != label]
    long = next((c for c in rest if c.casefold() in ("pixels", "image")), None)
    kinds = {name: kind.kind for name, kind in zip(columns, table.dtypes, strict=True)}
    if long is not None and kinds[long] not in "biuf":
        try:
            rows = [np.array(_WORDS.findall(str(text)), dtype=np.float64) for text in table[long]]
        except ValueError as exc:
            raise DataError(f"The column {long} of {name} holds no lists of pixels.") from exc
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
    notes = (*said, *(not_taken(others) if label is None else ()))
    return _rows(pixels, stored, name=name, label=label or "", notes=notes, split=split)


def _without_names(table: pd.DataFrame, name: str) -> Arrays:
    """A table without a head: all pixels, or labels at one end as in MNIST's tables."""
    values = table.to_numpy()
    width = values.shape[1]
    if square(width) is not None or square(width - 1) is None:
        return _rows(values, None, name=name, label="", notes=())
    # Pixels at the edge are nearly always the ground; labels are several values, none the rule.
    common = [float(table.iloc[:, end].value_counts(normalize=True).iloc[0]) for end in (0, -1)]
    if max(common) < 0.5 or min(common) > 0.9:
        raise DataError(
            f"{name} has no names of columns, and its labels may be first or last; name the "
            "columns label, pixel0, pixel1, ..."
        )
    where, end = ("first", 0) if common[0] < common[1] else ("last", -1)
    pixels, labels = np.delete(values, end, axis=1), values[:, end]
    notes = (f"the {where} column taken as labels",)
    return _rows(pixels, labels, name=name, label=f"the {where}", notes=notes)


def _rows(
    pixels: NDArray[Any],
    labels: NDArray[Any] | None,
    *,
    name: str,
    label: str,
    notes: tuple[str, ...],
    split: str = "",
) -> Arrays:
    shape = square(pixels.shape[1]) if pixels.size else None
    if shape is None or shape[1] < _LEAST_SIDE or pixels.dtype.kind not in "biuf":
        raise DataError(
            f"{name} has {pixels.shape[1]} columns of numbers, which are no square picture; "
            "give each pixel a column, 784 for 28x28."
        )
    if pixels.dtype.kind == "f" and (pixels == np.round(pixels)).all():
        pixels = pixels.astype(np.int64)
    pictures, said = unfolded(pixels, shape)
    said_of = (said,) * (shape[0] > 1)  # of grey ones nothing was guessed
    return Arrays(
        pictures, labels, what=name, labels_what=f"the column {label}", notes=(*notes, *said_of),
        split=split,
    )  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
