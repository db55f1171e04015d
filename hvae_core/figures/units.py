"""The units of every layer in one heat map, readable for 8 units beside 1568."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from .numbers import MINUS, fmt
from .theme import Palette, base_layout, layer_label

ACTIVE_ABOVE = 0.01
COLUMNS = 240
LOWEST = 1e-5


def unit_heatmap(
    variances: Sequence[ArrayLike],
    colors: Palette,
    *,
    threshold: float = ACTIVE_ABOVE,
    height: int | None = None,
) -> go.Figure:
    """Variance over images of each unit's posterior mean; one row a layer, z_1 at the bottom.

    Units are sorted by variance and every row is stretched to the full width, so the place of the
    tick, where variance falls below ``threshold``, is the share of active units.
    """
    rows = [np.sort(np.asarray(v, dtype=np.float64).ravel())[::-1] for v in variances]
    cells = np.log10(np.stack([_stretched(row) for row in rows]))  # (L, COLUMNS)
    ceiling = int(np.ceil(max(cells.max(), np.log10(threshold) + 1)))
    fig = go.Figure(
        go.Heatmap(
            x=((np.arange(COLUMNS) + 0.5) * 100 / COLUMNS).astype(np.float32),
            y=np.arange(1, len(rows) + 1, dtype=np.int32),
            z=cells.astype(np.float32),
            text=_hover(rows),
            hovertemplate="%{text}<extra></extra>",
            colorscale=colors.scale("heat"),
            zmin=np.log10(LOWEST),
            zmax=ceiling,
            ygap=14,
            colorbar=_colorbar(ceiling),
        )
    )
    _add_shares(fig, colors, rows, threshold)
    title = "units of the layer, by falling variance (%)"
    height = height or 90 + 52 * len(rows)
    base_layout(fig, colors, x_title=title, y_title="", height=height, legend=False)
    fig.update_xaxes(range=[0, 100], showline=False)
    names = [layer_label(i + 1) for i in range(len(rows))]
    fig.update_yaxes(tickvals=list(range(1, len(rows) + 1)), ticktext=names, showgrid=False)
    fig.update_yaxes(ticklabelstandoff=6)
    return fig


def _colorbar(ceiling: int) -> dict[str, Any]:
    """A log scale with its powers of ten."""
    powers = list(range(round(np.log10(LOWEST)), ceiling + 1))
    return {
        "title": {"text": "variance", "side": "right", "font": {"size": 13}},
        "tickvals": powers,
        "ticktext": [f"10<sup>{p}</sup>".replace("-", MINUS) for p in powers],
        "tickfont": {"size": 12},
        "thickness": 12,
        "outlinewidth": 0,
    }


def _stretched(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """A layer's sorted variances on COLUMNS cells: repeated if fewer, geometric means if more."""
    edges = np.arange(COLUMNS + 1) * row.size / COLUMNS
    start = np.floor(edges[:-1]).astype(np.int64)
    stop = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64), start + 1)
    total = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(row, LOWEST)))])
    means: NDArray[np.float64] = np.exp((total[stop] - total[start]) / (stop - start))
    return means


def _hover(rows: Sequence[NDArray[np.float64]]) -> list[list[str]]:
    texts = []
    for i, row in enumerate(rows):
        ranks = np.floor(np.arange(COLUMNS) * row.size / COLUMNS).astype(np.int64)
        texts.append(
            [
                f"{layer_label(i + 1)}, unit {r + 1} of {row.size}<br>variance {fmt(row[r])}"
                for r in ranks
            ]
        )
    return texts


def _add_shares(
    fig: go.Figure, colors: Palette, rows: Sequence[NDArray[np.float64]], threshold: float
) -> None:
    """A tick where each layer's active units end, and their number above the row."""
    for y, row in enumerate(rows, start=1):
        active = int((row > threshold).sum())
        x = 100 * active / row.size
        if 0 < active < row.size:
            line = {"color": colors.text, "width": 2}
            fig.add_shape(type="line", x0=x, x1=x, y0=y - 0.42, y1=y + 0.42, line=line)
        fig.add_annotation(
            x=0,
            y=y + 0.5,
            text=f"{active} of {row.size} active",
            showarrow=False,
            xanchor="left",
            yanchor="middle",
            xshift=-2,
            font={"size": 12, "color": colors.text},
        )
