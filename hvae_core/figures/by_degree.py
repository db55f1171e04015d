"""Scores against the degree of a change: which level sees it, and from where on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hvae_core.figures.theme import Palette, base_layout

Values = Mapping[str, Sequence[float]]
"""A score's values, one a degree, by its key: elbo, llr_1 .., llr_ada, path, verdict."""
AREA, SHARE = "AUROC", "flagged (%)"


def degree_curves(
    degrees: Sequence[float],
    values: Values,
    colors: Palette,
    *,
    x_title: str,
    y_title: str,
    chance: float,
) -> go.Figure:
    """One line a score over the degrees; ``chance`` is drawn where nothing would be seen."""
    fig = go.Figure(_lines(degrees, values, colors))
    fig.add_hline(y=chance, line={"color": colors.muted, "width": 1, "dash": "dot"})
    base_layout(fig, colors, x_title=x_title, y_title=y_title, height=400)
    _axes(fig, y_title)
    return fig


def every_change(
    panels: Sequence[tuple[str, Sequence[float], Values, Values]], colors: Palette, alarm: float
) -> go.Figure:
    """Areas beside shares flagged, a row a change: its axis, degrees, areas and shares."""
    fig = make_subplots(rows=len(panels), cols=2, vertical_spacing=0.35 / len(panels))
    for row, (axis, degrees, areas, shares) in enumerate(panels, 1):
        for column, (title, values, chance) in enumerate(
            ((AREA, areas, 0.5), (SHARE, shares, 100 * alarm)), 1
        ):
            named = row == column == 1
            fig.add_traces(_lines(degrees, values, colors, named=named), rows=row, cols=column)
            line = {"color": colors.muted, "width": 1, "dash": "dot"}
            fig.add_hline(y=chance, line=line, row=row, col=column)
            fig.update_xaxes(title_text=axis, row=row, col=column)
            fig.update_yaxes(title_text=title, row=row, col=column)
            _axes(fig, title, row=row, col=column)
    base_layout(fig, colors, x_title=panels[0][0], y_title=AREA, height=120 + 330 * len(panels))
    return fig


def _axes(fig: go.Figure, title: str, **where: int) -> None:
    fig.update_yaxes(range=[-3, 103] if title == SHARE else [-0.03, 1.03], **where)


def _lines(
    degrees: Sequence[float], values: Values, colors: Palette, *, named: bool = True
) -> list[go.Scatter]:
    """Levels in the colours of the layers that they skip, -L grey, the verdict thick."""
    levels = [key for key in values if key.startswith("llr_") and key[4:].isdigit()]
    shades = colors.layers(len(levels))
    styles = {
        "elbo": ("\N{MINUS SIGN}<i>L</i>", colors.muted, "dash", 2.25),
        **{
            key: (f"LLR<sub>&gt;{key[4:]}</sub>", shade, "solid", 2.25)
            for key, shade in zip(levels, shades, strict=True)
        },
        "llr_ada": ("LLR<sub>ada</sub>", colors.primary, "dot", 2.25),
        "path": ("path", colors.text, "dashdot", 2.25),
        "verdict": ("verdict", colors.text, "solid", 3.5),
    }
    return [
        go.Scatter(
            x=np.asarray(degrees, dtype=np.float32),
            y=np.asarray(values[key], dtype=np.float32),
            mode="lines+markers",
            name=name,
            legendgroup=key,
            showlegend=named,
            line={"color": color, "width": width, "dash": dash},
            marker={"color": color, "size": 6},
            hovertemplate=f"%{{x:g}}: %{{y:.3g}}<extra>{name}</extra>",
        )
        for key, (name, color, dash, width) in styles.items()
        if key in values
    ]
