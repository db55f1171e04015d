"""Models that are no files behind the gate: FILE.py:NAME of a command line, and of this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hvae_core as hv
from hvae_core.checkpoint import checkpoint_of, inspect_checkpoint, load_checkpoint, named
from hvae_core.checkpoint.own import digest_of
from hvae_core.cli.main import main, own_models_first
from hvae_core.common import cache, own_models
from hvae_core.common.errors import CheckpointError, DataError, HVAEError, ModelError
from hvae_core.evaluation.evaluation import EvalSettings
from hvae_core.evaluation.worlds import world_of
from tests.conftest import ROOT
from tests.own_file import TEXT, own_file
from tests.small import tiny_model, tiny_set


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with models that nobody has named yet."""
    monkeypatch.setenv("STRATA_MODELS", "[]")
    monkeypatch.delenv("STRATA_PUBLIC", raising=False)
    return own_file(tmp_path)


def test_only_what_was_named_is_run(mine: Path) -> None:
    marker = mine.with_name("ran")
    mine.write_text(
        TEXT.replace("SIDE", "8") + f"\n__import__('pathlib').Path({str(marker)!r}).touch()\n",
        "utf-8",
    )
    for way in (load_checkpoint, inspect_checkpoint, hv.load_checkpoint):
        with pytest.raises(CheckpointError, match="would be run; name it on the command line"):
            way(f"{mine}:model")
    assert not marker.exists()
    own_models.allow(f"{mine}:model")
    assert load_checkpoint(f"{mine}:model").name == "mine-model"
    assert marker.exists()


def test_a_public_server_runs_none(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_models.allow(f"{mine}:model")
    monkeypatch.setenv("STRATA_PUBLIC", "1")
    assert named.models() == []
    with pytest.raises(CheckpointError, match="would be run"):
        load_checkpoint(f"{mine}:model")
    with pytest.raises(CheckpointError, match="On a public server no Python file is run"):
        own_models.allow(f"{mine}:model")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing", "has no nothing"),
        ("bare", r"is a network and no model yet; .*hv.adapt\(Mine\(\)"),
        ("number", "is a int; it must be a model"),
        ("broken", "mine.py:broken failed: ZeroDivisionError .*line"),
    ],
)
def test_what_is_wrong_with_the_name_is_one_sentence(name: str, sentence: str, mine: Path) -> None:
    with pytest.raises(HVAEError, match=sentence) as told:
        load_checkpoint(own_models.allow(f"{mine}:{name}"))
    assert "\n" not in str(told.value)


