"""``contest`` on stored results of shipped checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.checkpoint import load_checkpoint
from hvae_core.cli.main import main
from hvae_core.data import load_source
from hvae_core.detection.metrics import contest, holm
from hvae_core.evaluation.compute import evaluate
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.scores import Material, get_score
from hvae_core.scores.measures import MEASURES, compute

Tell = Callable[..., dict[str, Any]]

A, B = "fashion-hvae3-elbo", "fashion-hvae3-freebits"


@pytest.fixture(autouse=True)
def _no_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRATA_DATA", str(tmp_path))


def test_scores_against_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", A, "--out", "mnist", "--scores", "llr_1", "llr_2"]) == 0
    told = capsys.readouterr().out
    assert "AUROC of every score against elbo" in told
    rows = [line for line in told.splitlines() if line.strip().startswith("MNIST")]
    assert len(rows) == 2
    assert "0.994" in rows[0] and "0.316" in rows[0]  # as docs/results.md has them
    assert "< 0.0001" in rows[0]


def test_two_checkpoints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", A, B, "--out", "mnist", "--scores", "llr_1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["checkpoints"] == [A, B]
    (test,) = told["tests"]
    assert test["result"]["first"] > test["result"]["second"]
    assert test["corrected"] == test["result"]["p_value"] < 0.05


def test_what_cannot_be_tested_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", A, "--out", "mnist", "--against", "llr_9"]) == 2
    assert "no score 'llr_9'" in capsys.readouterr().err


OWN = """
def top_kl(material):
    "KL of the top layer"
    return material.table.kl[:, -1]
"""
KEYS = ("elbo", "llr_1", "kl_z3", "complexity", "lower_2", "waic")


@pytest.fixture
def ask(trained: Path, stripes: dict[str, Path], tmp_path: Path) -> list[object]:
    """Sets, and scores that read bounds, measures, another checkpoint, and one of one's own."""
    (tmp_path / "mine.py").write_text(OWN)
    return ["--in", stripes["other"], "--out", stripes["upright"], "--limit", 30,
            "--ensemble", trained, "--own-score", f"{tmp_path / 'mine.py'}:top_kl", "--samples", 2,
            "--partial-samples", 2, "--scores", *KEYS]  # fmt: skip


def test_every_score_of_evaluate_can_be_tested(
    tell: Tell, ask: list[object], trained: Path
) -> None:
    areas = tell("evaluate", trained, *ask)["out"][0]["detections"]
    told = tell("contest", trained, *ask)
    tests = {test["first"]: test for test in told["tests"]}
    assert set(tests) == {*KEYS, "top_kl"} - {"elbo"} and not told["unavailable"]
    for key, test in tests.items():
        assert test["result"]["first"] == pytest.approx(areas[key]["auroc"])
        assert test["result"]["second"] == pytest.approx(areas["elbo"]["auroc"])
    p_values = [test["result"]["p_value"] for test in told["tests"]]
    assert [test["corrected"] for test in told["tests"]] == list(holm(p_values))


def test_the_tests_are_the_paired_ones_of_the_scores_themselves(
    tell: Tell, ask: list[object], trained: Path, stripes: dict[str, Path]
) -> None:
    """Against the function on scores computed here, without the command."""
    tests = {test["first"]: test for test in tell("contest", trained, *ask)["tests"]}
    checkpoint, settings = load_checkpoint(trained), EvalSettings(2, 2)
    sets = [load_source(stripes[name]).sample(30) for name in ("other", "upright")]
    materials = []
    for images in sets:
        found = evaluate(checkpoint.model, checkpoint.digest, images, settings=settings)
        bits = compute(MEASURES["complexity"], None, "", images)
        materials.append(replace(Material.of(found), measures={"complexity": bits}))

    def values(key: str) -> tuple[np.ndarray, np.ndarray]:
        inside, outside = map(get_score(key, 3), materials)
        return inside, outside

    for key in ("llr_1", "kl_z3", "complexity"):
        direct = contest(values(key), values("elbo"), 0)
        assert tests[key]["result"] == pytest.approx(asdict(direct)), key
    top = contest(tuple(m.table.kl[:, -1] for m in materials), values("elbo"), 0)
    assert tests["top_kl"]["result"] == pytest.approx(asdict(top))
    other = tell("contest", trained, *ask, "--against", "complexity")["tests"]
    turned = next(test["result"] for test in other if test["first"] == "elbo")
    assert turned["difference"] == pytest.approx(-tests["complexity"]["result"]["difference"])


def test_a_score_without_its_material_is_named_with_the_reason(
    ask: list[object], trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*ask[: -len(KEYS)], "llr_1", "typicality", "msp"]
    assert main(["contest", str(trained), *map(str, asked), "--json"]) == 2
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert "error: msp could not be tested: It needs a classifier" in said.err
    assert {test["first"] for test in told["tests"]} == {"llr_1", "top_kl"}
    assert "training images" in told["unavailable"]["typicality"]
    assert "classifier" in told["unavailable"]["msp"] and "reference" in told["missing"]
    assert main(["contest", str(trained), *map(str, asked), "--against", "msp"]) == 2
    assert "classifier" in capsys.readouterr().err


def test_a_score_against_itself_is_no_test(
    trained: Path, ask: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = [*map(str, ask[: ask.index("--ensemble")]), "--samples", "2", "--partial-samples", "2"]
    assert main(["contest", str(trained), *alone, "--scores", "elbo"]) == 2
    assert "nothing to test: name a score other" in capsys.readouterr().err.replace("\n", " ")


def test_a_key_is_read_by_each_checkpoint_in_its_own_way(
    tell: Tell, ask: list[object], trained: Path
) -> None:
    """A model against itself: every score of the two sides is the same, whatever it reads."""
    told = tell("contest", trained, trained, *ask)
    assert {test["first"] for test in told["tests"]} == {*KEYS, "top_kl"}
    for test in told["tests"]:
        assert test["result"]["difference"] == 0 and test["result"]["p_value"] == 1
