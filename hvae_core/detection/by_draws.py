"""Tables by the first S of one stream of draws, for several S: what more samples would change.

The samples of S = 5 are the first five of S = 25: the tables differ by the draws that are added
and by nothing else, and all of them cost one pass of the largest S.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache as remembered
from typing import TYPE_CHECKING

import numpy as np

from hvae_core.common import cache, fingerprint
from hvae_core.common.errors import ConfigError, ScoreError
from hvae_core.common.progress import Progress, silent
from hvae_core.detection.metrics import auroc_interval, equal_numbers
from hvae_core.evaluation.bounds import COLUMNS, ERRORS, BoundTable
from hvae_core.evaluation.parts import kept_in_parts
from hvae_core.scores import Score

if TYPE_CHECKING:
    from hvae_core.data.image_set import ImageSet
    from hvae_core.evaluation.evaluation import EvalSettings
    from hvae_core.evaluation.scorer import Scorer
    from hvae_core.models import HierarchicalVAE

_PART = 50  # images: with 1,000 samples each a part takes minutes, and an interruption costs one
_BATCH = 10


@dataclass(frozen=True)
class ByDraws:
    """The AUROC of one score by S: values with their 95 % intervals, a row a number of draws."""

    score: str
    samples: tuple[int, ...]
    areas: tuple[tuple[float, float, float], ...]


def nested_tables(
    model: HierarchicalVAE,
    checkpoint: str,
    images: ImageSet,
    *,
    settings: EvalSettings,
    counts: Sequence[int],
    progress: Progress = silent,
) -> dict[int, BoundTable]:
    """The table of every S in ``counts``, from the cache or computed; S counts for every k.

    The KL terms of each are those of all draws. ``settings`` gives seed and ways; its own numbers
    of samples are not read.
    """
    counts = tuple(sorted(set(counts)))
    if not counts or counts[0] < 1:
        raise ConfigError("The numbers of samples must be 1 or more.")
    settings = replace(settings, samples=counts[-1], partial_samples=counts[-1])
    key = fingerprint.digest("nested-2", checkpoint, images.digest, settings, list(counts))

    @remembered
    def scorer() -> Scorer:
        from hvae_core.evaluation.scorer import Scorer

        return Scorer(model, settings, rows=min(_BATCH, len(images)))

    def part(rows: ImageSet, report: Callable[[float], None]) -> cache.Arrays:
        return _part(scorer(), rows, counts=counts, report=report)

    def join(parts: Sequence[cache.Arrays]) -> cache.Arrays:
        return {name: np.concatenate([arrays[name] for arrays in parts]) for name in parts[0]}

    def unpack(arrays: cache.Arrays) -> dict[int, BoundTable]:
        columns = {
            count: {name: arrays[f"{name}-{count}"] for name in (*COLUMNS, *ERRORS)}
            for count in counts
        }
        return {
            count: BoundTable(**each, dims=model.dims, samples=count)
            for count, each in columns.items()
        }

    return kept_in_parts(
        "nested", key, images, compute=part, join=join, unpack=unpack, size=_PART, progress=progress
    )


def auroc_by_draws(
    inside: Mapping[int, BoundTable],
    outside: Mapping[int, BoundTable],
    scores: Sequence[Score],
    seed: int = 0,
) -> tuple[ByDraws, ...]:
    """AUROC with its DeLong interval of every score, by S; one that cannot be had is left out."""
    rows = []
    for score in scores:
        try:
            areas = tuple(
                auroc_interval(*equal_numbers(score(inside[s]), score(outside[s]), seed))
                for s in inside
            )
        except ScoreError:
            continue
        rows.append(ByDraws(score.key, tuple(inside), areas))
    return tuple(rows)


def _part(
    scorer: Scorer,
    images: ImageSet,
    *,
    counts: Sequence[int],
    report: Callable[[float], None],
) -> dict[str, np.ndarray]:
    """The tables of some images, each column under its name and S."""
    digests = images.image_digests()
    tables: dict[int, list[BoundTable]] = {count: [] for count in counts}
    for start in range(0, len(images), _BATCH):
        stop = start + _BATCH
        rows = slice(start, stop)
        bounds, _ = scorer(images.images[rows], digests[rows])
        for count, parts in tables.items():
            parts.append(
                BoundTable.from_bounds([b.first(count) for b in bounds], scorer.model.dims)
            )
        report(min(1.0, stop / len(images)))
    joined = {count: BoundTable.concat(parts) for count, parts in tables.items()}
    return {
        f"{name}-{count}": getattr(table, name).astype(np.float32)
        for count, table in joined.items()
        for name in (*COLUMNS, *ERRORS)
    }
