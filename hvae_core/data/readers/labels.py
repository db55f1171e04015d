"""Labels as they are stored anywhere, to an index of named classes, or a note why not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.errors import DataError

NAMES = ("label", "labels", "y", "target", "targets", "class", "classes", "fine_label",
         "category", "digit", "class_id", "class_name", "class_label")  # fmt: skip
"""What labels are called, the likeliest first."""
MAX_CLASSES = 10_000


@dataclass(frozen=True, eq=False)
class Labels:
    """An index of ``names`` for every image, -1 for none, and what a reader should know of it."""

    values: NDArray[np.int64]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def none(cls, count: int, *notes: str) -> Labels:
        """No image has a label."""
        return cls(np.full(count, -1, np.int64), notes=notes)


def label_name(names: Iterable[str]) -> str | None:
    """Which of some names is that of labels, in any case of letters; None without one."""
    folded = {name.casefold(): name for name in reversed(list(names))}
    return next((folded[name] for name in NAMES if name in folded), None)


def not_taken(columns: Sequence[str]) -> tuple[str, ...]:
    """A note that there are no labels, though there are other columns that might be."""
    if not columns:
        return ()
    listed = ", ".join(columns[:5]) + (" and others" if len(columns) > 5 else "")
    return (f"no labels: {listed} is not a name of labels; call the column `label`",)


def read_labels(
    stored: Any,
    count: int,
    *,
    what: str,
    names: Sequence[str] = (),
    times: NDArray[np.integer] | None = None,
) -> Labels:
    """Return stored labels as an index of classes; ``names`` are the classes' own, if known.

    Whole numbers, texts, truth values, rows with a single one (one-hot) and missing entries are
    read; anything else is left out with a note. Where every value stands once for all images that
    have it, ``times`` says for how many. Raises ``DataError`` where their number is not that of the
    images.
    """
    array = np.asarray(stored) if not isinstance(stored, np.ndarray) else stored
    often = np.ones(count, np.int64) if times is None else times
    if array.ndim == 2 and 1 in array.shape and array.size == count:
        array = array.reshape(-1)
    notes: list[str] = []
    if array.ndim == 2 and len(array) == count and array.dtype.kind in "biuf":
        hot = array.astype(np.float64)
        if not (((hot == 0) | (hot == 1)).all() and (hot.sum(1) == 1).all()):
            return Labels.none(count, f"no labels: {what} has {array.shape[1]} numbers an image")
        notes.append(f"labels from the one-hot rows of {what}")
        array = hot.argmax(1)
    if array.ndim != 1 or len(array) != count:
        raise DataError(
            f"{what[:1].upper()}{what[1:]} has shape {array.shape}; "
            f"give one whole number or name an image ({count:,})."
        )
    values = _without_missing([_plain(value) for value in array.tolist()])
    if not any(value is not None for value in values) and any(v is None for v in array.tolist()):
        notes.append(f"no labels: {what} has none")
    present = {value for value in values if value is not None}
    missing = int(often[[value is None for value in values]].sum())
    if present and missing:
        notes.append(f"{missing:,} of {int(often.sum()):,} images have no label")
    if len(present) > MAX_CLASSES:
        notes.append(f"no labels: {what} has more than {MAX_CLASSES:,} different values")
        return Labels.none(count, *notes)
    if any(isinstance(value, float) for value in present):
        return Labels.none(count, *notes, f"no labels: {what} has fractions")
    return _indexed(values, present, names=names, notes=notes, often=often)


def _without_missing(values: list[Any]) -> list[Any]:
    """Without -1 where that stands for a missing label: beside labels from 0 on, or alone."""
    numbers = {v for v in values if isinstance(v, int) and not isinstance(v, bool)}
    if numbers == {-1, 1} or min(numbers, default=0) < -1:
        return values
    return [None if value == -1 and not isinstance(value, bool) else value for value in values]


def _plain(value: Any) -> int | str | float | bool | None:
    """A stored label as a number or text; None where it is missing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real | Decimal):
        number = float(value)
        if math.isnan(number):
            return None
        return int(number) if number.is_integer() else number
    return None if value is None else str(value)


def _indexed(
    values: list[Any],
    present: set[Any],
    *,
    names: Sequence[str],
    notes: list[str],
    often: NDArray[np.integer],
) -> Labels:
    if any(isinstance(value, str) for value in present) and not _known(present, names):
        digits = all(isinstance(v, str) and v.isascii() and v.isdigit() and str(int(v)) == v
                     for v in present)  # fmt: skip
        # Numbers as text are numbers; numbers beside texts are texts.
        turn = int if digits else str
        values = [None if value is None else turn(value) for value in values]
        present = {turn(value) for value in present}
    texts = any(isinstance(value, str) for value in present)
    flags = bool(present) and all(isinstance(value, bool) for value in present)
    known: dict[Any, int]
    if names and not texts:
        first = 1 if present and min(present) == 1 and max(present) == len(names) else 0
        known = {number + first: number for number in range(len(names))}
        if first:
            notes.append(f"labels 1 to {len(names)} are the {len(names)} named classes")
    elif names:
        known = {name: number for number, name in enumerate(names)}
    elif texts or flags or not _counted_from_zero(present):
        order = sorted(present)
        known = {value: number for number, value in enumerate(order)}
        names = tuple(str(value) for value in order)
        if not texts and not flags:
            notes.append(f"labels {names[0]} to {names[-1]} are {len(names)} classes")
    else:
        top = max(present, default=-1)
        known = {number: number for number in range(top + 1)}
        names = tuple(str(number) for number in known)
    index = np.array([known.get(value, -1) for value in values], np.int64)
    outside = int(often[[value is not None and value not in known for value in values]].sum())
    if outside:
        notes.append(f"{outside:,} labels are none of the {len(names)} classes and left out")
    return Labels(index, tuple(names), tuple(notes))


def _known(present: set[Any], names: Sequence[str]) -> bool:
    return bool(names) and any(value in names for value in present)


def _counted_from_zero(numbers: set[int]) -> bool:
    """Whether numbers are an index from 0 with few gaps; 1 to K and sparse ids are not."""
    if not numbers:
        return True
    top, count = max(numbers), len(numbers)
    if min(numbers) == 1 and top == count > 1:
        return False
    return min(numbers) >= 0 and top < 4 * count + 8
