from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from hvae_core.checkpoint import (
    Checkpoint,
    container,
    file,
    gate,
    inspect_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from hvae_core.common.errors import CheckpointError
from hvae_core.common.noise import StreamNoise
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard
from hvae_core.models import HierarchicalVAE, Trace, model_from_config
from tests.checkpoint.conftest import CARD, CONFIG, HISTORY, TRAIN, join, split


def run(model: HierarchicalVAE) -> Trace:
    image = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1)).round()
    with torch.no_grad():
        return model.trace(image, noise=StreamNoise(torch.Generator().manual_seed(2)), samples=2)


def test_everything_comes_back(model: HierarchicalVAE, good: Path) -> None:
    checkpoint = load_checkpoint(good)
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.name == "tiny"
    assert checkpoint.digest == hashlib.sha256(good.read_bytes()).hexdigest()
    assert (checkpoint.config, checkpoint.card, checkpoint.train) == (CONFIG, CARD, TRAIN)
    assert checkpoint.history == HISTORY
    assert checkpoint.latent_shapes == ((2, 4, 4), (3,))
    assert checkpoint.parameters == sum(t.numel() for t in model.state_dict().values())
    assert checkpoint.size == good.stat().st_size
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])
        assert tensor.is_contiguous()
        assert tensor.device.type == "cpu"


def test_the_loaded_model_computes_the_same_bits(model: HierarchicalVAE, good: Path) -> None:
    saved, loaded = run(model), run(load_checkpoint(good).model)
    for field in ("log_px", "log_q", "log_p", "kl"):
        assert torch.equal(getattr(saved, field), getattr(loaded, field))
    assert torch.equal(saved.likelihood.mean, loaded.likelihood.mean)


def test_the_loaded_model_is_frozen_yet_ordinary(good: Path) -> None:
    model = load_checkpoint(good).model
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(t.is_meta for t in [*model.parameters(), *model.buffers()])
    model.requires_grad_(True)
    trace = model.trace(torch.ones(1, 1, 8, 8), noise=StreamNoise(torch.Generator()))
    trace.log_px.sum().backward()
    assert any(p.grad is not None for p in model.parameters())


def test_path_text_and_bytes_are_one(good: Path) -> None:
    digests = {load_checkpoint(s).digest for s in (good, str(good), good.read_bytes())}
    assert len(digests) == 1
    assert load_checkpoint(good.read_bytes(), name="dropped").name == "dropped"


def test_equal_contents_are_equal_bytes(model: HierarchicalVAE, good: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(good)
    again = save_checkpoint(
        tmp_path / "again.safetensors",
        checkpoint.model,
        card=checkpoint.card,
        history=dict(reversed(checkpoint.history.items())),
        train=checkpoint.train,
    )
    assert again.digest == checkpoint.digest


def test_inspecting_says_the_same_without_a_model(good: Path) -> None:
    info, checkpoint = inspect_checkpoint(good), load_checkpoint(good)
    assert not hasattr(info, "model")
    for field in dataclasses.fields(info):
        assert getattr(info, field.name) == getattr(checkpoint, field.name)


def test_the_reference_library_reads_the_file(model: HierarchicalVAE, good: Path) -> None:
    tensors = safetensors.torch.load_file(good)
    assert tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(tensors[k], v) for k, v in model.state_dict().items())
    with safetensors.safe_open(good, "pt") as file:
        assert file.metadata()["format"] == "strata-1"


def test_a_file_written_by_the_reference_library_loads(good: Path) -> None:
    header = container.read_header(good.read_bytes())
    data = safetensors.torch.save(safetensors.torch.load_file(good), header.metadata)
    assert load_checkpoint(data).history == HISTORY


def test_half_precision_is_half_the_size_and_comes_back_whole(
    model: HierarchicalVAE, good: Path, tmp_path: Path
) -> None:
    path = tmp_path / "half.safetensors"
    save_checkpoint(path, model, card=CARD, history=HISTORY, train=TRAIN, half=True)
    loaded = load_checkpoint(path).model.state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], tensor.half().float())
    full = container.read_header(good.read_bytes())
    half = container.read_header(path.read_bytes())
    assert sum(e.end - e.begin for e in half.entries.values()) * 2 == sum(
        e.end - e.begin for e in full.entries.values()
    )


