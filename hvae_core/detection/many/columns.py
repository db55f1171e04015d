"""Columns of parts, read where they lie: one part at a time, and of it what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError, HVAEError
from hvae_core.common.far import Folder
from hvae_core.common.plain import plain
from hvae_core.detection.many.layout import JOB, Job, part_name, read_job

if TYPE_CHECKING:
    import pyarrow as pa


def job_of(folder: Folder) -> Job:
    """What a folder holds the scores of; ``DataError`` where it is no such folder."""
    job = read_job(folder)
    if job is None:
        raise DataError(
            f"There is no folder of scores {plain(folder.given)}: it would have a file {JOB}. Give "
            "the folder that was named by --out."
        )
    return job


def part_columns(folder: Folder, number: int, columns: Sequence[str]) -> pa.Table:
    """Some columns of a part, in the order of its rows. Raises ``DataError``."""
    import pyarrow.parquet as pq

    name = part_name(number)
    try:
        with folder.opened(name) as file:
            part = pq.ParquetFile(file)
            missing = [column for column in columns if column not in part.schema_arrow.names]
            table = part.read(columns=list(columns)) if not missing else None
    except HVAEError:
        raise
    except Exception as exc:  # arrow and the stores have many errors of their own
        raise DataError(
            f"{name} in {plain(folder.given)} is damaged; remove it and run the same command again."
        ) from exc
    if missing:
        raise DataError(
            f"{name} in {plain(folder.given)} has no column {plain(missing[0])}; remove it and run "
            "the same command again."
        )
    return table


def figures(table: pa.Table, columns: Sequence[str]) -> Floats:
    """Columns of numbers as (n, len(columns)); NaN where an image has none."""
    if not columns:
        return np.zeros((table.num_rows, 0))
    found = [table.column(name).to_numpy() for name in columns]
    return np.stack([np.asarray(one, dtype=np.float64) for one in found], axis=1)
