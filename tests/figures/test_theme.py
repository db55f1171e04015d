"""The visual language: contrast, order in lightness, marks that differ, and the app's config."""

from __future__ import annotations

import tomllib
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from hvae_core.data.worlds import World, worlds
from hvae_core.figures.inks import channels, contrast, faded, luminance
from hvae_core.figures.theme import (
    DARK,
    LIGHT,
    Palette,
    base_layout,
    figure_config,
    labelled,
    palette,
)

ROOT = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@BOTH
def test_text_is_readable_on_every_ground(colors: Palette) -> None:
    for text in (colors.text, colors.muted):
        for ground in (colors.background, colors.panel):
            assert contrast(text, ground) >= 4.5
    for text in (colors.in_color, colors.out_family[0]):
        assert contrast(text, colors.background) >= 4.5
    assert contrast("#FFFFFF", colors.primary) >= 4.5


@BOTH
def test_lines_stand_out_from_the_background(colors: Palette) -> None:
    for color in (*colors.categories, colors.collapsed, *colors.out_family):
        assert contrast(color, colors.background) >= 3, color
    for color in colors.layers(10):
        assert contrast(color, colors.background) >= 2, color


@BOTH
@pytest.mark.parametrize("count", [1, 2, 3, 5, 45])
def test_layers_rise_in_lightness(colors: Palette, count: int) -> None:
    lightness = [luminance(color) for color in colors.layers(count)]
    assert len(lightness) == count
    assert all(low < high for low, high in pairwise(lightness))


@BOTH
def test_scales_have_what_they_promise(colors: Palette) -> None:
    assert len(colors.sequential) == len(colors.categories) == 10
    middle = colors.scale("diverging")[5]
    assert middle[0] == 0.5
    assert contrast(middle[1], colors.background) < 1.5
    for name in ("sequential", "heat", "diverging"):
        places = [place for place, _ in colors.scale(name)]
        assert places[0] == 0
        assert places[-1] == 1
        assert places == sorted(places)


def _lab(color: str) -> np.ndarray:
    """CIELAB (D65) of a colour."""
    rgb = np.array(channels(color)) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(to_xyz @ linear / to_xyz.sum(1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@BOTH
@pytest.mark.parametrize("world", list(worlds().values()), ids=list(worlds()))
def test_no_two_sets_of_a_world_look_alike(colors: Palette, world: World) -> None:
    held = world.with_role("out", "control")
    marks = [colors.out_mark(place) for place in range(len(held))]
    for i, j in combinations(range(len(held)), 2):
        apart = np.linalg.norm(_lab(marks[i].color) - _lab(marks[j].color))
        assert apart >= (10 if max(i, j) < 9 else 8), (held[i].title, held[j].title)
        assert marks[i].symbol != marks[j].symbol


@BOTH
def test_out_sets_differ_without_colour_too(colors: Palette) -> None:
    marks = [colors.out_mark(i) for i in range(30)]
    assert len(set(marks)) == 30
    assert len({(m.dash, m.symbol) for m in marks}) == 30
    assert len({m.symbol for m in marks[:17]}) == 17
    assert colors.in_mark.symbol not in {m.symbol for m in marks}


def test_models_are_solid_then_dashed() -> None:
    assert [LIGHT.model_dash(letter) for letter in "AB"] == ["solid", "dash"]


def test_palette_by_name() -> None:
    assert palette("dark") is DARK
    assert palette("light") is palette(None) is LIGHT


def test_base_layout_is_transparent_and_titled() -> None:
    import plotly.graph_objects as go

    fig = base_layout(go.Figure(), DARK, x_title="layer", y_title=labelled("KL", "nats"))
    assert fig.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert fig.layout.template.layout.font.color == DARK.text
    assert fig.layout.yaxis.title.text == "KL (nats)"
    assert labelled("p", "") == "p"
    assert faded("#102030", 0.5) == "rgba(16, 32, 48, 0.5)"


def test_mode_bar_exports_svg_and_sends_nothing() -> None:
    config = figure_config("glyphs-densities")
    assert config["toImageButtonOptions"] == {"format": "svg", "filename": "glyphs-densities"}
    buttons = {button for group in config["modeBarButtons"] for button in group}
    assert buttons == {"toImage", "zoom2d", "resetScale2d"}
    with_lasso = {b for group in figure_config("m", lasso=True)["modeBarButtons"] for b in group}
    assert {"lasso2d", "select2d"} < with_lasso


@BOTH
def test_streamlit_config_speaks_the_same_colours(colors: Palette) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    theme = config["theme"][colors.theme]
    assert theme["backgroundColor"] == colors.background
    assert theme["secondaryBackgroundColor"] == colors.panel
    assert theme["textColor"] == colors.text
    assert theme["primaryColor"] == colors.primary
    assert theme["blueColor"] == colors.in_color
    assert theme["orangeColor"] == colors.out_family[0]
    assert tuple(theme["chartSequentialColors"]) == colors.sequential
    diverging = colors.diverging[:5] + colors.diverging[6:]
    assert tuple(theme["chartDivergingColors"]) == diverging
    categories = (colors.in_color, colors.out_family[0], *colors.categories[:8])
    assert tuple(theme["chartCategoricalColors"]) == categories


def test_streamlit_config_is_safe_to_deploy() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["fileWatcherType"] == "none"
    assert config["server"]["enableXsrfProtection"] is True
    assert config["server"]["address"] == "127.0.0.1"
    assert config["client"]["showErrorDetails"] == "none"
    assert config["runner"]["magicEnabled"] is False  # strings of the code are not shown
