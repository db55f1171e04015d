"""Parts that several charts draw alike: lines, bands, error bars, notes, colour bars, cells."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.colors import sample_colorscale

from hvae_core.figures.inks import contrast, faded, hex_color
from hvae_core.figures.theme import Mark, Palette

BESIDE = {"orientation": "v", "x": 1.01, "y": 1, "yref": "paper", "yanchor": "top"}
"""A legend of many names: a column beside the plot."""
SAMPLE = 48
"""Pixels of a line in a legend of dashes: the longest pattern shows whole."""
MARKED = "marked"
"""The ``meta`` of a trace that only marks a point of another one."""

_WHOLE = {"y0": 0, "y1": 1, "yref": "y domain"}


def dotted(x: ArrayLike, y: ArrayLike, colors: Palette, **style: Any) -> go.Scatter:
    """A thin grey dotted line that only guides the eye: chance, or where two axes agree."""
    plain = {"showlegend": False, "hoverinfo": "skip", "line_width": 1}
    return go.Scatter(
        x=np.asarray(x, dtype=np.float32),
        y=np.asarray(y, dtype=np.float32),
        mode="lines",
        line_color=colors.muted,
        line_dash="dot",
        **plain | style,
    )


def band(
    x: ArrayLike, low: ArrayLike, high: ArrayLike, *, color: str, alpha: float, **style: Any
) -> go.Scatter:
    """The region between two lines over x, as one closed line."""
    across, bottom, top = (np.asarray(part, dtype=np.float32) for part in (x, low, high))
    return go.Scatter(
        x=np.concatenate([across, across[::-1]]),
        y=np.concatenate([top, bottom[::-1]]),
        mode="lines",
        line={"width": 0, "color": color},
        fill="toself",
        fillcolor=faded(color, alpha),
        hoverinfo="skip",
        showlegend=False,
        **style,
    )


def set_mark(
    line: go.Scatter, point: tuple[float, float], mark: Mark, colors: Palette, **style: Any
) -> go.Scatter:
    """The set's marker at a point of its line, which it stands for in the legend from now on."""
    line.update(showlegend=False, legendgroup=line.name)
    x, y = (np.array([part], dtype=np.float32) for part in point)
    look = {
        "name": line.name,
        "mode": "lines+markers",  # in the legend dash and marker; of one point no line is drawn
        "line": line.line,
        "marker": {
            "symbol": mark.symbol,
            "size": 10,
            "color": mark.color,
            "line": {"color": colors.background, "width": 1},
        },
        "unselected": {"marker": {"opacity": 1}},
        "hovertemplate": line.hovertemplate,
        "meta": MARKED,
    }
    return go.Scatter(x=x, y=y, legendgroup=line.name, **look | style)


def error_bar(
    values: NDArray[Any], low: ArrayLike, high: ArrayLike, *, color: str, thickness: float
) -> dict[str, Any]:
    """Plotly's bars from ``low`` to ``high`` around the ``values``."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (np.asarray(high) - values).astype(np.float32),
        "arrayminus": (values - np.asarray(low)).astype(np.float32),
        "thickness": thickness,
        "width": 3,
        "color": color,
    }


def note(text: str, x: float, y: float, colors: Palette, **style: Any) -> dict[str, Any]:
    """A text at x, its top at a share y of the plot's height."""
    place = {"x": x, "xref": "x", "y": y, "yref": "y domain", "yanchor": "top"}
    look = {"showarrow": False, "font": {"size": 13, "color": colors.text}}
    return {"text": text} | place | look | style


def upright(x: float, **style: Any) -> dict[str, Any]:
    """A line at x over the whole height of the plot, as a shape of the layout.

    Plotly's own ``add_vline`` makes the same, after a search through all that the figure has.
    """
    return {"type": "line", "x0": x, "x1": x, "xref": "x"} | _WHOLE | {"line": style}


def strip_from(x: float, to: float, color: str) -> dict[str, Any]:
    """A stretch of x over the whole height of the plot, below all marks."""
    place = {"type": "rect", "x0": x, "x1": to, "xref": "x"} | _WHOLE
    return place | {"line": {"width": 0}, "layer": "below", "fillcolor": color}


def color_bar(title: str = "", **style: Any) -> dict[str, Any]:
    """The bar beside a plot that says which colour is which value."""
    named = {"title": {"text": title, "side": "right", "font": {"size": 13}}} if title else {}
    return {"thickness": 12, "outlinewidth": 0, "tickfont": {"size": 12}} | named | style


def cell_text(value: float, text: str, scale: list[list[Any]], *, colors: Palette) -> str:
    """A cell's text in black or white, whichever its ground lets one read; a dash for no value."""
    if np.isnan(value):
        return f'<span style="color:{colors.muted}">–</span>'
    stops = tuple((place, color) for place, color in scale)
    ink = _ink(round(min(max(float(value), 0.0), 1.0), 3), stops)
    return f'<span style="color:{ink}">{text}</span>'


@lru_cache(maxsize=8192)
def _ink(value: float, stops: tuple[tuple[float, str], ...]) -> str:
    """Black or white, whichever one reads better on a place of a scale of colours."""
    ground = hex_color(sample_colorscale([*map(list, stops)], [value])[0])
    return max("#000000", "#FFFFFF", key=lambda color: contrast(color, ground))
