"""A run kept on disk between epochs: weights, average, optimiser moments, history; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hvae_core.checkpoint import History
from hvae_core.common.errors import ConfigError
from hvae_core.config import ModelConfig, TrainConfig, from_json, to_json
from hvae_core.models import HierarchicalVAE
from hvae_core.training.objectives import Objective


@dataclass
class RunState:
    """Everything that changes while training, in one place, so that a resume restores all of it."""

    objective: Objective
    optimizer: torch.optim.Optimizer
    average: HierarchicalVAE
    epoch: int = 0
    history: History = field(default_factory=dict)

    @property
    def config(self) -> TrainConfig:
        """How it is trained."""
        return self.objective.config

    def record(self, row: Mapping[str, Any]) -> None:
        """Count a finished epoch and keep its figures."""
        for key, value in row.items():
            # A quantity that a resumed run did not record from its start has no epochs to count by.
            if len(self.history.get(key, [])) == self.epoch:
                self.history.setdefault(key, []).append(value)
        self.epoch += 1


def save_state(path: Path, running: RunState) -> None:
    """Write the run after a finished epoch, replacing the last one in a single step."""
    tensors = {f"model.{k}": v for k, v in running.objective.model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in running.average.state_dict().items()}
    for index, slots in running.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
    metadata = {
        "model": to_json(running.objective.model.config),
        "train": to_json(running.config),
        "epoch": str(running.epoch),
        "history": json.dumps(running.history),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata)
    os.replace(partial, path)


def load_state(path: Path, running: RunState) -> None:
    """Restore a run in place.

    Raises ``ConfigError`` if the file is damaged or belongs to another configuration.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as exc:
        raise ConfigError(f"{path} is damaged; delete it to start the run again.") from exc
    configs: dict[str, ModelConfig | TrainConfig] = {
        "model": running.objective.model.config,
        "train": running.config,
    }
    if not all(_says(metadata, key, config) for key, config in configs.items()):
        raise ConfigError(
            f"{path} holds a run with other settings; choose another folder or delete it."
        )
    try:
        _restore(running, tensors, metadata)
    except (KeyError, ValueError, RuntimeError) as exc:  # a tensor or an entry is not there
        raise ConfigError(f"{path} is damaged; delete it to start the run again.") from exc


def _restore(
    running: RunState, tensors: dict[str, torch.Tensor], metadata: Mapping[str, str]
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
