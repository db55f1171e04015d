"""A map of latent codes in the plane, coloured by class, set or score; made for the lasso."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from hvae_core.common.words import fmt
from hvae_core.figures.theme import Mark, Palette, base_layout, faded_marks, labelled
from hvae_core.figures.traces import BESIDE, color_bar

WEBGL_ABOVE = 1000
SMALL_ABOVE = 4000
"""Points from which they are so small that markers are hard to tell apart."""


@dataclass(frozen=True, eq=False)
class MapData:
    """The points of a map: everything per image, in the same order.

    coords (N, 2); ids (N,) what a selection gives back; sets (N,) codes into ``set_names``, the
    first of which is in-distribution; hover (N,) one line a point, or nothing. ``places`` are those
    of the sets in the palette, None for the one inside, so that each keeps its marker where others
    are left out.
    """

    coords: NDArray[np.floating[Any]]
    ids: NDArray[np.integer[Any]]
    sets: NDArray[np.integer[Any]]
    set_names: Sequence[str]
    hover: Sequence[str] | None = None
    places: Sequence[int | None] | None = None

    def mark(self, code: int, colors: Palette) -> Mark:
        """How the set of a code is drawn."""
        places = (None, *range(len(self.set_names))) if self.places is None else self.places
        return colors.mark(places[code])


def image_lines(
    titles: Sequence[str],
    sets: ArrayLike,
    numbers: ArrayLike,
    *,
    classes: Sequence[str],
    files: Sequence[str],
    value_name: str = "",
    values: ArrayLike | None = None,
) -> list[str]:
    """What is said of each point under the cursor: its set and number, class, file and score.

    Titles, classes and files are plain text; ``value_name`` is HTML, its values are in nats.
    """
    lines = []
    for row, (code, number) in enumerate(zip(np.asarray(sets), np.asarray(numbers), strict=True)):
        said = [f"{escape(titles[code])} {number}"]
        said += [f"class {escape(classes[row])}"] if classes[row] else []
        said += [escape(files[row])] if files[row] else []
        if values is not None:
            said.append(f"{value_name} {fmt(float(np.asarray(values)[row]), 'nats')}")
        lines.append("<br>".join(said))
    return lines


def class_codes(classes: Sequence[str], of: ArrayLike) -> tuple[NDArray[np.int64], list[str]]:
    """Codes (N,) of the classes of those points that ``of`` (N,) picks, -1 elsewhere; the names."""
    mine = [name if one else "" for name, one in zip(classes, np.asarray(of), strict=True)]
    names = sorted(set(mine) - {""})
    return np.array([names.index(name) if name else -1 for name in mine]), names


def latent_map(
    data: MapData,
    values: ArrayLike | None,
    colors: Palette,
    *,
    color_by: Literal["class", "set", "score"],
    class_names: Sequence[str] = (),
    value_name: str = "score",
    unit: str = "",
    axes: tuple[str, str] = ("component 1", "component 2"),
    height: int = 620,
    webgl: bool = True,
) -> go.Figure:
    """Points coloured by class (``values`` are codes into ``class_names``, -1 for none), by set
    (``values`` unused) or by a score (``values`` are numbers); each set has its marker.

    Many points are drawn by WebGL, unless that is off, as for a browser without.
    A point's ``customdata`` is its id. Selected points keep their colour, the others fade.
    """
    codes = np.asarray(values if values is not None else data.sets)
    fig = go.Figure()
    if color_by == "score":
        title = labelled(value_name, unit)
        scores = np.asarray(codes, dtype=np.float32)
        style = _score_style(scores, title, colors)
        hover = f"{value_name} %{{marker.color:.3r}} {unit}".rstrip()
        picks = np.arange(len(data.ids))
        fig.add_trace(_points(data, picks, colors, style=style, name="", hover=hover, webgl=webgl))
    else:
        groups = _sets(data, colors) if color_by == "set" else _classes(codes, class_names, colors)
        for name, picks, style in groups:
            fig.add_trace(
                _points(data, picks, colors, style=style, name=name, hover=name, webgl=webgl)
            )
            fig.add_trace(_legend_entry(name, style["color"], style.get("symbol", "circle")))
    if color_by != "set" and len(data.set_names) > 1:
        _add_set_legend(fig, data, colors)
    base_layout(fig, colors, x_title=axes[0], y_title=axes[1], height=height)
    fig.update_xaxes(showticklabels=False, ticks="")
    fig.update_yaxes(showticklabels=False, showgrid=False, showline=True, linecolor=colors.muted)
    fig.update_layout(dragmode="lasso", hovermode="closest", uirevision="map")
    # Many classes: a column beside the map, clear of the mode bar above it.
    if color_by == "class":
        fig.update_layout(legend=BESIDE, margin_t=34)
    fig.update_layout(newselection_line={"color": colors.text, "width": 1.5, "dash": "dot"})
    return fig


def _points(
    data: MapData,
    picks: NDArray[np.intp],
    colors: Palette,
    *,
    style: dict[str, Any],
    name: str,
    hover: str,
    webgl: bool,
) -> go.Scatter | go.Scattergl:
    """One trace of points; WebGL where the whole map is large."""
    kind = go.Scattergl if webgl and len(data.ids) > WEBGL_ABOVE else go.Scatter
    size = 7 if len(data.ids) <= SMALL_ABOVE else 5
    edge = {"width": 0.4, "color": colors.background}  # tells overlapping points apart
    texts = data.hover
    marks = [data.mark(int(code), colors).symbol for code in data.sets[picks]]
    return kind(
        x=data.coords[picks, 0].astype(np.float32),
        y=data.coords[picks, 1].astype(np.float32),
        customdata=data.ids[picks].astype(np.int32),
        text=[texts[i] for i in picks] if texts is not None else None,
        mode="markers",
        name=name,
        legendgroup=name,
        showlegend=False,
        marker={"size": size, "opacity": 0.85, "symbol": marks, "line": edge} | style,
        selected={"marker": {"opacity": 1, "size": size + 2}},
        unselected=faded_marks(colors),
        hovertemplate=(f"%{{text}}<br>{hover}" if texts is not None else hover)
        + "<extra>image %{customdata}</extra>",
    )


def _sets(data: MapData, colors: Palette) -> Iterator[tuple[str, NDArray[np.intp], dict[str, Any]]]:
    for code, name in enumerate(data.set_names):
        picks = np.flatnonzero(data.sets == code)
        if picks.size:
            mark = data.mark(code, colors)
            yield name, picks, {"color": mark.color, "symbol": mark.symbol}


def _classes(
    codes: NDArray[Any], names: Sequence[str], colors: Palette
) -> Iterator[tuple[str, NDArray[np.intp], dict[str, Any]]]:
    for code in np.unique(codes):
        known = 0 <= code < len(names)
        color = colors.category(int(code)) if known else colors.collapsed
        yield (
            names[int(code)] if known else "no class",
            np.flatnonzero(codes == code),
            {"color": color},
        )


def _score_style(values: NDArray[np.float32], title: str, colors: Palette) -> dict[str, Any]:
    """Colour by value, the scale ending at the 1st and 99th percentile so that no image rules."""
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    return {
        "color": values,
        "cmin": float(low),
        "cmax": float(high),
        "colorscale": colors.scale("sequential"),
        "colorbar": color_bar(title),
        "showscale": True,
    }


def _add_set_legend(fig: go.Figure, data: MapData, colors: Palette) -> None:
    """Grey markers: which symbol is which set, where colour says something else."""
    for code, name in enumerate(data.set_names):
        fig.add_trace(_legend_entry(name, colors.muted, data.mark(code, colors).symbol))


def _legend_entry(name: str, color: str, symbol: str) -> go.Scatter:
    """A legend marker of its own; that of the points would show its first point's symbol."""
    marker = {"color": color, "symbol": symbol, "size": 9}
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        name=name,
        legendgroup=name,
        marker=marker,
        hoverinfo="skip",
    )
