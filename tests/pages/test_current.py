"""The current image: one through all pages, in the sidebar and in links; another pinned beside."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from hvae_core.data.image_set import ImageSet
from pages.shared import clickable
from pages.shared.shown import Shown
from tests.pages.conftest import Start, alive


def shown(app: AppTest, role: str = "Current image") -> str:
    """What the sidebar says is the image in a role."""
    lines = [text.value.split("  \n") for text in app.sidebar.markdown]
    return next((line[1] for line in lines if role in line[0]), "")


def test_next_and_pin_go_through_pages_and_links(start: Start) -> None:
    app = alive(start("generate", g_view="Interpolation"))
    assert shown(app) == "**Lower-case letters 0**"
    alive(app.button("now_1").click().run())
    assert shown(app) == "**Lower-case letters 1**"
    assert app.number_input("g_a_number").value == 1
    alive(app.button("now_pin").click().run())
    alive(app.number_input("g_a_number").set_value(5).run())
    assert shown(app) == "**Lower-case letters 5**"
    assert shown(app, "Pinned") == "**Lower-case letters 1**"
    link = app.query_params
    assert (link["image"], link["pinned"]) == ("lower 5", "lower 1")
    again = alive(start("collapse", **link))
    assert shown(again) == "**Lower-case letters 5**" and not again.warning
    alive(again.button("now_swap").click().run())
    assert shown(again) == "**Lower-case letters 1**"


def test_a_picture_that_another_page_gave_is_judged(start: Start) -> None:
    pixels = np.arange(784, dtype=np.uint8).reshape(1, 1, 28, 28)
    picture, spot = ImageSet("picture-a", "A photo", pixels, np.full(1, -1)), ("picture-a", 0)
    state = {"image": spot, "image_taken": spot, "shown": {"picture-a": Shown(picture)}}
    app = alive(start("image", state))
    for run in (app, alive(app.run())):
        assert run.session_state["image"] == spot and "A photo" in shown(run)
    # Changed it is another picture, made from the first, which stays.
    app = alive(app.segmented_control(key="i_turn").set_value("90°").run())
    held = app.session_state["shown"]
    assert held[app.session_state["image"][0]].images.title == "A photo, changed"
    assert len(held) == 2 and "picture-a" in held


def test_a_pinned_picture_that_is_swapped_in_is_judged(start: Start) -> None:
    picture = ImageSet("picture-a", "A photo", np.ones((1, 1, 28, 28), np.uint8), np.full(1, -1))
    state = {"pinned": ("picture-a", 0), "shown": {"picture-a": Shown(picture)}}
    app = alive(start("image", state))
    assert shown(app) == "**Lower-case letters 0**" and shown(app, "Pinned") == "**A photo**"
    alive(app.button("now_swap").click().run())
    assert shown(app) == "**A photo**" and shown(app, "Pinned") == "**Lower-case letters 0**"
    alive(app.run())
    assert app.session_state["image"] == ("picture-a", 0)


def test_a_link_says_which_image_is_another_one_here(start: Start) -> None:
    app = start("start", image="digits 5", image_pixels="0" * 12)
    assert not app.warning
    mark = app.query_params["image_pixels"][:4]
    other = start("start", image="digits 5", pinned="own-x 3", image_pixels=mark + "0" * 8)
    assert "Digits 5 is not what the sender" in other.warning[0].value
    assert "pinned image of this link" in other.warning[0].value


def test_next_stays_within_the_subset(start: Start) -> None:
    picks = [("digits", 2), ("digits", 7), ("test", 1)]
    app = alive(start("collapse", {"selection": picks, "image": ("test", 1)}))
    alive(app.button("now_1").click().run())
    assert shown(app) == "**Digits 2**"


def test_a_click_takes_only_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SimpleNamespace(sets=[SimpleNamespace(name="test", title="Test")])
    ctx = SimpleNamespace(world=world, in_name="test")
    state = {"key": SimpleNamespace(picked="test 3", pinned="test 9")}
    monkeypatch.setattr(st, "session_state", state)
    for event in ("picked", "pinned"):
        clickable._clicked(ctx, "key", event, ["test 3"])  # type: ignore[arg-type]
    assert state["image"] == ("test", 3)  # type: ignore[comparison-overlap]
    assert "pinned" not in state
