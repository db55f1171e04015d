"""Checkpoints: one safetensors file with weights, configuration, card and history together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvae_core.checkpoint import container, gate
from hvae_core.checkpoint.convert import converted, is_foreign
from hvae_core.checkpoint.encoded import encode
from hvae_core.checkpoint.gate import History
from hvae_core.checkpoint.importer import Given
from hvae_core.common.errors import CheckpointError
from hvae_core.common.files import whole, why_not
from hvae_core.common.plain import plain
from hvae_core.config import ModelCard, ModelConfig, TrainConfig
from hvae_core.models import HierarchicalVAE

_STORED = re.compile(r"\.[0-9a-f]{64}$")


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself; ``digest`` is the SHA-256 of the file's bytes."""

    name: str
    digest: str
    config: ModelConfig
    card: ModelCard
    history: History = field(repr=False)
    train: TrainConfig | None
    parameters: int
    """Numbers in the weights, counted in the file."""
    size: int
    """Bytes of the file."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images that the model reads."""
        return self.config.image_shape

    @property
    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each latent, z_1 first."""
        return self.config.latent_shapes


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


def shown_name(source: str | Path | bytes, name: str | None) -> str:
    """The name to show for a file: the one given, else the file's own without its digest."""
    if name is None and not isinstance(source, bytes):
        name = _STORED.sub("", Path(source).stem)
    return clean_name(name or "")


def clean_name(name: str) -> str:
    """A name that can be shown anywhere: one line, printable, at most 120 characters."""
    return container.one_line(name, 120) or "The file"


@contextmanager
def about(name: str) -> Iterator[None]:
    """Make sentences of the gate's predicates by putting the file's name before them."""
    try:
        yield
    except CheckpointError as exc:
        raise CheckpointError(f"{name} {exc}.") from exc


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


def read_bytes(source: str | Path | bytes) -> bytes:
    """The bytes of ``source``, of a file no more than the gate allows."""
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        if path.is_dir():
            raise CheckpointError("is a folder; give the path of a .safetensors file")
        if not path.is_file():  # a device or a pipe would never end
            raise CheckpointError("is not there; give the path of a .safetensors file")
        container.check_size(path.stat().st_size)
        with path.open("rb") as file:
            return file.read(container.MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        raise CheckpointError("cannot be opened; check that the file may be read") from exc


_PASSED: dict[str, CheckpointInfo] = {}
"""What files said of themselves that passed the gate, the last ``_MOST`` of them, by digest."""
_MOST = 256


def _inspect(data: bytes, name: str) -> tuple[CheckpointInfo, container.Header, HierarchicalVAE]:
    """The gate but for the values: header, words, and tensors against a model without memory."""
    header = container.read_header(data)
    contents = gate.read_contents(header.metadata)
    model = gate.empty_model(contents.config)
    gate.check_shapes(model, header)
    info = CheckpointInfo(
        name=name,
        digest=hashlib.sha256(data).hexdigest(),
        config=contents.config,
        card=contents.card,
        history=contents.history,
        train=contents.train,
        parameters=sum(tensor.numel() for tensor in model.state_dict().values()),
        size=len(data),
    )
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
