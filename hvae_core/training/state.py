"""A run kept on disk between epochs: weights, average, optimiser moments, history; no pickle."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hvae_core.checkpoint import History
from hvae_core.checkpoint.container import strict_json
from hvae_core.checkpoint.contents import plain_history
from hvae_core.common.errors import CheckpointError, ConfigError
from hvae_core.common.files import check_regular, make_folder, written
from hvae_core.common.plain import plain
from hvae_core.config import ModelConfig, TrainConfig, from_json, to_json
from hvae_core.models import HierarchicalVAE, model_from_config
from hvae_core.training.objectives import Objective
from hvae_core.training.optimiser import SLOTS
from hvae_core.training.processes import like_all, shared_as, whole

_BY_LAYER = ("train_kl", "valid_kl", "active_units")  # series with a number a layer
_SCHEDULED = ("epochs", "warmup_epochs", "free_bits_constant", "free_bits_annealed")
"""What changes where a run is to last longer."""


@dataclass
class RunState:
    """Everything that changes while training, in one place, so that a resume restores all of it."""

    objective: Objective
    optimizer: torch.optim.Optimizer
    average: HierarchicalVAE
    epoch: int = 0
    history: History = field(default_factory=dict)
    images: str = ""
    """The digest of the images it is trained on."""
    planned: tuple[int, ...] = ()
    """Epochs that the run was planned for and finished before it was told to go on."""

    @property
    def config(self) -> TrainConfig:
        """How it is trained."""
        return self.objective.config

    def change(self, config: TrainConfig, model: ModelConfig) -> None:
        """Train on under other settings from the next step.

        ``model`` has the same weights: it may differ in constants alone, such as the standard
        deviation of the pixels. Batch size, optimiser and seed are those of the start.
        """
        self.objective.config = config
        self.objective.model.config = self.average.config = model

    def record(self, row: Mapping[str, Any]) -> None:
        """Count a finished epoch and keep its figures."""
        for key, value in row.items():
            # A quantity that a resumed run did not record from its start has no epochs to count by.
            if len(self.history.get(key, [])) == self.epoch:
                self.history.setdefault(key, []).append(value)
        self.epoch += 1


def tensors_of(running: RunState) -> dict[str, torch.Tensor]:
    """Weights, average and moments by name; where processes share them, all of them must ask."""
    tensors = {f"model.{k}": v for k, v in running.objective.model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in running.average.state_dict().items()}
    for index, slots in running.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
    return {name: whole(value) for name, value in tensors.items()}


def save_state(path: Path, running: RunState, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write the run after a finished epoch, with its ``tensors_of``, in place of the last one.

    Raises ``ConfigError`` where it cannot be written; the state of the epoch before stays.
    """
    metadata = {
        "model": to_json(running.objective.model.config),
        "train": to_json(running.config),
        "epoch": str(running.epoch),
        "history": json.dumps(running.history),
    }
    if running.images:
        metadata["images"] = running.images
    if running.planned:
        metadata["planned"] = json.dumps(running.planned)
    make_folder(path.parent, ConfigError)
    with written(path, ConfigError) as draft:
        try:
            save_file(
                {k: v.detach().cpu().contiguous() for k, v in tensors.items()}, draft, metadata
            )
        except SafetensorError as exc:  # it hides what the system said in its text
            told = re.search(r"os error (\d+)", str(exc))
            code = int(told[1]) if told else errno.EIO
            raise OSError(code, os.strerror(code)) from exc


def load_state(path: Path, running: RunState, *, extend: bool = False) -> None:
    """Restore a run in place.

    With ``extend`` a finished run of fewer epochs goes on, under the schedules of now; ``planned``
    then ends with the epochs that it had. Raises ``ConfigError`` if the file is damaged, holds what
    no run can have, or belongs to another configuration, which the message names.
    """
    metadata, tensors = _opened(path)
    model, before = _settings(path, metadata)
    images = metadata.get("images", "")
    if images and running.images and images != running.images:
        raise ConfigError(
            f"{plain(path)} holds a run on other images than these; choose another folder or "
            "delete it."
        )
    others = _differences(running, model, before)
    goes_on = extend and running.config.epochs > before.epochs and set(others) <= set(_SCHEDULED)
    if goes_on and metadata.get("epoch") != str(before.epochs):
        raise ConfigError(
            f"{plain(path)} holds a run of {before.epochs} epochs that is not finished; finish it "
            f"with --epochs {before.epochs}, then let it go on, or choose another folder."
        )
    if others and not goes_on:
        raise ConfigError(
            f"{plain(path)} holds a run with other settings: {_in_words(others)}; choose another "
            "folder or delete it."
        )
    try:
        _restore(running, tensors, metadata, most=before.epochs)
    except _Impossible as exc:
        raise _damaged(path, str(exc)) from exc
    except (CheckpointError, LookupError, ValueError, RuntimeError, TypeError) as exc:
        raise _damaged(path, "a tensor or an entry is not as a run has it") from exc
    if goes_on:
        running.planned = (*running.planned, before.epochs)


def settings_in(path: Path) -> tuple[ModelConfig, TrainConfig]:
    """The network and the recipe of a kept run. Raises ``ConfigError`` if the file is damaged."""
    metadata, _ = _opened(path)
    return _settings(path, metadata)


