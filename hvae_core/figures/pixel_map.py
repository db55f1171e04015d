"""A picture's pixels by a signed number each: one diverging scale about zero for all maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from hvae_core.common.words import listed
from hvae_core.figures.theme import Palette, base_layout
from hvae_core.figures.traces import color_bar


def map_limit(maps: ArrayLike) -> float:
    """Where the scale of maps (..., H, W) ends: few pixels lie beyond, and take its last colour."""
    size = np.abs(np.asarray(maps, dtype=np.float64))
    return max(float(np.percentile(size[np.isfinite(size)], 99.5)) if size.size else 0.0, 1e-6)


def pixel_map(
    values: ArrayLike,
    limit: float,
    colors: Palette,
    *,
    unit: str = "nats",
    ends: tuple[str, str] | None = None,
    models: Sequence[str] = (),
    height: int = 380,
) -> go.Figure:
    """One map (H, W), a square a pixel, from ``-limit`` to ``limit`` with zero in the middle.

    ``ends`` says under the scale what numbers below and above zero mean, ``models`` which models
    have their maps on this scale too.
    """
    named = f"{unit} a pixel"
    if models:
        named += f", one scale for {listed(models)}"
    if ends is not None:
        named = f"← {ends[0]} | {ends[1]} →<br>{named}"
    field = np.asarray(values, dtype=np.float32)
    bar = color_bar(named, orientation="h", y=-0.02, yanchor="top", len=0.9, nticks=5)
    bar["title"]["side"] = "bottom"
    fig = go.Figure(
        go.Heatmap(
            z=field,
            colorscale=colors.scale("diverging"),
            zmin=-limit,
            zmax=limit,
            colorbar=bar,
            hovertemplate=f"column %{{x}}, row %{{y}}<br>%{{z:+.3r}} {unit}<extra></extra>",
        )
    )
    base_layout(fig, colors, x_title="", y_title="", height=height, legend=False)
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "showline": False}
    fig.update_xaxes(**bare, constrain="domain")
    fig.update_yaxes(**bare, autorange="reversed", scaleanchor="x", constrain="domain")
    fig.update_layout(margin={"l": 0, "r": 0, "t": 30, "b": 8})
    return fig
