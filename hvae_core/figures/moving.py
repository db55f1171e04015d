"""Charts that change ten times a second, as SVG: a Plotly chart would begin anew each time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from hvae_core.figures.layers import spread
from hvae_core.figures.live import Progress
from hvae_core.figures.theme import FONT, Palette
from hvae_core.figures.turned import drawn, joined, labels

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 96, 12, 40
_DASHES = ("", "7 5", "2 4", "7 4 2 4")
_ELLIPSES, _DOTS = 40, 120
_SWATCH = 8
"""Pixels of the square that says of which line a label is: text in pale colours is not read."""
_LINE = 15.0
"""Pixels from a label to the next below."""
_POINTS = 240
"""Points of a line at most: a narrow chart shows no more."""


def _tick(value: float) -> str:
    return f"{value:.3g}".replace("-", "−") if abs(value) > 1e-12 else "0"


def _end(value: float) -> str:
    """A value at the end of a line, where there is room for few signs."""
    if value and abs(value) < 1e-3:
        return "≈ 0"
    return _tick(value) if not 0 < abs(value) < 0.1 else f"{value:.2g}".replace("-", "−")


def _ticks(low: float, high: float, most: int) -> NDArray[np.float64]:
    """About ``most`` numbers from low to high: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most or 1.0
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(times for times in (1, 2, 5, 10) if times * power >= rough)
    return np.asarray(step * np.arange(np.ceil(low / step), np.floor(high / step + 1e-9) + 1))


