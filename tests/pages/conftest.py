"""The app on a tiny world: two Glyphs checkpoints with results, one FashionMNIST without images."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from hvae_core import door
from hvae_core.checkpoint import library, load_checkpoint, save_checkpoint
from hvae_core.cli.main import command_line
from hvae_core.common import cache
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard
from hvae_core.data import identity
from hvae_core.data.worlds import WORLDS, World, read_worlds
from hvae_core.evaluation import lookup
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, pack
from hvae_core.scores import reference
from pages.shared import store
from tests.conftest import ROOT
from tests.small import tiny_model, tiny_set

worlds_module = import_module("hvae_core.data.worlds")  # the package has a function of that name

LIMIT = 24
"""Images of a set in these tests."""

LEFT_OUT = ("greek", "cyrillic", "script", "handwritten")
"""Sets of Glyphs that these tests do without, for the time they take."""

CONFIG = HVAEConfig(
    image_shape=(1, 28, 28),
    latents=(LatentConfig(2, "conv", stride=2), LatentConfig(6, "dense"), LatentConfig(4, "dense")),
    channels=4,
    blocks=1,
    stem=2,
)
TITLES = {
    "glyphs-hvae3-elbo": "Tiny, plain",
    "glyphs-hvae3-informative": "Tiny, informative",
    "fashion-hvae3-elbo": "Tiny, of clothes",
}
HISTORY = {
    "valid_elbo": [-300.0, -200.0, -180.0],
    "train_kl": [[21.0, 1.1, 0.4], [26.0, 2.1, 0.02], [31.0, 3.1, 0.002]],
    "valid_kl": [[20.0, 1.0, 0.5], [25.0, 2.0, 0.01], [30.0, 3.0, 0.001]],
    "active_units": [[90, 6, 4], [95, 6, 2], [98, 6, 0]],
}

State = dict[str, object] | None
Start = Callable[..., AppTest]
"""Opens the app: ``start("latents", {"selection": ...}, world="FashionMNIST")``."""


def open_page(app: AppTest, page: str) -> AppTest:
    """The app run for the first time, on a page, as a session that opens the page's address.

    ``switch_page`` before the first run takes a page's address from the name of its file, which is
    page.py for all of them.
    """
    assert (ROOT / "pages" / page / "page.py").is_file()
    app._page_hash = calc_hash("" if page == "start" else page)
    return app.run()


@pytest.fixture(scope="session", autouse=True)
def _installed_packages_are_searched_once() -> Iterator[None]:
    """Streamlit looks through every installed package for components, anew for each session."""
    found = tuple(manifest_scanner.scan_component_manifests())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", lambda: list(found))
        yield


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder ``assets`` with checkpoints and stored results, and a ``cache`` with evaluations."""
    folder = tmp_path_factory.mktemp("tiny")
    checkpoints = folder / "assets" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for seed, (name, title) in enumerate(TITLES.items()):
        card = ModelCard(title, data="a few images", epochs=3, parameters=1234)
        path = checkpoints / f"{name}.safetensors"
        history = HISTORY if name.startswith("glyphs") else {}
        save_checkpoint(path, tiny_model(CONFIG, seed), card=card, history=history)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRATA_CACHE", str(folder / "cache"))
        _evaluate_glyphs(checkpoints)
        _store_fashion(checkpoints, folder / "assets" / "results")
    return folder


def with_glyphs(keep: Callable[[str], bool]) -> Callable[[Path], dict[str, World]]:
    """A reader of worlds in which Glyphs stands first and has only the sets that ``keep`` says."""

    def read(path: Path) -> dict[str, World]:
        found = read_worlds(path)
        kept = tuple(spec for spec in found["glyphs"].sets if keep(spec.name))
        return {"glyphs": replace(found.pop("glyphs"), sets=kept), **found}

    return read


_read_tiny = with_glyphs(lambda name: name not in LEFT_OUT)


def _evaluate_glyphs(checkpoints: Path) -> None:
    world = _read_tiny(WORLDS)["glyphs"]
    for name in ("glyphs-hvae3-elbo", "glyphs-hvae3-informative"):
        checkpoint = load_checkpoint(checkpoints / f"{name}.safetensors")
        for spec in world.with_role("in", "out", "validation"):
            images = world.load(spec.name, limit=LIMIT)
            evaluate(checkpoint.model, checkpoint.digest, images, settings=EvalSettings())


def _store_fashion(checkpoints: Path, results: Path) -> None:
    checkpoint = load_checkpoint(checkpoints / "fashion-hvae3-elbo.safetensors")
    for seed, name in enumerate(("test", "mnist", "kmnist", "validation")):
        images = tiny_set(LIMIT, CONFIG.image_shape, seed, name)
        found = evaluate(checkpoint.model, checkpoint.digest, images, settings=EvalSettings())
        cache.write_npz(results / "fashion-hvae3-elbo" / f"{name}.npz", pack(found))


