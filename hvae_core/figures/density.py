"""Densities of scores: in-distribution filled blue, every other set an orange line of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.arrays import Floats
from hvae_core.common.words import fmt
from hvae_core.figures.inks import faded
from hvae_core.figures.score_axis import bandwidth, finite, score_range
from hvae_core.figures.theme import Mark, Palette, base_layout, labelled
from hvae_core.figures.traces import SAMPLE, note, set_mark, strip_from, upright

_BODY = 0.25
"""Share of its peak above which a curve is marked."""
_COUNT = 0.32
"""Share of the axis that the count of images beyond it may take; no line stands there."""


def smooth_density(
    values: ArrayLike, low: float, high: float, *, points: int = 512, width: float | None = None
) -> tuple[Floats, Floats]:
    """Gaussian kernel density on a grid from low to high, by linear binning and one convolution.

    Values outside the range still count in the normalisation, so the area on the grid is the
    share of values inside it. ``width`` is the kernel's standard deviation, default ``bandwidth``.
    """
    x = finite(values)
    grid = np.linspace(low, high, points)
    step = grid[1] - grid[0]
    kernel_width = max(width if width is not None else bandwidth(x), step)
    if kernel_width > 10 * (high - low):  # nearly straight there, and no grid reaches so far
        few = np.linspace(low, high, 9)
        each = np.exp(-0.5 * ((few[:, None] - x) / kernel_width) ** 2)
        return grid, np.interp(grid, few, each.mean(1) / (kernel_width * np.sqrt(2 * np.pi)))
    reach = int(np.ceil(5 * kernel_width / step))
    place = (x - low) / step + reach
    inside = (place >= 0) & (place < points + 2 * reach - 1)
    whole = np.floor(place[inside]).astype(np.int64)
    part = place[inside] - whole
    bins = points + 2 * reach
    counts = np.bincount(whole, 1 - part, bins) + np.bincount(whole + 1, part, bins)
    offsets = np.arange(-reach, reach + 1) * step / kernel_width
    kernel = np.exp(-0.5 * offsets**2)
    # The kernel's own sum, not sqrt(2 pi): a kernel as narrow as the grid still has area one.
    density = np.convolve(counts, kernel, mode="valid") / (kernel.sum() * step * max(x.size, 1))
    return grid, density


def densities(
    in_scores: ArrayLike,
    outs: Sequence[tuple[str, ArrayLike]],
    colors: Palette,
    *,
    symbol: str,
    unit: str = "nats",
    in_name: str = "in-distribution",
    threshold: float | None = None,
    marks: Sequence[tuple[str, float]] = (),
    places: Sequence[int] | None = None,
    span: tuple[float, float] | None = None,
    height: int = 360,
) -> go.Figure:
    """Score densities of the in-distribution set and of each named other set.

    ``symbol`` is chart text (see ``symbol_html``); images right of ``threshold`` count as flagged;
    ``marks`` are single scores with a name, such as that of one chosen image. ``places`` are the
    sets' places in the palette, so that each keeps its colour and dash when others are left out;
    ``span`` is the range to draw, by default ``score_range`` of these sets. A chart is of one
    model: a dash says which set a curve is of. Of several sets, and of one with its place, each
    curve also bears the set's marker, where it lies farthest from the other curves. At the ends of
    the axis stands how many images lie beyond.
    """
    low, high = span or score_range(in_scores, [scores for _, scores in outs])
    fig = go.Figure()
    taken = range(len(outs)) if places is None else places
    sets = [(in_name, in_scores, colors.in_mark)]
    sets += [
        (name, scores, colors.out_mark(place))
        for (name, scores), place in zip(outs, taken, strict=True)
    ]
    drawn = [
        (_curve(name, values, mark, span=(low, high), unit=unit, filled=i == 0), mark)
        for i, (name, scores, mark) in enumerate(sets)
        if (values := finite(scores)).size
    ]
    marked = _marks(drawn, colors) if places is not None or len(outs) > 1 else []
    fig.add_traces([curve for curve, _ in drawn] + marked)
    base_layout(
        fig, colors, x_title=labelled(symbol, unit), y_title=_density_title(unit), height=height,
        x_axis={"range": [low, high]}, y_axis={"showticklabels": False, "rangemode": "tozero"},
        more={"legend": {"itemwidth": SAMPLE}},
    )  # fmt: skip
    fig.update_layout(selectdirection="h")  # a box takes a range of scores
    if threshold is not None:
        _add_threshold(fig, colors, threshold, high=high)
    for name, value in marks:
        _add_mark(fig, colors, value, name=name, span=(low, high))
    lines = [value for _, value in marks] + ([] if threshold is None else [threshold])
    _count_beyond(fig, colors, [values for _, values, _ in sets], (low, high), lines=lines)
    return fig


def reference_density(
    reference: ArrayLike,
    value: float,
    p: float,
    *,
    colors: Palette,
    symbol: str,
    unit: str = "nats",
    height: int = 170,
    both: bool = False,
) -> go.Figure:
    """One image's score against the reference scores: the tail beyond it, and its p-value.

    With ``both`` p counts both ends: the tail is that on the image's side, and as much at the other
    end.
    """
    scores = finite(reference)
    low, high = score_range(scores, [])
    # One image may lie far off; unlike a set it is the subject, so it is never cut away.
    margin = 0.05 * (max(high, value) - min(low, value))
    low, high = min(low, value - margin), max(high, value + margin)
    fig = go.Figure(
        _curve("reference", scores, colors.in_mark, span=(low, high), unit=unit, filled=True)
    )
    grid, density = smooth_density(scores, low, high)
    ends = [grid >= value]
    if both:
        share = min((scores <= value).mean(), (scores >= value).mean())
        ends = [grid <= np.quantile(scores, share), grid >= np.quantile(scores, 1 - share)]
    for tail in ends:
        fig.add_trace(
            go.Scatter(
                x=_single(grid[tail]),
                y=_single(density[tail]),
                mode="lines",
                line_width=0,
                fill="tozeroy",
                fillcolor=faded(colors.out_family[0], 0.55),
                hoverinfo="skip",
            )
        )
    base_layout(
        fig, colors, x_title=labelled(symbol, unit), y_title="", height=height, legend=False,
        x_axis={"range": [low, high], "nticks": 5},
        y_axis={"showticklabels": False, "showgrid": False, "rangemode": "tozero"},
        more={"margin": {"t": 50}},  # the mode bar, then the note
    )  # fmt: skip
    _add_mark(fig, colors, value, span=(low, high))
    # Above the plot: these charts are small, and beside the line it would lie on the curve.
    place = (value - low) / (high - low)
    side = "left" if place < 0.35 else "right" if place > 0.65 else "center"
    text = f"{fmt(value, unit)}, <i>p</i> = {fmt(p)}{'<br>at both ends' if both else ''}"
    font = {"size": 14, "color": colors.text}
    fig.add_annotation(
        note(text, value, 1, colors=colors, xanchor=side, yanchor="bottom", font=font)
    )
    _count_beyond(fig, colors, [scores], (low, high), lines=[value])
    return fig


def _curve(
    name: str, values: Floats, mark: Mark, *, span: tuple[float, float], unit: str, filled: bool
) -> go.Scatter:
    # Of a set that reaches far beyond, what lies within has a spread of its own: smoothed as wide
    # as the whole set, its curve would stand where no image is.
    within = values[(values >= span[0]) & (values <= span[1])]
    spread = bandwidth(within) if len(within) > 1 else (span[1] - span[0]) / 20
    width = min(bandwidth(values), spread)
    grid, density = smooth_density(values, *span, width=width)
    middle = float(np.median(values))
    away = f" (off the scale, median {fmt(middle)})" if not span[0] <= middle <= span[1] else ""
    return go.Scatter(
        x=_single(grid),
        y=_single(density),
        name=name + away,
        mode="lines",
        line={"color": mark.color, "dash": mark.dash, "width": 2.25, "simplify": False},
        fill="tozeroy" if filled else None,
        fillcolor=faded(mark.color, 0.2) if filled else None,
        hovertemplate=f"%{{x:.3r}} {unit}<br>density %{{y:.3r}}<extra>{name}</extra>",
    )


def _marks(drawn: Sequence[tuple[go.Scatter, Mark]], colors: Palette) -> list[go.Scatter]:
    """The marker of each out-of-distribution set on its curve, where it is best told from others.

    Such a marker also stands for its curve in the legend, with the dash. A curve that is alone is
    told from none, and has no marker.
    """
    if len(drawn) < 2:
        return []
    curves = np.stack([curve.y for curve, _ in drawn])
    marks = []
    for i, (curve, mark) in enumerate(drawn):
        if mark == colors.in_mark or not curves[i].any():
            continue
        gap = np.abs(np.delete(curves, i, 0) - curves[i]).min(0)
        at = int(np.argmax(np.where(curves[i] >= _BODY * curves[i].max(), gap, -1.0)))
        marks.append(set_mark(curve, (curve.x[at], curve.y[at]), mark, colors))
    return marks


def _count_beyond(
    fig: go.Figure,
    colors: Palette,
    sets: Sequence[ArrayLike],
    span: tuple[float, float],
    *,
    lines: Sequence[float],
) -> None:
    """At either end of the axis, how many of the images lie beyond; clear of upright lines."""
    values = np.concatenate([*map(finite, sets), np.zeros(0)])
    counts = int((values < span[0]).sum()), int((values > span[1]).sum())
    for count, end, side, text in zip(
        counts, span, ("left", "right"), ("← {:,} beyond{}", "{:,} beyond{} →"), strict=True
    ):
        if count:
            place = _clear_of(lines, end, span)
            shift = (6 if side == "left" else -6) if place in lines else 0
            font = {"size": 12, "color": colors.muted}
            told = text.format(count, " the axis" if place in lines else "")  # not the line
            fig.add_annotation(
                note(told, place, 0.9, colors=colors, xanchor=side, xshift=shift, font=font)
            )


def _clear_of(lines: Sequence[float], end: float, span: tuple[float, float]) -> float:
    """Where a text begins that stands at this end of the axis: before the lines within its room."""
    place, room = end, _COUNT * (span[1] - span[0])
    for line in sorted(lines, key=lambda line: abs(line - end)):
        if span[0] <= line <= span[1] and abs(line - place) < room:
            place = line
    return place


def _add_threshold(fig: go.Figure, colors: Palette, threshold: float, *, high: float) -> None:
    beyond = faded(colors.out_family[0], 0.07)
    fig.add_shape(strip_from(threshold, max(high, threshold), beyond))
    fig.add_shape(upright(threshold, color=colors.text, width=1.25))
    fig.add_annotation(note("flagged →", threshold, 1, colors=colors, xanchor="left", xshift=4))


def _add_mark(
    fig: go.Figure, colors: Palette, value: float, *, span: tuple[float, float], name: str = ""
) -> None:
    """A vertical line with its name on the side where there is room."""
    right_half = value > (span[0] + span[1]) / 2
    fig.add_shape(upright(value, color=colors.text, width=1.5, dash="dot"))
    if name:
        side, shift = ("right", -5) if right_half else ("left", 5)
        fig.add_annotation(note(name, value, 0.98, colors=colors, xanchor=side, xshift=shift))


def _density_title(unit: str) -> str:
    return labelled("density", unit and f"per {'nat' if unit == 'nats' else unit}")


def _single(values: Floats) -> NDArray[np.float32]:
    return values.astype(np.float32)
