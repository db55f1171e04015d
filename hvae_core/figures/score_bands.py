"""Scores of one image as rows: a band of the reference, where the image was, where it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from hvae_core.common.words import fmt
from hvae_core.figures.inks import faded
from hvae_core.figures.theme import Palette, base_layout

END = 3.0
"""Where the axis ends: a mark beyond stands there as an arrow."""
_ROW = 46


@dataclass(frozen=True, eq=False)
class ScoreRow:
    """One score: chart text of its symbol, the reference's values, the image's before and now."""

    symbol: str
    unit: str
    reference: ArrayLike
    before: float
    now: float
    p: float


def place_in_band(value: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Where a value lies: 0 at the reference's median, -1 and 1 at its 2.5 and 97.5 percentiles.

    Straight lines between, and on beyond the ends; so that scores of all scales share an axis.
    """
    low, median, high = np.percentile(np.asarray(reference, dtype=np.float64), [2.5, 50, 97.5])
    away = np.asarray(value, dtype=np.float64) - median
    width = np.where(away < 0, median - low, high - median)
    return np.asarray(away / np.maximum(width, 1e-12))


def score_bands(rows: Sequence[ScoreRow], colors: Palette) -> go.Figure:
    """A row a score: 95 % and 50 % of the reference as bands, a ring before, a mark now.

    Value and p-value stand at the right. The mark is orange outside the central 95 %.
    """
    fig = go.Figure()
    names = [row.symbol for row in rows]
    for i, row in enumerate(rows):
        quarter, three = place_in_band(
            np.percentile(np.asarray(row.reference, dtype=float), [25, 75]), row.reference
        )
        for low, high, alpha in ((-1.0, 1.0, 0.2), (quarter, three, 0.35)):
            fig.add_shape(
                type="rect", x0=low, x1=high, y0=i - 0.3, y1=i + 0.3, line_width=0,
                layer="below", fillcolor=faded(colors.in_color, alpha),
            )  # fmt: skip
        text = f"{fmt(row.now, row.unit)}, <i>p</i> = {fmt(row.p)}"
        fig.add_annotation(
            text=text, x=1.01, xref="paper", y=i, xanchor="left", showarrow=False, align="left",
            font={"size": 14, "color": colors.text},
        )  # fmt: skip
    before = np.array([place_in_band(row.before, row.reference) for row in rows], dtype=float)
    now = np.array([place_in_band(row.now, row.reference) for row in rows], dtype=float)
    fig.add_trace(_marks(before, names, [fmt(r.before, r.unit) for r in rows], "as it is", colors))
    fig.add_trace(_marks(now, names, [fmt(r.now, r.unit) for r in rows], "changed", colors))
    base_layout(
        fig, colors, x_title="among held-out images", y_title="", height=70 + _ROW * len(rows)
    )
    ticks = ["2.5 %", "", "97.5 %"]
    fig.update_xaxes(
        range=[-END - 0.4, END + 0.4], tickvals=[-1, 0, 1], ticktext=ticks, fixedrange=True
    )
    fig.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=names, showgrid=False, fixedrange=True,
        range=[len(rows) - 0.4, -0.6], tickfont_size=15,
    )  # fmt: skip
    fig.update_layout(margin_r=170)
    return fig


def _marks(
    places: np.ndarray, names: Sequence[str], values: Sequence[str], which: str, colors: Palette
) -> go.Scatter:
    """The image's place in each row; beyond the axis an arrow at its end."""
    was = which == "as it is"
    out = colors.out_family[0]
    tones = [colors.in_color if abs(place) <= 1 else out for place in places]
    shape = "circle-open" if was else "diamond"
    symbols = [
        shape if abs(place) <= END else f"triangle-{'right' if place > 0 else 'left'}"
        for place in places
    ]
    return go.Scatter(
        x=np.clip(places, -END, END).astype(np.float32),
        y=np.arange(len(places)),
        mode="markers",
        name=f"this image, {which}",
        marker={
            "symbol": symbols,
            "size": 12 if was else 15,
            "color": colors.muted if was else tones,
            "line": {"width": 2 if was else 0},
        },
        text=[f"{name}: {value}" for name, value in zip(names, values, strict=True)],
        hovertemplate=f"%{{text}}<extra>{which}</extra>",
    )
