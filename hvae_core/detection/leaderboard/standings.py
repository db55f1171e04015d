"""The table of a leaderboard: means over the sets of a suite, ranks, and paired tests.

Which is first is chosen on the images that it is judged on; the paired tests against it are
corrected for their number (Holm), not for that choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from hvae_core.common.arrays import Floats
from hvae_core.data.suites import SUITES, suite_sets
from hvae_core.data.worlds import Suite, World
from hvae_core.detection.conformal import threshold_at
from hvae_core.detection.leaderboard.entries import ALPHA, LIKELIHOOD, Entry
from hvae_core.detection.leaderboard.rows import Board, Mean, OnSet, Spectrum, Standing, Worst
from hvae_core.detection.metrics import flagged, holm
from hvae_core.detection.metrics.curves import fpr_at, midranks
from hvae_core.detection.metrics.detect import equal_numbers
from hvae_core.detection.metrics.mean_area import Area, area_of, compared, mean_of, pooled_area


class Areas:
    """The AUROCs of entries, each computed once; ``seed`` draws equal numbers of unequal sets."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._known: dict[tuple[int, str, tuple[str, ...]], Area] = {}

    def __call__(self, entry: Entry, name: str, shifted: tuple[str, ...] = ()) -> Area:
        """The area of an entry, which must stay alive meanwhile, on a set.

        With ``shifted`` sets it is the full-spectrum one, which counts them as in-distribution.
        """
        key = (id(entry), name, shifted)
        if key not in self._known:
            out = entry.values[name]
            self._known[key] = (
                pooled_area([entry.inside, *(entry.values[each] for each in shifted)], out)
                if shifted
                else area_of(entry.inside, out, self.seed)
            )
        return self._known[key]


def boards(
    entries: Sequence[Entry], world: World, suites: Sequence[Suite], *, seed: int = 0
) -> list[Board]:
    """The boards of some suites of a world from ``board_sets``."""
    known = Areas(seed)
    named = {suite: [spec.name for spec in suite_sets(world, suite)] for suite in SUITES}
    against = [*named["near"], *named["far"]]
    return [
        board(entries, suite, named[suite], against, shifted=named["shifted"], known=known)
        for suite in suites
    ]


def board(
    entries: Sequence[Entry],
    suite: Suite,
    names: Sequence[str],
    against: Sequence[str],
    *,
    shifted: Sequence[str] = (),
    known: Areas,
) -> Board:
    """The standings on the sets ``names``; ``against`` are those on which -L is the rival.

    ``shifted`` are the changed images that full-spectrum AUROCs count as in-distribution. Of all
    sets those count that some entry has; an entry that lacks one of them is left out, as its
    mean would be of something else. ``known`` serves the boards of all suites of the same entries.
    """
    sets = _had(names, entries)
    ranked = [entry for entry in entries if sets and all(name in entry.values for name in sets)]
    if not ranked:
        return Board(suite, sets, ())
    changes = suite == "shifted"
    changed = () if changes else _had(shifted, entries)
    # 1. Every area once, and its mean; of a change either direction is a reaction to it.
    areas = [{name: known(entry, name) for name in sets} for entry in ranked]
    means = [mean_of([_reaction(a) if changes else a for a in by.values()]) for by in areas]
    # 2. Ranks on each set, the best first.
    ranks = np.mean([_ranks(areas, name, shifted=changes) for name in sets], axis=0)
    order = np.lexsort((ranks, [mean.value if changes else -mean.value for mean in means]))
    # 3. Paired tests: each against the first, each against -L of its own checkpoint.
    tests = _against_first(ranked, dict(enumerate(means)), int(order[0]), sets)
    rivals = {entry.digest: entry for entry in entries if entry.score.key == LIKELIHOOD}
    spectra = _spectra(ranked, rivals, sets, against, shifted=changed, known=known)
    rate = _flagged if changes else _fpr95
    rows = []
    for at in map(int, order):
        entry = ranked[at]
        by_set = {
            name: OnSet(
                area.value, *area.interval(), rate(entry, name, known.seed),
                *(() if changes else _caught(entry, name)),
            )
            for name, area in areas[at].items()
        }  # fmt: skip
        rows.append(
            Standing(
                entry=entry,
                area=means[at].value,
                low=means[at].interval()[0],
                high=means[at].interval()[1],
                rank=float(ranks[at]),
                rate=float(np.mean([one.rate for one in by_set.values()])),
                p_value=tests.get(at),
                worst=worst_against(entry, rivals.get(entry.digest), against, known=known),
                by_set=by_set,
                caught=_mean_caught([one.caught for one in by_set.values()], entry, sets),
                spectrum=spectra.get(at),
            )
        )
    return Board(suite, sets, tuple(rows), changed)


