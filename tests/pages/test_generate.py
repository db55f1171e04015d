"""The page of generation: every view and control, the claims, and every lack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pages.generate.views import (
    active_first,
    kept_share,
    path_claim,
    picture_claim,
    prior_claim,
    redraw_claim,
    traversal_claim,
    upwards,
)
from tests.pages.conftest import Start, alive, run_codes


def test_prior_samples_are_the_first_view(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = alive(start("generate"))
    assert app.title[0].value.startswith("36 pictures drawn by this model, ")
    assert "as varied as the test images" in app.title[0].value
    assert len(app.image) == 1
    assert run_codes(app, monkeypatch) == ["prior-A"]
    app.slider("g_temp").set_value(0.0)
    assert alive(app.run()).title[0].value == "At temperature 0 every sample is the same picture"


def test_a_temperature_of_its_own_for_each_level(start: Start) -> None:
    app = alive(start("generate", g_each="true"))
    assert {slider.key for slider in app.slider} == {"g_temp_z1", "g_temp_z2", "g_temp_z3"}
    app.slider("g_temp_z3").set_value(0.0)
    assert alive(app.run()).title[0].value.endswith(", with z3 at the mean")


def test_redraw_makes_another_picture(start: Start) -> None:
    app = alive(start("generate"))
    before = app.image[0].proto
    next(button for button in app.button if button.label == "Redraw").click()
    after = alive(app.run()).image[0].proto
    assert app.number_input("g_draw").value == 1
    assert before != after


@pytest.mark.parametrize(
    ("view", "claim"),
    [
        ("Redrawn", "z3 alone removes"),
        ("Interpolation", "z3 alone makes"),
        ("Traversal", "of z3"),
    ],
)
def test_every_view_says_and_shows_something(
    start: Start, view: str, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(start("generate", g_view=view))
    assert claim in app.title[0].value
    assert len(app.image) == 1
    assert len(run_codes(app, monkeypatch)) == 1
    app.radio("g_view").set_value("Prior samples")
    assert "pictures" in alive(app.run()).title[0].value


def test_two_models_are_drawn_one_below_the_other(start: Start) -> None:
    for view in ("Prior samples", "Redrawn", "Interpolation", "Traversal"):
        app = alive(start("generate", g_view=view, b_glyphs="glyphs-hvae3-informative"))
        assert len(app.image) == 2
        assert any(text.value.startswith("**B**") for text in app.markdown)


def test_other_images_and_layers(start: Start) -> None:
    app = alive(start("generate", g_view="Traversal"))
    for layer in ("z1", "z2"):
        app.select_slider("g_layer").set_value(layer)
        assert layer in alive(app.run()).title[0].value
    app.selectbox("g_a_set").set_value("digits")
    app.number_input("g_a_number").set_value(3)
    alive(app.run())
    assert any("The most active units of" in text.value for text in app.caption)


def test_one_image_has_no_way_to_itself(start: Start) -> None:
    app = alive(start("generate", g_view="Interpolation", g_b_number="0"))
    assert any("two different ones" in text.value for text in app.info)
    assert not app.image


def test_a_number_out_of_range_falls_back(start: Start) -> None:
    app = alive(start("generate", g_view="Redrawn", g_a_number="900"))
    assert app.number_input("g_a_number").value == 0
    assert len(app.image) == 1


def test_without_images_the_prior_is_still_there(start: Start) -> None:
    app = alive(start("generate", world="FashionMNIST"))
    assert app.title[0].value == "36 pictures drawn by this model"
    assert len(app.image) == 1
    app = alive(start("generate", world="FashionMNIST", g_view="Redrawn"))
    assert app.title[0].value == "Nothing to draw yet"
    assert [one.icon for one in app.warning] == [":material/image_not_supported:"], app.warning


class Three:
    level_names = ("z1", "z2", "z3")
    n_levels = 3
    layers = (("z1", (4,), 4), ("z2", (2,), 2), ("z3", (1,), 1))


def spread(scale: float) -> np.ndarray:
    """Eight pictures whose pixels have a variance of scale^2."""
    signs = np.tile([1.0, -1.0], 4)[:, None, None, None] * np.sqrt(7 / 8)
    return 0.5 + scale * np.broadcast_to(signs, (8, 1, 2, 2))


def test_shares_are_those_of_the_variance() -> None:
    one = np.zeros((1, 1, 2, 2))
    found = [(one, spread(0.1)), (one, spread(0.2)), (one, spread(0.4))]
    shares = kept_share(found)
    np.testing.assert_allclose(shares, [1 - 1 / 16, 1 - 1 / 4])
    handle: Any = Three()
    assert redraw_claim(handle, shares) == (
        "Keeping z3 alone removes 75 % of the differences between samples; "
        "keeping z2 and up removes 94 %"
    )
    assert kept_share([(one, one), (one, one)]) == [0.0]


def test_claims_count_what_is_seen() -> None:
    handle: Any = Three()
    data = (spread(0.4) * 255).astype(np.uint8)
    assert prior_claim(handle, spread(0.2), [1, 1, 1], data=data) == (
        "8 pictures drawn by this model, 25 % as varied as the test images"
    )
    assert prior_claim(handle, spread(0.2), [0, 1, 1], data=None).endswith(
        "drawn by this model, with z1 at the mean"
    )
    way = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((5, 1, 2, 2))
    sideways = way * np.array([[1.0, -1.0], [1.0, -1.0]])
    assert path_claim(handle, [way, way, way / 4]).startswith("z3 alone makes 25 %")
    assert path_claim(handle, [way, way, sideways]).startswith("z3 alone makes 0 %")
    still = np.zeros((5, 1, 2, 2))
    assert traversal_claim(handle, 2, [still, still]).startswith("No unit of z2")
    assert traversal_claim(handle, 2, [way, still]).startswith("1 of 2 units of z2 changes")
    assert traversal_claim(handle, 2, [way, way / 2]).startswith("All 2 units of z2 shown change")
    assert "up to 100 %" in traversal_claim(handle, 3, [way])


def test_the_top_level_has_nothing_above() -> None:
    assert upwards(("14x14", "7x7", "u")) == ["14x14 and up", "7x7 and up", "u"]
    assert upwards(()) == []


def test_a_picture_decides_what_its_rows_share() -> None:
    rows = np.concatenate([spread(0.3)[:2], spread(0.3)[:2]])[:, None].repeat(4, 1)
    still: Any = SimpleNamespace(draws=rows)
    assert picture_claim(still, "u") == "u decides 100 % of how these samples vary"
    moved: Any = SimpleNamespace(draws=rows.swapaxes(0, 1))
    assert picture_claim(moved, "u").startswith("u decides 0 %")


def test_most_active_units_come_first() -> None:
    assert active_first(np.array([0.1, 3.0, 0.2]), 3) == ([1, 2, 0], True)
    assert active_first(None, 3) == ([0, 1, 2], False)
    assert active_first(np.arange(100.0), 100)[0] == [99, 98, 97, 96, 95, 94, 93, 92]


@pytest.mark.parametrize("view", ["Redrawn", "Traversal"])
def test_another_image_or_model_is_another_picture(start: Start, view: str) -> None:
    app = alive(start("generate", g_view=view, b_glyphs="glyphs-hvae3-informative"))
    a, b = (image.proto for image in app.image)
    assert a != b
    app.number_input("g_a_number").set_value(7)
    assert alive(app.run()).image[0].proto != a
    app.number_input("g_a_number").set_value(0)
    assert alive(app.run()).image[0].proto == a
