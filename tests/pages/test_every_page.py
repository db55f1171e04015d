"""Every page with a model of every kind of family, and with every checkpoint that is shipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from hvae_core import door
from hvae_core.checkpoint import inspect_checkpoint, library, load_checkpoint, save_checkpoint
from hvae_core.config import ModelCard, ModelConfig, TrainConfig
from hvae_core.data.worlds import worlds
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from pages.shared import store
from tests.conftest import ROOT
from tests.pages.conftest import (
    Start,
    alive,
    charts,
    open_page,
    run_codes,
    with_glyphs,
    worlds_module,
)
from tests.small import FAMILIES, tiny_model

LIMIT = 8
SETS = ("validation", "test", "digits")
KINDS = ("hvae", "lvae-vamp", "biva", "biva-vamp", "vdvae", "dct-vae", "dvp-vae", "newcomer")
"""One configuration for every way in which layers are named, grouped and topped."""
PAGES = (
    "start", "reconstructions", "collapse", "two", "latents", "ood", "image", "generate",
    "compression",
)  # fmt: skip
COLLAPSE = {"collapse-kl", "collapse-active", "collapse-active-curve", "collapse-bits",
            "collapse-history"}  # fmt: skip
VIEWS = ("Redrawn", "Interpolation", "Traversal")
PICTURED = {"lvae-vamp", "biva-vamp", "dct-vae", "dvp-vae"}

Open = Callable[..., AppTest]


def shown(app: AppTest) -> str:
    parts = (*app.title, *app.subheader, *app.markdown, *app.caption)
    return "\n".join(part.value for part in parts)


def wide(family: str) -> ModelConfig:
    """The tiny configuration on images of the size of Glyphs."""
    return replace(FAMILIES[family], image_shape=(1, 28, 28))


def keep(folder: Path, family: str) -> None:
    """A checkpoint of the family in the world of Glyphs, with results of every set."""
    config = wide(family)
    path = folder / "checkpoints" / f"glyphs-{family}.safetensors"
    levels = [0.4 + i for i in range(len(config.latent_names))]
    save_checkpoint(
        path,
        tiny_model(config),
        card=ModelCard(family, data="a few images", epochs=2),
        train=TrainConfig("glyphs", epochs=2),
        history={"valid_kl": [levels, levels]},
    )
    checkpoint = load_checkpoint(path)
    for name in SETS:
        images = worlds()["glyphs"].load(name, limit=LIMIT)
        evaluate(checkpoint.model, checkpoint.digest, images, settings=EvalSettings())


@pytest.fixture
def with_families(
    tiny_app: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Open]:
    """Opens the app with the checkpoints of these families, the first one as model A."""
    monkeypatch.setattr(worlds_module, "read_worlds", with_glyphs(lambda name: name in SETS))
    monkeypatch.setattr(store, "SHOWN_LIMIT", LIMIT)

    def prepare(*families: str) -> Open:
        worlds_module.worlds.cache_clear()
        for family in families:
            keep(tiny_app, family)
        worlds_module.worlds.cache_clear()
        models = [f"glyphs-{family}" for family in families]
        names = dict(zip(("a_glyphs", "b_glyphs"), models, strict=False))
        return lambda page, **query: start(page, **names, **query)

    return prepare


@pytest.mark.parametrize("family", KINDS)
def test_every_page_knows_the_family(family: str, with_families: Callable[..., Open]) -> None:
    start = with_families(family)
    config = wide(family)
    top = config.levels[-1]
    for page in PAGES:
        app = alive(start(page))
        assert not any(button.label.startswith("Evaluate") for button in app.button), page
        if page == "reconstructions":
            app.slider("r_k").set_value(len(set(config.levels)) - 1)
            assert alive(app.run()).title[0].value.startswith(f"From {top} up")
        if page == "collapse":
            assert f"{config.latent_names[0]} (" in shown(app)
            assert charts(app) >= COLLAPSE
            assert any(name.startswith("collapse-units-") for name in charts(app))
        if page == "generate":
            assert ("Pseudoinput" in app.radio("g_view").options) == (family in PICTURED)
            for view in VIEWS:
                app.radio("g_view").set_value(view)
                app = alive(app.run())
                assert app.image and app.title[0].value != "Nothing to draw yet"


@pytest.mark.parametrize("family", sorted(PICTURED))
def test_pictures_at_the_top_have_a_view(
    family: str, with_families: Callable[..., Open], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alive(with_families(family)("generate", g_view="Pseudoinput"))
    assert " decides " in app.title[0].value
    assert len(app.image) == (3 if "vamp" in family else 2)
    monkeypatch.setattr(door, "SHIPPED_LIMIT", LIMIT)
    assert len(run_codes(app, monkeypatch)) == (1 if "vamp" in family else 2)
    app.slider("g_heat").set_value(0.0)
    assert alive(app.run()).title[0].value


def test_models_that_name_their_layers_otherwise(with_families: Callable[..., Open]) -> None:
    """A deep model beside pairs: each layer by its own name, views where one of them has them."""
    start = with_families("dvp-vae", "biva")
    for page in PAGES:
        app = alive(start(page))
        if page == "collapse":
            assert "z1td (" in shown(app) and "u (" in shown(app)
        if page == "reconstructions":
            assert app.subheader[0].value == "Several draws from 7x7 (A) and z2 (B) up"
    app = alive(start("generate", g_view="Pseudoinput"))
    assert any("No picture stands above" in caption.value for caption in app.caption)
    app.radio("g_view").set_value("Traversal")
    assert "Traversal" in app.radio("g_view").value and alive(app.run()).image


def test_a_view_that_the_model_lacks_gives_way(with_families: Callable[..., Open]) -> None:
    app = alive(with_families("vdvae")("generate", g_view="Pseudoinput"))
    assert app.radio("g_view").value == "Prior samples" and app.image


@cache
def _one_of_each() -> set[str]:
    """The first shipped checkpoint of every family, and of every world."""
    first: dict[str, str] = {}
    for name, path in library.shipped_checkpoints().items():
        for kind in (inspect_checkpoint(path).config.family, name.partition("-")[0]):
            first.setdefault(kind, name)
    return set(first.values())


@pytest.fixture(scope="module")
def _shared_memory() -> Iterator[None]:
    """The server's memory as after a start, then shared as by the visitors of one server."""
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def shipped_app(monkeypatch: pytest.MonkeyPatch, _shared_memory: None) -> Open:
    """The app as it is shipped, with an empty cache."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("STRATA_DATA", raising=False)

    def run(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        for key, value in query.items():
            app.query_params[key] = value
        return open_page(app, page)

    return run


@pytest.mark.parametrize("name", library.shipped_checkpoints())
def test_every_shipped_checkpoint_opens(name: str, shipped_app: Open) -> None:
    """On the page that shows all its results; one checkpoint of each kind opens on every page."""
    world = next(w for w in worlds().values() if name in w.checkpoints)
    evaluated = (ROOT / "assets" / "results" / name).is_dir()
    for page in PAGES if name in _one_of_each() else ("ood",):
        app = alive(shipped_app(page, world=world.title, **{f"a_{world.key}": name}))
        assert app.selectbox(f"a_{world.key}").value == name
        offered = any(button.label.startswith("Evaluate") for button in app.button)
        assert not (evaluated and offered), page
