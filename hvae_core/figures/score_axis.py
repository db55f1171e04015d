"""How far the axis of a score reaches: as far as leaves curves to see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hvae_core.common.arrays import Floats

_FOOT = 2.0
"""Bandwidths within which a curve comes down where its set ends."""
_TAILS = (0.5, 1.0, 2.5, 5.0, 10.0)
"""Per cent of a set at either end that may lie beyond the axis; as few as leave curves to see."""
_OWN_TAIL = 2.5
"""The same of the in-distribution set at most: its threshold of 5 % false alarms is on the axis."""
_WIDEST = 30
"""Widths of the narrowest curve's middle half that an axis may have without leaving more out."""


def score_range(in_scores: ArrayLike, outs: Sequence[ArrayLike]) -> tuple[float, float]:
    """The range worth drawing: the central 99 % of every set, with room for its curve to come down.

    Less where long tails would squeeze the curves: down to the central 80 % (95 % of the
    in-distribution set), until the narrowest curve's middle half takes a thirtieth of the width or
    the range is half as wide again as that of 80 %. Sets so far off that they would squeeze the
    in-distribution set into less than a fifteenth of the width are left out.
    """
    sets = [x for x in map(finite, (in_scores, *outs)) if x.size]
    if not sets:
        return 0.0, 1.0
    halves = [float(np.subtract(*np.percentile(x, [75, 25]))) for x in sets]
    body = min(filter(None, halves), default=0.0)
    spans = [_spans(x) for x in sets]
    ranges = [_range_less(tail, spans) for tail in range(len(_TAILS))]
    low, high, all_in, core = ranges[-1]
    most = max(_WIDEST * body, 1.5 * (high - low))
    low, high, *_ = next(one for one in ranges if one[1] - one[0] <= most and one[2] == all_in)
    margin = 0.06 * max(high - low, core)
    return float(low - margin), float(high + margin)


def _spans(x: Floats) -> Floats:
    """What lies between each of the tails of a set (T, 2), with room for its curve."""
    tails = np.array(_TAILS)
    low, high = np.split(np.percentile(x, np.concatenate([tails, 100 - tails])), 2)
    room = _FOOT * bandwidth(x)
    return np.stack([low - room, high + room], axis=1)


def _range_less(tail: int, spans: Sequence[Floats]) -> tuple[float, float, int, float]:
    """The range without this tail at either end of each set; how many sets lie in it, and how wide
    the first is.
    """
    start, end = spans[0][0]
    core = max(float(end - start), 1e-9 * max(1.0, abs(float(start))))
    low, high = spans[0][min(tail, _TAILS.index(_OWN_TAIL))]
    others, held = [span[tail] for span in spans[1:]], 1
    for start, end in sorted(others, key=lambda s: max(s[1] - high, low - s[0])):
        if max(high, end) - min(low, start) <= 15 * core:
            low, high, held = min(low, start), max(high, end), held + 1
    return float(low), float(high), held, core


def bandwidth(values: ArrayLike) -> float:
    """The normal-reference rule with a robust spread, 1.06 min(std, IQR / 1.34) n^(-1/5)."""
    x = finite(values)
    if x.size < 2:
        return 0.0
    quartile, three_quartiles = np.percentile(x, [25, 75])
    spread = min(x.std(ddof=1), (three_quartiles - quartile) / 1.34) or x.std(ddof=1)
    return float(1.06 * spread * x.size**-0.2)


def finite(values: ArrayLike) -> Floats:
    """Those scores that are numbers, as one flat array of doubles."""
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]
