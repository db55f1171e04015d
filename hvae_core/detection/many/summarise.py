"""Makes the summary of a folder of parts, each part read once.

Parts that came since are read and added; where a part's size changed, or under another job,
everything is read again. The score of a density counts of images that it is not fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.common.errors import DataError
from hvae_core.common.far import Folder
from hvae_core.common.plain import plain
from hvae_core.common.progress import Progress, silent
from hvae_core.detection.many.columns import figures, job_of, part_columns
from hvae_core.detection.many.fitted import Fitted, kept_fitted, unmeasured
from hvae_core.detection.many.layout import PARTS, Job, part_name, parts_there
from hvae_core.detection.many.repeats import Repeats
from hvae_core.detection.many.sketch import KEPT, Gathering
from hvae_core.detection.many.summary import (
    UNUSUAL,
    FolderSummary,
    ScoreSummary,
    Unusual,
    identity,
    keep,
    stored,
)

_WORN = 1e-3
"""Share by which ranks may be off before all parts are read again."""
_NAMES = ("row", "file", "label")


def summarised(folder: Folder, progress: Progress = silent) -> FolderSummary:
    """The summary of all parts that are there, kept or made now.

    Raises ``DataError`` for a folder without parts, or with a damaged one.
    """
    job = job_of(folder)
    there = _parts(folder)
    if not there:
        raise DataError(
            f"{plain(folder.given)} has no parts yet; let the command that scores finish one."
        )
    known = stored(folder, job)
    if known is not None and dict(known.parts) == there:
        return known
    growing = _Growing(job, known if _goes_on(known, there) else None, kept_fitted(folder))
    left = [name for name in there if name not in growing.parts]
    for place, name in enumerate(left):
        progress(place / len(left), f"reading part {place + 1:,} of {len(left):,}")
        growing.add(folder, _number(name), there[name])
    made = growing.summary(folder)
    with suppress(DataError):  # who may only read the folder reads its parts again next time
        keep(folder, made)
    return made


def is_whole(folder: Folder, known: FolderSummary) -> bool:
    """Whether a summary is made of exactly the parts that are there."""
    return dict(known.parts) == _parts(folder)


def _parts(folder: Folder) -> dict[str, int]:
    sizes = folder.sizes(PARTS)
    names = [part_name(number) for number in parts_there(folder)]
    return {name: sizes[name.rpartition("/")[2]] for name in names}


def _number(name: str) -> int:
    return int(name.rpartition("-")[2].partition(".")[0])


def _goes_on(known: FolderSummary | None, there: Mapping[str, int]) -> bool:
    """Whether a summary can be added to: its parts are as they were, and its ranks still sharp."""
    return known is not None and all(
        there.get(name) == size for name, size in known.parts.items()
    ) and all(one.sketch.share_error <= _WORN for one in known.scores.values())  # fmt: skip


@dataclass
class _Moments:
    """Count, mean and sum of squared deviations, and the ends (Chan et al. 1983)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    def add(self, values: Floats) -> None:
        n = len(values)
        if not n:
            return
        mean = float(values.mean())
        apart = mean - self.mean
        whole = self.n + n
        self.squares += float(((values - mean) ** 2).sum()) + apart**2 * self.n * n / whole
        self.mean += apart * n / whole
        self.n = whole
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))


@dataclass
class _OneScore:
    """A score's figures while parts are read."""

    moments: _Moments = field(default_factory=_Moments)
    ranks: Gathering = field(default_factory=Gathering)
    unusual: list[Unusual] = field(default_factory=list)

    @classmethod
    def after(cls, known: ScoreSummary) -> _OneScore:
        squares = known.deviation**2 * max(known.n - 1, 0)
        moments = _Moments(known.n, known.mean, squares=squares, low=known.low, high=known.high)
        return cls(moments, Gathering(known.sketch), list(known.unusual))

    def add(self, values: Floats, table: Any) -> None:
        finite = np.flatnonzero(np.isfinite(values))
        self.moments.add(values[finite])
        self.ranks.add(values[finite])
        least = self.unusual[-1].score if len(self.unusual) == UNUSUAL else -np.inf
        picks = finite[values[finite] >= least]
        picks = picks[np.argsort(-values[picks], kind="stable")][:UNUSUAL]
        if not len(picks):
            return
        rows = table.take(picks)
        new = zip(
            values[picks].tolist(), *(rows.column(name).to_pylist() for name in _NAMES), strict=True
        )
        every = [*self.unusual, *(Unusual(*one) for one in new)]
        every.sort(key=lambda one: (-one.score, one.row))
        self.unusual = every[:UNUSUAL]

    def summary(self) -> ScoreSummary:
        of = self.moments
        return ScoreSummary(
            of.n, of.mean if of.n else np.nan,
            deviation=float(np.sqrt(of.squares / (of.n - 1))) if of.n > 1 else np.nan,
            low=of.low, high=of.high,
            sketch=self.ranks.sketch().thinned(KEPT), unusual=tuple(self.unusual),
        )  # fmt: skip


class _Growing:
    """A summary while parts are read, in the order of their numbers."""

    def __init__(self, job: Job, known: FolderSummary | None, fitted: Fitted | None) -> None:
        self._job, self._fitted = job, fitted
        self.parts = dict(known.parts) if known else {}
        self._rows, self._failed = (known.rows, known.failed) if known else (0, 0)
        self._errors = list(known.errors) if known else []
        self._repeats = Repeats()
        self._scores = {
            key: _OneScore.after(known.scores[key]) if known else _OneScore() for key in job.scores
        }

    def add(self, folder: Folder, number: int, size: int) -> None:
        """Read one part."""
        import pyarrow.compute as pc

        keys = list(self._scores)
        table = part_columns(folder, number, [*_NAMES, "error", "digest", *keys])
        self._repeats.add(number, table.column("digest"))
        self.parts[part_name(number)] = size
        self._rows += table.num_rows
        failed = table.filter(pc.is_valid(table.column("error")))
        self._failed += failed.num_rows
        wrong = failed.select(["row", "file", "error"]).slice(0, UNUSUAL).to_pylist()
        self._errors += [(one["row"], one["file"], one["error"]) for one in wrong]
        self._errors = sorted(self._errors)[:UNUSUAL]
        every = figures(table, keys)
        unmeasured(every, keys, self._fitted, digests=table["digest"].to_pylist())
        for key, values in zip(keys, every.T, strict=True):
            self._scores[key].add(values, table)

    def summary(self, folder: Folder) -> FolderSummary:
        """What was read so far; equal pictures among all parts, those read before included."""
        repeated, listed = self._repeats.found(folder, [_number(name) for name in self.parts])
        return FolderSummary(
            identity(self._job),
            dict(sorted(self.parts.items())),
            self._rows,
            failed=self._failed,
            errors=tuple(self._errors),
            scores={key: one.summary() for key, one in self._scores.items()},
            repeated=repeated,
            repeats=listed,
        )
