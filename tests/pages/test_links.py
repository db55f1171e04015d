"""Links of views, opened by the same visitor and by another: the same is seen, or why it is not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import save_checkpoint
from hvae_core.common import shelf
from hvae_core.config import ModelCard
from hvae_core.data import one_image
from hvae_core.data.image_set import ImageSet
from hvae_core.data.prepare import STEPS
from pages.image import files
from pages.shared import links, ui, uploads, visitor, whole
from pages.shared.shown import Shown, name_of
from tests.pages.conftest import CONFIG, Start
from tests.pages.test_image import file_of, nothing_judged, portrait_title
from tests.pages.test_sidebar import CHECKPOINT, OWN, labelled, npz
from tests.small import tiny_model

Become = Callable[[str], None]
PICTURES = np.random.default_rng(1).integers(0, 256, (30, 28, 28), dtype=np.uint8)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Be this visitor from now on; at first "me"."""

    def be(name: str) -> None:
        monkeypatch.setattr(visitor, "visitor", lambda: name)

    be("me")
    return be


def seen(app: AppTest) -> list[str]:
    """What the page claims: title, bold lines and captions; a page that failed has no claims."""
    assert not app.exception
    assert not app.error
    return [part.value for part in (*app.title, *app.markdown) if "Close" not in part.value]


def warned(app: AppTest, words: str) -> bool:
    return any(words in warning.value.replace("\\", "") for warning in app.warning)


LARGE = (100, 80)
"""Of a picture of noise that is too large for a link."""


def opened_picture(start: Start, size: tuple[int, int] = LARGE) -> AppTest:
    return reopened(start("image", i_from="upload"), size)


def reopened(app: AppTest, size: tuple[int, int] = LARGE) -> AppTest:
    app.file_uploader("i_file").upload("my *cat*.png", file_of("PNG", size))
    return app.run()


def shared(app: AppTest) -> str:
    """What Share says of the link of the page that is open, *One image*."""
    (tool,) = [one for one in app.get("bidi_component") if "toolbar_share" in str(one.proto.id)]
    return json.loads(tool.proto.json)["without"]


def link(app: AppTest, **bound: Any) -> dict[str, Any]:
    """The address: what the app wrote itself, and what the browser writes of its controls."""
    return {**app.query_params, **bound}


def test_a_small_picture_travels_in_the_link_until_it_is_left(start: Start, become: Become) -> None:
    app = opened_picture(start, (36, 36))  # picture and what is shown of it: 6,300 signs
    address = link(app, i_from="upload")
    assert len(urlencode(address)) <= whole.MOST
    assert shared(app) == ("Whoever has the link gets picture and name of my *cat*.png.")
    become("you")
    other = start("image", **address)
    assert seen(other) == seen(app) and not other.warning
    assert portrait_title(other) == "my \\*cat\\*.png"
    # Where the address has no room for it any more, it has the digest of what lies on the shelf.
    digest = other.session_state["i_file_held"].digest[: shelf.LINKED]
    short = start("image", i_from="upload", i_file=digest)
    assert not short.warning and portrait_title(short) == "my \\*cat\\*.png"
    app = app.segmented_control(key="i_from").set_value("draw").run()
    assert "i_file" not in app.query_params
    assert "my *cat*.png" in shared(app)  # the sidebar still shows the picture
    app = app.segmented_control(key="i_from").set_value("set").run()
    assert not {"i_file", "shown"} & {*app.query_params} and not shared(app)
    app = app.segmented_control(key="i_from").set_value("upload").run()
    assert app.query_params["i_file"] == address["i_file"]


@pytest.mark.parametrize("kind", ["L", "RGB", "P", "1", "LA", "RGBA", "I;16", "CMYK", "blank"])
def test_a_link_holds_the_picture_of_a_file_and_nothing_else_that_it_says(kind: str) -> None:
    """It is read as the file was, whatever is asked to be done to it."""
    noise = Image.fromarray(PICTURES[0])
    if kind == "I;16":
        picture = Image.fromarray(PICTURES[0].astype(np.uint16) * 200)
    else:
        picture = Image.new("L", (9, 7)) if kind == "blank" else noise.convert(kind)
    if kind in ("LA", "RGBA"):
        picture.putalpha(noise.rotate(90))
    file, about = io.BytesIO(), Image.Exif()
    about[0x0112], about[0x010E] = 6, "at home"  # to be turned
    picture.save(file, "TIFF" if kind == "CMYK" else "PNG", exif=about)
    held = uploads._through(files._opened, file.getvalue(), "mine")
    assert isinstance(held, uploads.Held) and b"at home" in file.getvalue()
    if kind in ("I;16", "LA", "RGBA"):  # inverted, finer levels and the ground become other bytes
        assert not held.linked
        return
    again = uploads._linked(held.linked, files._opened)
    assert isinstance(again, uploads.Held) and again.title == "mine"
    assert b"at home" not in again.value.data
    for steps in ((), *((step,) for step in STEPS), STEPS):
        one, two = (
            one_image(each.value.data, "a", "a", prepare=steps).images for each in (held, again)
        )
        assert np.array_equal(one, two)


