"""Which scores decide the verdict on one image, and what their values are, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hvae_core.common.words import capital, fmt, symbol_text
from hvae_core.detection.verdict import Judgement, Reading

MOST = 3
"""Scores that are said to decide, at most."""


def deciding(judged: Judgement, readings: Sequence[Reading]) -> list[tuple[Reading, float]]:
    """The two or three readings that decide the verdict, the most unusual first, with its p-values.

    The likelihood is always among them: the verdict is about what it would let pass. So is the
    ratio that differs the most, and a third where it differs more than these, or where its p-value
    alone is at most alpha.
    """
    known = _of_verdict(judged, readings)
    p_values = judged.verdict.p_values
    by_p = sorted(known, key=lambda place: (p_values[place], place))
    first = [place for place in by_p if place in (0, judged.level, judged.verdict.place)]
    more = [p for p in by_p if p not in first and p_values[p] <= judged.verdict.alpha]
    chosen = {*first, *more[: MOST - len(first)]}
    return [(known[place], float(p_values[place])) for place in by_p if place in chosen]


def in_numbers(judged: Judgement, readings: Sequence[Reading]) -> str:
    """The values of what objects the most, and of the likelihood or else a level, in a sentence.

    The verdict's own words (``verdict_words``) say what they mean. "" where a reading of the
    verdict's scores is missing.
    """
    known = _of_verdict(judged, readings)
    most = judged.verdict.place
    other = judged.k if judged.by_path else judged.level if not most else 0
    places = dict.fromkeys((most, other))
    if any(place not in known for place in places):
        return ""
    told = [_value(known[place]) for place in places]
    first = f"{capital(told[0][0])}, against {told[0][1]} for the median held-out image"
    return f"{'; '.join([first, *(f'{value}, against {usual}' for value, usual in told[1:])])}."


def _of_verdict(judged: Judgement, readings: Sequence[Reading]) -> dict[int, Reading]:
    """Readings of the verdict's scores by their place there, where they have a reference."""
    by_key = {reading.score.key: reading for reading in readings}
    keys = enumerate(judged.keys)
    return {
        place: by_key[key]
        for place, key in keys
        if key in by_key and by_key[key].reference is not None and by_key[key].value is not None
    }


def _value(reading: Reading) -> tuple[str, str]:
    """What a score is, and what it is for the median image that it is held against."""
    unit, median = reading.score.unit, float(np.median(np.asarray(reading.reference)))
    value = float(reading.value or 0.0)
    symbol = symbol_text(reading.score.symbol)
    named = f"the {symbol}" if symbol[0].islower() else symbol  # a word, as "path"
    return f"{named} is {fmt(value, unit)}", fmt(median, unit)
