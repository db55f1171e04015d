"""Checkpoints: one safetensors file each, loaded only through the gate."""

from hvae_core.checkpoint.format import (
    Checkpoint,
    CheckpointInfo,
    inspect_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from hvae_core.checkpoint.gate import History

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "History",
    "inspect_checkpoint",
    "load_checkpoint",
    "save_checkpoint",
]
