"""Intervals as bars for the cells of a table: small SVG pictures, all on one axis."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

from hvae_core.figures.inks import faded
from hvae_core.figures.theme import Palette

WIDTH, HEIGHT = 120, 24
"""Of a picture, in its own units; the table scales it to the height of a row."""


def interval_bars(
    intervals: Sequence[tuple[float, float, float]],
    palette: Palette,
    *,
    span: tuple[float, float],
    strong: Sequence[bool],
    chance: float | None = 0.5,
) -> list[str]:
    """A picture of each (low, value, high) as a data URI: the interval, and a mark at the value.

    A faint bar leads there from ``chance``, or from the left end where that is None. ``span`` are
    the ends of the axis, the same in every row and marked in each; what lies beyond it stands at
    its end. Rows that are not ``strong`` are grey.
    """
    low, high = span
    scale = (WIDTH - 8) / ((high - low) or 1.0)

    def at(value: float) -> float:
        return 4 + scale * (min(max(value, low), high) - low)

    line = _bar(at(low), at(high) - at(low), HEIGHT / 2, height=1, fill=palette.grid)
    line += "".join(_line(at(end), 8, HEIGHT - 8, color=palette.muted) for end in span)
    if chance is not None and low <= chance <= high:
        line += _line(at(chance), 2, HEIGHT - 2, color=palette.grid)
    pictures = []
    for (left, value, right), is_strong in zip(intervals, strong, strict=True):
        color = palette.in_color if is_strong else palette.muted
        ends = sorted((at(low if chance is None else chance), at(value)))
        way = _bar(ends[0], ends[1] - ends[0], 9, height=6, fill=faded(color, 0.15))
        start, width = at(left), max(at(right) - at(left), 1.5)
        bar = _bar(start, width, 7, height=10, fill=faded(color, 0.5))
        mark = _line(at(value), 5, HEIGHT - 5, color=color, width=2)
        pictures.append(_uri(line + way + bar + mark))
    return pictures


def _line(x: float, top: float, bottom: float, *, color: str, width: float = 1) -> str:
    return (
        f'<line x1="{x:.2f}" x2="{x:.2f}" y1="{top}" y2="{bottom}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def _bar(x: float, width: float, y: float, *, height: float, fill: str) -> str:
    return f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{height}" fill="{fill}"/>'


def _uri(inside: str) -> str:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">{inside}</svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
