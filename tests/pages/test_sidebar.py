"""The sidebar: world, models, images of one's own, checkpoints, seed."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.config import ModelCard
from pages.shared import jobs
from tests.pages.conftest import CONFIG, LIMIT, Start, alive, charts, commands
from tests.small import tiny_model

DRAWN = {"start-paradox", "start-remedy"}
CHECKPOINT = "A checkpoint (.safetensors, or another project's file or zip)"
OWN = "Your own set"


def labelled(elements: Any, label: str) -> Any:
    found = [element for element in elements if element.label == label]
    assert len(found) == 1, [element.label for element in elements]
    return found[0]


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def add_own(app: AppTest, name: str, content: bytes, role: str | None = None) -> AppTest:
    labelled(app.file_uploader, OWN).set_value((name, content, "application/octet-stream"))
    if role:
        labelled(app.radio, "This set is").set_value(role)
    return labelled(app.button, "Add set").click().run()


PICTURES = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)


def test_another_world_brings_its_models_sets_and_results(start: Start) -> None:
    app = start()
    labelled(app.selectbox, "World").set_value("fashion").run()
    alive(app)
    assert app.selectbox(key="a_fashion").options == ["Tiny, of clothes"]
    assert "MNIST digits" in app.multiselect(key="out_fashion").options
    assert charts(app) >= DRAWN
    assert not app.get("image")
    assert any("not on this machine" in info.value for info in app.info)
    labelled(app.selectbox, "World").set_value("glyphs").run()
    alive(app)
    assert app.selectbox(key="a_glyphs").value == "glyphs-hvae3-elbo"


def test_a_shared_address_opens_what_was_seen(start: Start) -> None:
    app = start(world="FashionMNIST", seed="41")
    alive(app)
    assert labelled(app.selectbox, "World").value == "fashion"
    assert app.number_input(key="seed").value == 41
    app = start(
        a_glyphs="glyphs-hvae3-informative", b_glyphs="glyphs-hvae3-elbo", out_glyphs="Digits"
    )
    alive(app)
    assert app.selectbox(key="a_glyphs").value == "glyphs-hvae3-informative"
    assert app.selectbox(key="b_glyphs").value == "glyphs-hvae3-elbo"
    assert app.multiselect(key="out_glyphs").value == ["digits"]
    assert app.title[0].value.startswith("Digits")


def test_nonsense_in_the_address_falls_back(start: Start) -> None:
    app = start(
        world="Atlantis",
        seed="-1",
        a_glyphs="../../etc/passwd",
        b_glyphs="nobody",
        out_glyphs="<b>",
    )
    alive(app)
    assert labelled(app.selectbox, "World").value == "glyphs"
    assert app.selectbox(key="a_glyphs").value == "glyphs-hvae3-elbo"
    assert app.number_input(key="seed").value == 0


def test_a_seed_draws_another_picture(start: Start) -> None:
    app = start()
    before = app.title[0].value
    app.number_input(key="seed").set_value(3).run()
    alive(app)
    assert app.title[0].value == before  # stored bounds do not change with the seed


def test_model_b_may_be_the_same_as_a_and_then_is_none(start: Start) -> None:
    app = start(b_glyphs="glyphs-hvae3-elbo")
    alive(app)
    assert len(app.session_state["context"].models) == 1
    app.selectbox(key="b_glyphs").set_value("glyphs-hvae3-informative").run()
    alive(app)
    assert [m.title for m in app.session_state["context"].models] == [
        "Tiny, plain",
        "Tiny, informative",
    ]


def test_a_world_without_a_checkpoint_says_so(start: Start, tiny_app: Path) -> None:
    for path in (tiny_app / "checkpoints").glob("fashion-*"):
        path.unlink()
    app = start(world="FashionMNIST")
    assert not app.exception
    assert any("No model of FashionMNIST is here yet" in error.value for error in app.error)
    assert any("train --preset fashion-" in words for words in commands(app))
    assert any(link.proto.label == "Go to Glyphs" for link in app.get("page_link"))


def test_a_damaged_checkpoint_in_the_list_is_named_and_left_out(
    start: Start, tiny_app: Path
) -> None:
    (tiny_app / "checkpoints" / "glyphs-hvae3-informative.safetensors").write_bytes(b"\0" * 99)
    app = start()
    alive(app)
    assert any("glyphs-hvae3-informative" in warning.value for warning in app.warning)
    assert app.selectbox(key="a_glyphs").options == ["Tiny, plain"]


def test_a_dropped_checkpoint_is_in_the_list(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    card = ModelCard("Mine, just dropped")
    save_checkpoint(path, tiny_model(CONFIG, 9), card=card, history={})
    app = start()
    upload = labelled(app.file_uploader, CHECKPOINT)
    upload.set_value(("mine.safetensors", path.read_bytes(), "application/octet-stream")).run()
    alive(app)
    assert any("Mine, just dropped" in done.value for done in app.success)
    assert "Mine, just dropped" in app.selectbox(key="a_glyphs").options
    chosen = next(n for n in ["a_glyphs"] if app.selectbox(key=n))
    app.selectbox(key=chosen).select("Mine, just dropped").run()
    alive(app)
    assert any(button.label.startswith("Evaluate") for button in app.button)


def test_a_broken_checkpoint_gets_one_sentence(start: Start) -> None:
    app = start()
    for content in (b"", b"a text file", b"\x80\x04cos\nsystem\n.", b"PK\x03\x04" + b"\0" * 99):
        upload = labelled(app.file_uploader, CHECKPOINT)
        upload.set_value(("evil.safetensors", content, "application/octet-stream")).run()
        assert not app.exception
        assert len(app.error) == 1
        assert "evil" in app.error[0].value
        assert charts(app) >= DRAWN  # the page lives on


def test_a_set_of_ones_own_is_chosen_and_can_be_evaluated(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(jobs, "submit", lambda *call: asked.append(call))
    app = add_own(start("ood"), "my pictures.npz", npz(images=PICTURES))
    alive(app)
    assert app.multiselect(key="out_glyphs").value[-1] == "own-my-pictures-npz"
    button = next(b for b in app.button if b.label == "Evaluate 1 set")
    button.click().run()
    _, _, run, path, sets, names = asked[0]
    assert names == ["own-my-pictures-npz"]
    images = sets.images(load_checkpoint(path), names[0])
    assert images.image_shape == (1, 28, 28)
    assert len(images) == LIMIT
    assert any("resized from 12x12 colour to 28x28 grey" in note for note in images.notes)
    run(path, sets, names)
    app.run()
    alive(app)
    assert not any(b.label.startswith("Evaluate") for b in app.button)


def test_a_set_of_ones_own_may_be_the_inside(start: Start) -> None:
    app = add_own(start(), "mine.npz", npz(images=PICTURES), role="in")
    alive(app)
    assert app.session_state["context"].in_name == "own-mine-npz"


BROKEN = {
    "broken.npz": b"not an archive",
    "empty.npz": b"",
    "wrong.npz": npz(weights=np.zeros(3)),
    "flat.npz": npz(images=np.zeros(3)),
    "table.parquet": b"PAR1 and no more",
    "images.zip": b"PK\x05\x06" + b"\0" * 18,
}


def test_a_broken_set_gets_one_sentence_and_none_at_all_another(start: Start) -> None:
    app = start()
    labelled(app.button, "Add set").click().run()
    assert [error.value.startswith("Choose a file") for error in app.error] == [True]
    for name, content in BROKEN.items():
        add_own(app, name, content)
        assert not app.exception
        assert len(app.error) == 1, name
        assert "Traceback" not in app.error[0].value
        assert charts(app) >= DRAWN


def test_a_set_by_its_path(start: Start, tmp_path: Path) -> None:
    (tmp_path / "here.npz").write_bytes(npz(images=PICTURES[..., 0]))
    app = start()
    app.text_input(key="own_source").set_value(str(tmp_path / "here.npz"))
    labelled(app.button, "Add set").click().run()
    alive(app)
    assert any(name.startswith("own-here") for name in app.multiselect(key="out_glyphs").value)
    os.mkfifo(tmp_path / "pipe.npz")
    for wrong in (str(tmp_path / "nowhere.npz"), "~nosuch/x", "n" * 5000, f"{tmp_path}/pipe.npz"):
        app.text_input(key="own_source").set_value(wrong)
        labelled(app.button, "Add set").click().run()
        assert not app.exception
        assert len(app.error) == 1 and len(app.error[0].value) < 400


def test_a_wrong_data_folder_is_named_and_the_rest_lives_on(start: Start, tmp_path: Path) -> None:
    app = start(world="FashionMNIST")
    for wrong in (str(tmp_path / "no such [folder]"), "~nosuch", "n" * 5000):
        app.text_input(key="root").set_value(wrong).run()
        assert not app.exception
        assert [error.value.startswith("There is no folder") for error in app.error] == [True]
        assert charts(app) >= DRAWN
    app.text_input(key="root").set_value(str(tmp_path)).run()
    alive(app)


def test_a_data_folder_brings_the_images(start: Start, tmp_path: Path) -> None:
    for name in ("fashion_mnist", "mnist"):
        (tmp_path / f"{name}.npz").write_bytes(npz(images=PICTURES[..., 0]))
    app = start(world="FashionMNIST")
    app.text_input(key="root").set_value(str(tmp_path)).run()
    alive(app)
    offered = [b.label for b in app.sidebar.button]
    assert "Download MNIST digits" not in offered
    assert "Download KMNIST characters" in offered
    assert "Download KMNIST characters" in [b.label for b in app.main.button]


def test_a_world_without_a_model_leaves_a_way_on(start: Start) -> None:
    app = start("collapse", world="CIFAR10")
    assert not app.exception
    assert next(error.value for error in app.error).startswith("No model of CIFAR10 is here yet")
    assert labelled(app.selectbox, "World").value == "cifar"
    labelled(app.selectbox, "World").set_value("glyphs").run()
    assert not app.error
    assert app.title
