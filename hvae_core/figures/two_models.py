"""Two models side by side: how alike their layers are, and one score under either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from hvae_core.common.words import LETTERS, MINUS, fmt
from hvae_core.figures.layer_axis import thinned_layers
from hvae_core.figures.theme import Palette, base_layout, faded_marks, labelled, layer_label
from hvae_core.figures.traces import cell_text, color_bar, dotted

CELLS = 10
"""Rows and columns up to which every cell says its value."""
DRAWN = 1500
"""Images of a set that a scatter shows."""


@dataclass(frozen=True, eq=False)
class SetLine:
    """One set's values by pair of layers; ``place`` is that among the OOD sets, None inside."""

    name: str
    values: ArrayLike
    chance: ArrayLike
    place: int | None = None


def likeness_by_layer(
    lines: Sequence[SetLine],
    pairs: Sequence[tuple[str, str]],
    colors: Palette,
    *,
    title: str,
) -> go.Figure:
    """Likeness of the layers by pair (HVK Fig. 2), a line a set; ``title`` names the measure.

    The grey dotted line is what pairs of shuffled images give, the mean over the sets.
    """
    fig = go.Figure()
    x = np.arange(1, len(pairs) + 1, dtype=np.int32)
    labels = [_pair(*pair) for pair in pairs]
    for line in lines:
        mark = colors.mark(line.place)
        fig.add_trace(
            go.Scatter(
                x=x,
                y=np.asarray(line.values, dtype=np.float32),
                mode="lines+markers",
                name=line.name,
                line={"color": mark.color, "dash": mark.dash, "width": 2.25},
                marker={"color": mark.color, "symbol": mark.symbol, "size": 9},
                customdata=labels,
                hovertemplate=f"%{{customdata}}: %{{y:.3r}}<extra>{line.name}</extra>",
            )
        )
    if lines:
        chance = np.mean([np.asarray(line.chance, dtype=np.float64) for line in lines], axis=0)
        fig.add_trace(
            dotted(
                x,
                chance,
                colors,
                name="chance",
                showlegend=True,
                line_width=1.5,
                hoverinfo=None,
                customdata=labels,
                hovertemplate="%{customdata}: %{y:.3r}<extra>images shuffled</extra>",
            )
        )
    base_layout(fig, colors, x_title="layer", y_title=title, height=380)
    shown = thinned_layers(len(pairs))
    fig.update_xaxes(
        tickvals=[int(x[i]) for i in shown],
        ticktext=[labels[i] for i in shown],
        range=[0.7, len(pairs) + 0.3],
    )
    fig.update_yaxes(range=[0, 1.04])
    return fig


def layer_matrix(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    colors: Palette,
    title: str,
    letters: str = LETTERS,
) -> go.Figure:
    """Layers of A (rows, z_1 at the bottom) against layers of B, 0 to 1; no value is a dash.

    ``letters`` say which of A to D the two models are.
    """
    first, second = letters[0], letters[1]
    table = np.asarray(values, dtype=np.float64)
    scale = colors.scale("heat")
    texts = None
    if max(table.shape) <= CELLS:
        texts = [
            [cell_text(v, f"{v:.2f}".replace("-", MINUS), scale, colors=colors) for v in row]
            for row in table
        ]
    hover = [
        [
            f"{first} {layer_label(a)}, {second} {layer_label(b)}<br>{title} {fmt(v)}"
            for b, v in zip(columns, row, strict=True)
        ]
        for a, row in zip(rows, table, strict=True)
    ]
    x = np.arange(1, len(columns) + 1, dtype=np.int32)
    y = np.arange(1, len(rows) + 1, dtype=np.int32)
    fig = go.Figure(
        go.Heatmap(
            x=x,
            y=y,
            z=np.clip(table, 0, 1).astype(np.float32),
            text=texts,
            texttemplate=texts and "%{text}",
            textfont_size=13,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            colorscale=scale,
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            colorbar=color_bar(),
        )
    )
    height = int(np.clip(90 + 34 * len(rows), 200, 480))
    x_title, y_title = f"layer of {second}", f"layer of {first}"
    base_layout(fig, colors, x_title=x_title, y_title=y_title, height=height, legend=False)
    fig.update_xaxes(showline=False, ticks="", **_ticks(columns))
    fig.update_yaxes(showgrid=False, **_ticks(rows))
    return fig


def score_pairs(
    sets: Sequence[tuple[str, ArrayLike, ArrayLike, int | None]],
    colors: Palette,
    *,
    symbol: str,
    unit: str = "nats",
    letters: str = LETTERS,
) -> go.Figure:
    """One score of every image under A (across) and under B (up); on the grey line they agree.

    Sets are (name, scores under A (N,), under B (N,), place among the OOD sets or None inside);
    ``letters`` say which of A to D the two models are.
    """
    first, second = letters[0], letters[1]
    fig = go.Figure()
    low, high = np.inf, -np.inf
    for name, a, b, place in sets:
        mark = colors.mark(place)
        x, y = (np.asarray(v, dtype=np.float64)[:DRAWN] for v in (a, b))
        edges = np.percentile(np.concatenate([x, y]), [0.2, 99.8])
        low, high = min(low, edges[0]), max(high, edges[1])
        fig.add_trace(
            go.Scattergl(
                x=x.astype(np.float32),
                y=y.astype(np.float32),
                mode="markers",
                name=name,
                marker={"color": mark.color, "symbol": mark.symbol, "size": 5, "opacity": 0.45},
                selected={"marker": {"opacity": 0.9}},
                unselected=faded_marks(colors),
                customdata=np.arange(x.size, dtype=np.int32),
                hovertemplate=f"image %{{customdata}}<br>{first} %{{x:.3r}}, {second} %{{y:.3r}} "
                f"{unit}<extra>{name}</extra>",
            )
        )
    margin = 0.04 * (high - low)
    ends = [low - margin, high + margin]
    fig.add_trace(dotted(ends, ends, colors, line_width=1.25))
    x_title, y_title = (labelled(f"{symbol} under {model}", unit) for model in letters[:2])
    base_layout(fig, colors, x_title=x_title, y_title=y_title, height=380)
    fig.update_xaxes(range=ends)
    fig.update_yaxes(range=ends)
    fig.update_layout(legend_itemsizing="constant")
    return fig


def _pair(a: str, b: str) -> str:
    return layer_label(a) if a == b else f"{layer_label(a)} | {layer_label(b)}"


def _ticks(names: Sequence[str]) -> dict[str, list[int] | list[str]]:
    shown = thinned_layers(len(names))
    return {"tickvals": [i + 1 for i in shown], "ticktext": [layer_label(names[i]) for i in shown]}
