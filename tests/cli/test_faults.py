"""What commands do where nothing can be had, nothing can be written, or a path is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from hvae_core.checkpoint import load_checkpoint, save_checkpoint
from hvae_core.cli import main as module
from hvae_core.cli.main import main


@pytest.fixture(scope="module")
def broken(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint whose weights are finite and whose bounds are not."""
    good = load_checkpoint(trained)
    path = tmp_path_factory.mktemp("broken") / "broken.safetensors"
    with torch.no_grad():
        for name, weight in good.model.named_parameters():
            if name.endswith(("bias", "original0")):  # offsets and gains
                weight.fill_(1e30)
    save_checkpoint(path, good.model, card=good.card, history=good.history, train=good.train)
    return str(path)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("evaluate", ["--world", "glyphs", "--out", "noise", "--limit", "9"]),
        ("compare", ["--world", "glyphs", "--limit", "9"]),
        ("information", ["--world", "glyphs", "--images", "9"]),
        ("compress", ["--set", "noise", "--images", "2"]),
        ("attack", ["--set", "noise", "--images", "2", "--steps", "1"]),
    ],
)
def test_a_command_fails_where_no_figure_could_be_had(
    broken: str,
    stripes: dict[str, Path],
    command: str,
    asked: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = [command, broken, *(str(stripes.get(word, word)) for word in asked)]
    assert main([*argv, "--json"]) == 2
    told = capsys.readouterr()
    json.loads(told.out)  # what there is, is printed, and numbers that are none are null
    assert "could be had" in told.err
    assert main(argv) == 2
    assert "could be had" in capsys.readouterr().err


def test_layers_without_finite_numbers_are_not_compared(
    broken: str, trained: Path, stripes: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["correlate", str(trained), broken, "--sets", str(stripes["noise"])]
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "error: " in said and "program failed" not in said


def test_steps_that_nothing_takes_are_refused(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in (
        ["evaluate", str(trained), "--world", "glyphs", "--out", "digits"],
        ["compress", str(trained)],
        ["train", "--preset", "glyphs-hvae3-elbo"],
    ):
        assert main([*argv, "--prepare", "invert"]) == 2
        assert "--prepare is for images that you give by a path" in capsys.readouterr().err


def test_a_full_disk_is_told_and_leaves_nothing_half(
    trained: Path, stripes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["evaluate", str(trained), "--in", str(stripes["other"]), "--out", str(stripes["noise"])]
    assert main([*argv, "--limit", "9", "--csv", "/dev/full"]) == 2
    assert "/dev/full cannot be written: the disk is full" in capsys.readouterr().err
    assert main([*argv, "--limit", "9", "--csv", str(tmp_path)]) == 2
    assert "it is a folder; name a file in it" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["cache"]


@pytest.mark.parametrize("path", ["~nosuch/x", "n" * 300, "n/" * 2500])
@pytest.mark.parametrize("option", ["--data-root", "--out"])
def test_a_path_that_no_system_has_is_told(
    option: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "glyphs-hvae3-elbo", option, path]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and len(said) < 300


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "There is not enough memory for this"),
        (OSError(28, "No space left on device"), "cannot be read or written: the disk is full"),
        (ZeroDivisionError("of nothing"), r"should not (ZeroDivisionError: of nothing); please"),
    ],
)
def test_no_traceback_reaches_a_user(
    error: Exception, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(module.show, "taken_lacking", fails)
    assert main(["models"]) == 2
    assert says in capsys.readouterr().err
    monkeypatch.setenv("STRATA_TRACEBACK", "1")
    with pytest.raises(type(error)):
        main(["models"])
