"""Which of many images are out of distribution: p-values part by part, and the flagged ones out.

Each image has the conformal p-value of its scores against the reference (Havtorn et al. 2021,
section 5), of several scores all together (``combine``); it is flagged where that is at most alpha.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError, ScoreError
from hvae_core.common.far import Folder, is_far
from hvae_core.common.files import named_path, written
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.common.spreadsheet import cell
from hvae_core.detection.combine import JointReference
from hvae_core.detection.conformal import attainable, too_few
from hvae_core.detection.many.columns import figures, part_columns
from hvae_core.detection.many.fitted import kept_fitted, unmeasured
from hvae_core.detection.many.layout import parts_there
from hvae_core.detection.many.reference import HeldScores

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".csv", ".parquet")
_BATCH = 65_536
Take = Callable[["pa.Table"], None]
"""Receives flagged rows: row, file, label, p_value, by, and the scores that decided."""


@dataclass(frozen=True)
class Count:
    """Of ``judged`` images, ``flagged``; ``unjudged`` have no finite score, or could not be read.

    ``references`` images were the measure. ``fitted`` are not judged either: a density that decides
    is fitted to them.
    """

    judged: int
    flagged: int
    unjudged: int
    references: int
    fitted: int = 0


def flag(
    folder: Folder,
    keys: Sequence[str],
    reference: HeldScores,
    *,
    alpha: float,
    take: Take,
    two_sided: Sequence[int] = (),
    progress: Progress = silent,
) -> Count:
    """Judge every image of a folder, and hand flagged rows on, part by part.

    Images that a density is fitted to are no new ones, and stay out where it decides.

    Raises ``ScoreError`` where the reference lacks a score or is too small for alpha.
    """
    lacking = [key for key in keys if key not in reference.scores]
    if lacking:
        raise ScoreError(
            f"{plain(reference.title)} has no score {plain(lacking[0])}; decide by others."
        )
    joint = JointReference(reference.table(keys), two_sided=two_sided)
    n = joint.n
    attainable(alpha, n)  # refuses an alpha outside (0, 1)
    if joint.smallest() > alpha:
        # One score at both ends: one of the reference may be as rare at the other.
        raise ScoreError(too_few(alpha, n, 2 if len(keys) == 1 and two_sided else 1))
    judged = flagged = rows = known = 0
    fitted = kept_fitted(folder)
    numbers = parts_there(folder)
    for place, number in enumerate(numbers):
        progress(place / len(numbers), f"{flagged:,} flagged of {judged:,}")
        table = part_columns(folder, number, ["row", "file", "label", "digest", *keys])
        values = figures(table, keys)
        seen = unmeasured(values, keys, fitted, digests=table["digest"].to_pylist())
        table, known = table.drop_columns(["digest"]), known + int(seen.sum())
        finite = np.flatnonzero(np.isfinite(values).all(axis=1))
        p, by = _p_values(joint, values[finite])
        out = p <= alpha
        rows, judged, flagged = rows + len(values), judged + len(finite), flagged + int(out.sum())
        if out.any():
            take(
                _flagged_rows(
                    table,
                    finite[out],
                    p[out],
                    by=[" ".join(compress(keys, row)) for row in by[out]],
                )
            )
    return Count(judged, flagged, rows - judged - known, references=n, fitted=known)


def _p_values(joint: JointReference, values: Floats) -> tuple[Floats, Any]:
    """p-values (n,) and which scores are the most unusual (n, K), some images at a time."""
    p, by = [np.zeros(0)], [np.zeros((0, joint.k), np.bool_)]
    for start in range(0, len(values), _BATCH):
        found = joint.p_values(values[start : start + _BATCH])
        p.append(found.calibrated)
        by.append(found.p_values == found.p_values.min(axis=1, keepdims=True))
    return np.concatenate(p), np.concatenate(by)


def _flagged_rows(table: pa.Table, picks: Any, p: Floats, *, by: list[str]) -> pa.Table:
    import pyarrow as pa

    rows = table.take(picks)
    rows = rows.add_column(3, "p_value", pa.array(p))
    return rows.add_column(4, "by", pa.array(by, pa.string()))


@contextmanager
def written_rows(text: str, keys: Sequence[str]) -> Iterator[Take]:
    """A CSV or Parquet file of flagged rows, by its ending; it appears whole or not at all.

    Raises ``DataError`` for a path that cannot be written or has another ending.
    """
    path = named_path(text) if not is_far(text) else None
    if path is None or path.suffix.lower() not in FORMATS:
        raise DataError(
            f"{plain(text)} cannot take the flagged rows: name a file of this machine that ends in "
            f"{' or '.join(FORMATS)}."
        )
    with written(path) as draft:
        ways = _csv_rows if path.suffix.lower() == ".csv" else _parquet_rows
        with ways(draft, keys) as take:
            yield take


@contextmanager
def _csv_rows(path: Path, keys: Sequence[str]) -> Iterator[Take]:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([cell(head) for head in ("row", "file", "label", "p_value", "by", *keys)])

        def take(rows: pa.Table) -> None:
            columns = [column.to_pylist() for column in rows.columns]
            writer.writerows([cell(value) for value in row] for row in zip(*columns, strict=True))

        yield take


@contextmanager
def _parquet_rows(path: Path, keys: Sequence[str]) -> Iterator[Take]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts, numbers = pa.string(), pa.float64()
    schema = pa.schema(
        [("row", pa.int64()), ("file", texts), ("label", texts), ("p_value", numbers),
         ("by", texts), *((key, numbers) for key in keys)]
    )  # fmt: skip
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield lambda rows: writer.write_table(rows.cast(schema))
