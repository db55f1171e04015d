"""A model as the bytes of a checkpoint file: equal contents give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hvae_core.checkpoint import container, contents
from hvae_core.config import ModelCard, ModelConfig, TrainConfig, from_json, to_json


def encode(
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    *,
    card: ModelCard,
    history: Mapping[str, Sequence[Any]],
    train: TrainConfig | None = None,
    half: bool = False,
) -> bytes:
    """The file of a model: its configuration, weights, card and history; 16-bit floats if ``half``.

    The gate has not seen it: read it before it is kept.
    """
    dtype = torch.float16 if half else torch.float32
    metadata = {
        "format": contents.FORMAT,
        "config": to_json(config),
        "card": canonical(card),
        "history": json.dumps(contents.plain_history(history), sort_keys=True),
    }
    if train is not None:
        metadata["train"] = canonical(train)
    tensors = {name: tensor.detach().to(dtype) for name, tensor in weights.items()}
    return container.write(tensors, metadata)


def canonical(value: Any) -> str:
    """A configuration as text, the same for equal ones."""
    # Once there and back: a default of 0 in a field of floats is written as it will be read, 0.0.
    return to_json(from_json(type(value), to_json(value)))
