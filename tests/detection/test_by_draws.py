"""Nested draws: each table is that of a run with so many samples; the command and its chart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hvae_core.checkpoint import save_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.errors import ConfigError
from hvae_core.config import ModelCard, TrainConfig
from hvae_core.detection import by_draws
from hvae_core.detection.metrics import auroc
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.figures import LIGHT, auroc_by_draws
from hvae_core.scores import get_score, score_list
from tests.small import tiny_config, tiny_model, tiny_set


def test_each_table_is_that_of_a_run_with_so_many_samples(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_draws, "_PART", 4)
    monkeypatch.setattr(by_draws, "_BATCH", 3)
    model, images = tiny_model(), tiny_set(7)
    found = by_draws.nested_tables(
        model, "a", images, settings=EvalSettings(seed=2), counts=[12, 1, 3]
    )
    assert list(found) == [1, 3, 12]
    for count, table in found.items():
        alone = evaluate(model, "a", images, settings=EvalSettings(count, count, seed=2)).table
        assert table.samples == count
        for name in ("bound", "iw", "nll"):
            np.testing.assert_allclose(
                getattr(table, name), getattr(alone, name), rtol=1e-5, atol=1e-3
            )
    assert np.isnan(found[1].errors["bound_error"]).all()
    assert (found[12].errors["bound_error"] > 0).all()
    # what is known is not computed again
    monkeypatch.setattr(by_draws, "_part", None)
    again = by_draws.nested_tables(
        model, "a", images, settings=EvalSettings(seed=2), counts=[3, 12, 1]
    )
    np.testing.assert_array_equal(again[3].iw, found[3].iw)
    with pytest.raises(ConfigError, match="1 or more"):
        by_draws.nested_tables(model, "a", images, settings=EvalSettings(), counts=[0, 5])


def test_areas_by_draws_are_those_of_the_tables(cache_folder: Path) -> None:
    model = tiny_model()
    inside, outside = (
        by_draws.nested_tables(
            model, "a", tiny_set(n, seed=n), settings=EvalSettings(), counts=[1, 2]
        )
        for n in (12, 9)
    )
    found = by_draws.auroc_by_draws(inside, outside, score_list(3))
    ratio = next(one for one in found if one.score == "llr_1")
    score = get_score("llr_1", 3)
    assert ratio.samples == (1, 2)
    assert ratio.areas[1][0] == pytest.approx(
        auroc(*(by_draws.equal_numbers(score(inside[2]), score(outside[2]), 0)))
    )
    figure = auroc_by_draws(ratio.samples, {"LLR": ratio.areas}, LIGHT)
    np.testing.assert_allclose(figure.data[1].y, [area[0] for area in ratio.areas], rtol=1e-6)


def test_the_command(
    tmp_path: Path, cache_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, chart = tmp_path / "mine.safetensors", tmp_path / "draws.html"
    config = replace(tiny_config(), image_shape=(1, 28, 28))
    save_checkpoint(
        path, tiny_model(config), card=ModelCard("mine"), history={}, train=TrainConfig("glyphs")
    )
    argv = ["draws", str(path), "--out", "lower", "--counts", "1", "2", "--limit", "6"]
    assert main([*argv, "--chart", str(chart)]) == 0
    told = capsys.readouterr().out
    assert "AUROC by draws" in told and "S = 2" in told
    assert "L^S - L>1" in told and "between images" in told
    assert "<script" in chart.read_text()
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["auroc"][0]["samples"] == [1, 2]
    assert told["errors"]["1"]["bound_error"] == [None] * 3
