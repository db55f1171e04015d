"""The page of reconstructions: rows from everywhere, controls, the claim, and every lack."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from hvae_core.probes.picture_quality import GroupLoss
from pages.reconstructions.controls import ReconstructionSettings, claim, starts, table
from pages.shared.image_names import NamedImages
from tests.pages.conftest import LIMIT, Start, alive, clickables, run_codes
from tests.small import tiny_set

ROWS = "r_rows_glyphs"


def pictures(app: AppTest) -> int:
    return len(app.image) + len(clickables(app))


def test_default_rows_are_three_in_and_three_out(start: Start) -> None:
    app = alive(start("reconstructions"))
    assert app.multiselect(ROWS).value == [
        "test 0", "test 1", "test 2", "lower 0", "digits 0", "signs 0",
    ]  # fmt: skip
    assert app.title[0].value.startswith("From z2 up, ")
    assert "nats" in app.title[0].value
    assert pictures(app) == 3  # the strip, the image, its draws
    assert any("Between draws a pixel varies" in text.value for text in app.markdown)


def test_the_claim_follows_k(start: Start) -> None:
    app = alive(start("reconstructions", r_k="2"))
    for k in (2, 1, 0):
        app.slider("r_k").set_value(k)
        alive(app.run())
        start = f"From z{k + 1} up," if k else "With every layer in use,"
        assert app.title[0].value.startswith(start)
        assert app.subheader[0].value == f"Several draws from z{k + 1} up"


def test_sample_temperature_and_redraw(start: Start) -> None:
    app = alive(start("reconstructions", r_skipped="sample", r_up="sample"))
    before = app.title[0].value
    next(button for button in app.button if button.label == "Redraw").click()
    alive(app.run())
    assert app.number_input("r_draw").value == 1
    assert app.title[0].value != before
    app.slider("r_temp").set_value(0.0)
    alive(app.run())


def test_rows_from_a_selection(start: Start) -> None:
    lasso = [("digits", 3), ("test", 5), ("elsewhere", 1)]
    app = start("reconstructions", {"selection": lasso})
    button = next(b for b in app.button if b.label.startswith("From selection"))
    assert button.label == "From selection (2)"
    button.click()
    alive(app.run())
    assert app.multiselect(ROWS).value == ["digits 3", "test 5"]


def test_without_a_selection_the_button_rests(start: Start) -> None:
    app = start("reconstructions")
    assert next(b for b in app.button if b.label.startswith("From selection")).disabled


def test_random_rows_are_seeded(start: Start) -> None:
    drawn = []
    for _ in range(2):
        app = start("reconstructions", seed="4")
        next(button for button in app.button if button.label == "Random").click()
        alive(app.run())
        drawn.append(app.multiselect(ROWS).value)
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 6
    assert [name.split()[0] for name in drawn[0]] == 3 * ["test"] + ["lower", "digits", "signs"]


def test_a_row_is_added_by_set_and_number(start: Start) -> None:
    app = start("reconstructions")
    app.selectbox("r_add_set").set_value("signs")
    app.number_input("r_add_number").set_value(7)
    next(button for button in app.button if button.label == "Add this image").click()
    alive(app.run())
    assert app.multiselect(ROWS).value[-1] == "signs 7"


def test_wrong_names_are_told_and_the_rest_lives(start: Start) -> None:
    state = {ROWS: ["test 1", "nowhere 2", f"digits {LIMIT + 5}", "test -1", "<b>x</b> 3"]}
    app = alive(start("reconstructions", state))
    told = [warning.value for warning in app.warning]
    assert len(told) == 1
    assert "by its set and a number, such as Capital letters A-J 3" in told[0].replace("\u2060", "")
    assert f"numbered 0 to {LIMIT - 1}" in told[0]
    assert pictures(app) == 3


def test_one_row_of_one_side(start: Start) -> None:
    # A row is named as the page names sets; the name in links is the same one.
    app = alive(start("reconstructions", {ROWS: ["Digits 1", "digits 1"]}))
    assert app.multiselect(ROWS).value == ["digits 1"]
    assert "Digits 1" in app.multiselect(ROWS).options
    assert "Digits" in app.title[0].value
    assert "Capital" not in app.title[0].value


def test_no_rows(start: Start) -> None:
    app = alive(start("reconstructions", {ROWS: []}))
    assert app.title[0].value == "No image to reconstruct yet"


def test_model_b_has_a_strip_of_its_own(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = alive(start("reconstructions", b_glyphs="glyphs-hvae3-informative"))
    assert pictures(app) == 6
    assert any(text.value.startswith("**B**") for text in app.markdown)
    names = {f"{name}-{letter}" for name in ("reconstructions", "draws") for letter in "AB"}
    assert set(run_codes(app, monkeypatch)) == names


def test_missing_images_leave_a_way_on(start: Start) -> None:
    app = start("reconstructions", world="FashionMNIST")
    assert not app.exception
    assert app.title[0].value == "No image to reconstruct yet"
    (warning,) = app.warning
    for words in ("FashionMNIST, MNIST digits", "and Omniglot", "download", "folder", "upload"):
        assert words in warning.value
    assert len(warning.value) < 400
    assert any(link.proto.label == "Upload one image" for link in app.get("page_link"))


def test_one_missing_set_is_told_in_its_own_words(start: Start) -> None:
    app = start("reconstructions", {"r_rows_fashion": ["mnist 1", "mnist 2"]}, world="FashionMNIST")
    (warning,) = app.warning
    assert warning.value.count("MNIST digits") == 1
    assert "mnist/test.parquet" in warning.value


@pytest.mark.parametrize("k", ["99", "x"])
def test_a_wrong_k_in_the_address_is_harmless(start: Start, k: str) -> None:
    app = alive(start("reconstructions", r_k=k))
    assert app.slider("r_k").value in (0, 1, 2)


def test_the_picture_is_exact(start: Start) -> None:
    """The strip's first picture holds every pixel of the image, three by three."""
    app = start("reconstructions", {ROWS: ["test 0"]})
    assert pictures(app) == 3
    from hvae_core.data import worlds
    from hvae_core.figures import LIGHT, StripRow, png_bytes, strip

    image = worlds()["glyphs"].load("test", limit=1).images[0]
    row = StripRow("", [image], [None])
    drawn = np.asarray(Image.open(io.BytesIO(png_bytes(strip([row], ["x"], colors=LIGHT)))))
    big = image[0].repeat(3, axis=0).repeat(3, axis=1)
    height, width = big.shape
    assert any(
        np.array_equal(drawn[30 : 30 + height, left : left + width, 0], big)
        for left in range(drawn.shape[1] - width + 1)
    )


