"""ROC and precision-recall curves, with the area and its interval in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.words import area, interval
from hvae_core.figures.theme import Palette, base_layout
from hvae_core.figures.traces import SAMPLE, dotted, set_mark

DRAWN_POINTS = 400
_HEIGHT = 420


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of one set, whose place ``set_index`` picks the colour and the dash.

    ROC: x the false-alarm rate, y the detection rate. PR: x the recall, y the precision, and
    ``chance`` the share of out-of-distribution images, which is the precision of guessing.
    ``point`` marks where a chosen threshold stands on the curve; without, several curves are marked
    at the middle of their length.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    area: float
    low: float = float("nan")
    high: float = float("nan")
    set_index: int = 0
    chance: float | None = None
    point: tuple[float, float] | None = None


def roc(curves: Sequence[Curve], colors: Palette, *, height: int = _HEIGHT) -> go.Figure:
    """Receiver operating characteristic: images caught against false alarms, by threshold.

    All curves are of one model. ``height`` is in pixels, without the rows of the legend.
    """
    fig = go.Figure(dotted([0, 1], [0, 1], colors, name="chance"))
    _add_curves(fig, curves, colors, hover="false alarms %{x:.1%}<br>caught %{y:.1%}")
    return _square(
        fig,
        curves,
        colors,
        x_title="false alarms (% of in-distribution images)",
        y_title="caught (% of OOD images)",
        height=height,
    )


def precision_recall(
    curves: Sequence[Curve], colors: Palette, *, height: int = _HEIGHT
) -> go.Figure:
    """Precision against recall, out-of-distribution positive; the area is average precision.

    All curves are of one model. ``height`` is in pixels, without the rows of the legend.
    """
    fig = go.Figure()
    for chance in sorted({c.chance for c in curves if c.chance is not None}):
        fig.add_trace(dotted([0, 1], [chance, chance], colors, name="chance"))
    _add_curves(fig, curves, colors, hover="caught %{x:.1%}<br>precision %{y:.1%}")
    return _square(
        fig,
        curves,
        colors,
        x_title="recall (% of OOD images caught)",
        y_title="precision (% of flagged images)",
        height=height,
    )


def thinned(
    x: ArrayLike, y: ArrayLike, points: int = DRAWN_POINTS
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """At most ``points`` of a curve, evenly along its length, both ends kept."""
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if across.size > points:
        length = np.concatenate([[0], np.cumsum(np.abs(np.diff(across)) + np.abs(np.diff(up)))])
        picks = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)))
        picks = np.union1d(picks, [0, across.size - 1])
        across, up = across[picks], up[picks]
    return across.astype(np.float32), up.astype(np.float32)


def _add_curves(fig: go.Figure, curves: Sequence[Curve], colors: Palette, *, hover: str) -> None:
    lines, marks = [], []
    for curve in curves:
        mark = colors.out_mark(curve.set_index)
        x, y = thinned(curve.x, curve.y)
        line = go.Scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": mark.color, "dash": mark.dash, "width": 2.25},
            name=f"{curve.name}  {_area(curve)}",
            hovertemplate=f"{hover}<extra>{curve.name}</extra>",
        )
        lines.append(line)
        if curve.point is not None:  # above all lines
            text = f"{hover}<extra>{curve.name}, at the threshold</extra>"
            marks.append(set_mark(line, curve.point, mark, colors, hovertemplate=text))
        elif len(curves) > 1 and x.size:
            marks.append(set_mark(line, (x[x.size // 2], y[x.size // 2]), mark, colors))
    fig.add_traces(lines + marks)


def _area(curve: Curve) -> str:
    if np.isnan(curve.low) or np.isnan(curve.high):
        return area(curve.area)
    return interval(curve.area, curve.low, curve.high)


def _square(
    fig: go.Figure,
    curves: Sequence[Curve],
    colors: Palette,
    *,
    x_title: str,
    y_title: str,
    height: int,
) -> go.Figure:
    """Equal axes, with the legend in rows of its own below the plot."""
    rows = 21 * len(curves)
    percent = {
        "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1],
        "tickformat": ".0%",
        "range": [-0.01, 1.01],
        "constrain": "domain",
    }
    return base_layout(
        fig,
        colors,
        x_title=x_title,
        y_title=y_title,
        height=height + rows,
        x_axis=percent,
        y_axis={**percent, "scaleanchor": "x"},
        more={
            "margin": {"l": 64, "b": 62 + rows},  # as wide as "100%" and the title
            "legend": {
                "itemwidth": SAMPLE,
                "orientation": "v",
                "yref": "container",
                "y": 0,
                "yanchor": "bottom",
                "xref": "paper",
                "x": 0.5,
                "xanchor": "center",
            },
        },
    )
