"""Checkpoints: one safetensors file each, loaded only through the gate.

Each name is imported when it is first used: to list what is there takes no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvae_core.checkpoint.contents import History
    from hvae_core.checkpoint.file import Checkpoint, save_checkpoint
    from hvae_core.checkpoint.library import add_checkpoint, own_checkpoints, shipped_checkpoints
    from hvae_core.checkpoint.opened import inspect_checkpoint, load_checkpoint
    from hvae_core.checkpoint.own import checkpoint_of
    from hvae_core.checkpoint.said import CheckpointInfo

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

_HOMES = {
    "Checkpoint": "file",
    "CheckpointInfo": "said",
    "History": "contents",
    "add_checkpoint": "library",
    "checkpoint_of": "own",
    "inspect_checkpoint": "opened",
    "load_checkpoint": "opened",
    "own_checkpoints": "library",
    "save_checkpoint": "file",
    "shipped_checkpoints": "library",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
