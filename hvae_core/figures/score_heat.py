"""The table of areas, sets by scores, as a heat map with the best score of each set in bold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.words import MINUS, area, interval
from hvae_core.figures.theme import Palette, base_layout
from hvae_core.figures.traces import cell_text

_LONG = 9
"""Characters of a head of a column, which has room for about so many."""


def metric_heat(
    values: ArrayLike,
    sets: Sequence[str],
    scores: Sequence[str],
    *,
    colors: Palette,
    metric: str = "AUROC",
    lows: ArrayLike | None = None,
    highs: ArrayLike | None = None,
    higher_is_better: bool = True,
) -> go.Figure:
    """A metric (sets, scores) with 0.5 in the scale's neutral middle; best of each row bold.

    ``scores`` are chart text (see ``symbol_html``). Bounds, where given, show on hover.
    """
    table = np.asarray(values, dtype=np.float64)
    scale, ranked = colors.scale("diverging"), table
    if not higher_is_better:
        scale, ranked = [[1 - place, color] for place, color in reversed(scale)], -table
    # A row without any value has no best one: nothing is as much as NaN.
    best = ranked >= np.where(np.isnan(ranked), -np.inf, ranked).max(axis=1, keepdims=True)
    heads = [_head(score) for score in scores]
    fig = go.Figure(
        go.Heatmap(
            x=heads,
            y=list(sets),
            z=table.astype(np.float32),
            text=_cells(table, best, scale, colors=colors),
            texttemplate="%{text}",
            textfont_size=14,
            customdata=_intervals(table, lows, highs),
            hovertemplate=f"%{{y}}, %{{x}}<br>{metric} %{{customdata}}<extra></extra>",
            colorscale=scale,
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    lines = 16 * any("<br>" in head for head in heads)
    height = 44 + lines + 38 * len(sets)
    base_layout(fig, colors, x_title="", y_title="", height=height, legend=False)
    fig.update_xaxes(side="top", showline=False, ticks="", type="category", tickangle=0)
    fig.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return fig


def _head(score: str) -> str:
    """A long symbol in two lines, so that it stays within its column."""
    long = len(re.sub(r"<[^>]*>", "", score)) > _LONG
    return score.replace(f" {MINUS} ", f"<br>{MINUS} ", 1) if long else score


def _cells(
    table: NDArray[np.float64], best: NDArray[np.bool_], scale: list[list[Any]], colors: Palette
) -> list[list[str]]:
    """Cell texts, each row's best in bold."""
    texts = [
        [f"<b>{area(value)}</b>" if bold else area(value) for value, bold in zip(*row, strict=True)]
        for row in zip(table, best, strict=True)
    ]
    return [
        [cell_text(value, text, scale, colors=colors) for value, text in zip(*row, strict=True)]
        for row in zip(table, texts, strict=True)
    ]


def _intervals(
    table: NDArray[np.float64], lows: ArrayLike | None, highs: ArrayLike | None
) -> list[list[str]]:
    """Hover texts with the interval, or the value alone where there is none."""
    unknown = np.full_like(table, np.nan)
    low = unknown if lows is None else np.asarray(lows, dtype=np.float64)
    high = unknown if highs is None else np.asarray(highs, dtype=np.float64)
    cells = zip(table, low, high, strict=True)
    return [[interval(*cell) for cell in zip(*rows, strict=True)] for rows in cells]
