"""What the threshold flags: of each model in words, and of every set in a table."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from hvae_core.detection.metrics import Share, flagged
from hvae_core.figures import fmt, interval, percent
from pages.ood import code, dead_top
from pages.ood.threshold import Placed, PlacedThreshold
from pages.shared import panel, ui
from pages.shared.beside import grid
from pages.shared.state import Context


def in_words(ctx: Context, placed: Placed) -> None:
    """The threshold of each model with its rates."""
    judged = [(scored, at) for scored, at in placed if at is not None]
    for (scored, at), (place,) in zip(judged, grid(len(judged)), strict=True):
        text = (
            f"{scored.model.who}Flagged are images that score "
            f"**{fmt(at.value, scored.score.unit)}** or more: {percent(at.held_out.value)} of "
            f"{at.held_out.n:,} held-out images"
        )
        if scored.by_itself:
            text += (
                ". These images place the threshold, and there are no others of their kind, so "
                "this rate does not test it."
            )
        else:
            test = flagged(at.value, scored.inside)
            text += (
                f", and of {ui.plain(ctx.title(ctx.in_name))} "
                f"**{interval(100 * test.value, 100 * test.low, 100 * test.high, unit='%')}**."
                + unlike(at, test)
            )
        with place:
            panel.said(text)
            if asks := dead_top.told(scored):
                panel.said(asks, note=True)


def unlike(threshold: PlacedThreshold, test: Share) -> str:
    """A remark where the test images are flagged at another rate than the threshold promises."""
    if test.low <= threshold.alarm <= test.high:
        return ""
    less = "less" if test.value < threshold.alarm else "more"
    return (
        f" That is {less} often than the {percent(threshold.alarm)} promised for images like the "
        "held-out ones: for this score the test images differ from them."
    )


def rates(ctx: Context, placed: Placed, titles: Mapping[str, str]) -> None:
    """What the thresholds flag of every set."""
    names = {ctx.in_name: f"{ctx.title(ctx.in_name)} (false alarms)"}
    judged = {name for scored, _ in placed for name in scored.sets}
    names |= {name: title for name, title in titles.items() if name in judged}
    rows, columns = rates_table(placed, names)
    made = code.rates(ctx, placed, titles)
    ui.table(rows, "flagged", "Share flagged of each set", code=made, column_config=columns)


def rates_table(
    placed: Placed, titles: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, ColumnConfig]]:
    """What the thresholds flag: a row a set, the share with its interval; how columns are drawn.

    Of several models each has a column of shares and one of intervals, under its letter.
    """
    rows: dict[str, list[object]] = {"Set": list(titles.values())}
    columns = {"Set": st.column_config.Column(pinned=True)}
    images: dict[str, list[int | None]] = {}
    for scored, threshold in placed:
        letter = scored.model.letter
        shares = [
            flagged(threshold.value, scored.sets[name])
            if threshold and name in scored.sets
            else None
            for name in titles
        ]
        images[letter] = [None if s is None else s.n for s in shares]
        if letter:
            span = f"{letter}, 95 %"
            rows[letter] = [None if s is None else 100 * s.value for s in shares]
            rows[span] = [
                "" if s is None else f"[{100 * s.low:.1f}, {100 * s.high:.1f}]" for s in shares
            ]
            text = f"Share of the set that model {letter} flags"
            columns[letter] = st.column_config.NumberColumn(
                f"{letter}, flagged", format="%.1f %%", help=text
            )
            columns[span] = st.column_config.Column(help="95 % interval of the share, in percent")
            continue
        rows["Flagged"] = [None if s is None else 100 * s.value for s in shares]
        columns["Flagged"] = st.column_config.ProgressColumn(
            format="%.1f %%", min_value=0, max_value=100
        )
        rows["95 % interval"] = [
            "" if s is None else f"{100 * s.low:.1f} to {100 * s.high:.1f} %" for s in shares
        ]
    alike = len({tuple(counts) for counts in images.values()}) == 1
    for letter, counts in [*images.items()][: 1 if alike else None]:
        rows["Images" if alike else f"Images {letter}"] = [*counts]
    return pd.DataFrame(rows), columns
