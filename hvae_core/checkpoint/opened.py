"""A checkpoint by what names it: a file, through the gate, or a model that is no file."""

from __future__ import annotations

from pathlib import Path

from hvae_core.checkpoint import file, named
from hvae_core.checkpoint.file import Checkpoint, CheckpointInfo
from hvae_core.checkpoint.importer import Given


def load_checkpoint(
    source: str | Path | bytes, *, name: str | None = None, given: Given | None = None
) -> Checkpoint:
    """Read a checkpoint through the gate; ``name`` is shown for it, else the file's own.

    One of another project is converted, with hyper-parameters ``given`` that its files lack.
    A model of the command line or of this process (``named``) is found by what stands for its path.
    Raises ``CheckpointError`` in one sentence for anything that is wrong.
    """
    return named.find(source) or file.load_checkpoint(source, name=name, given=given)


def inspect_checkpoint(source: str | Path | bytes, *, name: str | None = None) -> CheckpointInfo:
    """Everything a checkpoint says of itself, checked as in loading but for the weights' values.

    Bytes that have passed the gate in this process are known by their digest and pass at once.
    """
    return named.find(source) or file.inspect_checkpoint(source, name=name)
