"""The visual language: contrast, order in lightness, marks that differ, and the app's config."""

from __future__ import annotations

import tomllib
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hvae_core.common.arrays import Floats
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


EYES: dict[str, npt.ArrayLike] = {
    "all colours": np.eye(3),
    "no red, Machado": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green, Machado": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no red, Vienot": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "no green, Vienot": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}  # fmt: skip
"""What such eyes make of linear RGB: Machado et al. 2009 (severity 1), Viénot et al. 1999."""


def _lab(colors: tuple[str, ...], eyes: npt.ArrayLike) -> Floats:
    """CIELAB (D65) of colours (N, 3), as eyes see them."""
    rgb = np.array([channels(color) for color in colors]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(eyes), 0, 1)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    )  # fmt: skip
    part = seen @ (to_xyz / to_xyz.sum(1, keepdims=True)).T
    x, y, z = np.where(part > 216 / 24389, np.cbrt(part), (24389 / 27 * part + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def _ciede2000(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """The distance of colours in CIELAB (N, 3), pair by pair (Sharma et al. 2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.transpose(first), np.transpose(second)

    def pull(chroma: Floats) -> Floats:
        return np.asarray(np.sqrt(chroma**7 / (chroma**7 + 25.0**7)))

    more = 1.5 - pull((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) / 2
    c1, c2 = np.hypot(more * a1, b1), np.hypot(more * a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, more * a)) for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180
    h, c, light = (h1 + turn / 2) % 360, (c1 + c2) / 2, ((l1 + l2) / 2 - 50) ** 2
    t = 1 + sum(
        weight * np.cos(np.radians(times * h - by))
        for weight, times, by in ((-0.17, 1, 30), (0.24, 2, 0), (0.32, 3, -6), (-0.2, 4, 63))
    )
    d_l = (l2 - l1) / (1 + 0.015 * light / np.sqrt(20 + light))
    d_c = (c2 - c1) / (1 + 0.045 * c)
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * c * t)
    skew = 2 * pull(c) * np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2))))
    return np.asarray(np.sqrt(d_l**2 + d_c**2 + d_h**2 - skew * d_c * d_h))


def test_the_distance_of_colours_is_that_of_its_paper() -> None:
    first = [
        (50, 2.6772, -79.7751),
        (50, -1, 2),
        (2.0776, 0.0795, -1.135),
        (60.2574, -34.0099, 36.2677),
    ]
    second = [
        (50, 0, -82.7485),
        (50, 0, 0),
        (0.9033, -0.0636, -0.5514),
        (60.4626, -34.1751, 39.4387),
    ]
    np.testing.assert_allclose(
        _ciede2000(first, second), [2.0425, 2.3669, 0.9082, 1.2644], atol=1e-4
    )


@pytest.mark.parametrize(
    ("colors", "nine", "nine_of_all", "every"),
    [(LIGHT, 6.6, 8.7, 3.8), (DARK, 7.4, 9.3, 4.5)],
    ids=["light", "dark"],
)
def test_shades_differ_by_what_the_palette_says(
    colors: Palette, nine: float, nine_of_all: float, every: float
) -> None:
    i, j = np.array([*combinations(range(17), 2)]).T
    apart = {}
    for eyes, matrix in EYES.items():
        lab = _lab(colors.out_family, matrix)
        apart[eyes] = _ciede2000(lab[i], lab[j])
    least = {eyes: distances[j < 9].min() for eyes, distances in apart.items()}
    assert least["all colours"] == pytest.approx(nine_of_all, abs=0.1)
    assert min(least.values()) == pytest.approx(nine, abs=0.1)
    assert min(map(np.min, apart.values())) == pytest.approx(every, abs=0.1)
    dashed_alike = _lab(colors.out_family, EYES["all colours"])
    assert np.linalg.norm(dashed_alike[6:] - dashed_alike[:-6], axis=1).min() > 10.95
    text = (ROOT / "hvae_core" / "figures" / "palettes.toml").read_text("utf-8")
    said = text.partition("[light]")[0]
    assert all(str(number) in said for number in (nine, nine_of_all, every))


@BOTH
@pytest.mark.parametrize("world", list(worlds().values()), ids=list(worlds()))
def test_no_two_sets_of_a_world_share_colour_or_marker(colors: Palette, world: World) -> None:
    held = world.with_role("out", "control")
    marks = [colors.out_mark(place) for place in range(len(held))]
    assert len({mark.color for mark in marks}) == len({mark.symbol for mark in marks}) == len(held)


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
