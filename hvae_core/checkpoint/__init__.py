"""Checkpoints: one safetensors file each, loaded only through the gate."""

from hvae_core.checkpoint.file import Checkpoint, CheckpointInfo, save_checkpoint
from hvae_core.checkpoint.gate import History
from hvae_core.checkpoint.library import add_checkpoint, own_checkpoints, shipped_checkpoints
from hvae_core.checkpoint.opened import inspect_checkpoint, load_checkpoint
from hvae_core.checkpoint.own import checkpoint_of

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "History",
    "add_checkpoint",
    "checkpoint_of",
    "inspect_checkpoint",
    "load_checkpoint",
    "own_checkpoints",
    "save_checkpoint",
    "shipped_checkpoints",
]
