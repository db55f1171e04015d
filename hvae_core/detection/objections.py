"""What objects to one image, how strongly, and compared with what: two sentences and their scores.

They are a function of the numbers alone, as the verdict's words are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hvae_core.common.words import fmt, symbol_text
from hvae_core.detection.standard import PATH
from hvae_core.detection.verdict import Judgement, Reading

MOST = 3
"""Scores that are said to decide, at most."""


def deciding(judged: Judgement, readings: Sequence[Reading]) -> list[tuple[Reading, float]]:
    """The two or three readings that decide the verdict, the most unusual first, with its p-values.

    The likelihood is always among them: the verdict is about what it would let pass. So is the
    level that differs the most, and a third where it differs more than these, or where its p-value
    alone is at most alpha.
    """
    known = _of_verdict(judged, readings)
    p_values = judged.verdict.p_values
    by_p = sorted(known, key=lambda place: (p_values[place], place))
    first = [place for place in by_p if place in (0, judged.level, judged.verdict.place)]
    more = [p for p in by_p if p not in first and p_values[p] <= judged.verdict.alpha]
    chosen = {*first, *more[: MOST - len(first)]}
    return [(known[place], float(p_values[place])) for place in by_p if place in chosen]


def objections(judged: Judgement, readings: Sequence[Reading]) -> list[str]:
    """Two sentences: what objects the most, and what the likelihood, or else a level, says.

    Where only the likelihood can object there is one sentence. None where a reading of the
    verdict's scores is missing.
    """
    known = _of_verdict(judged, readings)
    most = judged.verdict.place
    other = judged.k if judged.by_path else judged.level if not most else 0
    places = [most] if other == most else [most, other]
    if any(place not in known for place in places):
        return []
    return [_sentence(judged, known[place], place, first=not i) for i, place in enumerate(places)]


def _of_verdict(judged: Judgement, readings: Sequence[Reading]) -> dict[int, Reading]:
    """Readings of the verdict's scores by their place there, where they have a reference."""
    by_key = {reading.score.key: reading for reading in readings}
    keys = enumerate(judged.keys)
    return {
        place: by_key[key]
        for place, key in keys
        if key in by_key and by_key[key].reference is not None and by_key[key].value is not None
    }


def _sentence(judged: Judgement, reading: Reading, place: int, *, first: bool) -> str:
    """One score in words: does it object, its value, and its place among held-out images."""
    objects = judged.verdict.p_values[place] <= judged.verdict.alpha
    reference = np.asarray(reading.reference)
    value = float(reading.value or 0.0)
    below, above = int((reference < value).sum()), int((reference > value).sum())
    low = place == 0 and below < above
    path = judged.keys[place] == PATH
    who = "the path through the levels" if path else f"level {place}" if place else "the likelihood"
    symbol = "its surprise, −log of its density," if path else symbol_text(reading.score.symbol)
    if objects:
        does = f"{who} is the most unusual" if first else f"{who} is unusual too"
    elif first:
        does = f"nothing is unusual; {who} comes closest"
    else:
        does = f"{who} is not unusual"
    unit, median = reading.score.unit, float(np.median(reference))
    return (
        f"{does[0].upper()}{does[1:]}: {symbol} is {fmt(value, unit)}, "
        f"{'lower' if low else 'higher'} than for {above if low else below:,} of "
        f"{len(reference):,} held-out images, whose median is {fmt(median, unit)}."
    )
