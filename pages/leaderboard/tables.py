"""The tables of the leaderboard page: the rows of a board, and one row set by set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from hvae_core.common.words import MINUS, interval, listed, p_value
from hvae_core.data.worlds import World
from hvae_core.detection.leaderboard.rows import Board, OnSet, Spectrum, Standing, Worst
from hvae_core.figures import symbol_text
from hvae_core.figures.interval_bars import interval_bars
from hvae_core.figures.theme import Palette

BARS = "bars"
AGAINST = "Against first, p"
CAUGHT = "Caught at 5 %"
RATE = {"near": "FPR95", "far": "FPR95", "shifted": "Flagged at 5 %"}


def checkpoint_title(row: Standing, world: World) -> str:
    """The checkpoint's title without the name of its world, which stands above the table."""
    title = row.entry.title.removeprefix(f"{world.title}, ")
    return title[:1].upper() + title[1:] + (" (own)" if row.entry.own else "")


def of_board(board: Board, world: World, palette: Palette) -> pd.DataFrame:
    """A row a standing: bars, figures, and the test against the first in words."""
    rows = board.standings
    bars = interval_bars(
        [(row.low, row.area, row.high) for row in rows],
        palette,
        span=span(row.low for row in rows),
        strong=[row.p_value is None or row.level_with_first for row in rows],
    )
    caught = [None if row.caught is None else 100 * row.caught.value for row in rows]
    return pd.DataFrame(
        {
            "Place": range(1, len(rows) + 1),
            "Score": [symbol_text(row.entry.score.symbol) for row in rows],
            "AUROC": [interval(row.area, row.low, row.high) for row in rows],
            "Checkpoint": [checkpoint_title(row, world) for row in rows],
            BARS: bars,
            RATE[board.suite]: [100 * row.rate for row in rows],
            **({CAUGHT: caught} if any(caught) else {}),
            AGAINST: [_against_first(row, first=not place) for place, row in enumerate(rows)],
        }
    )


def span(lows: Iterable[float]) -> tuple[float, float]:
    """The axis of all bars: from the lowest end of an interval, or 0.5, to 1."""
    return int(10 * min([0.5, *lows])) / 10, 1.0


def bars_column(lows: Iterable[float], **style: Any) -> ColumnConfig:
    """The column of bars, headed by what they are and the ends of their axis."""
    low, high = span(lows)
    return st.column_config.ImageColumn(
        f"AUROC, {low:g} to {high:g}",
        help=f"A line at the AUROC, in its 95 % interval. Every row has the same axis, from "
        f"{low:g} at the left to {high:g} at the right; the thin line stands at 0.5, chance.",
        **style,
    )


def of_row(
    row: Standing, board: Board, titles: Mapping[str, str], palette: Palette
) -> pd.DataFrame:
    """One standing, a row a set."""
    sets = list(row.by_set.items())
    bars = interval_bars(
        [(one.low, one.auroc, one.high) for _, one in sets],
        palette,
        span=span(one.low for _, one in sets),
        strong=[True] * len(sets),
    )
    return pd.DataFrame(
        {
            "Set": [titles[name] for name, _ in sets],
            "AUROC": [interval(one.auroc, one.low, one.high) for _, one in sets],
            BARS: bars,
            RATE[board.suite]: [100 * one.rate for _, one in sets],
            **(
                {CAUGHT: [_share(one) for _, one in sets]}
                if any(one.caught is not None for _, one in sets)
                else {}
            ),
        }
    )


def numbers(board: Board, kept: Sequence[int]) -> pd.DataFrame:
    """Every figure of the rows at the places ``kept`` as plain numbers, for a file."""
    rows = []
    for plain in board.to_dict(kept)["rows"]:
        place = plain.pop("place")
        worst, by_set = plain.pop("against_likelihood"), plain.pop("sets")
        full = plain["full_spectrum"] or {}
        for name in ("caught", "full_spectrum"):
            mean = plain.pop(name) or {}
            ends = {"": "value", "_low": "low", "_high": "high"}
            plain |= {f"{name}{end}": mean.get(key) for end, key in ends.items()}
        plain |= _flat(worst, "")
        plain["full_spectrum_p_against_first"] = full.get("p_against_first")
        plain |= _flat(full.get("against_likelihood"), "full_spectrum_")
        plain |= {f"auroc_{name}": one["auroc"] for name, one in by_set.items()}
        rows.append({"place": place, "suite": board.suite, **plain})
    return pd.DataFrame(rows)


def _flat(worst: Mapping[str, Any] | None, of: str) -> dict[str, Any]:
    """Where a row falls behind -L most, as columns whose names begin with ``of``."""
    return {
        f"{of}least_against_likelihood": worst and worst["difference"],
        f"{of}least_on": worst and worst["set_name"],
        f"{of}worse_on": worst and " ".join(worst["worse_on"]),
    }


def in_words(row: Standing, shifted: Sequence[str], titles: Mapping[str, str]) -> str:
    """What stands of a row in no column: intervals, ranks, and the score beside -L.

    ``shifted`` are the titles of the sets that count as in-distribution in the full spectrum.
    """
    told = [f"Mean rank over sets, among all rows: {row.rank:.1f}."]
    if row.caught is not None:
        value, low, high = (100 * of for of in (row.caught.value, row.caught.low, row.caught.high))
        share = interval(value, low, high, "%")
        told.append(f"Caught at 5 % false alarms, mean over sets: {share}.")
    if row.worst is not None:
        told.append(_beside_likelihood(row.worst, titles))
    if row.spectrum is not None:
        area = interval(row.spectrum.value, row.spectrum.low, row.spectrum.high)
        told.append(
            f"Full spectrum, where {listed(shifted)} count as in-distribution (OpenOOD v1.5): "
            f"AUROC {area}."
        )
        told += _tests(row.spectrum, titles)
    return " ".join(told)


def _share(one: OnSet) -> str:
    """A share in per cent with its interval."""
    if one.caught is None or one.caught_low is None or one.caught_high is None:
        return ""
    return interval(100 * one.caught, 100 * one.caught_low, 100 * one.caught_high, unit="%")


def _tests(spectrum: Spectrum, titles: Mapping[str, str]) -> list[str]:
    """Sentences on the tests of a full-spectrum AUROC."""
    told = []
    if spectrum.p_value is not None:
        stands = "level with" if spectrum.level_with_first else "behind"
        told.append(f"It is {stands} the highest in the full spectrum: {_p(spectrum.p_value)}.")
    if spectrum.worst is not None:
        told.append(f"There, {_beside_likelihood(spectrum.worst, titles)}")
    return told


def _p(value: float) -> str:
    shown = p_value(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _against_first(row: Standing, *, first: bool) -> str:
    if first:
        return "first"
    if row.p_value is None:
        return "other images"
    return f"{'tied' if row.level_with_first else 'behind'}, {p_value(row.p_value)}"


def _beside_likelihood(worst: Worst, titles: Mapping[str, str]) -> str:
    """The smallest difference from -L, and on how many sets it is certainly below 0."""
    difference = f"{worst.difference:+.3f}".replace("-", MINUS)
    count = f"{len(worst.worse_on)} of {worst.sets}" if worst.worse_on else f"none of {worst.sets}"
    return (
        f"AUROC less that of {MINUS}L of the same checkpoint: {difference} at least, on "
        f"{titles[worst.set_name]}; certainly worse than {MINUS}L on {count} near and far sets."
    )
