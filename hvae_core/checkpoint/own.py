"""Models that come from no file, as checkpoints: a user's own network, or one in training."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from hvae_core.checkpoint.file import Checkpoint
from hvae_core.checkpoint.said import clean_name
from hvae_core.common import fingerprint
from hvae_core.common.errors import ModelError
from hvae_core.config import ModelCard
from hvae_core.models import HierarchicalVAE


def checkpoint_of(model: Checkpoint | HierarchicalVAE, *, name: str = "") -> Checkpoint:
    """A model as everything here takes it; a checkpoint stays what it is.

    Its digest is that of the weights as they are now, of the configuration, and of the text of a
    network of the user's own: what was computed under another of these is never taken for it.
    Raises ``ModelError`` for what is no model.
    """
    if isinstance(model, Checkpoint):
        return model
    if not isinstance(model, HierarchicalVAE):
        raise ModelError(
            f"A {type(model).__name__} is no model; give a checkpoint of hv.load_checkpoint, or a "
            "network of your own made one by hv.adapt."
        )
    config: Any = model.config
    label = clean_name(name or getattr(config, "name", "") or config.label)
    state = model.state_dict()
    return Checkpoint(
        name=label,
        digest=digest_of(model),
        config=config,
        card=ModelCard(label, note=config.in_words()),
        history={},
        train=None,
        parameters=sum(tensor.numel() for tensor in state.values()),
        size=sum(tensor.numel() * tensor.element_size() for tensor in state.values()),
        model=model,
    )


def digest_of(model: HierarchicalVAE) -> str:
    """SHA-256 of all that the numbers of a model follow from."""
    # Buffers that no state keeps count too: a network of a stranger may compute with them.
    tensors = {**model.state_dict(), **dict(model.named_buffers())}
    arrays = [(name, _array(tensor)) for name, tensor in sorted(tensors.items())]
    config = json.loads(json.dumps(asdict(model.config)))
    return fingerprint.digest(
        "model-1",
        config,
        model.source,
        [(name, str(tensors[name].dtype)) for name, _ in arrays],
        *(array for _, array in arrays),
    )


def _array(tensor: Tensor) -> np.ndarray:
    values = tensor.detach().cpu()
    # numpy knows no bfloat16; float32 holds every number of half precision
    half = values.is_floating_point() and values.itemsize < 4
    return np.asarray(values.float().numpy() if half else values.numpy())
