"""Several processes train the model that one trains: they share batches, noise and free bits."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hvae_core.common.errors import ConfigError
from hvae_core.training.loop import train
from hvae_core.training.recipe import make_fabric
from tests.training.several import SETTINGS, run
from tests.training.test_training import HELD_OUT, IMAGES, MODEL


def test_two_processes_end_with_the_weights_of_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    alone = run(1, tmp_path / "one")
    command = [sys.executable, "-m", "tests.training.several", "2", str(tmp_path / "two")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    both = load_file(tmp_path / "two" / "weights")
    for name, value in alone.model.state_dict().items():
        torch.testing.assert_close(both[name], value, rtol=1e-4, atol=1e-5)
    with safe_open(tmp_path / "two" / "state", "pt") as file:
        history = json.loads(file.metadata()["history"])
    for key in ("train_loss", "train_elbo", "grad_norm", "valid_elbo"):
        assert history[key] == pytest.approx(alone.history[key], rel=1e-4), key
    # what two began one goes on with, as it would have with its own
    again = [run(1, tmp_path / name, epochs=3).history["valid_elbo"] for name in ("one", "two")]
    assert again[0] == pytest.approx(again[1], rel=1e-4)


def test_a_batch_of_fewer_images_than_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = make_fabric(accelerator="cpu")
    monkeypatch.setattr(type(fabric), "world_size", 2)
    with pytest.raises(ConfigError, match="batch of 1 images cannot be split among 2 processes"):
        train(MODEL, replace(SETTINGS, batch_size=1), IMAGES, validation=HELD_OUT, fabric=fabric)
