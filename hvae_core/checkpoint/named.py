"""Models that are no files behind the gate: FILE.py:NAME of a command line, or of this process.

A Python file runs only where a local user named it on the command line: its name then stands in the
environment, which the workers of jobs inherit. On a public server there are none.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvae_core.common import own_models
from hvae_core.common.errors import CheckpointError, ModelError
from hvae_core.common.python_file import from_file, what_went_wrong

if TYPE_CHECKING:
    from hvae_core.checkpoint.file import Checkpoint

_PROVIDED: dict[str, Checkpoint] = {}


def provide(key: str, checkpoint: Checkpoint) -> Path:
    """Let a model of this process be found by its key, as long as the process lives."""
    _PROVIDED[key] = checkpoint
    return own_models.path_of(key)


def withdraw(key: str) -> None:
    """Forget a model that was provided."""
    _PROVIDED.pop(key, None)


def models() -> list[Path]:
    """All models of both kinds, as what stands for the path of a file."""
    files = [Path(text) for text in own_models.allowed()]
    return files + [own_models.path_of(key) for key in _PROVIDED]


def find(source: Any) -> Checkpoint | None:
    """The model that a path stands for, None for the path of a file.

    Raises ``CheckpointError`` for a Python file that nobody named on the command line.
    """
    if isinstance(source, bytes) or not own_models.is_named(source):
        return None
    text = str(source)
    if text.startswith(own_models.IN_MEMORY):
        found = _PROVIDED.get(text.removeprefix(own_models.IN_MEMORY))
        if found is None:
            raise CheckpointError("This model is no longer in memory; show it again.")
        return found
    where, _, name = text.rpartition(":")
    whole = f"{Path(where).expanduser().resolve()}:{name}"
    if whole not in own_models.allowed():
        raise CheckpointError(
            f"{text} is a Python file, which would be run; name it on the command line, by --model "
            f"{text}. In Python, import {name} from the file."
        )
    return _loaded(whole, own_models.modified(whole))


@lru_cache(maxsize=4)
def _loaded(text: str, changed: float) -> Checkpoint:
    """The model FILE.py:NAME: a model, or what a function without arguments makes."""
    import torch

    from hvae_core.checkpoint.own import checkpoint_of
    from hvae_core.models import HierarchicalVAE

    # Untrained weights are then the same in every process that loads the file.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found, path = from_file(text, CheckpointError, what="model", example="mine.py:model")
        name = text.rpartition(":")[2]
        if callable(found) and not isinstance(found, HierarchicalVAE | torch.nn.Module):
            try:
                found = found()
            except (Exception, SystemExit) as error:
                raise CheckpointError(
                    f"{path.name}:{name} failed: {what_went_wrong(error, path)}."
                ) from error
    if isinstance(found, torch.nn.Module) and not isinstance(found, HierarchicalVAE):
        raise ModelError(
            f"{path.name}:{name} is a network and no model yet; let the file hold {name} = "
            f"hv.adapt({type(found).__name__}(), shape=...)."
        )
    if not isinstance(found, HierarchicalVAE):
        raise ModelError(
            f"{path.name}:{name} is a {type(found).__name__}; it must be a model made by hv.adapt, "
            "or a function without arguments that makes one."
        )
    return checkpoint_of(found.eval().requires_grad_(False), name=f"{path.stem}-{name}")
