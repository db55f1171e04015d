"""What a checkpoint file says of itself, read without torch, which takes seconds to import.

Whether the tensors are those of the model that it describes, the gate sees.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hvae_core.checkpoint import container
from hvae_core.checkpoint.contents import History, read_contents
from hvae_core.common.errors import CheckpointError
from hvae_core.config import ModelCard, ModelConfig, TrainConfig

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


def said_by(data: bytes, name: str) -> tuple[CheckpointInfo, container.Header]:
    """What the bytes of a file say under a name, and where its tensors lie."""
    header = container.read_header(data)
    contents = read_contents(header.metadata)
    info = CheckpointInfo(
        name=name,
        digest=hashlib.sha256(data).hexdigest(),
        config=contents.config,
        card=contents.card,
        history=contents.history,
        train=contents.train,
        parameters=sum(math.prod(entry.shape) for entry in header.entries.values()),
        size=len(data),
    )
    return info, header


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
