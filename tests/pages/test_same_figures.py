"""A page and a command show the same figures: of shipped, cached and absent evaluations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from hvae_core.checkpoint import load_checkpoint
from hvae_core.checkpoint.library import shipped_checkpoints
from hvae_core.cli.main import main
from hvae_core.common import cache
from hvae_core.data.worlds import custom_set, worlds
from hvae_core.evaluation import lookup
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings, pack
from hvae_core.evaluation.sets import Sets
from tests.pages.conftest import CONFIG, LIMIT, Start
from tests.small import tiny_set

Figures = dict[tuple[str, str], dict[str, float]]
FIGURES = ("auroc", "low", "high", "auprc", "fpr80", "fpr95", "n_in", "n_out")


def assert_same(page: Figures, command: Figures) -> None:
    """Every figure of the command stands on the page, which has scores beside."""
    assert command
    assert {key: page.get(key) for key in command} == command


def of_page(app: AppTest) -> Figures:
    """The table All numbers of the OOD page, by set and score."""
    app.session_state["o_numbers"] = True
    app.run()
    assert not app.exception and not app.error
    rows = app.dataframe[1].value.to_dict("records")
    return {(row["set"], row["score"]): {name: row[name] for name in FIGURES} for row in rows}


def of_command(capsys: pytest.CaptureFixture[str], *argv: str) -> Figures:
    """The same of ``evaluate --json``."""
    capsys.readouterr()
    world = argv[0].partition("-")[0]
    assert main(["evaluate", *argv, "--world", world, "--limit", str(LIMIT), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    return {
        (result["name"], key): {name: round(detection[name], 3) for name in FIGURES}
        for result in told["out"]
        for key, detection in result["detections"].items()
    }


def test_shipped_results_without_images(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    page = of_page(start("ood", world="FashionMNIST"))
    assert_same(page, of_command(capsys, "fashion-hvae3-elbo", "--out", "mnist", "kmnist"))


def test_cached_evaluations(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    page = of_page(start("ood"))
    assert {name for name, _ in page} == {"lower", "digits", "signs"}
    assert_same(page, of_command(capsys, "glyphs-hvae3-elbo", "--out", "lower", "digits", "signs"))


def test_an_absent_evaluation_is_offered_and_computed_it_is_that_of_the_command(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "glyphs-hvae3-informative"
    for path in (cache.cache_dir() / "evaluations").glob("*.npz"):
        path.unlink()
    app = start("ood", a_glyphs=name)
    assert any(button.label.startswith("Evaluate") for button in app.button)
    assert not app.dataframe
    command = of_command(capsys, name, "--out", "lower", "digits", "signs")
    _evaluate_reference(name)
    assert_same(of_page(start("ood", a_glyphs=name)), command)


def _evaluate_reference(name: str) -> None:
    checkpoint = load_checkpoint(shipped_checkpoints()[name])
    lookup.evaluated(checkpoint, Sets(worlds()["glyphs"], limit=LIMIT), "validation")


def test_a_shipped_result_of_other_pixels_is_never_shown_as_theirs(
    tiny_app: Path, start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Images come to be on this machine, and they are not those of the stored result."""
    name = "fashion-hvae3-elbo"
    checkpoint = load_checkpoint(tiny_app / "checkpoints" / f"{name}.safetensors")
    world = worlds()["fashion"]
    stored = lookup.lookup(checkpoint, Sets(world, limit=LIMIT), "mnist")
    assert stored.evaluation is not None and stored.missing
    others = tiny_set(LIMIT, CONFIG.image_shape, seed=77, name="mnist")
    spec = replace(custom_set(others, "out"), name="mnist", title="MNIST")
    here = replace(world, sets=tuple(spec if s.name == "mnist" else s for s in world.sets))
    monkeypatch.setitem(worlds(), "fashion", here)
    answer = lookup.lookup(checkpoint, Sets(here, limit=LIMIT), "mnist")
    assert answer.evaluation is None and not answer.missing
    app = start("ood", world="FashionMNIST")
    assert any(button.label == "Evaluate 1 set" for button in app.button)
    evaluate(checkpoint.model, checkpoint.digest, others, settings=EvalSettings())
    page = of_page(start("ood", world="FashionMNIST"))
    assert_same(page, of_command(capsys, name, "--out", "mnist"))
    computed = lookup.lookup(checkpoint, Sets(here, limit=LIMIT), "mnist").evaluation
    assert computed is not None
    assert np.abs(computed.table.bound - stored.evaluation.table.bound).max() > 1


def test_an_altered_file_of_the_project_is_seen(
    tiny_app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest of a set's pixels follows from its file: another file is read again."""
    checkpoint = load_checkpoint(tiny_app / "checkpoints" / "glyphs-hvae3-elbo.safetensors")
    sets = Sets(worlds()["glyphs"], limit=LIMIT)
    evaluation = lookup.lookup(checkpoint, sets, "digits").evaluation
    assert evaluation is not None
    path = tiny_app / "results" / "glyphs-hvae3-elbo" / "lower.npz"
    cache.write_npz(path, pack(evaluation))  # digits under the name of lower case
    answer = lookup.lookup(checkpoint, sets, "lower")
    assert answer.evaluation is not None
    assert answer.evaluation.set_digest != evaluation.set_digest
