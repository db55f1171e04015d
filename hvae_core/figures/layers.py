"""What each layer carries: its KL over training, bits by k, and one image against a band."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.words import LETTERS
from hvae_core.figures.inks import faded
from hvae_core.figures.layer_axis import Seats, names_or_numbers, thinned_layers
from hvae_core.figures.theme import (
    HEIGHT,
    Palette,
    base_layout,
    layer_label,
    swatched,
)

FLOOR = 1e-5
"""Nats; a log axis has no zero, so no KL is drawn lower; its label tells the truth."""
END, MARGINS = 16, 90
"""Pixels that a label at the end of a line takes, and those of a chart's height beside the plot."""


def kl_history(
    models: Sequence[tuple[str, ArrayLike, ArrayLike]],
    colors: Palette,
    *,
    names: Sequence[Sequence[str]] | None = None,
    unit: str = "nats",
    counted: str = "epoch",
    letters: str = LETTERS,
) -> go.Figure:
    """KL per layer over training; models are (name, epochs (E,), KL (E, L)), A solid, B dashed.

    ``counted`` says what stands for the epochs, ``letters`` which of A to D the models are.

    ``names`` are those of each model's layers; of many lines some are named at their end, all in
    the hover text.
    """
    fig = go.Figure()
    layers = names_or_numbers(names, [np.shape(kl)[1] for _, _, kl in models])
    room = max(2, (HEIGHT - MARGINS) // END)
    lines = max(1, sum(map(len, layers)))
    ends: list[tuple[float, float, str, str]] = []
    lowest = smallest([kl for _, _, kl in models])
    for index, (letter, (name, epochs, kl)) in enumerate(zip(cycle(letters), models, strict=False)):
        steps, said = vector(epochs), f" {letter}" if len(models) > 1 else ""
        measured = np.asarray(kl, dtype=np.float64)
        table = above_zero(measured, lowest)
        count = table.shape[1]
        # All where they fit, else each model's share of the room.
        share = count if lines <= room else max(4, room * count // lines)
        named = set(thinned_layers(count, share))
        for i, color in enumerate(colors.layers(count)):
            label = layer_label(layers[index][i])
            fig.add_trace(
                go.Scatter(
                    x=steps.astype(np.float32),
                    y=table[:, i].astype(np.float32),
                    mode="lines",
                    line={"color": color, "width": 2.25, "dash": colors.model_dash(letter)},
                    name=f"{label} {name}",
                    showlegend=False,
                    customdata=measured[:, i].astype(np.float32),
                    hovertemplate=f"{counted} %{{x}}<br>%{{customdata:.3r}} {unit}"
                    f"<extra>{label} {name}</extra>",
                )
            )
            if steps.size and i in named:
                end = label + said + (" &lt; 0" if measured[-1, i] < 0 else "")
                ends.append((steps[-1], table[-1, i], end, color))
    base_layout(fig, colors, x_title=counted, y_title=f"KL ({unit})")
    fig.update_yaxes(**log_axis([trace.y for trace in fig.data]))
    fig.update_layout(margin_r=76 if any("0" in end[2] for end in ends) else 56)
    _label_ends(fig, ends)
    add_model_legend(fig, colors, [name for name, _, _ in models], letters)
    return fig


def bits_by_k(
    models: Sequence[tuple[str, ArrayLike, ArrayLike]],
    colors: Palette,
    *,
    levels: Sequence[Sequence[str]] | None = None,
    counted: str = "layers",
    height: int = 360,
    letters: str = LETTERS,
) -> go.Figure:
    """Bits/dim by k of -L>k and of -log p(x | z>k); models are (name, (K,), (K,)) in bits/dim.

    ``levels`` are the names of each model's levels, ``counted`` says what k counts, ``letters``
    which of A to D the models are. The gap between the two is what the layers above k cost; what
    rises with k is what the skipped layers knew of the image.
    """
    fig = go.Figure()
    kinds = (
        ("−<i>L</i><sub>&gt;k</sub>", colors.text, "circle"),
        ("−log <i>p</i>(x | z<sub>&gt;k</sub>)", colors.categories[5], "square"),
    )
    starts = names_or_numbers(levels, [vector(bound).size for _, bound, _ in models])
    for index, (letter, (name, *tables)) in enumerate(zip(cycle(letters), models, strict=False)):
        for (kind, color, symbol), values in zip(kinds, tables, strict=True):
            y = vector(values).astype(np.float32)
            fig.add_trace(
                go.Scatter(
                    x=np.arange(y.size, dtype=np.int32),
                    y=y,
                    mode="lines+markers",
                    name=kind,
                    line={"color": color, "width": 2, "dash": colors.model_dash(letter)},
                    marker={"color": color, "symbol": symbol, "size": 8},
                    showlegend=index == 0,
                    customdata=[layer_label(level) for level in starts[index]],
                    hovertemplate="k = %{x}, from %{customdata} up<br>%{y:.3r} bits/dim"
                    f"<extra>{kind} {name}</extra>",
                )
            )
    base_layout(fig, colors, x_title=f"k, {counted} skipped", y_title="bits/dim", height=height)
    fig.update_xaxes(dtick=1)
    add_model_legend(fig, colors, [name for name, _, _ in models], letters)
    return fig


def layer_band(
    reference: ArrayLike,
    values: ArrayLike,
    colors: Palette,
    *,
    names: Sequence[str] | None = None,
    height: int = 320,
) -> go.Figure:
    """One image's KL per layer (L,) against the reference images' (N, L), in nats.

    ``names`` are those of the layers, z1 .. zL unless given. Boxes are the central 50 % and 95 % of
    the reference, the tick its median; the image's mark is orange where it leaves the central 95 %.
    """
    table = np.asarray(reference, dtype=np.float64)
    own = vector(values)
    seats = Seats(names_or_numbers(None if names is None else [names], [own.size]))
    labels = [layer_label(name) for name in seats.names[0]]
    levels = np.percentile(np.maximum(table, FLOOR), [2.5, 25, 50, 75, 97.5], axis=0)
    fig = go.Figure()
    for low, high, alpha, name in ((0, 4, 0.22, "95 %"), (1, 3, 0.5, "50 %")):
        color = faded(colors.in_color, alpha)
        fig.add_trace(
            _boxes(levels[low], levels[high], labels, color=color, name=f"{name} of reference")
        )
    layers = np.arange(1, own.size + 1, dtype=np.int32)
    tick = {
        "symbol": "line-ew",
        "size": _band_width(own.size),
        "line": {"color": colors.in_color, "width": 2.5},
    }
    fig.add_trace(
        go.Scatter(
            x=layers,
            y=levels[2].astype(np.float32),
            mode="markers",
            name="median",
            marker=tick,
            text=labels,
            hovertemplate="%{text}: %{y:.3r} nats<extra>median of reference</extra>",
        )
    )
    fig.add_trace(_own_marks(own, table, labels, colors=colors))
    base_layout(fig, colors, x_title="layer", y_title="KL (nats)", height=height)
    fig.update_xaxes(**seats.axis)
    fig.update_yaxes(**log_axis([levels, np.maximum(own, FLOOR)]))
    fig.update_layout(legend_itemsizing="constant")
    return fig


def smallest(values: Sequence[ArrayLike]) -> float:
    """Where a KL below zero is drawn on a log axis: a third of the smallest above zero."""
    drawn = np.concatenate([vector(part) for part in values]) if values else np.ones(1)
    above = drawn[np.isfinite(drawn) & (drawn > 0)]
    return max(FLOOR, float(above.min()) / 3) if above.size else FLOOR


def above_zero(values: NDArray[np.float64], lowest: float) -> NDArray[np.float64]:
    """Values as a log axis can show them; a bottom-up term below zero lies at the axis' foot."""
    return np.maximum(np.where(values < 0, lowest, values), FLOOR)


def log_axis(values: Sequence[ArrayLike]) -> dict[str, Any]:
    """A log axis for what is drawn on it: powers of ten, and 2 and 5 where those are few."""
    drawn = np.concatenate([vector(part) for part in values]) if values else np.ones(1)
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    low, high = (drawn.min(), drawn.max()) if drawn.size else (0.1, 10.0)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if high < 100 * low else (1,)
    ticks = [(step, power) for power in powers for step in steps]
    return {
        "type": "log",
        "tickvals": [step * 10.0**power for step, power in ticks],
        "ticktext": [f"{step * 10.0**power:.{max(0, -power)}f}" for step, power in ticks],
    }


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Label positions moved apart until neighbours keep ``gap``; their order stays."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for _ in range(8 * len(moved)):
        for low, high in pairwise(order):
            push = max(0.0, gap - (moved[high] - moved[low])) / 2
            moved[low] -= push
            moved[high] += push
    return moved


def vector(values: ArrayLike) -> NDArray[np.float64]:
    """Anything array-like as one flat array of doubles."""
    return np.asarray(values, dtype=np.float64).ravel()


def _label_ends(fig: go.Figure, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Name each line at its right end, behind a square of its colour, without overlaps."""
    if not ends:
        return
    drawn = np.log10(np.concatenate([trace.y for trace in fig.data]))
    line_height = END * max(float(np.ptp(drawn)), 0.5) / (HEIGHT - MARGINS)
    places = spread([float(np.log10(value)) for _, value, _, _ in ends], line_height)
    for (x, _, text, color), y in zip(ends, places, strict=True):
        fig.add_annotation(
            x=x, y=y, text=swatched(text, color), showarrow=False, xanchor="left", xshift=5,
            font={"size": 14},
        )  # fmt: skip


def add_model_legend(
    fig: go.Figure, colors: Palette, names: Sequence[str], letters: str = LETTERS
) -> None:
    """Neutral grey lines, model A solid and B dashed; nothing where there is one model."""
    for letter, name in zip(cycle(letters), names if len(names) > 1 else (), strict=False):
        line = {"color": colors.muted, "width": 2, "dash": colors.model_dash(letter)}
        fig.add_trace(
            go.Scatter(x=[None], y=[None], mode="lines", name=name, line=line, hoverinfo="skip")
        )


def _own_marks(
    own: NDArray[np.float64], table: NDArray[np.float64], labels: Sequence[str], *, colors: Palette
) -> go.Scatter:
    """The image's own KL, blue within the reference's central 95 % and orange outside."""
    low, high = np.percentile(table, [2.5, 97.5], axis=0)
    outside = (own < low) | (own > high)
    mark_colors = np.where(outside, colors.out_family[0], colors.in_color)
    return go.Scatter(
        x=np.arange(1, own.size + 1, dtype=np.int32),
        y=np.maximum(own, FLOOR).astype(np.float32),
        mode="markers",
        name="this image",
        marker={
            "symbol": "diamond",
            "size": min(13, _band_width(own.size) + 4),
            "color": mark_colors,
            "line": {"color": colors.text, "width": 1.5 if own.size <= 15 else 1},
        },
        text=labels,
        customdata=(100 * (table < own).mean(axis=0)).astype(np.float32),
        hovertemplate="%{text}: %{y:.3r} nats<br>above %{customdata:.3r} % of reference"
        "<extra>this image</extra>",
    )


def _boxes(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    labels: Sequence[str],
    *,
    color: str,
    name: str,
) -> go.Scatter:
    """Vertical boxes of a fixed width in pixels, as thick line segments."""
    layers = np.arange(1, start.size + 1, dtype=np.float64)
    gap = np.full_like(layers, np.nan)
    return go.Scatter(
        x=np.stack([layers, layers, gap], axis=1).ravel().astype(np.float32),
        y=np.stack([start, end, gap], axis=1).ravel().astype(np.float32),
        mode="lines",
        line={"color": color, "width": _band_width(start.size)},
        name=name,
        text=[text for label in labels for text in (label, label, "")],
        hovertemplate=f"%{{text}}: %{{y:.3r}} nats<extra>{name}</extra>",
    )


def _band_width(layers: int) -> int:
    """Pixels, so that boxes of many layers keep apart in a column of a page."""
    return max(6, min(44, 300 // layers))
