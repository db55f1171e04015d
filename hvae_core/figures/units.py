"""The units of every layer in one heat map, readable for 8 units beside 1568."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.thresholds import ACTIVE_THRESHOLD
from hvae_core.common.words import MINUS, fmt
from hvae_core.figures.layer_axis import names_or_numbers
from hvae_core.figures.theme import Palette, base_layout, layer_label
from hvae_core.figures.traces import color_bar

COLUMNS = 240
LOWEST = 1e-5
HIGH_ROWS, LOW_ROW = 12, 20
"""Rows with room for a line of text above them, and the pixels of one where there are more."""


def unit_heatmap(
    variances: Sequence[ArrayLike],
    colors: Palette,
    *,
    names: Sequence[str] | None = None,
    threshold: float = ACTIVE_THRESHOLD,
) -> go.Figure:
    """Variance over images of each unit's posterior mean; one row a layer, z_1 at the bottom.

    ``names`` are those of the layers, z1 .. zL unless given; many rows are low ones, with the
    number of active units beside the name. Units are sorted by variance and every row is stretched
    to the full width, so the place of the tick, where variance falls below ``threshold``, is the
    share of active units.
    """
    rows = [np.sort(np.asarray(v, dtype=np.float64).ravel())[::-1] for v in variances]
    cells = np.log10(np.stack([_stretched(row) for row in rows]))  # (L, COLUMNS)
    ceiling = int(np.ceil(max(cells.max(), np.log10(threshold) + 1)))
    (layers,) = names_or_numbers(None if names is None else [names], [len(rows)])
    labels = [layer_label(name) for name in layers]
    low = len(rows) > HIGH_ROWS
    fig = go.Figure(
        go.Heatmap(
            x=((np.arange(COLUMNS) + 0.5) * 100 / COLUMNS).astype(np.float32),
            y=np.arange(1, len(rows) + 1, dtype=np.int32),
            z=cells.astype(np.float32),
            text=_hover(rows, labels),
            hovertemplate="%{text}<extra></extra>",
            colorscale=colors.scale("heat"),
            zmin=np.log10(LOWEST),
            zmax=ceiling,
            ygap=2 if low else 14,
            colorbar=_colorbar(ceiling),
        )
    )
    active = [int((row > threshold).sum()) for row in rows]
    _add_ticks(fig, colors, rows, active=active)
    if low:
        pairs = zip(labels, active, rows, strict=True)
        labels = [f"{label}, {n} of {row.size}" for label, n, row in pairs]
    else:
        _add_counts(fig, colors, rows, active=active)
    title = "units of the layer, by falling variance (%)"
    height = 90 + (LOW_ROW if low else 52) * len(rows)
    base_layout(fig, colors, x_title=title, y_title="", height=height, legend=False)
    fig.update_xaxes(range=[0, 100], showline=False)
    fig.update_yaxes(tickvals=list(range(1, len(rows) + 1)), ticktext=labels, showgrid=False)
    fig.update_yaxes(ticklabelstandoff=6, tickfont_size=12 if low else 13)
    return fig


def _colorbar(ceiling: int) -> dict[str, Any]:
    """A log scale with its powers of ten."""
    powers = list(range(round(np.log10(LOWEST)), ceiling + 1))
    texts = [f"10<sup>{p}</sup>".replace("-", MINUS) for p in powers]
    return color_bar("variance", tickvals=powers, ticktext=texts)


def _stretched(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """A layer's sorted variances on COLUMNS cells: repeated if fewer, geometric means if more."""
    edges = np.arange(COLUMNS + 1) * row.size / COLUMNS
    start = np.floor(edges[:-1]).astype(np.int64)
    stop = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64), start + 1)
    total = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(row, LOWEST)))])
    means: NDArray[np.float64] = np.exp((total[stop] - total[start]) / (stop - start))
    return means


def _hover(rows: Sequence[NDArray[np.float64]], labels: Sequence[str]) -> list[list[str]]:
    texts = []
    for label, row in zip(labels, rows, strict=True):
        ranks = np.floor(np.arange(COLUMNS) * row.size / COLUMNS).astype(np.int64)
        texts.append(
            [f"{label}, unit {r + 1} of {row.size}<br>variance {fmt(row[r])}" for r in ranks]
        )
    return texts


def _add_ticks(
    fig: go.Figure, colors: Palette, rows: Sequence[NDArray[np.float64]], *, active: Sequence[int]
) -> None:
    """A tick where each layer's active units end."""
    for y, (row, n) in enumerate(zip(rows, active, strict=True), start=1):
        if 0 < n < row.size:
            x, line = 100 * n / row.size, {"color": colors.text, "width": 2}
            fig.add_shape(type="line", x0=x, x1=x, y0=y - 0.42, y1=y + 0.42, line=line)


def _add_counts(
    fig: go.Figure, colors: Palette, rows: Sequence[NDArray[np.float64]], *, active: Sequence[int]
) -> None:
    """The number of each layer's active units, above its row."""
    for y, (row, n) in enumerate(zip(rows, active, strict=True), start=1):
        fig.add_annotation(
            x=0,
            y=y + 0.5,
            text=f"{n} of {row.size} active",
            showarrow=False,
            xanchor="left",
            yanchor="middle",
            xshift=-2,
            font={"size": 12, "color": colors.text},
        )
