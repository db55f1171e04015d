"""``contest`` on stored results of shipped checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hvae_core.cli.main import main

A, B = "fashion-hvae3-elbo", "fashion-hvae3-freebits"


@pytest.fixture(autouse=True)
def _no_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRATA_DATA", str(tmp_path))


def test_scores_against_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", A, "--out", "mnist", "--score", "llr_1", "llr_2"]) == 0
    told = capsys.readouterr().out
    assert "AUROC of every score against elbo" in told
    rows = [line for line in told.splitlines() if line.strip().startswith("MNIST")]
    assert len(rows) == 2
    assert "0.993" in rows[0] and "0.311" in rows[0]  # as the README has them
    assert "<0.0001" in rows[0]


def test_two_checkpoints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", A, B, "--out", "mnist", "--score", "llr_1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["checkpoints"] == [A, B]
    (test,) = told["tests"]
    assert test["result"]["first"] > test["result"]["second"]
    assert test["corrected"] == test["result"]["p_value"] < 0.05


def test_what_cannot_be_tested_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contest", A, "--out", "mnist", "--against", "llr_9"]) == 2
    assert "no score 'llr_9'" in capsys.readouterr().err
