"""Sets that a visitor brings: several files at once, what was done to them, and the steps."""

from __future__ import annotations

import io
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from hvae_core.common.errors import DataError, ScoreError
from hvae_core.data import ImageSet
from pages.image import subject
from pages.shared.bring import Source
from tests.pages.conftest import Start, alive
from tests.pages.test_sidebar import OWN, labelled, npz

KIND = "application/octet-stream"


def photo() -> bytes:
    """A black letter on white paper."""
    picture = Image.new("L", (90, 60), 236)
    ImageDraw.Draw(picture).rectangle((60, 20, 70, 40), fill=12)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def bring(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    given: Any = [(name, content, KIND) for name, content in files]
    labelled(app.file_uploader, OWN).set_value(given)
    return labelled(app.button, "Add set").click().run()


def held(app: AppTest) -> dict[str, Any]:
    return {spec.title: images for spec, images in app.session_state["own_sets"].values()}


def says(app: AppTest, words: str) -> bool:
    said = (*app.caption, *app.markdown)
    return any(words in one.value.replace("\\", "") for one in said)


def test_several_files_and_the_way_from_a_photograph_to_a_drawing(start: Start) -> None:
    ones = np.random.default_rng(1).integers(0, 2, (6, 12, 12), dtype=np.uint8)
    app = alive(bring(start("ood"), ("a.npz", npz(images=ones)), ("photo.png", photo())))
    assert list(held(app)) == ["a.npz", "photo.png"]
    chosen = app.multiselect(key="out_glyphs").value
    assert {"own-a-npz", "own-photo-png"} <= set(chosen)
    assert says(app, "Whole numbers 0 and 1, read as black and white")
    assert says(app, "Looks inverted: the ground is light here")
    before = held(app)["photo.png"].images
    app = alive(app.button(key="do-invert-own-photo-png").click().run())
    assert (held(app)["photo.png"].images == 255 - before).all()
    assert not says(app, "Looks inverted")
    app = alive(app.button(key="do-crop-own-photo-png").click().run())
    assert held(app)["photo.png"].image_shape == (1, 29, 29)
    assert says(app, "Cropped to the drawing")
    # A step is taken back by switching it off.
    pills = next(one for one in app.button_group if one.key.startswith("steps-own-photo-"))
    app = alive(pills.set_value(["crop"]).run())
    assert says(app, "Looks inverted")
    app = alive(app.button(key="remove-own-photo-png").click().run())
    assert list(held(app)) == ["a.npz"]


def test_pictures_of_the_other_side_are_counted(start: Start) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, 12, 12), dtype=np.uint8)
    app = start("ood")
    labelled(app.radio, "This set is").set_value("in")
    app = bring(app, ("own.npz", npz(images=pixels)))
    labelled(app.radio, "This set is").set_value("out")
    app = bring(app, ("other.npz", npz(images=pixels[:4])))
    assert says(app, "4 of 4 images are also in own.npz")


def test_one_photograph_is_brought_near_and_its_link_knows_how(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start("image", i_from="upload")
    with monkeypatch.context() as broken:
        broken.setattr(subject, "judge", Mock(side_effect=ScoreError("Nothing can be said.")))
        app = app.file_uploader("i_file").upload("photo.png", photo()).run()
        assert [one.value for one in app.error] == ["Nothing can be said."]
        assert says(app, "Looks inverted: the ground is light here")  # it may say why
    app = alive(app.run())
    assert says(app, "Looks inverted: the ground is light here")
    light = app.title[0].value
    app = alive(app.button("i_do_invert").click().run())
    app = alive(app.button("i_do_crop").click().run())
    assert not says(app, "Looks inverted")
    assert says(app, "Inverted; cropped to the drawing, or to the square in the middle; resized")
    assert app.title[0].value and light
    assert sorted(app.query_params["i_prepare"]) == ["Crop", "Invert"]
    link = {key: app.query_params[key] for key in ("i_file", "i_prepare")}
    again = alive(start("image", i_from="upload", **link))
    assert again.title[0].value == app.title[0].value
    assert says(again, "Inverted; cropped to the drawing")


def test_a_set_read_again_is_never_another(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((2, 1, 4, 4), np.uint8)
    sets = [ImageSet(name, name, pixels, labels=np.full(2, -1)) for name in ("a", "b")]
    source = Source(files=(), path="", root="", role="out", place=1, title="b")
    monkeypatch.setattr(Source, "read", lambda self: sets)
    assert source.read_again().title == "b"
    monkeypatch.setattr(Source, "read", lambda self: sets[:1])  # with other steps, a fails
    with pytest.raises(DataError, match="b cannot be read with these steps"):
        source.read_again()
    monkeypatch.setattr(Source, "read", lambda self: sets[::-1])
    with pytest.raises(DataError, match="b cannot be read"):
        source.read_again()
