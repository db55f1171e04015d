"""Training from the command line, to the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hvae_core.checkpoint import inspect_checkpoint, load_checkpoint
from hvae_core.cli.main import main
from hvae_core.config.presets import PRESETS
from hvae_core.scores.classifier.config import PRESETS as CLASSIFIERS
from hvae_core.training.loop import Run
from tests.cli.conftest import TINY

Tell = Callable[..., dict[str, Any]]


@pytest.fixture
def start(stripes: dict[str, Path], tmp_path: Path, _tiny_preset: None) -> list[str]:
    return ["train", "--preset", "tiny", "--data", str(stripes["level"]), "--out",
            str(tmp_path / "run"), "--accelerator", "cpu", "--threads", "1"]  # fmt: skip


def test_from_training_to_a_verdict(trained: Path, stripes: dict[str, Path], tell: Tell) -> None:
    told = tell("evaluate", trained, "--in", stripes["other"], "--out", stripes["noise"])
    found = told["out"][0]["detections"]
    assert found["elbo"]["auroc"] > 0.9  # noise is far from stripes
    assert all(0 <= found[key]["low"] <= found[key]["auroc"] <= found[key]["high"] for key in found)


def test_train_writes_state_checkpoint_and_card(start: list[str], tell: Tell) -> None:
    told = tell(*start, "--seed", 5)
    path = Path(told["path"])
    assert (path.parent / "state.safetensors").is_file()
    card = load_checkpoint(path).card
    assert (card.preset, card.epochs, card.seed) == ("tiny", 2, 5)
    assert card.train_images == 108  # a tenth of 120 validates
    assert "108 images; 12 for validation" in card.data
    assert card.parameters == sum(w.numel() for w in load_checkpoint(path).model.parameters())
    assert card.seconds > 0
    assert "1 thread" in card.hardware
    assert card.note == "recipe after the tests"
    assert told["train"]["data"] == "own: level"


def test_a_finished_run_only_writes_its_checkpoint_again(
    start: list[str], tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tell(*start)
    path = Path(first["path"])
    path.unlink()
    assert tell(*start) == first
    capsys.readouterr()
    assert main([*start, "--seed", "3"]) == 2  # another run in the same folder
    assert "other settings: seed 0 there and 3 here" in capsys.readouterr().err


def test_a_finished_run_goes_on_with_more_epochs(
    start: list[str], tell: Tell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tell(*start)
    left = tmp_path / "run" / ".writing-0123abcd.tmp"  # of a process that was killed
    left.write_bytes(b"half")
    assert main([*start, "--epochs", "3"]) == 0
    assert "2 epochs goes on to 3: from epoch 3 on, learning rate," in capsys.readouterr().err
    card = inspect_checkpoint(tmp_path / "run" / "tiny.safetensors").card
    assert card.epochs == 3 and "run of 2 epochs goes on to 3" in card.note
    assert not left.exists()


def test_stopped_after_an_epoch_there_is_a_checkpoint_and_the_run_continues(
    start: list[str], tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from hvae_core.training import recipe

    whole = tell(*start)
    start[start.index("--out") + 1] = str(tmp_path / "again")

    def stop(result: Run, epochs: int) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "epoch_line", stop)
        assert main(start) == 130
    assert "same command continues" in capsys.readouterr().err
    half = load_checkpoint(tmp_path / "again" / "tiny.safetensors").card
    assert half.epochs == 1
    assert "unfinished, 1 of 2 epochs" in half.note
    resumed = tell(*start)
    key = "valid_elbo"
    assert resumed["history"][key] == whole["history"][key]


def test_schedules_shrink_with_the_epochs() -> None:
    from hvae_core.training.recipe import adjusted

    config = PRESETS["glyphs-hvae3-freebits"].train
    assert adjusted(config, None, None, data=config.data) == config
    short = adjusted(config, 2, 7, data="glyphs")
    assert (short.epochs, short.seed) == (2, 7)
    assert short.free_bits_constant / 2 == pytest.approx(config.free_bits_constant / config.epochs)
    assert short.warmup_epochs / 2 == pytest.approx(config.warmup_epochs / config.epochs)


def test_a_title_is_without_the_notes_of_its_images(tmp_path: Path) -> None:
    """They stand on the card, where a colon in them cuts nothing."""
    from hvae_core.data.training_sets import TrainingSets, training_sets

    for index in range(12):
        Image.new("L", (8, 8), 90 + index).save(tmp_path / f"{index}.jpg")
    (tmp_path / "x.png").write_bytes(b"no picture")
    data = training_sets(TINY.world, TINY.model.image_shape, source=str(tmp_path))
    assert data.title == data.train.title == tmp_path.name
    assert data.words.startswith(f"{tmp_path.name} (JPEG-compressed; 1 of 13 images could not be")
    letters = TrainingSets(data.train, data.validation, "glyphs", words="Letters: train (a: b)")
    assert letters.title == "Letters"


def test_presets_are_listed(tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(tell("train", "--list")["presets"]) == {*PRESETS, *CLASSIFIERS}
    assert main(["train", "--list"]) == 0
    assert "glyphs-hvae3-elbo" in capsys.readouterr().out


def test_too_few_images_and_missing_worlds_are_errors(
    start: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import numpy as np

    assert main([*start, "--seed", str(2**31)]) == 2
    assert "seed" in capsys.readouterr().err

    np.savez(tmp_path / "one.npz", images=np.zeros((1, 8, 8), np.uint8))
    start[start.index("--data") + 1] = str(tmp_path / "one.npz")
    assert main(start) == 2
    assert "too few to train on" in capsys.readouterr().err
    monkeypatch.setitem(PRESETS, "far", replace(TINY, name="far", world="fashion"))
    assert main(["train", "--preset", "far", "--data-root", str(tmp_path / "none")]) == 2
    assert "not on this machine" in capsys.readouterr().err


def test_a_recipe_that_starts_from_another_takes_the_run_beside_it(
    trained: Path, stripes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    then = replace(TINY, name="then", train=replace(TINY.train, start="long", warmup_epochs=0))
    monkeypatch.setitem(PRESETS, "then", then)
    argv = ["train", "--preset", "then", "--data", str(stripes["level"]), "--accelerator", "cpu",
            "--epochs", "1", "--out", str(tmp_path / "then")]  # fmt: skip
    assert main(argv) == 2
    assert "train it first: python -m hvae_core train --preset long" in capsys.readouterr().err
    (tmp_path / "long").mkdir()
    (tmp_path / "long" / "long.safetensors").write_bytes(trained.read_bytes())
    assert main(argv) == 0
    made = inspect_checkpoint(tmp_path / "then" / "then.safetensors")
    assert "started from the weights of long" in made.card.note
    assert made.history["valid_elbo"][0] > inspect_checkpoint(trained).history["valid_elbo"][0]


def test_half_precision_works_and_is_on_the_card(start: list[str], tell: Tell) -> None:
    told = tell(*start, "--precision", "bf16-mixed")
    checkpoint = load_checkpoint(told["path"])
    assert checkpoint.card.note == "recipe after the tests; trained in bf16-mixed"
    assert {str(weight.dtype) for weight in checkpoint.model.parameters()} == {"torch.float32"}


def test_processes_that_cannot_be_are_refused_in_a_sentence(
    start: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*start, "--strategy", "fsdp"]) == 2
    said = capsys.readouterr().err
    assert "name more with --devices or --num-nodes" in said and "Traceback" not in said
