"""Bars per layer: A filled, B outlined, a collapsed layer hatched grey, a thin one dotted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.thresholds import COLLAPSE_THRESHOLD
from hvae_core.common.words import LETTERS, fmt, percent
from hvae_core.figures.bar_labels import FONT_SIZE, Labels, legible, upright
from hvae_core.figures.inks import faded
from hvae_core.figures.layer_axis import Seats, names_or_numbers
from hvae_core.figures.layers import above_zero, log_axis, smallest, vector
from hvae_core.figures.theme import HEIGHT, Palette, base_layout, layer_label

LABELLED_BARS = 12
MARGINS = 130
"""Pixels of a chart's height that title, legend and axis take, about."""


@dataclass(frozen=True, eq=False)
class _Bars:
    """One model's bars, one a layer."""

    name: str
    heights: NDArray[np.float64]
    labels: list[str]
    hover: list[str]
    collapsed: NDArray[np.bool_]
    thin: NDArray[np.bool_]


def kl_bars(
    models: Sequence[tuple[str, ArrayLike, ArrayLike]],
    colors: Palette,
    *,
    names: Sequence[Sequence[str]] | None = None,
    per_dim: bool = False,
    threshold: float = COLLAPSE_THRESHOLD,
    thin: Sequence[Sequence[int]] | None = None,
    letters: str = LETTERS,
) -> go.Figure:
    """KL(q(z_i) || p(z_i)) per layer on a log axis; models are (name, mean KL in nats, units).

    ``names`` are those of each model's layers, z1 .. zL unless given; models of other layers stand
    beside each other, those of the same in groups. A layer within ``threshold`` nats per unit of
    zero is hatched grey: it has collapsed; unless ``thin`` has its number, from 1, among those of
    its model: these say something all the same, and are dotted. The dotted line is that threshold,
    at ``threshold`` times its units where bars count the whole layer. ``letters`` say which of A to
    D the models are.
    """
    unit = "nats a unit" if per_dim else "nats"
    bars, limits = [], []
    seats = Seats(names_or_numbers(names, [vector(units).size for _, _, units in models]))
    lowest = smallest([vector(kl) / (vector(n) if per_dim else 1) for _, kl, n in models])
    for index, (name, kl_mean, units) in enumerate(models):
        kl, size = vector(kl_mean), vector(units)
        shown = kl / size if per_dim else kl
        hover = [f"{fmt(v, unit)}<br>{n:.0f} units" for v, n in zip(shown, size, strict=True)]
        heights = above_zero(shown, lowest)
        speaks = np.isin(np.arange(1, kl.size + 1), thin[index] if thin else [])
        under = np.abs(kl) / size < threshold
        bars.append(
            _Bars(
                name=name,
                heights=heights,
                labels=[fmt(v) for v in shown],
                hover=hover,
                collapsed=under & ~speaks,
                thin=under & speaks,
            )
        )
        limits.append(np.full_like(kl, threshold) if per_dim else threshold * size)
    # A log axis has no zero to stand on: bars rise from a third of the smallest value shown.
    shown_values = np.concatenate([np.full(1, threshold), *(b.heights for b in bars), *limits])
    low, top = np.log10(shown_values.min() / 3), np.log10(shown_values.max())
    labels = _labels(bars, seats)
    height = HEIGHT + labels.more
    plot = height - MARGINS
    high = top + max(0.4, (top - low) * labels.tall / (plot - labels.tall))
    # In pixels, how far above each bar its threshold is.
    above = [
        np.log10(limit / bar.heights) * plot / (high - low)
        for bar, limit in zip(bars, limits, strict=True)
    ]
    fig = go.Figure()
    labels = labels.clear_of(above)
    _add_bars(fig, colors, bars, seats=seats, letters=letters, labels=labels, log=True)
    _add_limits(fig, colors, limits, name=f"{threshold:g} nats a unit", seats=seats)
    base_layout(fig, colors, x_title="layer", y_title=f"KL ({unit})", height=height)
    fig.update_xaxes(**seats.axis)
    fig.update_yaxes(**log_axis([shown_values]), range=[low, high])
    return fig


def active_units(
    models: Sequence[tuple[str, ArrayLike, ArrayLike]],
    colors: Palette,
    *,
    names: Sequence[Sequence[str]] | None = None,
    height: int = 360,
    letters: str = LETTERS,
) -> go.Figure:
    """Share of each layer's units whose posterior mean varies over images (Burda et al. 2016).

    Models are (name, active units (L,), units (L,)), ``names`` those of their layers and
    ``letters`` theirs as in ``kl_bars``; a layer without an active unit is collapsed.
    """
    bars = []
    seats = Seats(names_or_numbers(names, [vector(units).size for _, _, units in models]))
    for name, active, units in models:
        count, size = vector(active), vector(units)
        pairs = list(zip(count, size, strict=True))
        counts = [f"{a:.0f}<br>of {n:.0f}" for a, n in pairs]
        hover = [f"{a:.0f} of {n:.0f} units active, {percent(a / n)}" for a, n in pairs]
        bars.append(
            _Bars(
                name=name,
                heights=100 * count / size,
                labels=counts,
                hover=hover,
                collapsed=count == 0,
                thin=np.zeros(count.size, bool),
            )
        )
    labels = _labels(bars, seats)
    height += labels.more
    fig = go.Figure()
    _add_bars(fig, colors, bars, seats=seats, letters=letters, labels=labels)
    base_layout(fig, colors, x_title="layer", y_title="active units (%)", height=height)
    fig.update_xaxes(**seats.axis)
    plot = height - MARGINS
    top = 100 * plot / (plot - labels.tall)
    fig.update_yaxes(range=[0, top], tickvals=[0, 25, 50, 75, 100])
    return fig


