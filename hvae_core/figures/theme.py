"""One visual language for every chart: colours, lines, markers and the base layout.

In-distribution is blue, out-of-distribution the orange family, a shade a set, with a dash and a
marker of its own, layers are viridis without its ends from z_1 (dark) to z_L (light), a collapsed
layer is hatched grey. Where models share a chart, model A is solid and model B dashed; where a dash
says which set a line is of, each model has a chart of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from hvae_core.common.words import LETTERS
from hvae_core.figures.inks import hex_color

Theme = Literal["light", "dark"]
FONT = "'Source Sans', 'Source Sans 3', 'Source Sans Pro', 'Segoe UI', sans-serif"

DASHES = ("solid", "dot", "dashdot", "longdash", "longdashdot", "2px,5px")
SYMBOLS = (
    "diamond", "square", "triangle-up", "x", "cross", "triangle-down", "star", "triangle-left",
    "triangle-right", "hourglass", "bowtie", "star-triangle-up", "star-square", "diamond-tall",
    "diamond-wide", "hexagram", "pentagon",
)  # fmt: skip
"""One for each of so many sets, told apart at 7 pixels; those that look like others stand last."""
MODEL_DASHES = ("solid", "dash", "dot", "dashdot")
DRAWN = dict(zip(LETTERS, ("solid", "dashed", "dotted", "dash and dot"), strict=True))
"""The same in words, by a model's letter."""
SWATCH = "\N{BLACK SQUARE}"
HEIGHT = 360
"""Pixels of a chart that says nothing else."""


@dataclass(frozen=True)
class Mark:
    """How one image set is drawn: colour, line dash and marker symbol."""

    color: str
    dash: str
    symbol: str


@dataclass(frozen=True)
class Palette:
    """The colours of one theme; every figure takes one and names no colour of its own."""

    theme: Theme
    background: str
    panel: str
    text: str
    muted: str
    grid: str
    primary: str
    in_color: str
    out_family: tuple[str, ...]
    collapsed: str
    layer_ends: tuple[float, float]
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def in_mark(self) -> Mark:
        """The in-distribution set."""
        return Mark(self.in_color, "solid", "circle")

    def out_mark(self, index: int) -> Mark:
        """The out-of-distribution set with this place in its list: shade and marker are its own."""
        family = self.out_family
        return Mark(
            family[index % len(family)],
            DASHES[index % len(DASHES)],
            SYMBOLS[index % len(SYMBOLS)],
        )

    def mark(self, place: int | None) -> Mark:
        """The set with this place among the out-of-distribution ones; None is inside."""
        return self.in_mark if place is None else self.out_mark(place)

    def layers(self, count: int) -> tuple[str, ...]:
        """Colours of z_1 ... z_L as hex, dark to light."""
        return _between(*self.layer_ends, count)

    def category(self, index: int) -> str:
        """Colour of a class; classes beyond the tenth take colours again from the start."""
        return self.categories[index % len(self.categories)]

    def scale(self, name: Literal["sequential", "heat", "diverging"]) -> list[list[Any]]:
        """A Plotly colour scale; ``heat`` begins near the background, for filled cells."""
        heat = (self.panel, *self.sequential)
        stops = {"sequential": self.sequential, "heat": heat, "diverging": self.diverging}[name]
        return [[i / (len(stops) - 1), color] for i, color in enumerate(stops)]

    def model_dash(self, letter: str) -> str:
        """Line of model A (solid), B (dashed), C (dotted) and D."""
        return MODEL_DASHES[LETTERS.index(letter)]


@cache
def _between(low: float, high: float, count: int) -> tuple[str, ...]:
    """So many colours of Viridis; kept, as plotly looks through all of its scales each time."""
    places = [low + (high - low) * i / max(count - 1, 1) for i in range(count)]
    return tuple(hex_color(color) for color in sample_colorscale("Viridis", places))


def _palette(theme: Theme, table: dict[str, Any]) -> Palette:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return Palette(theme=theme, **fields)


_TABLES = tomllib.loads(Path(__file__).with_name("palettes.toml").read_text("utf-8"))
LIGHT, DARK = _palette("light", _TABLES["light"]), _palette("dark", _TABLES["dark"])


def palette(theme: str | None) -> Palette:
    """The palette of a theme by name; anything but ``dark`` is light."""
    return DARK if theme == "dark" else LIGHT


def swatched(text: str, color: str) -> str:
    """A label of a chart in the colour of text, behind a square in that of what it names.

    Text in the colour of a layer would not be read: the scale runs from dark to light.
    """
    return f'<span style="color:{color}">{SWATCH}</span> {text}'


