"""Checkpoints: one safetensors file each, loaded only through the gate."""

from hvae_core.checkpoint.file import (
    Checkpoint,
    CheckpointInfo,
    inspect_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from hvae_core.checkpoint.gate import History
from hvae_core.checkpoint.library import add_checkpoint, own_checkpoints, shipped_checkpoints

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "History",
    "add_checkpoint",
    "inspect_checkpoint",
    "load_checkpoint",
    "own_checkpoints",
    "save_checkpoint",
    "shipped_checkpoints",
]
