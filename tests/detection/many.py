"""Folders of many scored images with drawn figures, as the command that scores leaves them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hvae_core.common.far import Folder
from hvae_core.detection.many.layout import Job, Part, write_job, write_part

KEYS = ("elbo", "llr_1", "llr_2")


def scored_folder(
    images: int,
    part: int,
    failed: Mapping[int, str] | None = None,
    *,
    seed: int = 0,
    shift: float = 0.0,
    out: str = "",
    digest: str = "d" * 64,
    model: str = "a model",
    source: str = "pictures",
    digests: NDArray[np.uint64] | None = None,
) -> tuple[Folder, dict[str, np.ndarray]]:
    """A folder in memory (or at ``out``) with its scores (images,) by key, NaN where failed."""
    draw = np.random.default_rng(seed)
    values = {key: draw.normal(shift, 1.0, images) for key in KEYS}
    failed = failed or {}
    own = np.arange(1, images + 1, dtype=np.uint64) if digests is None else digests
    for row in failed:
        for column in values.values():
            column[row] = np.nan
    folder = Folder.of(out or f"memory://{uuid.uuid4().hex}")
    job = Job(
        model=model, digest=digest, levels=3, source=source, settings={"samples": 1, "seed": 0},
        scores=KEYS, part_images=part,
    )  # fmt: skip
    write_job(folder, job)
    for number, start in enumerate(range(0, images, part)):
        rows = np.arange(start, min(start + part, images))
        write_part(
            folder,
            number,
            Part(
                rows=rows,
                files=[f"{row}.png" for row in rows],
                labels=[str(row % 3) for row in rows],
                digests=np.where(np.isin(rows, list(failed)), np.uint64(0), own[rows]),
                errors=[failed.get(int(row)) for row in rows],
                bounds=np.zeros((len(rows), 3)),
                scores={key: column[rows] for key, column in values.items()},
            ),
        )
    return folder, values