def test_bfloat16_weights_load(model: HierarchicalVAE, with_weights: Any) -> None:
    name = "to_x.bias"
    data = with_weights({name: torch.tensor([1.5]).bfloat16()})
    assert load_checkpoint(data).model.state_dict()[name].tolist() == [1.5]


def test_training_settings_may_be_missing(model: HierarchicalVAE, tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    info = save_checkpoint(path, model, card=ModelCard("From elsewhere"), history={})
    assert info.train is None
    assert load_checkpoint(path).history == {}


def test_numbers_of_numpy_in_the_history_are_kept(model: HierarchicalVAE, tmp_path: Path) -> None:
    history = {"loss": [np.float32(0.5), np.float64(2)], "kl": [(np.float32(1.0), 2)]}
    info = save_checkpoint(tmp_path / "a.safetensors", model, card=CARD, history=history)
    assert info.history == {"loss": [0.5, 2.0], "kl": [[1.0, 2]]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_model_is_not_saved_over_a_good_one(good: Path, value: float) -> None:
    before = good.read_bytes()
    broken = model_from_config(CONFIG)
    with torch.no_grad():
        next(broken.parameters()).fill_(value)
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        save_checkpoint(good, broken, card=CARD, history={})
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == [good.name]


def test_nan_in_the_history_is_said_when_saving(model: HierarchicalVAE, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tiny has .* under 'loss'"):
        save_checkpoint(
            tmp_path / "tiny.safetensors", model, card=CARD, history={"loss": [float("nan")]}
        )


def test_interrupted_writing_leaves_the_old_file(
    model: HierarchicalVAE, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = good.read_bytes()

    def full_disk(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(CheckpointError, match="tiny cannot be written"):
        save_checkpoint(good, model, card=ModelCard("other"), history={})
    assert good.read_bytes() == before
    assert len(list(good.parent.iterdir())) == 1


CONFIGS = [
    CONFIG,
    HVAEConfig(
        (3, 9, 12), (LatentConfig(1, stride=2, kernel=5), LatentConfig(2)), 4, 2, skip=False
    ),
    HVAEConfig(
        (1, 8, 8),
        (LatentConfig(2), LatentConfig(2, "dense"), LatentConfig(1, "dense")),
        4,
        1,
        2,
        likelihood="discretised_logistic",
    ),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_model_without_memory_has_the_names_and_shapes_of_the_real_one(
    config: HVAEConfig,
) -> None:
    real = model_from_config(config).state_dict()
    empty = gate.empty_model(config).state_dict()
    assert {k: (v.shape, v.dtype) for k, v in empty.items()} == {
        k: (v.shape, v.dtype) for k, v in real.items()
    }
    assert all(tensor.is_meta for tensor in empty.values())


def test_loading_does_not_import_the_symbolic_machinery(good: Path) -> None:
    """It would cost the app seconds at its start."""
    code = (
        "import sys; from hvae_core.checkpoint import load_checkpoint;"
        f"load_checkpoint({str(good)!r}); print('sympy' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_file_that_passed_is_known_by_its_bytes(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = inspect_checkpoint(good)
    passes: list[str] = []
    whole = file._inspect

    def counted(data: bytes, name: str) -> object:
        passes.append(name)
        return whole(data, name)

    monkeypatch.setattr(file, "_inspect", counted)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(good.read_bytes())
    again = inspect_checkpoint(copy)
    assert (again.name, again.digest, again.config) == ("copy", first.digest, first.config)
    assert not passes
    copy.write_bytes(good.read_bytes()[:-1])  # one byte less is another file
    with pytest.raises(CheckpointError):
        inspect_checkpoint(copy)
    assert passes == ["copy"]


def test_a_file_of_the_first_version_opens(model: HierarchicalVAE, valid: bytes) -> None:
    """Its configurations and card have fewer fields; what came later stands at its default."""
    first = {"image_shape", "latents", "channels", "blocks", "stem", "likelihood", "skip", "family"}
    header, body = split(valid)
    metadata = header["__metadata__"]
    config, train = (json.loads(metadata[name]) for name in ("config", "train"))
    config = {name: value for name, value in config.items() if name in first}
    train = {name: train[name] for name in ("data", "epochs", "batch_size", "seed")}
    texts = {"config": config, "train": train, "card": {"title": "Old"}}
    metadata |= {name: json.dumps(value) for name, value in texts.items()}
    old = load_checkpoint(join(header, body))
    assert old.config == model.config and old.card.title == "Old"
