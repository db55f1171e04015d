"""What objects to one image, how strongly, and compared with what: two sentences and their scores.

They are a function of the numbers alone, as the verdict's words are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hvae_core.common.words import fmt, listed, symbol_text
from hvae_core.detection.verdict import Judgement, Reading
from hvae_core.detection.verdict_words import scores_in_words

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
    return [_sentence(judged, known[place], place, first=place == most) for place in places]


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
    (who,), symbol = scores_in_words(judged.keys, [place]), symbol_text(reading.score.symbol)
    with_it = _beside(judged, place, first=first)
    if objects:
        does = f"{who} is {'the most unusual' if first else 'unusual too'}{with_it}"
    elif first:
        does = f"nothing is unusual; {who} comes closest{with_it}"
    else:
        does = f"{who} is not unusual{with_it}"
    unit, median = reading.score.unit, float(np.median(reference))
    return (
        f"{does[0].upper()}{does[1:]}: {symbol} is {fmt(value, unit)}, "
        f"{'lower' if low else 'higher'} than for {above if low else below:,} of "
        f"{len(reference):,} held-out images, whose median is {fmt(median, unit)}."
    )


def _beside(judged: Judgement, place: int, *, first: bool) -> str:
    """What ties with a score: of the most unusual one all, of another level the other levels."""
    ties = judged.ties if first else judged.levels if place in judged.levels else ()
    others = scores_in_words(judged.keys, [other for other in ties if other != place])
    return f", equal with {listed(others)}" if others else ""
