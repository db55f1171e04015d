"""What levels know of the image, and the share of units that do, over thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from hvae_core.common.words import LETTERS, fmt
from hvae_core.figures.layer_axis import names_or_numbers
from hvae_core.figures.layers import add_model_legend, vector
from hvae_core.figures.theme import Palette, base_layout, layer_label

LEGEND = 6
"""Layers that have a name each in the legend; more are told by colour and hover text."""


def information_by_k(
    models: Sequence[tuple[str, ArrayLike, ArrayLike, float]],
    colors: Palette,
    *,
    levels: Sequence[Sequence[str]],
    counted: str = "layers",
    letters: str = LETTERS,
) -> go.Figure:
    """I_q(x; z_>k) by k under its ceiling; models are (name, nats (K,), errors (K,), log N).

    ``levels`` are the names of each model's levels, ``counted`` says what k counts, ``letters``
    which of A to D the models are. Bars are two standard errors to either side.
    """
    fig = go.Figure()
    for index, (name, values, errors, ceiling) in enumerate(models):
        y, dash = vector(values), colors.model_dash(letters[index % len(letters)])
        hover = [
            f"k = {k}, from {layer_label(level)} up<br>{fmt(value)} of {fmt(ceiling, 'nats')}"
            for k, (level, value) in enumerate(zip(levels[index], y, strict=True))
        ]
        fig.add_trace(
            go.Scatter(
                x=np.arange(y.size, dtype=np.int32),
                y=y.astype(np.float32),
                error_y={
                    "array": (2 * vector(errors)).astype(np.float32),
                    "thickness": 1.25,
                    "width": 4,
                },
                mode="lines+markers",
                name=name,
                line={"color": colors.text, "width": 2, "dash": dash},
                marker={"color": list(colors.layers(y.size)), "size": 10},
                showlegend=False,
                customdata=hover,
                hovertemplate=f"%{{customdata}}<extra>{name}</extra>",
            )
        )
    for ceiling in sorted({ceiling for *_, ceiling in models}):
        fig.add_hline(
            ceiling,
            line={"color": colors.muted, "width": 1.5, "dash": "dot"},
            annotation={
                "text": f"ceiling, log <i>N</i> = {fmt(ceiling, 'nats')}",
                "font": {"size": 13, "color": colors.muted},
            },
            annotation_position="bottom left",
        )
    base_layout(
        fig,
        colors,
        x_title=f"k, {counted} skipped",
        y_title="<i>I</i>(x; z<sub>&gt;k</sub>) (nats)",
        height=320,
    )
    top = max(ceiling for *_, ceiling in models)
    fig.update_xaxes(dtick=1)
    fig.update_yaxes(range=[-0.04 * top, 1.08 * top])
    add_model_legend(fig, colors, [name for name, *_ in models], letters)
    return fig


def unit_curves(
    models: Sequence[tuple[str, Sequence[ArrayLike | None]]],
    thresholds: ArrayLike,
    colors: Palette,
    *,
    names: Sequence[Sequence[str]],
    x_title: str,
    y_title: str,
    chosen: float | None = None,
    letters: str = LETTERS,
) -> go.Figure:
    """Shares of units (T,) of each layer over ``thresholds`` (T,), a line a layer, A solid.

    A layer without shares is left out. The dotted line is the ``chosen`` threshold, ``letters`` say
    which of A to D the models are.
    """
    fig = go.Figure()
    x = vector(thresholds).astype(np.float32)
    labels = names_or_numbers(names, [len(shares) for _, shares in models])
    alike = len(set(labels)) == 1
    for index, (name, shares) in enumerate(models):
        legend = len(shares) <= LEGEND and (index == 0 or not alike)
        for label, color, share in zip(
            labels[index], colors.layers(len(shares)), shares, strict=True
        ):
            if share is None:
                continue
            fig.add_trace(
                go.Scatter(
                    x=x,
                    y=(100 * vector(share)).astype(np.float32),
                    mode="lines",
                    line={
                        "color": color,
                        "width": 2.25,
                        "dash": colors.model_dash(letters[index % len(letters)]),
                        "shape": "hv",
                    },
                    name=layer_label(label),
                    showlegend=legend,
                    hovertemplate=f"{layer_label(label)}: %{{y:.1f}} % at %{{x:.2g}}"
                    f"<extra>{name}</extra>",
                )
            )
    if chosen is not None:
        line = {"color": colors.text, "width": 1.5, "dash": "dot"}
        fig.add_vline(float(chosen), line=line)
    base_layout(fig, colors, x_title=x_title, y_title=y_title, height=320)
    fig.update_xaxes(type="log", exponentformat="power", dtick=1)
    fig.update_yaxes(range=[-3, 103], tickvals=[0, 25, 50, 75, 100])
    add_model_legend(fig, colors, [name for name, _ in models], letters)
    return fig
