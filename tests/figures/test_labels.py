"""Every label of a chart can be read in both themes: text has a contrast of 4.5 on its ground."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest

from hvae_core.figures import (
    DARK,
    LIGHT,
    Palette,
    Progress,
    Turn,
    bits_by_k,
    densities,
    kl_bars,
    kl_history,
    layer_band,
    moving_lines,
    moving_marks,
    moving_posteriors,
    reference_density,
    unit_curves,
    unit_heatmap,
    units_by_sigma,
)
from hvae_core.figures.inks import contrast
from hvae_core.figures.theme import SWATCH

DEEP = [f"z{i}" for i in range(1, 9)]
KL = np.tile(np.geomspace(20, 0.01, 8), (3, 1))
UNITS = np.zeros((8, 5, 2), np.float32)
SCORES = np.random.default_rng(0).normal(size=60)
CHARTS: list[Callable[[Palette], go.Figure | str | tuple[str, ...]]] = [
    lambda colors: kl_history([("A", [1, 2, 3], KL), ("B", [1, 2, 3], KL)], colors),
    lambda colors: kl_bars([("A", KL[0], [2] * 8)], colors, names=[DEEP]),
    lambda colors: bits_by_k([("A", [0.4, 0.5], [0.1, 0.3])], colors),
    lambda colors: layer_band(np.abs(KL), KL[0], colors),
    lambda colors: unit_heatmap([np.full(4, 0.5)] * 3, colors),
    lambda colors: unit_curves(
        [("A", [[0.5, 1.0]] * 3)], [0.1, 0.2], colors, names=[DEEP[:3]], x_title="x", y_title="y"
    ),
    lambda colors: units_by_sigma([0.5, 0.2, 0.1], [0.3, 0.1], 0.2, colors),
    lambda colors: densities(
        SCORES, [("out", SCORES + 1)], colors, symbol="s", threshold=1, marks=[("this", 0.5)]
    ),
    lambda colors: reference_density(SCORES, 1.0, 0.1, colors=colors, symbol="s"),
    lambda colors: moving_lines(
        [Progress(run, [0, 1, 2], KL, DEEP, [Turn(1, "beta", "2")]) for run in "AB"], colors
    ),
    lambda colors: moving_posteriors(UNITS, UNITS + 1, UNITS, colors, names=DEEP),
    lambda colors: moving_marks(SCORES.astype(np.float64), 0.5, colors),
]


def inks(chart: go.Figure | str | tuple[str, ...], colors: Palette) -> Iterator[tuple[str, str]]:
    """Each text of a chart with its colour; the squares before labels are no text."""
    if isinstance(chart, go.Figure):
        whole = chart.to_plotly_json()
        layout = whole["layout"]
        yield "font", colors.text
        yield from _fonts([whole["data"], layout])
        for note in layout.get("annotations", ()):
            for ink, text in re.findall(r'<span style="color:(#\w+)">(.*?)</span>', note["text"]):
                if text != SWATCH:
                    yield text, ink
        return
    for picture in [chart] if isinstance(chart, str) else chart:
        svg = ElementTree.fromstring(picture)
        for text in svg.iter("{http://www.w3.org/2000/svg}text"):
            yield str(text.text), text.attrib.get("fill", svg.attrib["fill"])


def _fonts(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, list | tuple):
        for one in part:
            yield from _fonts(one)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name.endswith("font") and isinstance(value, dict) and "color" in value:
                yield str(part.get("text", name)), value["color"]
            yield from _fonts(value)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_every_label_can_be_read(colors: Palette) -> None:
    for number, make in enumerate(CHARTS):
        found = list(inks(make(colors), colors))
        assert found, number
        for text, ink in found:
            for ground in (colors.background, *([colors.panel] if ink == colors.text else [])):
                assert contrast(ink, ground) >= 4.5, (number, text, ink)
