"""False-alarm rates asked for against those obtained, on two logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from hvae_core.common.words import percent
from hvae_core.figures.theme import Palette, base_layout
from hvae_core.figures.traces import band, dotted, error_bar

FLOOR = 2e-4
"""Where a share of zero is drawn, as a logarithm has no place for it."""
_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, eq=False)
class Alarms:
    """One test: rates obtained with their interval, and the band that chance explains.

    ``quiet`` draws it in grey, as the second of two.
    """

    name: str
    obtained: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    band_low: NDArray[np.float64]
    band_high: NDArray[np.float64]
    quiet: bool = False


def calibration(
    asked: Sequence[float],
    series: Sequence[Alarms],
    colors: Palette,
    *,
    chosen: float | None = None,
    height: int = 380,
) -> go.Figure:
    """Shares called out by the rate asked for, with intervals; the diagonal is the promise.

    ``chosen`` marks the rate that the page stands at.
    """
    x = np.asarray(asked, dtype=np.float64)
    fig = go.Figure()
    for alarms in series:
        low, high = (np.maximum(edge, FLOOR) for edge in (alarms.band_low, alarms.band_high))
        fig.add_trace(band(x, low, high, color=_color(alarms, colors), alpha=0.16))
    ends = [x.min(), x.max()]
    fig.add_trace(dotted(ends, ends, colors))
    for alarms in series:
        fig.add_trace(_points(x, alarms, colors))
    base_layout(
        fig,
        colors,
        x_title="false alarms asked for (% of in-distribution images)",
        y_title="obtained (%)",
        height=height,
    )
    ticks = {
        "type": "log",
        "tickvals": list(_TICKS),
        "ticktext": [percent(tick).removesuffix(" %") for tick in _TICKS],
    }
    fig.update_xaxes(**ticks, range=[np.log10(x.min()) - 0.08, np.log10(x.max()) + 0.08])
    fig.update_yaxes(**ticks, range=[np.log10(FLOOR) - 0.05, 0])
    if chosen is not None:
        fig.add_vline(x=chosen, line={"color": colors.text, "width": 1, "dash": "dash"})
    return fig


def _color(alarms: Alarms, colors: Palette) -> str:
    return colors.muted if alarms.quiet else colors.in_color


def _points(x: NDArray[np.float64], alarms: Alarms, colors: Palette) -> go.Scatter:
    color = _color(alarms, colors)
    drawn, low, high = (np.maximum(v, FLOOR) for v in (alarms.obtained, alarms.low, alarms.high))
    hover = [
        [percent(rate), f"{percent(value)} [{percent(low)}, {percent(high)}]"]
        for rate, value, low, high in zip(x, alarms.obtained, alarms.low, alarms.high, strict=True)
    ]
    return go.Scatter(
        # side by side, so that the intervals of two tests do not hide one another
        x=(x * (0.97 if alarms.quiet else 1.03)).astype(np.float32),
        y=drawn.astype(np.float32),
        error_y=error_bar(drawn, low, high, color=color, thickness=1.25),
        mode="markers+lines",
        line={"color": color, "width": 1.5},
        marker={"color": color, "size": 8, "symbol": "square" if alarms.quiet else "circle"},
        name=alarms.name,
        customdata=hover,
        hovertemplate="asked for %{customdata[0]}<br>obtained %{customdata[1]}"
        f"<extra>{alarms.name}</extra>",
    )
