"""Checkpoints: one safetensors file with weights, configuration, card and history together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvae_core.checkpoint import container, gate
from hvae_core.checkpoint.convert import converted, is_foreign
from hvae_core.checkpoint.encoded import encode
from hvae_core.checkpoint.importer import Given
from hvae_core.checkpoint.said import (
    CheckpointInfo,
    about,
    clean_name,
    read_bytes,
    said_by,
    shown_name,
)
from hvae_core.common.errors import CheckpointError
from hvae_core.common.files import whole, why_not
from hvae_core.common.plain import plain
from hvae_core.config import ModelCard, TrainConfig
from hvae_core.models import HierarchicalVAE


@dataclass(frozen=True, eq=False)
class Checkpoint(CheckpointInfo):
    """A checkpoint with its model: on the CPU, in eval mode, frozen."""

    model: HierarchicalVAE = field(repr=False)


def load_checkpoint(
    source: str | Path | bytes, *, name: str | None = None, given: Given | None = None
) -> Checkpoint:
    """Read a checkpoint through the gate; ``name`` is shown for it, else the file's own.

    Those of other projects (``importers``) are converted first, from a file, a folder or a zip of
    it, with the hyper-parameters ``given`` that are in none of their files.

    Raises ``CheckpointError`` in one sentence for anything that is wrong with the file.
    """
    shown = shown_name(source, name)
    with about(shown):
        data = native(source, shown, given=given)
        info, header, model = _inspect(data, shown)
        return Checkpoint(**vars(info), model=gate.fill(model, data, header))


def inspect_checkpoint(source: str | Path | bytes, *, name: str | None = None) -> CheckpointInfo:
    """Everything a checkpoint says of itself, checked as in loading but for the weights' values.

    Bytes that have passed the gate in this process are known by their digest and pass at once.
    """
    shown = shown_name(source, name)
    with about(shown):
        data = native(source, shown)
        passed = _PASSED.get(hashlib.sha256(data).hexdigest())
        return replace(passed, name=shown) if passed else _inspect(data, shown)[0]


def native(source: str | Path | bytes, title: str, *, given: Given | None = None) -> bytes:
    """The bytes of a checkpoint here: as they are, or converted from those of another project."""
    brought = source if isinstance(source, bytes) else Path(source)
    try:
        foreign = is_foreign(brought)
    except (OSError, ValueError):  # it is not there, or cannot be: the reader says so
        foreign = False
    if not foreign:
        return read_bytes(source)
    return converted(brought, title if isinstance(brought, bytes) else brought.name, given)


_PASSED: dict[str, CheckpointInfo] = {}
"""What files said of themselves that passed the gate, the last ``_MOST`` of them, by digest."""
_MOST = 256


def _inspect(data: bytes, name: str) -> tuple[CheckpointInfo, container.Header, HierarchicalVAE]:
    """The gate but for the values: header, words, and tensors against a model without memory."""
    info, header = said_by(data, name)
    model = gate.empty_model(info.config)
    gate.check_shapes(model, header)
    _PASSED[info.digest] = info
    while len(_PASSED) > _MOST:
        _PASSED.pop(next(iter(_PASSED)))
    return info, header, model


def save_checkpoint(
    path: str | Path,
    model: HierarchicalVAE,
    *,
    card: ModelCard,
    history: Mapping[str, Sequence[Any]],
    train: TrainConfig | None = None,
    half: bool = False,
) -> CheckpointInfo:
    """Write a checkpoint that appears whole or not at all, and return what it says of itself.

    ``half`` stores 16-bit floats, half the size; they come back as float32. Equal contents give
    equal bytes. What was made is read through the gate first, so a saved file can be loaded;
    a model with NaN in its weights raises ``CheckpointError`` and leaves an older file as it was.
    """
    path = Path(path)
    name = clean_name(path.stem)
    with about(name):
        data = encode(
            model.config, model.state_dict(), card=card, history=history, train=train, half=half
        )
        info, header, copy = _inspect(data, name)
        gate.fill(copy, data, header)
        write_whole(path, data)
    return info


def convert_checkpoint(
    source: str | Path | bytes, out: str | Path, *, given: Given | None = None
) -> CheckpointInfo:
    """Write another project's checkpoint as one of here, and return what it says of itself.

    ``given`` are hyper-parameters that its files do not have. What was made passes the gate first.
    Raises ``CheckpointError`` in one sentence.
    """
    shown = clean_name("" if isinstance(source, bytes) else Path(source).name)
    with about(shown):
        data = native(source, shown, given=given)
        info, header, model = _inspect(data, clean_name(Path(out).stem))
        gate.fill(model, data, header)
        write_whole(Path(out), data)
    return info


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step, as others see it; raises ``CheckpointError`` where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as draft:
            draft.write_bytes(data)
    except (OSError, ValueError) as exc:
        reason = why_not(exc) if isinstance(exc, OSError) else "its name cannot be a file's"
        raise CheckpointError(f"cannot be written to {plain(path.parent)}: {reason}") from exc
