"""Figures of a study beside the printed ones: a row a thing, a mark a figure, its spread a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from hvae_core.figures.theme import Palette, base_layout
from hvae_core.figures.traces import error_bar

ROW_HEIGHT = 26
MOST_ROWS = 60
"""Rows that one chart can hold; a longer table is read as a table."""


@dataclass(frozen=True)
class Dot:
    """One figure: ``series`` picks its mark, ``low, high`` its bar, ``printed`` a hollow twin."""

    label: str
    series: str
    value: float
    low: float | None = None
    high: float | None = None
    printed: float | None = None


def dots(
    figures: Sequence[Dot], colors: Palette, *, x_title: str, kind: str, log: bool = False
) -> go.Figure:
    """Dots by label, a colour a series; hollow diamonds are a paper's figures.

    ``kind`` says what the series are: "set" takes the out-of-distribution marks, "layer" the scale
    of layers, anything else the first colours of the classes.
    """
    labels = list(dict.fromkeys(dot.label for dot in figures))
    series = list(dict.fromkeys(dot.series for dot in figures))
    fig = go.Figure()
    for index, name in enumerate(series):
        color, symbol = _mark(colors, kind, index=index, count=len(series))
        own = [dot for dot in figures if dot.series == name]
        fig.add_trace(_marks(own, name, color, symbol=symbol, shown=len(series) > 1))
        printed = [dot for dot in own if dot.printed is not None]
        if printed:
            fig.add_trace(_printed(printed, name, color))
    legend = len(series) > 1
    base_layout(fig, colors, x_title=x_title, y_title="", legend=legend)
    rows = -(-len(series) // 4) if legend else 0
    fig.update_layout(height=110 + ROW_HEIGHT * len(labels) + 22 * rows, margin_t=12 + 22 * rows)
    shown = [escape(label) for label in labels]
    fig.update_yaxes(
        categoryorder="array", categoryarray=shown[::-1], ticks="", automargin=True, title_text=""
    )
    grid = {"showgrid": True, "gridcolor": colors.grid}
    fig.update_xaxes(type="log" if log else "linear", **grid)
    return fig


def _mark(colors: Palette, kind: str, *, index: int, count: int) -> tuple[str, str]:
    if kind == "set":
        mark = colors.out_mark(index)
        return mark.color, mark.symbol
    if kind == "layer":
        return colors.layers(count)[index], "circle"
    return (colors.primary, "circle") if count == 1 else (colors.category(index), "circle")


def _marks(own: Sequence[Dot], name: str, color: str, *, symbol: str, shown: bool) -> go.Scatter:
    values = np.array([dot.value for dot in own], dtype=np.float32)
    low = [dot.value if dot.low is None else dot.low for dot in own]
    high = [dot.value if dot.high is None else dot.high for dot in own]
    return go.Scatter(
        x=values,
        y=[escape(dot.label) for dot in own],
        mode="markers",
        name=escape(name),
        showlegend=shown,
        marker={"color": color, "symbol": symbol, "size": 9},
        error_x=error_bar(values, low, high, color=color, thickness=1.5),
        hovertemplate="%{y}<br>%{x:.4g}<extra>" + escape(name) + "</extra>",
    )


def _printed(own: Sequence[Dot], name: str, color: str) -> go.Scatter:
    return go.Scatter(
        x=np.array([dot.printed for dot in own], dtype=np.float32),
        y=[escape(dot.label) for dot in own],
        mode="markers",
        name=f"{escape(name)}, printed",
        showlegend=False,
        marker={"color": color, "symbol": "diamond-open", "size": 10, "line": {"width": 1.5}},
        hovertemplate="%{y}<br>%{x:.4g}<extra>printed</extra>",
    )
