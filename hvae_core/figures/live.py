"""A run while it trains, and what the units of a linear one say by sigma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from hvae_core.figures.theme import Palette, base_layout, swatched
from hvae_core.figures.turned import Turn


@dataclass(frozen=True, eq=False)
class Progress:
    """One run: steps (P,), KL (P, L) in nats, names of the layers, and what was turned when."""

    title: str
    steps: ArrayLike
    kl: ArrayLike
    names: Sequence[str]
    turns: Sequence[Turn] = ()


def units_by_sigma(
    eigenvalues: ArrayLike, unit_kl: ArrayLike, std: float, colors: Palette
) -> go.Figure:
    """What each unit of a linear VAE says at its best, by sigma: 0.5 ln(lambda_i / sigma^2).

    Lines are exact (Lucas et al. 2019) for the largest eigenvalues of the data's covariance, dotted
    where a unit dies; the diamonds are the units (U,) of the run at its own sigma.
    """
    values = np.asarray(eigenvalues, np.float64)
    units = np.sort(np.asarray(unit_kl, np.float64))[::-1]
    fig = go.Figure()
    sigma = np.geomspace(0.05, 1.3 * math.sqrt(values[0]), 200)
    for i, color in enumerate(colors.layers(max(2, len(units)))[: len(units)]):
        exact = np.maximum(0.0, 0.5 * np.log(values[i] / sigma**2))
        fig.add_trace(
            go.Scatter(
                x=sigma.astype(np.float32), y=exact.astype(np.float32), mode="lines",
                line={"color": color, "width": 2}, name=f"unit {i + 1}, exact",
                hovertemplate="sigma %{x:.3r}<br>%{y:.3r} nats<extra></extra>",
            )
        )  # fmt: skip
        fig.add_vline(
            x=math.sqrt(values[i]), line={"color": color, "width": 1, "dash": "dot"},
            annotation={"text": swatched(f"√λ<sub>{i + 1}</sub>", color), "font": {"size": 13}},
        )  # fmt: skip
        fig.add_trace(
            go.Scatter(
                x=[std], y=[units[i]], mode="markers", name=f"unit {i + 1}, now",
                marker={"symbol": "diamond", "size": 11, "color": color,
                        "line": {"color": colors.text, "width": 1}},
                hovertemplate="sigma %{x:.3r}<br>%{y:.3r} nats<extra></extra>",
            )
        )  # fmt: skip
    base_layout(fig, colors, x_title="sigma of the pixels", y_title="KL of a unit (nats)",
                height=280)  # fmt: skip
    fig.update_yaxes(rangemode="tozero")
    return fig