def test_an_uploaded_picture(start: Start, become: Become) -> None:
    app = opened_picture(start)
    told = shared(app)  # of the file the link holds what a model saw, and the name
    assert told.startswith("Of your file my *cat*.png others get the name and the picture as model")
    assert "in this browser alone, for a day" in told and "gets picture and name" not in told
    address, claims = link(app, i_from="upload"), seen(app)
    assert "me" not in address.values()
    assert seen(start("image", **address)) == claims
    become("you")
    # The picture of the sidebar is judged in the file's place, after a reload too.
    for turn in ("0°", "90°"):
        turned = app.segmented_control(key="i_turn").set_value(turn).run()
        other = start("image", **link(turned, i_from="upload", i_turn=turn))
        assert warned(other, "is not here") and other.title[0].value == turned.title[0].value
        assert other.session_state["i_turn"] == "0°" and "link itself" in other.info[0].value
        assert other.session_state["image"] == turned.session_state["image"]
    other = reopened(start("image", **other.query_params))  # after a reload, the right file:
    # it is judged as its sender did
    assert (other.session_state["i_turn"], seen(other)) == ("90°", seen(turned))
    without = {key: value for key, value in address.items() if key not in ("image", "shown")}
    become("them")
    bare = start("image", **without, i_turn="90°")
    assert warned(nothing_judged(bare), "is not here")
    assert seen(reopened(bare)) == seen(turned)
    become("me")
    app.segmented_control(key="i_turn").set_value("0°").run()
    app.checkbox("i_file_keep").check()
    become("me")
    app.run()
    become("you")
    other = start("image", **address)
    assert seen(other) == claims
    assert "Whoever sent this link keeps the file for it." in [one.value for one in other.caption]
    become("me")
    app.checkbox("i_file_keep").uncheck().run()
    become("others")
    nothing_judged(start("image", **without))


def test_a_picture_of_another_page(start: Start) -> None:
    """As of a folder of many images: it has no file, and stands in the link itself."""
    name = name_of(PICTURES[:1], "3.png")
    picture = ImageSet(name, "3.png", PICTURES[:1, None], np.full(1, -1))
    spot = (name, 0)
    state = {"image": spot, "image_taken": spot, "shown": {name: Shown(picture)}}
    app = start("image", state)
    again = {**app.query_params}
    for bound in ({"i_set_glyphs": "3.png"}, {}):  # sent from here, and from another page
        other = start("image", **again, **bound)
        assert seen(other) == seen(app) and portrait_title(other) == "3\\.png"
        assert not other.warning


def test_a_picture_on_compression(start: Start, become: Become) -> None:
    app = start("compression", c_from="a file of your own")
    app.file_uploader("c_file").upload("mine.png", file_of("PNG", LARGE))
    address = link(app.run(), c_from="a file of your own")
    assert seen(start("compression", **address)) == seen(app)
    become("you")
    assert warned(start("compression", **address), "is not here")


def test_an_image_of_a_set_and_models_by_digest(start: Start) -> None:
    app = start("image", i_set_glyphs="Digits", i_id="3")
    app.selectbox("b_glyphs").set_value("glyphs-hvae3-informative").run()
    address = link(app, i_set_glyphs="Digits", i_id="3")
    models = app.session_state["context"].models
    assert address["b_glyphs"] == models[1].digest[:16]
    assert "a_glyphs" not in address  # the default
    again = start("image", **address)
    assert again.session_state["context"].models == models
    assert seen(again) == seen(app)


def test_an_image_whose_set_has_other_pixels_here_is_named(start: Start) -> None:
    saying = "not what the sender of this link saw"
    chosen = {"i_set_glyphs": "Digits", "i_id": "3"}
    app = start("image", **chosen)
    context: Any = app.session_state["context"]
    digits = f"{context.images('digits').image_digests()[3]:016x}"[:8]
    assert app.query_params["pixels"].endswith(digits)
    assert not warned(start("image", **link(app, **chosen)), saying)
    other = {**link(app, **chosen), "pixels": app.query_params["pixels"][:-8] + "0" * 8}
    again = start("image", **other)
    assert warned(again, f"Digits 3 is {saying}: the set has other pixels")
    assert again.query_params["pixels"] == other["pixels"]  # so that a reload says it too
    assert not warned(again.number_input("i_id").set_value(4).run(), saying)
    # Rows and a lasso's selection are named by set and number too.
    rows = start("reconstructions", {"selection": [("digits", 2), ("digits", 5)]})
    address = link(rows)
    address["pixels"] = address["pixels"].replace(address["pixels"][4:12], "0" * 8)
    address["selection_pixels"] = address["selection_pixels"][:4] + "0" * 8
    told = start("reconstructions", **address)
    assert warned(told, saying) and warned(told, "The selection from Digits is not what")


