"""Every page with a model of the user's own, named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvae_core.common import own_models
from hvae_core.data.worlds import worlds
from hvae_core.evaluation.compute import evaluate_sets
from hvae_core.evaluation.sets import Sets
from pages.shared import serve, store
from tests.own_file import own_file
from tests.pages.conftest import Start, alive, with_glyphs, worlds_module
from tests.pages.test_every_page import LIMIT, PAGES, SETS


def test_every_page_knows_a_model_of_ones_own(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_MODELS", "[]")
    monkeypatch.setattr(worlds_module, "read_worlds", with_glyphs(lambda name: name in SETS))
    monkeypatch.setattr(store, "SHOWN_LIMIT", LIMIT)
    worlds_module.worlds.cache_clear()
    path = f"{own_file(tmp_path, 28)}:model"
    assert serve.with_models(["--server.port", "1", "--model", path]) == ["--server.port", "1"]
    evaluate_sets(own_models.allow(path), Sets(worlds()["glyphs"], limit=LIMIT), SETS)  # as a job
    for page in PAGES:
        app = alive(start(page))
        assert app.selectbox("a_glyphs").value == "mine-model", page
        assert not any(button.label.startswith("Evaluate") for button in app.button), page
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    assert "mine-model" not in start("collapse").selectbox("a_glyphs").options


def test_the_app_does_not_start_with_a_model_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRATA_MODELS", "[]")
    with pytest.raises(SystemExit):
        serve.with_models(["--model", f"{own_file(tmp_path)}:number"])
    assert "it must be a model" in capsys.readouterr().err
