"""A checkpoint by what names it: a file, through the gate, or a model that is no file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hvae_core.checkpoint import library, named
from hvae_core.checkpoint.said import CheckpointInfo, about, read_bytes, said_by, shown_name

if TYPE_CHECKING:
    from hvae_core.checkpoint.file import Checkpoint
    from hvae_core.checkpoint.importer import Given


def load_checkpoint(
    source: str | Path | bytes, *, name: str | None = None, given: Given | None = None
) -> Checkpoint:
    """Read a checkpoint through the gate; ``name`` is shown for it, else the file's own.

    One of another project is converted, with hyper-parameters ``given`` that its files lack.
    A model of the command line or of this process (``named``) is found by what stands for its path.
    Raises ``CheckpointError`` in one sentence for anything that is wrong.
    """
    from hvae_core.checkpoint import file

    return named.find(source) or file.load_checkpoint(source, name=name, given=given)


def inspect_checkpoint(source: str | Path | bytes, *, name: str | None = None) -> CheckpointInfo:
    """Everything a checkpoint says of itself, checked as in loading but for the weights' values.

    Bytes that have passed the gate in this process are known by their digest and pass at once. Of
    a file that comes with the program the tests have seen that it fits its model, so none is built
    here, which would take torch, and seconds.
    """
    if library.is_shipped(source):
        shown = shown_name(source, name)
        with about(shown):
            return said_by(read_bytes(source), shown)[0]
    from hvae_core.checkpoint import file

    return named.find(source) or file.inspect_checkpoint(source, name=name)