def group(name: str, out: bool, lost: float) -> GroupLoss:
    return GroupLoss(name, out, 100 + lost, lost=lost)


LEVELS = ("z1", "z2", "z3")


@pytest.mark.parametrize(
    ("own", "other", "words"),
    [
        (9.0, 57.0, "From z3 up, TWO lose 57.0 nats each, ONE only 9.00"),
        (40.0, 57.0, "From z3 up, TWO lose 57.0 nats each, ONE 40.0"),
        (60.0, 57.0, "From z3 up, TWO lose 57.0 nats each, no more than ONE with 60.0"),
        (0.2, 0.1, "From z3 up, TWO and ONE lose less than one nat each"),
        (-3.0, 57.0, "From z3 up, TWO lose 57.0 nats each, while ONE gains 3.00"),
        (5.0, -2.0, "From z3 up, TWO gain 2.00 nats each, while ONE loses 5.00"),
    ],
)
def test_the_claim_follows_from_the_losses(own: float, other: float, words: str) -> None:
    groups = (group("Letters", False, own), replace(group("Digits", True, other), n=2))
    words = words.replace("TWO", "2 images of Digits").replace("ONE", "one image of Letters")
    assert claim(groups, 2, LEVELS) == words


def test_the_claim_names_the_outsiders_that_lose_the_most() -> None:
    groups = (group("Letters", False, 9), group("Digits", True, 50), group("Signs", True, 70))
    assert "one image of Signs loses 70.0 nats" in claim(groups, 1, LEVELS)


def test_the_level_is_named_as_each_model_names_it() -> None:
    groups = (group("Letters", False, 9), group("Digits", True, 57))
    deep = ("14x14", "7x7", "u")
    assert claim(groups, 1, deep).startswith("From 7x7 up, one image of Digits loses")
    assert claim(groups, 0, deep).startswith("With every layer in use")
    models: Any = [SimpleNamespace(level_names=names, n_levels=len(names))
                   for names in (deep, ("z1", "z2"))]  # fmt: skip
    assert starts(models, 2) == "u (A) and z2 (B)"
    assert starts(models[:1], 1) == "7x7"
    assert starts([models[1]] * 2, 1) == "z2"


def test_the_table_has_a_line_for_every_row_and_k() -> None:
    class Handle:
        title, n_levels = "Tiny", 2

    class Found:
        nll = np.array([[1.0, 2.0], [3.0, 4.0]])

    chosen = NamedImages(("test 0", "own-a 7"), ("T", "A"), (False, True), images=tiny_set(2))
    made = table(
        chosen,
        [(Handle(), Found())],
        ReconstructionSettings(1, "mean", "mean", temperature=1.0, seed=5, scale=3),
    )  # type: ignore[list-item]
    assert isinstance(made, pd.DataFrame)
    assert made["nll_nats"].tolist() == [1.0, 3.0, 2.0, 4.0]
    assert made.iloc[-1][["set", "image", "k", "seed"]].tolist() == ["own-a", 7, 1, 5]


def test_a_temperature_that_changes_nothing_is_disabled_and_says_why(start: Start) -> None:
    for query, idle in (
        ({"r_k": "0"}, True),
        ({"r_k": "1"}, False),
        ({"r_k": "0", "r_skipped": "sample"}, False),
    ):
        app = alive(start("reconstructions", **query))
        assert app.slider("r_temp").disabled == idle
        assert any("Temperature changes nothing now" in one.value for one in app.caption) == idle


def test_a_loss_that_is_no_number_is_said_in_words() -> None:
    inside, outside = (
        GroupLoss("A", False, 90.0, lost=1.0),
        GroupLoss("B", True, math.inf, lost=math.nan),
    )
    for k in (0, 1):
        said = claim([inside, outside], k, ("z1", "z2"))
        assert said.endswith("this model gives no finite numbers for these images")