def model_in(path: Path) -> tuple[HierarchicalVAE, TrainConfig, History]:
    """The averaged model of a kept run, its recipe and its history, to look at while it goes on.

    Raises ``ConfigError`` if the file is damaged.
    """
    metadata, tensors = _opened(path)
    config, recipe = _settings(path, metadata)
    try:
        model = model_from_config(config)
        weights = _under("average", tensors)
        if not all(torch.isfinite(value).all() for value in weights.values()):
            raise _Impossible("it holds what is not a number")
        model.load_state_dict(weights)
        _, history = _counted(len(model.latents), metadata, recipe.epochs)
    except _Impossible as exc:
        raise _damaged(path, str(exc)) from exc
    except (CheckpointError, LookupError, ValueError, RuntimeError, TypeError) as exc:
        raise _damaged(path, "a tensor or an entry is not as a run has it") from exc
    return model.eval().requires_grad_(False), recipe, history


def _opened(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """What a file says of a run, and its tensors."""
    check_regular(path, ConfigError)
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, MemoryError) as exc:
        raise _damaged(path, "it cannot be read") from exc


def _settings(path: Path, metadata: Mapping[str, str]) -> tuple[ModelConfig, TrainConfig]:
    try:
        model = from_json(ModelConfig, metadata.get("model", ""))
        return model, from_json(TrainConfig, metadata.get("train", ""))
    except (ConfigError, ValueError) as exc:
        raise _damaged(path, "its settings cannot be read") from exc


class _Impossible(Exception):
    """What no run can have, in a few words."""


def _damaged(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{plain(path)} is damaged ({why}); delete it to start the run again.")


def _differences(
    running: RunState, model: ModelConfig, before: TrainConfig
) -> dict[str, tuple[Any, Any]]:
    """Settings that the file and this run do not share, by name: (there, here)."""
    there = asdict(model) | asdict(before)
    here = asdict(running.objective.model.config) | asdict(running.config)
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return {name: (there.get(name), here.get(name)) for name in names}


def _in_words(others: Mapping[str, tuple[Any, Any]]) -> str:
    """The first few differences: "seed 0 there and 5 here"."""
    told = []
    for name, values in list(others.items())[:5]:
        simple = all(isinstance(value, str | int | float | bool) for value in values)
        there, here = (plain(value if value != "" else "none", 40) for value in values)
        told.append(f"{name} {there} there and {here} here" if simple else name)
    more = len(others) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _restore(
    running: RunState, tensors: dict[str, torch.Tensor], metadata: Mapping[str, str], *, most: int
) -> None:
    epoch, history = _counted(len(running.average.latents), metadata, most)
    parts = {name: _under(name, tensors) for name in ("model", "average", "optimizer")}
    if sum(map(len, parts.values())) != len(tensors):
        raise _Impossible("it holds tensors that are none of a run")
    for key, value in tensors.items():
        if not value.is_floating_point() or not torch.isfinite(value).all():
            raise _Impossible(f"{plain(key, 60)} holds what is not a number")
    state = running.optimizer.state_dict()
    slots = _slots(running, parts["optimizer"])
    model = running.objective.model
    model.load_state_dict(like_all(parts["model"], model.state_dict()))
    running.average.load_state_dict(parts["average"])
    running.optimizer.load_state_dict({**state, "state": slots})
    planned = strict_json(metadata.get("planned", "[]"), "a plan")
    if not all(type(n) is int and 0 < n <= epoch for n in planned):
        raise _Impossible("it was planned for epochs that it does not have")
    running.epoch, running.history, running.planned = epoch, history, tuple(planned)


def _counted(layers: int, metadata: Mapping[str, str], most: int) -> tuple[int, History]:
    """The finished epochs and their figures, which agree with each other and with the run."""
    text = metadata["epoch"]
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 0 < int(text) <= most:
        raise _Impossible(f"it says epoch {plain(text, 20)} of {most}")
    epoch = int(text)
    history = plain_history(strict_json(metadata["history"], "a history"))
    for name, series in history.items():
        lists = [len(entry) for entry in series if isinstance(entry, list)]
        if name in _BY_LAYER:
            fits = lists == [layers] * len(series)
        else:
            fits = len(lists) == (len(series) if name == "grad_norms" else 0)
        if len(series) > epoch or not fits:
            raise _Impossible(f"its history of {plain(name, 40)} is not one entry an epoch")
    if len(history["seconds"]) != epoch:
        raise _Impossible(f"it says epoch {epoch} and has {len(history['seconds'])} in its history")
    return epoch, history


def _slots(
    running: RunState, stored: Mapping[str, torch.Tensor]
) -> dict[int, dict[str, torch.Tensor]]:
    """The optimiser's moments by weight: those that this optimiser has, in the weights' shapes."""
    weights = [weight for group in running.optimizer.param_groups for weight in group["params"]]
    slots: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in stored.items():
        index, _, slot = key.partition(".")
        slots.setdefault(int(index), {})[slot] = value
    wanted = SLOTS[running.config.optimizer]
    for number, found in slots.items():
        if not 0 <= number < len(weights):
            raise _Impossible("its optimiser is another one")
        shapes = {slot: () if slot == "step" else weights[number].shape for slot in wanted}
        if {slot: value.shape for slot, value in found.items()} != shapes:
            raise _Impossible("its optimiser is another one")
        if any(float(value.min()) < 0 for slot, value in found.items() if slot in wanted[1:]):
            raise _Impossible("its optimiser has moments below zero")
        slots[number] = {slot: shared_as(v, weights[number]) for slot, v in found.items()}
    return slots


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = prefix + "."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
