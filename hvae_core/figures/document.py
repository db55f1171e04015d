"""One HTML file with charts: opens offline, in the reader's light or dark theme, loads nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hvae_core.common.places import ASSETS
from hvae_core.figures.theme import DARK, LIGHT, Palette, figure_config


def document(
    template: Path,
    charts: Mapping[str, object],
    themes: Mapping[str, Palette] | None = None,
    **values: Any,
) -> str:
    """The document that a template makes, which extends ``document.html`` beside this file.

    ``charts`` are by the id of the element that each fills, as ``chart_of`` gives them; ``themes``
    are the colours in a light and a dark surrounding; ``values`` are what the template reads. All
    text in it is escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template.name).render(
        charts=charts,
        plotly=get_plotlyjs() if charts else "",
        fonts={400: _font("Regular"), 600: _font("Semibold")},
        themes=themes or {"light": LIGHT, "dark": DARK},
        **values,
    )


def chart_of(name: str, **figures: Any) -> dict[str, object]:
    """A chart for ``document``: a figure as ``light`` and one as ``dark``, or one as ``only``.

    ``name`` is that of the file in which the reader saves it.
    """
    drawn = {theme: json.loads(figure.to_json()) for theme, figure in figures.items()}
    return {**drawn, "config": figure_config(name) | {"responsive": True}}


def data_url(data: bytes, mime: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _font(weight: str) -> str:
    return data_url((ASSETS / "fonts" / f"SourceSans3-{weight}.woff2").read_bytes(), "font/woff2")
