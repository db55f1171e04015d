"""ROC and precision-recall curves, with the area and its interval in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.words import area, interval
from hvae_core.figures.theme import Mark, Palette, base_layout
from hvae_core.figures.traces import MARKED, SAMPLE, dotted, set_mark

DRAWN_POINTS = 400
_HEIGHT = 420
_SPOTS = 80
"""Points of a curve, evenly along its length, at which its marker may stand."""
_CLEAR = 0.07
"""Between two markers at least, in parts of an axis."""
_FIRST_RECALL = 0.1
"""From where on a marker stands: the precision before it rests on few images, and jumps."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of one set, whose place ``set_index`` picks the colour and the dash.

    ROC: x the false-alarm rate, y the detection rate. PR: x the recall, y the precision, and
    ``chance`` the share of out-of-distribution images, which is the precision of guessing.
    A ring at ``point`` shows where a chosen threshold stands on the curve. Of several curves each
    bears its set's marker, where it lies farthest from the other curves.
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
    hover = "caught %{x:.1%}<br>precision %{y:.1%}"
    _add_curves(fig, curves, colors, hover=hover, least=_FIRST_RECALL)
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


def _add_curves(
    fig: go.Figure, curves: Sequence[Curve], colors: Palette, *, hover: str, least: float = 0.0
) -> None:
    """Curves with their rings and markers; those of sets stand from ``least`` on."""
    lines, rings, marks = [], [], []
    for curve in curves:
        mark = colors.out_mark(curve.set_index)
        x, y = thinned(curve.x, curve.y)
        name = f"{curve.name}  {_area(curve)}"
        line = go.Scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": mark.color, "dash": mark.dash, "width": 2.25},
            name=name,
            legendgroup=name,
            hovertemplate=f"{hover}<extra>{curve.name}</extra>",
        )
        lines.append(line)
        if curve.point is not None:
            text = f"{hover}<extra>{curve.name}, at the threshold</extra>"
            rings.append(_ring(line, curve.point, mark, colors, hover=text))
    if len(curves) > 1:
        points = [curve.point for curve in curves if curve.point is not None]
        for line, curve, spot in zip(lines, curves, _told_apart(lines, points, least), strict=True):
            if spot is not None:
                marks.append(set_mark(line, spot, colors.out_mark(curve.set_index), colors))
    fig.add_traces(lines + rings + marks)  # above all lines


def _ring(
    line: go.Scatter, point: tuple[float, float], mark: Mark, colors: Palette, *, hover: str
) -> go.Scatter:
    """A small ring on a curve, which is hidden with it."""
    x, y = (np.array([part], dtype=np.float32) for part in point)
    edge = {"color": mark.color, "width": 2}
    return go.Scatter(
        x=x,
        y=y,
        mode="markers",
        marker={"symbol": "circle", "size": 7, "color": colors.background, "line": edge},
        name=line.name,
        legendgroup=line.legendgroup,
        showlegend=False,
        hovertemplate=hover,
        meta=MARKED,
    )


def _told_apart(
    lines: Sequence[go.Scatter], points: Sequence[tuple[float, float]], least: float
) -> list[tuple[float, float] | None]:
    """A point of each curve, far from the other curves and clear of rings and earlier markers.

    Both axes are alike, so distances are those on the screen. A curve without points has none.
    """
    known = [i for i, line in enumerate(lines) if len(line.x)]
    spots = {i: _along(lines[i].x, lines[i].y) for i in known}
    found: list[tuple[float, float] | None] = [None] * len(lines)
    taken = np.array(points, dtype=np.float64).reshape(-1, 2)
    for i in known:
        others = np.concatenate([np.full((1, 2), np.inf), *(spots[j] for j in known if j != i)])
        gap, room = _nearest(spots[i], others), _nearest(spots[i], taken)
        clear = (room >= _CLEAR) & (spots[i][:, 0] >= least)
        at = int(np.argmax(np.where(clear, gap, -1.0) if clear.any() else room))
        found[i] = (float(spots[i][at, 0]), float(spots[i][at, 1]))
        taken = np.concatenate([taken, spots[i][at : at + 1]])
    return found


def _along(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """Points (S, 2) of a curve, evenly along its length."""
    both = np.stack([np.asarray(x, np.float64), np.asarray(y, np.float64)], axis=1)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(both, axis=0).T))])
    places = np.linspace(0, length[-1], _SPOTS)
    return np.stack([np.interp(places, length, part) for part in both.T], axis=1)


def _nearest(spots: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each of the spots (S, 2) to the nearest of the others (M, 2); infinite without one."""
    apart = spots[:, None] - others
    return np.hypot(apart[..., 0], apart[..., 1]).min(axis=1, initial=np.inf)


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