def test_each_file_has_the_neighbours_of_its_own_folder(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two states of a network in two folders, each with a module of one name beside it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    spreads = []
    for least in (0.1, 0.4):
        folder = mine.parent / f"state {least}"
        folder.mkdir()
        (folder / "layers_beside.py").write_text(f"LEAST = {least}\n", "utf-8")
        text = TEXT.replace("SIDE", "8").replace("self.least = 0.1", "self.least = LEAST")
        (folder / "mine.py").write_text("from layers_beside import LEAST\n" + text, "utf-8")
        found = load_checkpoint(own_models.allow(f"{folder / 'mine.py'}:model"))
        network: Any = found.model
        spreads.append((network.module.least, type(network.module).__module__))
        assert str(folder) in sys.path
    assert [spread for spread, _ in spreads] == [0.1, 0.4]
    assert spreads[0][1] != spreads[1][1]
    assert str(mine.parent / "state 0.1") not in sys.path


def test_weights_that_are_named_from_another_folder_are_told(mine: Path) -> None:
    mine.write_text("open('weights.pt')\nmodel = 1\n", "utf-8")
    with pytest.raises(HVAEError, match=r"line 1; a path in the file .*with_name"):
        load_checkpoint(own_models.allow(f"{mine}:model"))


@pytest.mark.parametrize("text", ["", "mine.py", "mine.txt:f", "mine.py:not a name"])
def test_a_name_of_another_form_is_refused(text: str, mine: Path) -> None:
    with pytest.raises(CheckpointError, match=r"write FILE\.py:NAME"):
        own_models.allow(text)


def test_a_function_makes_the_same_model_in_every_process(mine: Path) -> None:
    """Untrained weights too: a job's worker must find what the page has."""
    whole = own_models.allow(f"{mine}:make")
    code = (
        "from hvae_core.checkpoint import load_checkpoint\n"
        f"print(load_checkpoint({whole!r}).digest)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == load_checkpoint(whole).digest


def test_the_digest_is_that_of_weights_settings_and_text(mine: Path) -> None:
    whole = own_models.allow(f"{mine}:model")
    first = load_checkpoint(whole)
    model: Any = first.model
    assert digest_of(model) == first.digest
    model.module.least = 0.2
    assert digest_of(model) != first.digest
    model.module.least = 0.1
    assert digest_of(model) == first.digest
    with torch.no_grad():
        model.module.decoder.bias[0] += 1
    assert digest_of(model) != first.digest
    text = mine.read_text("utf-8").replace("self.decoder(z1)", "2 * self.decoder(z1)")
    mine.write_text(text, "utf-8")
    named._loaded.cache_clear()
    assert load_checkpoint(whole).digest != first.digest


def test_it_says_which_world_it_was_trained_on(mine: Path) -> None:
    model: Any = load_checkpoint(own_models.allow(f"{mine}:model")).model
    with pytest.raises(DataError, match=r"hv\.adapt\(\.\.\., world="):
        world_of(checkpoint_of(model))
    told = hv.adapt(model.module, shape=(1, 8, 8), prepare="binarise", world="glyphs")
    assert world_of(checkpoint_of(told)).key == "glyphs"
    told = hv.adapt(model.module, shape=(1, 8, 8), prepare="binarise", world="glyph")
    with pytest.raises(DataError, match="the world glyph, which there is not.* of .*glyphs, "):
        world_of(checkpoint_of(told))


def test_a_model_in_memory_stands_where_a_file_would(mine: Path) -> None:
    checkpoint = checkpoint_of(tiny_model())
    path = named.provide("mine", checkpoint)
    assert path in named.models() and load_checkpoint(path) is checkpoint
    named.withdraw("mine")
    with pytest.raises(CheckpointError, match="no longer in memory"):
        load_checkpoint(path)


def test_python_evaluates_a_model_and_keeps_what_it_found(
    mine: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = load_checkpoint(own_models.allow(f"{mine}:model")).model
    images, settings = tiny_set(6), EvalSettings(samples=2, partial_samples=2)
    first = hv.evaluate(model, images, settings)
    assert first.table.bound.shape == (6, 2) and first.names == ("z1", "z2")
    other = hv.evaluate(model, tiny_set(6, seed=1), settings)
    assert 0 <= hv.report(first, [other]).outside[0].detections["llr_1"].auroc <= 1
    assert hv.reconstruct(model, images).means.shape == (2, 6, 1, 8, 8)
    with monkeypatch.context() as patch:
        patch.setattr(type(model), "traces", None)  # found again, nothing runs
        assert np.array_equal(hv.evaluate(model, images, settings).table.kl, first.table.kl)
    with torch.no_grad():
        model.module.decoder.bias += 1
    assert not np.allclose(hv.evaluate(model, images, settings).table.nll, first.table.nll)
    with pytest.raises(ModelError, match="A dict is no model"):
        hv.evaluate({}, images)  # type: ignore[arg-type]
    assert cache.cache_dir() == cache_folder


def test_the_command_line_takes_it_where_a_checkpoint_stands(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = f"{mine.resolve()}:model"
    assert own_models_first(["evaluate", "--out", "a", "--model", f"{mine}:model"]) == [
        "evaluate", whole, "--out", "a",
    ]  # fmt: skip
    assert own_models_first(["compare", "x", f"--model={mine}:model"]) == ["compare", whole, "x"]
    assert main(["inspect", "--model", f"{mine}:model"]) == 0
    assert "Mine" in capsys.readouterr().out
    monkeypatch.setenv("STRATA_MODELS", "[]")
    assert main(["inspect", f"{mine}:model"]) == 2
    assert "name it on the command line, by --model" in capsys.readouterr().err
