"""The AUROC of scores against the number of draws behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from hvae_core.common.words import interval
from hvae_core.figures.theme import Palette, base_layout
from hvae_core.figures.traces import band

Areas = Sequence[tuple[float, float, float]]


def auroc_by_draws(
    samples: Sequence[int], areas: Mapping[str, Areas], colors: Palette
) -> go.Figure:
    """One line a score with its interval as a band; the number of draws on a logarithmic axis.

    ``areas`` gives (value, low, high) at each number of draws by the score's symbol as chart text.
    """
    x = np.asarray(samples, dtype=np.float32)
    fig = go.Figure()
    for place, (name, rows) in enumerate(areas.items()):
        value, low, high = np.asarray(rows, dtype=np.float32).T
        color = colors.category(place)
        fig.add_trace(band(x, low, high, color=color, alpha=0.1, legendgroup=name))
        fig.add_trace(
            go.Scatter(
                x=x, y=value, mode="lines+markers", name=name, legendgroup=name,
                line={"color": color, "width": 2.25}, marker={"color": color, "size": 7},
                customdata=[[interval(*row)] for row in rows],
                hovertemplate=f"S = %{{x}}<br>AUROC %{{customdata[0]}}<extra>{name}</extra>",
            )
        )  # fmt: skip
    fig.add_hline(y=0.5, line={"color": colors.muted, "width": 1, "dash": "dot"})
    base_layout(fig, colors, x_title="draws S of every bound", y_title="AUROC", height=420)
    fig.update_xaxes(type="log", tickvals=list(samples), ticktext=[f"{s:,}" for s in samples])
    return fig
