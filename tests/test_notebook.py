"""``hv.show``: what the app is told, what stays as it was, and that the app starts and ends."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import hvae_core as hv
from hvae_core import notebook
from hvae_core.checkpoint import checkpoint_of, named
from hvae_core.common import html, link
from hvae_core.common.errors import CheckpointError, DataError, HVAEError
from hvae_core.common.own_models import path_of
from hvae_core.notebook import WORLD, Shown
from tests.newcomer import PlainConfig
from tests.small import tiny_model, tiny_set


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    """What apps would be told, of which none is started."""
    seen: list[Shown] = []

    def app(shown: Shown, keys: list[str]) -> Any:
        seen.append(shown)
        return SimpleNamespace(url="http://localhost:1/", close=lambda: None)

    monkeypatch.setattr(notebook, "App", app)
    return seen


def pixels(count: int, seed: int = 0) -> np.ndarray:
    shape = (count, *tiny_model().image_shape)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_the_sets_are_a_world_of_their_own(told: list[Shown]) -> None:
    given = tiny_set(5)
    hv.show(
        tiny_model(), pixels(4), {"others": given, "more": pixels(3)}, held_out=given.take(2),
        train=pixels(1200), browser=False,
    )  # fmt: skip
    world = told[0].world
    assert world is not None and world.key == WORLD and world.image_shape == given.image_shape
    assert [(spec.role, spec.title) for spec in world.sets] == [
        ("in", "images"), ("out", "others"), ("out", "more"),
        ("train", "images it was trained on"), ("validation", given.title),
    ]  # fmt: skip
    assert world.load(world.in_name).digest == hv.load_images(pixels(4)).digest
    assert len(world.load("own-images-it-was-trained-on")) == 1000


def test_the_model_is_what_it_was_when_it_was_shown(told: list[Shown]) -> None:
    model = tiny_model().train()
    hv.show(model, pixels(4), browser=False)
    (key,) = told[0].models
    kept = named.find(path_of(key))
    assert kept is not None and kept.digest == told[0].models[key].digest
    before = {name: weight.clone() for name, weight in kept.model.state_dict().items()}
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1)
    assert model.training and not kept.model.training
    assert all(torch.equal(before[name], w) for name, w in kept.model.state_dict().items())


def test_a_shipped_model_opens_in_its_own_world(told: list[Shown], tmp_path: Path) -> None:
    hv.show("glyphs-hvae3-elbo", browser=False)
    (info,) = told[0].models.values()
    assert told[0].world is None and told[0].start == "glyphs"
    assert info.digest == hv.load_checkpoint("glyphs-hvae3-elbo").digest


def test_several_models_are_shown_in_their_order(told: list[Shown]) -> None:
    models = [tiny_model(seed=seed) for seed in (3, 1)]
    hv.show(models, pixels(4), browser=False)
    digests = [info.digest for info in told[0].models.values()]
    assert digests == [checkpoint_of(model).digest for model in models]
    assert [path_of(key) for key in told[0].models] == named.models()[-2:]
    with pytest.raises(DataError, match="Give a model"):
        hv.show([], pixels(4), browser=False)


def test_what_cannot_be_shown_is_one_sentence(told: list[Shown]) -> None:
    for error, match, given in (
        (DataError, "give some by images=", {}),
        (DataError, "too, by images=", {"against": {"a": pixels(2)}}),
        (DataError, "no file or folder nowhere", {"images": "nowhere"}),
    ):
        with pytest.raises(error, match=match):
            hv.show(tiny_model(), **given, browser=False)
    with pytest.raises(CheckpointError, match="no checkpoint nothing"):
        hv.show("nothing", browser=False)
    stuck = tiny_model()
    stuck.handle = open(__file__)  # noqa: SIM115
    with pytest.raises(HVAEError, match="cannot be copied"):
        hv.show(stuck, pixels(2), browser=False)
    stuck.handle.close()
    assert not told


def test_a_family_that_the_app_cannot_know_is_said() -> None:
    with pytest.raises(HVAEError, match=r"shown by hv\.adapt"):
        hv.show(tiny_model(PlainConfig((1, 8, 8))), tiny_set(3), browser=False)
    assert not [path for path in named.models() if "plain" in str(path)]


def test_the_app_starts_beside_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames: list[Any] = []
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    display = SimpleNamespace(IFrame=lambda *place, **size: (place, size), display=frames.append)
    monkeypatch.setitem(sys.modules, "IPython", shell)  # type: ignore[misc]
    monkeypatch.setitem(sys.modules, "IPython.display", display)  # type: ignore[misc]
    app = hv.show(tiny_model(), pixels(4), {"others": pixels(3, 1)}, height=500)
    try:
        assert app.running and app.url in repr(app)
        assert frames == [((app.url,), {"width": "100%", "height": 500})]
        monkeypatch.setenv(link.PLACE, app._answerer.place)
        assert [spec.title for spec in link.shown().world.sets] == ["images", "others"]
    finally:
        app.close()
    assert not app.running and "has ended" in repr(app)
    app.wait()  # comes back at once
    app.close()
    with pytest.raises(HVAEError, match="does not answer"):
        link.shown()


def test_a_report_shows_itself_and_no_html_of_strangers() -> None:
    model = tiny_model()
    inside, outside = (hv.evaluate(model, tiny_set(n)) for n in (9, 8))
    report = hv.report(inside, [outside])
    shown = report._repr_html_()
    assert shown.startswith("<table>") and "KL in nats by layer" in shown
    for line in str(report).splitlines()[1:-1]:
        assert line.split("  ")[0] in shown
    assert "<b>" not in html.table([["", "<b>"], ["<b>", "<b>"]], "<b>")


def test_reconstructions_show_themselves() -> None:
    model, images = tiny_model(), tiny_set(23)
    shown = hv.reconstruct(model, images)._repr_html_()
    assert shown.count("<img ") == 20 * (model.n_levels + 1)
    assert "3 more images are not shown" in shown
