"""Tables about samples: how good they are under a judge, and what they cost (DVP Table 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.progress import Progress, silent
from hvae_core.studies.members import Subject
from hvae_core.studies.rows import NO_IMAGES
from hvae_core.studies.spec import TableSpec
from hvae_core.studies.table import Column, Figure, Row, Table

if TYPE_CHECKING:
    from hvae_core.checkpoint import Checkpoint
    from hvae_core.data import ImageSet
    from hvae_core.models import Sampler

VALIDATION = "validation images"


@dataclass(frozen=True)
class Sampled:
    """Samples of one way to draw: quality under the judge, seconds for 1,000 (NaN: none)."""

    nll: float
    frechet: float
    nearest: float
    seconds_u: float
    seconds: float


def sampled(
    checkpoint: Checkpoint,
    judge: Checkpoint,
    held: Mapping[str, ImageSet],
    spec: TableSpec,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Sampled]:
    """Every way to draw from one model, and validation images in its place, by name.

    ``held`` has the sets "test" and "validation" at the judge's shape. Kept in the cache, times
    included: a second run shows those of the first.
    """
    from hvae_core.probes.sample_quality import JudgedPictures, draw, judged, quality

    real: JudgedPictures | None = None
    by_way: dict[str, Sampled] = {}
    ways: list[tuple[str, Sampler | None]] = [(VALIDATION, None)]
    ways += checkpoint.model.samplers(spec.steps)
    for done, (name, way) in enumerate(ways):
        images = held["validation"].digest if name == VALIDATION else checkpoint.digest
        key = fingerprint.digest(
            "sampled-1", judge.digest, held["test"].digest, images, name, spec.draws, seed
        )

        def measure(done: int = done, name: str = name, way: Sampler | None = way) -> Sampled:
            nonlocal real
            progress(done / len(ways), f"{checkpoint.name}: {name}")
            real = real or judged(judge.model, held["test"].images)
            seconds_u, seconds = math.nan, math.nan
            pixels = held["validation"].images
            if name != VALIDATION:
                drawn = draw(checkpoint.model, spec.draws, seed, way)
                per = 1000 / spec.draws
                pixels, seconds = drawn.pixels, drawn.seconds * per
                seconds_u = math.nan if drawn.seconds_u is None else drawn.seconds_u * per
            good = quality(judged(judge.model, pixels), real)
            return Sampled(
                good.nll, good.frechet, good.nearest, seconds_u=seconds_u, seconds=seconds
            )

        by_way[name] = cache.kept(
            "sampled",
            key,
            measure,
            pack=lambda figures: {"figures": np.array(astuple(figures), dtype=np.float64)},
            unpack=lambda arrays: Sampled(*(float(value) for value in arrays["figures"])),
        )
    return by_way


def samplers_table(
    spec: TableSpec,
    subjects: Sequence[Subject],
    samples: Mapping[str, Sequence[dict[str, Sampled]]],
) -> Table:
    """Quality and seconds by model and way to draw; ``samples`` has one entry a seed, by model."""
    columns = (
        Column("nll", "−L of the judge (nats)", 2),
        Column("frechet", "Fréchet distance", 2),
        Column("nearest", "nearest image", 2),
        Column("seconds_u", "s for 1,000 u", 3),
        Column("seconds", "s for 1,000 images", 2),
    )
    rows = []
    for subject in subjects:
        seeds = samples.get(subject.name, ())
        names = list(seeds[0]) if seeds else [""]
        for name in names:
            keys = {"model": subject.name, "sampler": name}
            labels = {"model": subject.title, "sampler": name}
            figures = {
                column.key: Figure.of([getattr(seed[name], column.key) for seed in seeds])
                for column in columns
                if seeds
            }
            reason = "" if seeds else subject.reason or NO_IMAGES
            rows.append(Row(keys, labels, figures, checkpoints=subject.digests, reason=reason))
    heads = {"model": "model", "sampler": "sampler"}
    return Table(
        spec.key,
        spec.kind,
        spec.title,
        heads=heads,
        columns=columns,
        rows=tuple(rows),
        source=spec.source,
        note=spec.note,
    )
