"""Scores on the command line: chosen by key, all of them, with other checkpoints, and one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvae_core.cli.main import main
from hvae_core.common.errors import ScoreError
from hvae_core.evaluation.bounds import BoundTable
from hvae_core.scores import Material
from hvae_core.scores.own import own_score

Tell = Callable[..., dict[str, Any]]
TABLE = BoundTable(*(np.ones((4, 2)) for _ in range(4)), dims=64, samples=1)


@pytest.fixture
def ask(trained: Path, stripes: dict[str, Path]) -> list[object]:
    return ["evaluate", trained, "--in", stripes["other"], "--out", stripes["noise"],
            "--limit", "12", "--samples", "2", "--partial-samples", "2"]  # fmt: skip


def test_chosen_scores_with_other_checkpoints(tell: Tell, ask: list[object], trained: Path) -> None:
    keys = ["elbo", "kl_z2", "complexity", "lower_2", "llr_1_2", "waic", "background"]
    told = tell(*ask, "--scores", *keys, "--ensemble", trained, "--background", trained)
    assert [score["key"] for score in told["scores"]] == keys
    found = told["out"][0]["detections"]
    assert set(found) == set(keys)
    assert found["waic"]["auroc"] == pytest.approx(found["elbo"]["auroc"])  # twice the same
    assert found["background"]["auroc"] == 0.5  # the ratio to itself


def test_what_cannot_be_had_is_told_and_the_rest_is_printed(
    ask: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ["elbo", "waic", "typicality", "msp"]
    assert main([*map(str, ask), "--json", "--scores", *keys]) == 2  # each was asked for
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert set(told["out"][0]["detections"]) >= {"elbo"}
    for key in keys[1:]:
        assert f"error: {key} could not be had: It " in said.err
    reasons = told["out"][0]["unavailable"]
    assert "second checkpoint" in reasons["waic"]
    assert "training images" in reasons["typicality"]
    assert "classifier" in reasons["msp"]
    assert "reference" in told["missing"]


def test_a_key_that_does_not_exist_is_refused(
    ask: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*map(str, ask), "--scores", "llr_9"]) == 2
    assert "There is no score 'llr_9'" in capsys.readouterr().err


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


def test_a_score_of_ones_own_stands_beside_the_others(
    tell: Tell, ask: list[object], tmp_path: Path
) -> None:
    path = own(
        tmp_path, 'def likely(material):\n    "As likely"\n    return -material.table.bound[:, 0]'
    )
    told = tell(*ask, "--scores", "elbo", "--own-score", f"{path}:likely")
    found = told["out"][0]["detections"]
    assert found["likely"] == found["elbo"]
    assert told["scores"][1]["name"] == "As likely"


BROKEN = {
    "def f(material): return material.nothing": r"mine.py:f failed: AttributeError .* line 1\.$",
    "def f(material): return [1.0]": r"shape \(1,\) for 4 images",
    "def f(material): return 'many'": "failed: ValueError",
    "def f(material): raise SystemExit": "failed: SystemExit",
    "f = 3": "has no function f",
    "def f(:": "could not be read: SyntaxError .* line 1",
    "import nowhere_at_all": "could not be read: ModuleNotFoundError",
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_wrong_with_it_is_one_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=BROKEN[text]) as told:
        own_score(f"{own(tmp_path, text)}:f")(Material(TABLE))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("spec", ["mine.py", "mine.txt:f", "none.py:f", ":f", "mine.py:not a name"])
def test_a_name_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(ScoreError, match="names no score|no file"):
        own_score(spec)


def test_scores_of_a_checkpoint_say_why_not(tell: Tell) -> None:
    told = tell("scores", "glyphs-hvae3-elbo")
    by_key = {score["key"]: score["missing"] for score in told["scores"]}
    assert by_key["elbo"] is None and by_key["llr_1_2"] is None and by_key["typicality"] is None
    assert "of z1, which are not kept" in by_key["mahalanobis_z1"]
    assert by_key["mahalanobis_z2"] is None
    assert "--ensemble" in by_key["waic"]