def layer_label(name: str) -> str:
    """A layer's name for charts: its number below, the part of a pair above."""
    match = re.fullmatch(r"z(\d+)(bu|td)?", name)
    if match is None:
        return escape(name)
    number, part = match.groups()
    return f"z<sub>{number}</sub>" + (f"<sup>{part.upper()}</sup>" if part else "")


def _axis(colors: Palette) -> dict[str, Any]:
    return {
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": colors.muted,
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": colors.muted,
        "tickfont": {"size": 13},
        "title": {"font": {"size": 14}, "standoff": 8},
        "automargin": True,
    }


@lru_cache(maxsize=2)
def _template(theme: Theme) -> go.layout.Template:
    colors = palette(theme)
    axis = _axis(colors)
    grid = {"showgrid": True, "gridcolor": colors.grid, "showline": False, "ticks": ""}
    layout = go.Layout(
        font={"family": FONT, "size": 14, "color": colors.text},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis=axis,
        yaxis=axis | grid,
        margin={"l": 8, "r": 12, "t": 30, "b": 8},  # above: room for the mode bar
        legend={
            "orientation": "h",
            # Below the plot, where no mode bar lies over it and a narrow screen has room for rows.
            "x": 0,
            "y": 0,
            "yref": "container",
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": 13},
            "bgcolor": "rgba(0,0,0,0)",
            "itemsizing": "trace",
            "tracegroupgap": 0,  # a group is one name: a line and its marker
        },
        hoverlabel={
            "bgcolor": colors.panel,
            "bordercolor": colors.grid,
            "font": {"family": FONT, "size": 13, "color": colors.text},
            "align": "left",
        },
        modebar={
            "bgcolor": "rgba(0,0,0,0)",
            "color": colors.muted,
            "activecolor": colors.text,
        },
        colorway=colors.categories,
        transition={"duration": 0},
    )
    return go.layout.Template(layout=layout)


def base_layout(
    fig: go.Figure,
    colors: Palette,
    *,
    x_title: str,
    y_title: str,
    height: int = HEIGHT,
    legend: bool = True,
    x_axis: Mapping[str, Any] = MappingProxyType({}),
    y_axis: Mapping[str, Any] = MappingProxyType({}),
    more: Mapping[str, Any] = MappingProxyType({}),
) -> go.Figure:
    """Give a figure the house's look; axis titles carry their units in parentheses.

    ``x_axis``, ``y_axis`` and ``more`` are what else the layout has: one call is quicker than four.
    """
    fig.update_layout(
        template=_template(colors.theme),
        height=height,
        showlegend=legend,
        xaxis={"title": {"text": x_title}, **x_axis},
        yaxis={"title": {"text": y_title}, **y_axis},
        **more,
    )
    return fig


def faded_marks(colors: Palette) -> dict[str, Any]:
    """Points of a trace that are not selected: grey and faint.

    A faint colour would be as strong as ever where many points lie on each other.
    """
    return {"marker": {"color": colors.collapsed, "opacity": 0.12}}


def larger(figure: go.Figure, factor: float = 1.3, *, taller: bool = True) -> go.Figure:
    """A copy to be read from afar: its type, and if ``taller`` its height, grow by ``factor``."""
    grown = go.Figure(figure)
    size, small = round(14 * factor), round(13 * factor)
    grown.update_layout(
        font_size=size,
        legend_font_size=small,
        hoverlabel_font_size=small,
        height=round((grown.layout.height or HEIGHT) * (factor if taller else 1)),
    )
    grown.update_xaxes(tickfont_size=small, title_font_size=size)
    grown.update_yaxes(tickfont_size=small, title_font_size=size)
    grown.update_annotations(font_size=small)
    return grown


def figure_config(filename: str, *, lasso: bool = False, box: bool = False) -> dict[str, Any]:
    """Plotly's config: a short mode bar, SVG export under this name, and nothing sent anywhere."""
    taking = [*(["lasso2d"] if lasso else []), *(["select2d"] if lasso or box else [])]
    select = [*taking, "pan2d"] if taking else []
    return {
        "displaylogo": False,
        # Listed one by one: the default bar also offers to upload the chart to a web service.
        "modeBarButtons": [["toImage"], [*select, "zoom2d", "resetScale2d"]],
        "toImageButtonOptions": {"format": "svg", "filename": filename},
    }


def labelled(name: str, unit: str) -> str:
    """An axis title: ``name (unit)``, or the name alone where there is no unit."""
    return f"{name} ({unit})" if unit else name