def _labels(bars: Sequence[_Bars], seats: Seats) -> Labels:
    """The labels of all bars, as they have room; of many bars none."""
    few = sum(model.heights.size for model in bars) <= LABELLED_BARS
    return legible([model.labels if few else [""] * model.heights.size for model in bars], seats)


def _add_bars(
    fig: go.Figure,
    colors: Palette,
    bars: Sequence[_Bars],
    *,
    seats: Seats,
    letters: str,
    labels: Labels,
    log: bool = False,
) -> None:
    """Bars of every model side by side, and the legend of their styles."""
    notes: list[dict[str, Any]] = []
    upright_on = partial(upright, angle=labels.angle, colors=colors)
    for index, model in enumerate(bars):
        hover = [
            f"{layer_label(layer)}: {text}"
            for layer, text in zip(seats.names[index], model.hover, strict=True)
        ]
        fig.add_trace(
            go.Bar(
                x=seats.middles(index).astype(np.float32),
                y=model.heights.astype(np.float32),
                width=seats.width * 0.92,
                name=model.name,
                showlegend=False,
                text=labels.texts[index] if labels.tall and not labels.angle else None,
                textposition="outside",
                constraintext="none",
                textfont={"size": FONT_SIZE, "color": colors.text},
                cliponaxis=False,
                marker=_bar_style(colors, letters[index % len(letters)], model),
                customdata=hover,
                hovertemplate=f"%{{customdata}}<extra>{model.name}</extra>",
            )
        )
        if labels.angle:
            tops = np.log10(model.heights) if log else model.heights
            notes += map(upright_on, labels.texts[index], seats.middles(index), tops)
    _add_legend(fig, colors, bars, letters)
    fig.update_layout(barmode="overlay", annotations=notes)


_FILLS = {"B": 0.28, "C": 0.6, "D": 0.0}


def _fill(color: str, letter: str) -> str:
    """The inside of a model's bars: whole of model A, faint of the others."""
    return color if letter == "A" else faded(color, _FILLS[letter])


def _bar_style(colors: Palette, letter: str, bars: _Bars) -> dict[str, Any]:
    """Model A filled, later ones outlined in the same layer colours, hatched or dotted."""
    collapsed, thin = bars.collapsed, bars.thin
    edge = np.where(collapsed, colors.collapsed, np.array(colors.layers(collapsed.size)))
    outlined = collapsed | thin | (letter != "A")
    return {
        "color": [_fill(str(color), letter) for color in edge],
        "line": {"color": edge, "width": np.where(outlined, 1.75, 0.0)},
        "pattern": _pattern(np.where(collapsed, "/", np.where(thin, ".", "")), edge, colors),
    }


def _pattern(shape: ArrayLike, ink: ArrayLike, colors: Palette) -> dict[str, Any]:
    return {
        "shape": np.asarray(shape).tolist(),
        "fgcolor": np.asarray(ink).tolist(),
        "bgcolor": colors.background,
        "size": 7,
        "solidity": 0.3,
    }


def _add_legend(fig: go.Figure, colors: Palette, bars: Sequence[_Bars], letters: str) -> None:
    """Swatches in neutral grey: which style is which model, and what hatching and dots mean."""
    styles = [
        (model.name, _fill(colors.muted, letter), "")
        for letter, model in zip(cycle(letters), bars, strict=False)
    ]
    if any(model.collapsed.any() for model in bars):
        styles.append(("collapsed", colors.collapsed, "/"))
    if any(model.thin.any() for model in bars):
        styles.append(("thin", colors.muted, "."))
    for name, color, shape in styles:
        edge = colors.collapsed if shape else colors.muted
        marker = {
            "color": color,
            "line": {"color": edge, "width": 1.5},
            "pattern": _pattern([shape], [edge], colors),
        }
        fig.add_trace(go.Bar(x=[None], y=[None], name=name, marker=marker, hoverinfo="skip"))


def _add_limits(
    fig: go.Figure,
    colors: Palette,
    limits: Sequence[NDArray[np.float64]],
    *,
    name: str,
    seats: Seats,
) -> None:
    """The collapse threshold as a short dotted line over each model's bar of each layer."""
    half = seats.width / 2
    for index, limit in enumerate(limits):
        middle = seats.middles(index)
        gap = np.full_like(middle, np.nan)
        x = np.stack([middle - half, middle + half, gap], axis=1).ravel()
        y = np.stack([limit, limit, gap], axis=1).ravel()
        fig.add_trace(
            go.Scatter(
                x=x.astype(np.float32),
                y=y.astype(np.float32),
                mode="lines",
                line={"color": colors.text, "width": 1.5, "dash": "dot"},
                name=name,
                showlegend=index == 0,
                hoverinfo="skip",
            )
        )