def test_what_was_chosen_before_another_page_stands_in_the_link(start: Start) -> None:
    app = start("image", i_set_glyphs="Digits", i_id="3")
    for page in ("ood", "image"):
        app.switch_page(f"pages/{page}/page.py")
        app.run()
    assert (app.selectbox("i_set_glyphs").value, app.number_input("i_id").value) == ("digits", 3)
    assert app.query_params.get("i_id") == "3"


def test_the_selection(start: Start, become: Become) -> None:
    state = {"selection": [("digits", 2), ("test", 1), ("test", 5)]}
    app = start("image", state, i_from="selection", i_pick="1")
    address = link(app, i_from="selection", i_pick="1")
    become("you")
    assert seen(start("image", **address)) == seen(app)
    rows = start("reconstructions", **address)
    assert any(button.label == "From selection (3)" for button in rows.button)
    rows.session_state["selection"] = [*state["selection"], ("own-mine", 6 * whole.MOST)]
    assert "The subset of 4 images is too large for the link" in shared(rows.run())
    assert not {"selection", "selection_pixels"} & {*rows.query_params}


def test_a_checkpoint_of_ones_own(start: Start, become: Become, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    card = ModelCard("Tiny, plain")  # the title of a shipped one
    save_checkpoint(path, tiny_model(CONFIG, 9), card=card, history={})
    app = start()
    upload = labelled(app.file_uploader, CHECKPOINT)
    upload.set_value(("mine.safetensors", path.read_bytes(), "application/octet-stream")).run()
    (mine,) = app.session_state["context"].models
    assert mine.title == f"Tiny, plain ({mine.digest[:8]})"
    address = link(app)
    assert address["a_glyphs"] == mine.digest[:16]
    assert start(**address).session_state["context"].models == (mine,)
    become("you")
    other = start(**address)
    assert other.session_state["context"].models[0].title == "Tiny, plain"
    assert warned(other, "is not here")
    assert warned(start(**link(other)), "is not here")  # a reload says it again
    assert not any("(" in title for title in other.selectbox("a_glyphs").options)
    become("me")
    app = start(**address)
    app.button("checkpoint_stay").click().run()  # for everybody
    become("you")
    assert start(**address).session_state["context"].models[0].digest == mine.digest
    app.button("checkpoint_remove").click().run()
    assert warned(start(**address), "is not here")


def test_a_set_of_ones_own(start: Start, become: Become) -> None:
    app = start("ood")
    labelled(app.file_uploader, OWN).set_value(("mine.npz", npz(images=PICTURES), "text/plain"))
    labelled(app.button, "Add set").click().run()
    address = link(app.run(), out_glyphs=["Digits", "mine.npz"])
    assert app.multiselect("out_glyphs").value[-1] == "own-mine-npz"
    again = start("ood", **address)
    assert again.multiselect("out_glyphs").value == ["digits", "own-mine-npz"]
    images = [one.session_state["own_sets"]["own-mine-npz"][1] for one in (app, again)]
    assert images[0].take(24).digest == images[1].digest
    become("you")
    other = start("ood", **address)
    assert other.multiselect("out_glyphs").value == ["digits"]
    assert warned(other, "A set of this link") and warned(other, "mine.npz")
    become("me")
    app.checkbox("own_keep_own-mine-npz").check().run()
    become("you")
    kept = start("ood", **address)
    assert kept.multiselect("out_glyphs").value == ["digits", "own-mine-npz"]


def test_what_no_machine_has_is_said(start: Start) -> None:
    for page, query, words in (
        ("start", {"world": "Atlantis"}, "names a world that is not here: Atlantis"),
        ("ood", {"out_glyphs": ["Digits", "Runes"]}, "names a set that is not here: Runes"),
        ("image", {"i_set_glyphs": "Runes"}, "names a set that is not here: Runes"),
        ("image", {"a_glyphs": "0123456789abcdef"}, "Model A of this link (0123456789abcdef)"),
        ("ood", {"own": "0123456789abcdef"}, "A set of this link (0123456789abcdef)"),
    ):
        app = start(page, **query)
        assert not app.exception and warned(app, words), (page, query)
    app.button("links_close").click().run()
    assert not app.warning


def test_an_echo_of_the_address_is_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who clicks at once sends the address as it was before the last run wrote into it."""

    def page() -> None:
        import streamlit as st

        from pages.shared import links

        links.follow()
        st.text(links.arrived("image"))
        links.say("image", st.session_state["shown"])
        links.settle()

    clock = [100.0]
    monkeypatch.setattr(links.time, "monotonic", lambda: clock[0])
    app = AppTest.from_function(page)

    def told(shown: str, **address: str) -> str:
        app.session_state["shown"] = shown
        app.query_params.update(address)
        return str(app.run().text[0].value)

    assert told("one", image="one") == "one"
    assert told("two") == ""
    assert told("two", image="one") == ""  # the echo
    assert app.query_params["image"] == "two"
    assert told("two", image="one", **{ui.GO: "1"}) == "one"  # a link of the app's own
    clock[0] += 60
    assert told("two", image="one") == "one"