def worst_against(
    entry: Entry,
    rival: Entry | None,
    names: Sequence[str],
    *,
    shifted: tuple[str, ...] = (),
    known: Areas,
) -> Worst | None:
    """Where a score falls behind another of the same checkpoint most (paired tests of DeLong).

    With ``shifted`` sets by full-spectrum AUROCs. None where there is no rival, it is the entry
    itself, or the two share no set.
    """
    shared = [n for n in names if rival and n in entry.values and n in rival.values]
    if rival is None or rival is entry or not shared or not _has(rival, shifted):
        return None
    tests = {n: compared(known(entry, n, shifted), known(rival, n, shifted)) for n in shared}
    corrected = holm([test.p_value for test in tests.values()])
    name = min(tests, key=lambda each: tests[each].difference)
    worst = tests[name]
    return Worst(
        difference=worst.difference,
        low=worst.low,
        high=worst.high,
        set_name=name,
        worse_on=tuple(
            each
            for (each, test), p in zip(tests.items(), corrected, strict=True)
            if test.difference < 0 and p <= ALPHA
        ),
        sets=len(tests),
    )


def _had(names: Sequence[str], entries: Sequence[Entry]) -> tuple[str, ...]:
    """The sets that some entry has."""
    return tuple(name for name in names if any(name in entry.values for entry in entries))


def _caught(entry: Entry, name: str) -> tuple[float, float, float] | tuple[()]:
    """The share of a set that is called out, with its interval."""
    if entry.alarm is None:
        return ()
    share = flagged(entry.alarm, entry.values[name])
    return share.value, share.low, share.high


def _mean_caught(shares: Sequence[float | None], entry: Entry, sets: Sequence[str]) -> Mean | None:
    """The mean of shares of different images, with the normal interval."""
    known = [share for share in shares if share is not None]
    if len(known) < len(sets):
        return None
    sizes = [len(entry.values[name]) for name in sets]
    variance = sum(p * (1 - p) / n for p, n in zip(known, sizes, strict=True)) / len(sets) ** 2
    value = float(np.mean(known))
    half = NormalDist().inv_cdf(0.975) * float(np.sqrt(variance))
    return Mean(value, max(0.0, value - half), min(1.0, value + half))


def _spectra(
    entries: Sequence[Entry],
    rivals: Mapping[str, Entry],
    sets: Sequence[str],
    against: Sequence[str],
    *,
    shifted: tuple[str, ...],
    known: Areas,
) -> dict[int, Spectrum]:
    """Full-spectrum AUROCs by place in the list, of those with results of all shifted sets."""
    means = {
        at: mean_of([known(entry, name, shifted) for name in sets])
        for at, entry in enumerate(entries)
        if shifted and _has(entry, shifted)
    }
    if not means:
        return {}
    first = max(means, key=lambda at: means[at].value)
    tests = _against_first(entries, means, first, (*sets, *shifted))
    spectra = {}
    for at, mean in means.items():
        rival = rivals.get(entries[at].digest)
        worst = worst_against(entries[at], rival, against, shifted=shifted, known=known)
        spectra[at] = Spectrum(mean.value, *mean.interval(), tests.get(at), worst)
    return spectra


def _has(entry: Entry, names: Sequence[str]) -> bool:
    return all(name in entry.values for name in names)


def _reaction(area: Area) -> Area:
    """max(AUROC, 1 - AUROC)."""
    return area if area.value >= 0.5 else area.turned()


def _ranks(areas: Sequence[Mapping[str, Area]], name: str, *, shifted: bool) -> Floats:
    """Ranks from 1 on one set, in the order of the entries."""
    # Areas that are equal are so to rounding alone, as 0.3 and 1 - 0.7.
    values = np.array([by[name].value for by in areas]).round(12)
    return midranks(np.abs(values - 0.5).round(12) if shifted else -values)


def _against_first(
    entries: Sequence[Entry], means: Mapping[int, Area], first: int, sets: Sequence[str]
) -> dict[int, float]:
    """Corrected p-values by place in the list, of those that rated the same pixels as the first.

    ``means`` are the areas by place that are compared, ``sets`` those that they rest on.
    """

    def pixels(entry: Entry) -> list[str | None]:
        return [entry.pixels.get(name) for name in ("", *sets)]

    places = [at for at in means if at != first and pixels(entries[at]) == pixels(entries[first])]
    tests = [compared(means[at], means[first]).p_value for at in places]
    return dict(zip(places, holm(tests), strict=True))


def _fpr95(entry: Entry, name: str, seed: int) -> float:
    return fpr_at(0.95, *equal_numbers(entry.inside, entry.values[name], seed))


def _flagged(entry: Entry, name: str, seed: int) -> float:
    return flagged(threshold_at(ALPHA, entry.inside), entry.values[name]).value
