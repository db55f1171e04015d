"""Several processes train the model that one trains: they share batches, noise and free bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hvae_core.common.errors import ConfigError
from hvae_core.common.ports import free_port
from hvae_core.training.loop import train
from hvae_core.training.processes import make_fabric
from tests.training.several import OPTIMISERS, SETTINGS, run
from tests.training.test_training import HELD_OUT, IMAGES, MODEL


def in_two(out: Path, ways: list[str]) -> None:
    """``several.main`` on two machines, as these go."""
    place = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port("127.0.0.1")),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.training.several", "2", str(out), *ways]
    both = [
        subprocess.Popen(
            command, env={**os.environ, **place, "NODE_RANK": str(rank)}, stderr=subprocess.PIPE
        )
        for rank in (0, 1)
    ]
    for process in both:
        _, said = process.communicate(timeout=900)
        assert process.returncode == 0, said.decode()[-3000:]


def history_of(state: Path) -> dict[str, Any]:
    with safe_open(state, "pt") as file:
        history: dict[str, Any] = json.loads(file.metadata()["history"])
    return history


def test_two_processes_end_with_the_weights_of_one(tmp_path: Path) -> None:
    """Whether each keeps the model or they share it; from the start, and from where one was."""
    alone = {}
    for way, kind in OPTIMISERS.items():
        for folder in (way, f"{way}-alone"):
            (tmp_path / folder).mkdir()
        alone[way] = run(1, tmp_path / f"{way}-alone", kind=kind)
    # what one process began two share, as what two began one goes on with
    (tmp_path / "taken" / "fsdp").mkdir(parents=True)
    (tmp_path / "taken" / "fsdp" / "state").write_bytes(
        (tmp_path / "fsdp-alone" / "state").read_bytes()
    )
    in_two(tmp_path, [*OPTIMISERS, "taken/fsdp"])
    for way in OPTIMISERS:
        both = load_file(tmp_path / way / "weights")
        for name, value in alone[way].model.state_dict().items():
            torch.testing.assert_close(both[name], value, rtol=1e-4, atol=1e-5, msg=f"{way} {name}")
        history = history_of(tmp_path / way / "state")
        for key in ("train_loss", "train_elbo", "grad_norm", "valid_elbo"):
            assert history[key] == pytest.approx(alone[way].history[key], rel=1e-4), (way, key)
    longer = run(1, tmp_path / "fsdp-alone", epochs=3)
    for state in (tmp_path / "fsdp", tmp_path / "ddp"):
        again = run(1, state, epochs=3).history["valid_elbo"]
        assert again == pytest.approx(longer.history["valid_elbo"], rel=1e-4)
    taken = load_file(tmp_path / "taken" / "fsdp" / "weights")
    for name, value in longer.model.state_dict().items():
        torch.testing.assert_close(taken[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_a_batch_of_fewer_images_than_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = make_fabric(accelerator="cpu")
    monkeypatch.setattr(type(fabric), "world_size", 2)
    monkeypatch.setattr(type(fabric), "all_gather", lambda self, data: data)
    with pytest.raises(ConfigError, match="batch of 1 images cannot be split among 2 processes"):
        train(MODEL, replace(SETTINGS, batch_size=1), IMAGES, validation=HELD_OUT, fabric=fabric)


def test_a_folder_that_only_one_machine_sees_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = make_fabric(accelerator="cpu")
    monkeypatch.setattr(type(fabric), "world_size", 2)
    monkeypatch.setattr(type(fabric), "all_gather", lambda self, data: torch.tensor([0, 7]))
    with pytest.raises(ConfigError, match="epoch 0, epoch 7.*must be one that all machines share"):
        train(MODEL, SETTINGS, IMAGES, validation=HELD_OUT, fabric=fabric)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"strategy": "fsdp"}, "this run has one; name more with --devices or --num-nodes"),
        ({"strategy": "fsdp", "devices": 2, "precision": "16-mixed"}, "32-true or bf16-mixed"),
        ({"nodes": 2}, "2 machines must know where the first of them is: .*MASTER_ADDR"),
    ],
)
def test_processes_that_cannot_be_are_refused(
    asked: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ConfigError, match=says):
        make_fabric(accelerator="cpu", **asked)
