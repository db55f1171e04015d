"""Classifiers on the command line: trained by a preset, inspected, kept from the models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hvae_core.cli.main import main
from hvae_core.data.readers.npz import npz_bytes
from hvae_core.scores.classifier.file import load_classifier
from tests.small import tiny_set


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "bars.npz"
    path.write_bytes(npz_bytes(tiny_set(60, (1, 28, 28))))
    return path


def _train(bars: Path, out: Path, *more: str) -> int:
    argv = ["train", "--preset", "glyphs-classifier", "--epochs", "1", "--threads", "1"]
    return main([*argv, "--data", str(bars), "--out", str(out), *more])


def test_train_and_inspect(bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _train(bars, tmp_path / "run", "--seed", "2", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    path = tmp_path / "run" / "glyphs-classifier-2.safetensors"
    assert told["path"] == str(path)
    file = load_classifier(path)
    assert (told["digest"], file.config.classes) == (file.digest, 2)
    assert (file.card.train_images, file.card.seed, file.card.epochs) == (54, 2, 1)
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == file.digest
    assert main(["inspect", str(path)]) == 0
    assert "cross-entropy" in capsys.readouterr().out
    assert main(["evaluate", str(path)]) == 2
    assert "is a classifier, not a hierarchical VAE" in capsys.readouterr().err


def test_images_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plain.npz"
    np.savez(path, images=tiny_set(30, (1, 28, 28)).images)
    assert _train(path, tmp_path / "run") == 2
    assert "needs a label" in capsys.readouterr().err


def test_devices_are_not_for_classifiers(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _train(bars, tmp_path / "run", "--devices", "2") == 2
    assert "trains on the processor" in capsys.readouterr().err


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    names = [preset["name"] for preset in listed["classifiers"]]
    assert names == ["glyphs-classifier", "fashion-classifier"]
    assert not set(names) & {preset["name"] for preset in listed["presets"]}
    assert main(["train", "--list"]) == 0
    assert "fashion-classifier" in capsys.readouterr().out


def test_the_sets_that_the_papers_name(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars.rename(tmp_path / "mnist.npz")
    assert main(["datasets", "--data-root", str(tmp_path), "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["sets"]}
    assert "test" in listed["mnist"]["here"]
    assert listed["svhn"]["here"] == []
    assert listed["svhn"]["source"] == "hub ufldl-stanford/svhn:cropped_digits"
    assert listed["smallnorb_inverted"]["preparation"] == "resized to 28x28 grey, inverted"
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    assert "scientific fair use" in text
    assert "celeba: Liu, Luo, Wang and Tang 2015" in text


def test_a_set_by_name_stands_in_evaluate(
    tmp_path: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars.rename(tmp_path / "mnist.npz")
    argv = ["evaluate", "glyphs-hvae3-elbo", "--data-root", str(tmp_path), "--limit", "20"]
    few = ["--samples", "1", "--partial-samples", "1", "--json"]
    assert main([*argv, "--out", "mnist+inverted", *few]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [out["name"] for out in told["out"]] == ["mnist+inverted"]
    assert main([*argv, "--in", "validation", "--out", "digits"]) == 2
    assert "name a test split with --in" in capsys.readouterr().err
    assert main([*argv, "--out", "svhn"]) == 2
    assert "SVHN house numbers are not on this machine" in capsys.readouterr().err
