"""A run kept on disk between epochs: weights, average, optimiser moments, history; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hvae_core.common.errors import ConfigError
from hvae_core.config import ModelConfig, TrainConfig, from_json, to_json

if TYPE_CHECKING:
    from hvae_core.training.loop import _Running


def save_state(path: Path, model: ModelConfig, config: TrainConfig, running: _Running) -> None:
    """Write the run after a finished epoch, replacing the last one in a single step."""
    tensors = {f"model.{k}": v for k, v in running.objective.model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in running.average.state_dict().items()}
    for index, slots in running.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
    metadata = {
        "model": to_json(model),
        "train": to_json(config),
        "epoch": str(running.epoch),
        "history": json.dumps(running.history),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
    os.replace(partial, path)


def load_state(path: Path, model: ModelConfig, config: TrainConfig, running: _Running) -> None:
    """Restore a run in place.

    Raises ``ConfigError`` if the file is damaged or belongs to another configuration.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as exc:
        raise ConfigError(f"{path} is damaged; delete it to start the run again.") from exc
    if not (_says(metadata, "model", model) and _says(metadata, "train", config)):
        raise ConfigError(
            f"{path} holds a run with other settings; choose another folder or delete it."
        )
    try:
        _restore(running, tensors, metadata)
    except (KeyError, ValueError, RuntimeError) as exc:  # a tensor or an entry is not there
        raise ConfigError(f"{path} is damaged; delete it to start the run again.") from exc


def _restore(
    running: _Running, tensors: dict[str, torch.Tensor], metadata: Mapping[str, str]
) -> None:
    running.objective.model.load_state_dict(_under("model", tensors))
    running.average.load_state_dict(_under("average", tensors))
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _under("optimizer", tensors).items():
        index, slot = key.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value
    state = running.optimizer.state_dict()
    running.optimizer.load_state_dict({**state, "state": slots})
    running.epoch = int(metadata["epoch"])
    running.history = json.loads(metadata["history"])


def _says(metadata: Mapping[str, str], key: str, config: ModelConfig | TrainConfig) -> bool:
    try:
        return from_json(type(config), metadata.get(key, "")) == config
    except ConfigError:
        return False


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = prefix + "."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