@pytest.fixture
def tiny_app(
    tiny_files: Path, cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The app's places moved to the tiny files; returns their ``assets``, this test's own copy.

    Glyphs' images are the shipped ones, ``LIMIT`` of each set; FashionMNIST has no images.
    """
    shutil.copytree(tiny_files / "cache", cache_folder)
    assets = tmp_path / "assets"
    shutil.copytree(tiny_files / "assets", assets)
    monkeypatch.setattr(library, "SHIPPED", assets / "checkpoints")
    monkeypatch.setattr(worlds_module, "ASSETS", assets)
    monkeypatch.setattr(worlds_module, "read_worlds", _read_tiny)
    for module in (lookup, reference):
        monkeypatch.setattr(module, "RESULTS", assets / "results")
    monkeypatch.setattr(identity, "SHIPPED", assets / "results" / "identities.json")
    for module in (lookup, door):
        monkeypatch.setattr(module, "SHIPPED_LIMIT", LIMIT)
    monkeypatch.setattr(store, "SHOWN_LIMIT", LIMIT)
    monkeypatch.delenv("STRATA_DATA", raising=False)
    worlds_module.worlds.cache_clear()
    st.cache_resource.clear()
    st.cache_data.clear()
    yield assets
    worlds_module.worlds.cache_clear()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def start(tiny_app: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Open the app on a page as a fresh session, with session state and a query."""
    monkeypatch.chdir(ROOT)

    def run(page: str = "start", /, state: State = None, **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        for key, value in (state or {}).items():
            app.session_state[key] = value
        return open_page(app, page)

    return run


SMALL = re.compile(r"(?:^|(?<=[.!?] ))(?!log\b|et\b|my pictures\b)[a-z]{2,}(?= ).{20}")
"""A sentence that begins with a small letter; one is that of a symbol, as p, or a name's."""


def alive(app: AppTest) -> AppTest:
    """The page drew itself: no exception and no error anywhere."""
    assert not app.exception
    assert [error.value for error in app.error] == []
    return in_sentences(app)


def in_sentences(app: AppTest) -> AppTest:
    """Every sentence of the page begins with a capital."""
    for said in (*app.markdown, *app.caption, *app.info, *app.success, *app.warning):
        assert not (said.value.endswith(".") and SMALL.findall(said.value)), said.value
    for title in app.title:
        assert not SMALL.match(title.value), title.value
    return app


def text(app: AppTest) -> str:
    """Sentences, remarks and notes of the page, a line each."""
    return "\n".join(part.value for part in (*app.markdown, *app.caption, *app.info))


def charts(app: AppTest) -> set[str]:
    """The charts on the page, by the names under which they are drawn."""
    return {chart.proto.id.split("-", 2)[2] for chart in app.get("plotly_chart")}


def clickables(app: AppTest) -> set[str]:
    """The keys of the pictures on the page in which an image can be clicked."""
    parts = (part.proto for part in app.main.get("bidi_component"))
    return {part.id.split("-", 2)[2] for part in parts if part.component_name == "strata_clickable"}


def commands(app: AppTest) -> list[str]:
    """The commands on the page that a reader can copy."""
    parts = [part.proto for part in app.main.get("bidi_component")]
    return [json.loads(one.json)["words"] for one in parts if "command" in one.component_name]


def run_codes(app: AppTest, monkeypatch: pytest.MonkeyPatch, only: str = "") -> list[str]:
    """Run the code of every panel of a page: each makes the figure that the page shows.

    With ``only``, of those whose names begin so.

    Their commands are read as the command line reads them.

    Returns the names of the panels that have code.
    """
    from plotly.basedatatypes import BaseFigure

    monkeypatch.setattr(BaseFigure, "show", lambda figure: None)
    monkeypatch.setattr(Image.Image, "show", lambda picture: None)
    names = []
    for _, panel in app.session_state["panels"].panels:
        code = panel.written() if panel.name.startswith(only) else None
        if code is None:
            continue
        if code.command:
            words = shlex.split(code.command)[3:]  # behind python -m hvae_core
            command_line().parse_args(words, exit_on_error=False, print_error=False)
        made: dict[str, Any] = {}
        exec(compile(code.python, panel.name, "exec"), made)
        names.append(panel.name)
        content = panel.made()
        if isinstance(content, Image.Image):
            apart = np.asarray(content, int) - np.asarray(made["figure"], int)
            assert np.abs(apart).max() <= 1, panel.name
        elif isinstance(content, BaseFigure):
            assert_same(content.to_plotly_json(), made["figure"].to_plotly_json(), panel.name)
    return names


def assert_same(one: Any, other: Any, where: str) -> None:
    """Two nestings are the same, numbers but for rounding."""
    if isinstance(one, dict) and "bdata" in one:  # numbers as plotly packs them
        assert one.keys() == other.keys() and one["dtype"] == other["dtype"], where
        numbers = [np.frombuffer(b64decode(v["bdata"]), v["dtype"]) for v in (one, other)]
        assert_same(*numbers, where)
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray) and one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6, err_msg=where)
    elif isinstance(one, list | tuple | np.ndarray):
        assert len(one) == len(other), where
        for mine, its in zip(one, other, strict=True):
            assert_same(mine, its, where)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6, nan_ok=True), where
    else:
        assert one == other, where
