"""The rows of a leaderboard: what is said of one score over the sets of a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hvae_core.data.worlds import Suite
from hvae_core.detection.leaderboard.entries import ALPHA, Entry


@dataclass(frozen=True)
class OnSet:
    """One score on one set: AUROC with its 95 % interval, ``rate`` and ``caught`` as ``Standing``.

    ``caught`` has the interval of Wilson 1927, given the threshold.
    """

    auroc: float
    low: float
    high: float
    rate: float
    caught: float | None = None
    caught_low: float | None = None
    caught_high: float | None = None


@dataclass(frozen=True)
class Mean:
    """A mean over sets with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Worst:
    """A score against -L of the same checkpoint, over all near and far sets.

    ``difference`` is the smallest of the AUROC's with its 95 % interval, on ``set_name``.
    ``worse_on`` names the sets on which it is certainly below zero: p at most 5 % after Holm's
    correction for the sets, which number ``sets``.
    """

    difference: float
    low: float
    high: float
    set_name: str
    worse_on: tuple[str, ...]
    sets: int


@dataclass(frozen=True)
class Spectrum(Mean):
    """A full-spectrum AUROC with its interval, and the same tests as those of the plain one.

    ``p_value`` is that of the paired test against the row whose full-spectrum AUROC is highest,
    Holm-corrected for all rows; None for that row, and where the images were not the same.
    ``worst`` holds the full-spectrum AUROCs of single sets against those of -L; None for -L itself.
    """

    p_value: float | None
    worst: Worst | None

    @property
    def level_with_first(self) -> bool:
        """Whether no test tells it from the highest."""
        return _level(self.p_value)


@dataclass(frozen=True, eq=False)
class Standing:
    """One row: a score of a checkpoint over the sets of a suite.

    ``area`` is the mean AUROC with its 95 % interval ``low``, ``high``; ``rank`` the mean over sets
    of its rank among all rows, 1 first, ties shared. ``rate`` is the mean FPR95: the share of
    in-distribution images flagged where 95 % of a set are.

    In the suite of shifted images ``area`` is the mean of max(AUROC, 1 - AUROC): 0.5 for a score
    that does not see the change, which comes first. ``rate`` is the mean share of shifted images
    that are flagged where 5 % of the in-distribution ones are.

    ``caught`` is the mean share of a set that is called out at 5 % false alarms by held-out images,
    its interval that of these images given the threshold; None without results of held-out ones.
    ``spectrum`` is the full-spectrum AUROC of OpenOOD v1.5 (Zhang et al. 2023): the same sets, the
    shifted images of the world counted as in-distribution; None where these have no results, and in
    the suite of shifted images, which has no ``caught`` either.

    ``p_value`` is that of the paired test against the first row, Holm-corrected for all rows; None
    for the first row, and where the images were not the same. ``worst`` is None for -L itself.
    """

    entry: Entry
    area: float
    low: float
    high: float
    rank: float
    rate: float
    p_value: float | None
    worst: Worst | None
    by_set: Mapping[str, OnSet]
    caught: Mean | None = None
    spectrum: Spectrum | None = None

    @property
    def level_with_first(self) -> bool:
        """Whether no test tells it from the first row."""
        return _level(self.p_value)

    def to_dict(self) -> dict[str, Any]:
        """The row as plain values."""
        return {
            "checkpoint": self.entry.model,
            "title": self.entry.title,
            "digest": self.entry.digest,
            "own": self.entry.own,
            "score": self.entry.score.key,
            "auroc": self.area,
            "low": self.low,
            "high": self.high,
            "mean_rank": self.rank,
            "rate": self.rate,
            "caught": self.caught and vars(self.caught),
            "full_spectrum": self.spectrum and _full(self.spectrum),
            "p_against_first": self.p_value,
            "against_likelihood": self.worst and vars(self.worst),
            "sets": {name: vars(one) for name, one in self.by_set.items()},
        }


@dataclass(frozen=True, eq=False)
class Board:
    """A world's leaderboard on one suite, best row first; ``sets`` are those that it rests on.

    ``shifted`` are those that count as in-distribution in full-spectrum AUROCs.
    """

    suite: Suite
    sets: tuple[str, ...]
    standings: tuple[Standing, ...]
    shifted: tuple[str, ...] = ()

    def to_dict(self, kept: Sequence[int] | None = None) -> dict[str, Any]:
        """Its sets and rows as plain values, each row with its place; of the rows at ``kept``.

        ``kept`` are places from 0, by default all; the places of rows are from 1.
        """
        places = range(len(self.standings)) if kept is None else kept
        rows = [{"place": at + 1, **self.standings[at].to_dict()} for at in places]
        return {"sets": list(self.sets), "rows": rows}


def _level(p_value: float | None) -> bool:
    return p_value is not None and p_value > ALPHA


def _full(spectrum: Spectrum) -> dict[str, Any]:
    """The full-spectrum AUROC as plain values, its tests named as those of the row."""
    found = asdict(spectrum)
    tests = {"p_against_first": found.pop("p_value"), "against_likelihood": found.pop("worst")}
    return found | tests
