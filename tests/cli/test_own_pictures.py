"""From a folder of pictures to a verdict: ``train FOLDER`` and ``judge``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import hvae_core as hv
from hvae_core.checkpoint import inspect_checkpoint
from hvae_core.cli.main import main
from hvae_core.common.cache import cache_dir
from hvae_core.data.held_out import held_out_of
from hvae_core.data.own_images import own_images
from hvae_core.detection.detector import detector
from hvae_core.detection.judging import held_out_images, judging

Tell = Callable[..., dict[str, Any]]
FEW = ("--epochs", "1", "--accelerator", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 pictures of stripes, and a picture of noise beside it."""
    folder = tmp_path_factory.mktemp("own") / "Level stripes"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(60):
        image = np.zeros((12, 12), np.uint8)
        image[draw.integers(0, 12, 4)] = draw.integers(200, 256)
        image[draw.integers(0, 12), draw.integers(0, 12)] = 255
        Image.fromarray(image).save(folder / f"{number}.png")
    noise = draw.integers(0, 2, (12, 12), dtype=np.uint8) * 255
    Image.fromarray(noise).save(folder.parent / "noise.png")
    return folder


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over the pictures."""
    folder = tmp_path_factory.mktemp("run")
    assert main(["train", str(pictures), "--out", str(folder), *FEW]) == 0
    return folder


def test_from_a_folder_to_a_verdict_in_one_command(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = str(pictures.parent / "noise.png")
    assert main(["train", str(pictures), "--out", str(tmp_path), *FEW, "--judge", noise]) == 0
    told = capsys.readouterr()
    assert "trained at 12x12 grey: most are 12x12, and they have no colours" in told.err
    assert "epoch 1 of 1: ELBO" in told.err
    assert told.out.count(" units): ") == 3 and told.out.count("nats a unit") == 3
    assert "pictures were held out" in told.out
    verdicts = ("noise.png: Not flagged", "noise.png: Out of distribution")
    assert any(verdict in told.out for verdict in verdicts)


def test_the_run_keeps_what_a_detector_needs(run: Path, pictures: Path) -> None:
    info = inspect_checkpoint(run / "Level-stripes.safetensors")
    held = held_out_of(info.digest, run / "Level-stripes.safetensors")
    assert held is not None
    images = own_images(pictures)
    assert held.images.digest == images.held_out.digest
    assert set(held.training.tolist()) == set(images.training.image_digests())
    assert f"{len(held.images)} held out by digest (seed 0)" in info.card.note
    assert info.card.title == "Level stripes, LVAE, free bits, 3 layers"
    assert not (info.card.data + info.card.note).count(str(pictures.parent))  # no path of ours
    with pytest.warns(UserWarning, match="that the model was trained on"):
        detector(run).fit(images.training)


def test_judging_a_folder_agrees_with_the_detector(
    run: Path, pictures: Path, tell: Tell, tmp_path: Path
) -> None:
    table = tmp_path / "verdicts.csv"
    told = tell("judge", pictures, "--model", run, "--alpha", 0.1, "--csv", table)
    held = held_out_of(told["digest"], run / "Level-stripes.safetensors")
    assert held is not None
    assert told["held_out"] == len(held.images)
    judge = detector(run, "levels", 0.1).fit(held.images)
    with pytest.warns(UserWarning, match="those that it was fitted to"):
        p = judge.p_values(pictures)
    assert [row["p_value"] for row in told["images"]] == pytest.approx(p.tolist())
    assert [row["out"] for row in told["images"]] == (p <= 0.1).tolist()
    assert {Path(row["image"]).suffix for row in told["images"]} == {".png"}
    assert len(table.read_text("utf-8").splitlines()) == 61


def test_scores_that_are_named_decide_together(run: Path, pictures: Path, tell: Tell) -> None:
    noise = pictures.parent / "noise.png"
    for keys in (["elbo", "llr_1"], ["elbo"]):
        told = tell("judge", noise, "--model", run, "--scores", *keys)
        held = held_out_of(told["digest"], run / "Level-stripes.safetensors")
        assert held is not None
        judge = detector(run, keys).fit(held.images)
        (row,) = told["images"]
        assert row["p_value"] == pytest.approx(judge.p_values(noise)[0])
        assert row["out"] == (judge.predict(noise)[0] == -1)
        assert all(f"{key} p = " in row["why"] for key in keys)


def test_the_same_command_goes_on_and_other_pictures_do_not(
    run: Path, pictures: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = (run / "Level-stripes.safetensors").read_bytes()
    assert main(["train", str(pictures), "--out", str(run), *FEW]) == 0  # it was finished
    assert inspect_checkpoint(before).digest == inspect_checkpoint(
        run / "Level-stripes.safetensors"
    ).digest  # fmt: skip
    np.savez(tmp_path / "Level stripes.npz", images=np.arange(60 * 144).reshape(60, 12, 12) % 255)
    assert main(["train", str(tmp_path / "Level stripes.npz"), "--out", str(run), *FEW]) == 2
    told = capsys.readouterr().err
    assert "holds a run on other images than these" in told


def test_a_model_is_calibrated_by_images_that_are_named_or_by_those_of_its_world(
    run: Path, pictures: Path, tell: Tell, tmp_path: Path
) -> None:
    few = tmp_path / "few.npz"
    np.savez(few, images=np.random.default_rng(0).integers(0, 256, (25, 12, 12), dtype=np.uint8))
    told = tell("judge", pictures.parent / "noise.png", "--model", run, "--held-out", few)
    assert told["held_out"] == 25
    (row,) = told["images"]
    assert row["image"] == "noise.png" and row["headline"]
    of_world = held_out_images(judging("glyphs-hvae3-elbo"), None)
    assert of_world.digest == hv.load_images("glyphs:validation").digest


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "nothing-here"], "no file or folder nothing-here"),
        (["train", "a", "--data", "b"], "Name the images once"),
        (["train", "--judge", "x.png"], "Name a folder of pictures, or a recipe"),
        (["train", "--preset", "glyphs-hvae3-elbo", "--size", "32"], "without --preset"),
        (["judge", "x.png", "--model", "mine.py:model"], "There is no file"),
        (["judge", "x.png", "--model", "nothing-here"], "no checkpoint nothing-here"),
        (["judge", "x.png", "--model", "glyphs-hvae3-elbo", "--alpha", "2"], "between 0 and 1"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err
    assert sentence in told and told.count("\n") == 1


def test_a_model_without_held_out_images_asks_for_some(
    run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((run / "Level-stripes.safetensors").read_bytes())
    assert not (cache_dir() / "held-out").exists()
    assert main(["judge", str(pictures), "--model", str(alone)]) == 2
    assert "No held-out images of alone are here; name some with --held-out" in (
        capsys.readouterr().err
    )
