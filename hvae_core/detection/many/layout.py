"""The folder that scoring many images fills, and what is read from it: near or far (a URL).

    OUT/job.json                  what is scored: model, source, settings, scores, images a part
    OUT/parts/part-000000.parquet one row an image; a part that is there is whole
    OUT/summary.json              made of the parts; not needed to go on

A part's columns: ``row`` int64, the image's place in the source; ``file`` string; ``label`` string
or null; ``digest`` uint64 of its pixels (``ImageSet.image_digests``); ``error`` string, null for an
image that was read and scored; ``L_0`` to ``L_{K-1}`` float64, L_>k in nats (HVK Eq. 5);
then one float64 a score, by its key. An image with an ``error`` has null figures, and one that
could not be read a null digest.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.common.far import Folder
from hvae_core.common.plain import plain

JOB = "job.json"
PARTS = "parts"
SUMMARY = "summary.json"
FORMAT = 1
FIXED = ("row", "file", "label", "digest", "error")
"""Columns that every part has, before bounds and scores."""
_PART = re.compile(r"part-(\d{6,})\.parquet")


@dataclass(frozen=True)
class Job:
    """What a folder holds the scores of. ``images`` and ``parts`` are None until they are known.

    ``model`` is the checkpoint's name and ``digest`` that of its file, ``levels`` K; ``source`` and
    ``prepare`` are as given. ``settings`` are those of the evaluation (``EvalSettings``) as a
    mapping, ``scores`` keys in the order of their columns. ``contents`` is a digest of what the
    source is made of, ``notes`` say what was decided from its first images; ``versions`` are of the
    libraries that the figures rest on.
    """

    model: str
    digest: str
    levels: int
    source: str
    settings: Mapping[str, Any]
    scores: tuple[str, ...]
    part_images: int
    limit: int | None = None
    prepare: tuple[str, ...] = ()
    contents: str = ""
    images: int | None = None
    parts: int | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Part:
    """Figures of the images of one part, in the order of the source.

    ``digests`` are 0 and figures NaN where ``errors`` says why the image was not scored.
    """

    rows: NDArray[np.int64]  # (n,)
    files: Sequence[str]
    labels: Sequence[str | None]
    digests: NDArray[np.uint64]  # (n,)
    errors: Sequence[str | None]
    bounds: Floats  # (n, K), nats
    scores: Mapping[str, Floats]  # (n,) each

    def __len__(self) -> int:
        return len(self.rows)


def part_name(number: int) -> str:
    """The file of a part, within the folder."""
    return f"{PARTS}/part-{number:06d}.parquet"


def parts_there(folder: Folder) -> list[int]:
    """The numbers of the parts that are there, in their order."""
    found = (_PART.fullmatch(name) for name in folder.names(PARTS))
    return sorted(int(match[1]) for match in found if match)


def write_job(folder: Folder, job: Job) -> None:
    """Write what is scored."""
    text = json.dumps({"format": FORMAT, **asdict(job)}, indent=1, ensure_ascii=False)
    folder.write(JOB, text.encode())


def read_job(folder: Folder) -> Job | None:
    """What a folder holds the scores of; None where it holds none yet."""
    data = folder.read(JOB)
    if data is None:
        return None
    try:
        stored = json.loads(data)
        if stored.pop("format") != FORMAT:
            raise ValueError("another format")
        return Job(**{name: _frozen(stored[name]) for name in (f.name for f in fields(Job))})
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise DataError(
            f"{JOB} in {plain(folder.given)} is damaged or of another version; name a new folder."
        ) from exc


def write_part(folder: Folder, number: int, part: Part) -> None:
    """Write one part: the same bytes for the same figures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    failed = np.array([error is not None for error in part.errors], dtype=bool)
    columns: dict[str, Any] = {
        "row": pa.array(part.rows, pa.int64()),
        "file": pa.array(list(part.files), pa.string()),
        "label": pa.array(list(part.labels), pa.string()),
        "digest": pa.array(part.digests, pa.uint64(), mask=failed & (part.digests == 0)),
        "error": pa.array(list(part.errors), pa.string()),
    }
    for name, values in (*_bounds(part.bounds), *part.scores.items()):
        if name in columns:
            raise DataError(f"A score may not be called {name}, as a column of every part is.")
        columns[name] = pa.array(values, pa.float64(), mask=failed)
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    folder.write(part_name(number), buffer.getvalue())


def read_part(folder: Folder, number: int) -> Part:
    """Read back what ``write_part`` wrote."""
    import pyarrow.parquet as pq

    name = part_name(number)
    data = folder.read(name)
    if data is None:
        raise DataError(f"{plain(folder.given)} has no {name}; run the same command again.")
    try:
        table = pq.read_table(io.BytesIO(data))
        known = {column: table.column(column) for column in FIXED}
    except Exception as exc:  # arrow has many errors of its own
        raise DataError(
            f"{name} in {plain(folder.given)} is damaged; remove it and run the same command again."
        ) from exc
    rest = [column for column in table.column_names if column not in FIXED]
    figures = {column: table.column(column).to_numpy() for column in rest}
    levels = [column for column in rest if re.fullmatch(r"L_\d+", column)]
    return Part(
        rows=known["row"].to_numpy(),
        files=known["file"].to_pylist(),
        labels=known["label"].to_pylist(),
        digests=known["digest"].fill_null(0).to_numpy(),
        errors=known["error"].to_pylist(),
        bounds=np.stack([figures[column] for column in levels], axis=1),
        scores={column: figures[column] for column in rest if column not in levels},
    )


def _bounds(bounds: Floats) -> list[tuple[str, Floats]]:
    return [(f"L_{k}", bounds[:, k]) for k in range(bounds.shape[1])]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