def within(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places of labels that keep ``gap``, or what there is room for, between two edges.

    Their order stays, and none moves further than its neighbours and the edges ask for.
    """
    gap = min(gap, (high - low) / max(1, len(places) - 1))
    moved = spread(places, gap)
    order = sorted(range(len(places)), key=places.__getitem__)
    edge = low
    for i in order:  # down from the upper edge, then up from the lower one
        moved[i] = max(moved[i], edge)
        edge = moved[i] + gap
    edge = high
    for i in reversed(order):
        moved[i] = min(moved[i], edge)
        edge = moved[i] - gap
    return moved


End = tuple[float, float, str, str]
"""Where a line ends (x, y), what it is called there, and its colour."""


def _named(ends: Sequence[End], colors: Palette, *, x: float, low: float, high: float) -> list[str]:
    """The names of lines in a column at ``x``, between two edges, each led to by its line."""
    parts = []
    places = within([y for _, y, _, _ in ends], _LINE, low, high)
    for (end, y, name, ink), place in zip(ends, places, strict=True):
        if x - end > _LINE or abs(place - y) > 2:
            parts.append(
                f'<path d="M{end + 1:.1f} {y:.1f}L{x - 2:.1f} {place:.1f}" stroke="{ink}" '
                'stroke-opacity="0.5" fill="none"/>'
            )
        at = x
        if ink != colors.text:
            parts.append(
                f'<rect x="{x:.1f}" y="{place - 4:.1f}" width="{_SWATCH}" height="{_SWATCH}" '
                f'fill="{ink}"/>'
            )
            at += _SWATCH + 4
        parts.append(f'<text x="{at:.1f}" y="{place + 4:.1f}">{escape(name)}</text>')
    return parts


def moving_lines(
    runs: Sequence[Progress],
    colors: Palette,
    *,
    counted: str = "step",
    unit: str = "KL (nats)",
    size: tuple[int, int] = (720, 260),
) -> str:
    """Lines over steps, one a layer, with its latest value at its end; the second run is dashed.

    A dotted line stands where a knob was turned, with what was turned (``turned.drawn``).
    """
    width, height = size
    steps = [np.asarray(run.steps, np.float64) for run in runs]
    tables = [np.asarray(run.kl, np.float64).reshape(-1, len(run.names)) for run in runs]
    many = len(runs) > 1
    right = max([1.0, *(s[-1] for s in steps if len(s))])
    values = np.concatenate([table.ravel() for table in tables]) if tables else np.zeros(1)
    low, high = (float(values.min(initial=0.0)), float(values.max(initial=0.1)))
    if min((float(t.min()) for t in tables if t.size), default=0.0) > 0.5 * high:
        low = float(values.min())
    span = (high - low) or 1.0

    groups = joined(
        [
            (float(_LEFT + turn.step / right * (width - _LEFT - _RIGHT)), f"{run.title}: " * many,
             turn)
            for run in runs
            for turn in run.turns
        ]
    )  # fmt: skip
    named = labels(groups, _LEFT)
    # The lines begin below the labels, which else would lie on the highest of them.
    top = _TOP + 15 * max((1 + row for *_, row in named), default=0)

    def at_x(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(_LEFT + x / right * (width - _LEFT - _RIGHT))

    def at_y(y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(height - _BOTTOM - (y - low) / span * (height - top - _BOTTOM))

    parts: list[str] = []
    ends: list[End] = []
    for value in _ticks(low, high, 4):
        y = float(at_y(np.array(value)))
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{width - _RIGHT}" stroke="{colors.grid}"/>')
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>'
        )
    for value in _ticks(0, right, 5):
        x = float(at_x(np.array(value)))
        parts.append(f'<text x="{x:.1f}" y="{height - 22}" text-anchor="middle">{value:.0f}</text>')
    for index, (run, s, table) in enumerate(zip(runs, steps, tables, strict=True)):
        inks = colors.layers(len(run.names)) if len(run.names) > 1 else (colors.text,)
        for i, ink in enumerate(inks):
            points = np.stack([at_x(s), at_y(table[:, i])], 1)
            thin = max(1, len(points) // _POINTS)
            points = np.concatenate([points[:-1:thin], points[-1:]])
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            dash = f' stroke-dasharray="{_DASHES[index % 4]}"' if index else ""
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="2"{dash}/>'
            )
            if len(points):
                name = run.names[i] + (f" {run.title}" if many else "")
                name += f" {_end(float(table[-1, i]))}"
                ends.append((float(points[-1, 0]), float(points[-1, 1]), name, ink))
    parts += drawn(groups, named, colors, top=_TOP, bottom=height - _BOTTOM)
    # In a column right of the plot, off its lower edge: below stand the ticks.
    parts += _named(
        ends, colors, x=width - _RIGHT + 10, low=_TOP, high=height - _BOTTOM - _LINE / 3
    )
    parts.append(
        f'<text x="{(width + _LEFT) / 2:.0f}" y="{height - 4}" text-anchor="middle">'
        f"{escape(counted)}</text>"
        f'<text x="14" y="{height / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {height / 2:.0f})">{escape(unit)}</text>'
    )
    return _svg(parts, size, colors)


def moving_posteriors(
    means: NDArray[np.float32],
    stds: NDArray[np.float32],
    draws: NDArray[np.float32],
    colors: Palette,
    *,
    names: Sequence[str],
    side: int = 210,
    holes: NDArray[np.bool_] | None = None,
) -> tuple[str, ...]:
    """A picture a layer of two units: q(z | x) as ellipses of one std over draws of p(z).

    ``means`` and ``stds`` are (L, N, 2), ``draws`` (L, M, 2). Where the ellipses lie on one another
    and on the grey dots, the layer says nothing of the image. All layers have the same scale.
    ``holes`` (M,) says which draws of the last layer are orange.
    """
    reach = 1.1 * max(3.0, float(np.abs(draws).max()), float((np.abs(means) + stds).max()))
    scale, pictures = side / (2 * reach), []
    for i, ink in enumerate(colors.layers(len(names))):
        x0, y0 = side / 2, 24 + side / 2
        within = np.zeros(len(draws[i]), bool)
        if holes is not None and len(holes) and i == len(names) - 1:
            within = holes
        parts = [f'<text x="{x0:.0f}" y="16" text-anchor="middle">{escape(names[i])}</text>']
        for points, dot, opacity in (
            (draws[i, :_DOTS][~within[:_DOTS]], colors.muted, 0.5),
            (draws[i, :_DOTS][within[:_DOTS]], colors.out_mark(0).color, 0.9),
        ):
            if not len(points):
                continue
            dots = "".join(f"M{x0 + scale * x:.0f} {y0 - scale * y:.0f}h0" for x, y in points)
            parts.append(
                f'<path d="{dots}" stroke="{dot}" stroke-width="3" stroke-opacity="{opacity}" '
                'stroke-linecap="round"/>'
            )
        parts += [
            f'<ellipse cx="{x0 + scale * m[0]:.1f}" cy="{y0 - scale * m[1]:.1f}" '
            f'rx="{scale * s[0]:.1f}" ry="{scale * s[1]:.1f}" fill="none" stroke="{ink}"/>'
            for m, s in zip(means[i, :_ELLIPSES], stds[i, :_ELLIPSES], strict=True)
        ]
        pictures.append(_svg(parts, (side, side + 30), colors))
    return tuple(pictures)


def moving_marks(
    values: NDArray[np.float64], own: float, colors: Palette, *, size: tuple[int, int] = (300, 44)
) -> str:
    """The scores of many images (N,) as a row of blue marks, and one image's as an orange one."""
    width, height = size
    low = float(min(values.min(), own))
    span = (float(max(values.max(), own)) - low) or 1.0

    def at(value: float) -> str:
        return f"{8 + (value - low) / span * (width - 16):.1f}"

    rows = "".join(f"M{at(float(value))} 6v{height - 26}" for value in values)
    ink = colors.out_mark(0).color
    parts = [
        f'<path d="{rows}" stroke="{colors.in_color}" stroke-opacity="0.45"/>',
        f'<path d="M{at(own)} 2v{height - 18}" stroke="{ink}" stroke-width="4"/>',
        f'<text x="8" y="{height - 4}">{_tick(low)}</text>',
        f'<text x="{width - 8}" y="{height - 4}" text-anchor="end">{_tick(low + span)}</text>',
    ]
    return _svg(parts, size, colors)


def _svg(parts: Sequence[str], size: tuple[int, int], colors: Palette) -> str:
    width, height = size
    font = escape(FONT, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{font}" font-size="13" '
        f'fill="{colors.text}">{"".join(parts)}</svg>'
    )
