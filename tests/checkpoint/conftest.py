from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from hvae_core.checkpoint import container, save_checkpoint
from hvae_core.config import HVAEConfig, LatentConfig, ModelCard, TrainConfig
from hvae_core.models import HierarchicalVAE, model_from_config

CONFIG = HVAEConfig(
    image_shape=(1, 8, 8),
    latents=(LatentConfig(2, stride=2), LatentConfig(3, "dense")),
    channels=4,
    blocks=1,
)
CARD = ModelCard("A tiny model", preset="tiny", epochs=2, parameters=5, seconds=1.5, note="no: λ")
HISTORY = {"loss": [3.0, 2.25], "kl": [[1.0, 0.5], [2.0, 0.125]], "epoch": [1, 2]}
TRAIN = TrainConfig("glyphs", epochs=2)


@pytest.fixture(scope="session")
def model() -> HierarchicalVAE:
    torch.manual_seed(0)
    return model_from_config(CONFIG)


@pytest.fixture(scope="session")
def valid(model: HierarchicalVAE, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good checkpoint."""
    path = tmp_path_factory.mktemp("valid") / "tiny.safetensors"
    save_checkpoint(path, model, card=CARD, history=HISTORY, train=TRAIN)
    return path.read_bytes()


@pytest.fixture
def good(valid: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(valid)
    return path


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensor bytes of a good file."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: dict[str, Any] | str | bytes, body: bytes) -> bytes:
    """A file of this header, whatever it says."""
    if isinstance(header, dict):
        header = json.dumps(header)
    text = header.encode() if isinstance(header, str) else header
    return len(text).to_bytes(8, "little") + text + body


@pytest.fixture
def with_header(valid: bytes) -> Callable[[Callable[[dict[str, Any]], object]], bytes]:
    """Make a file of the good one by a change to its header."""

    def make(change: Callable[[dict[str, Any]], object]) -> bytes:
        header, body = split(valid)
        change(header)
        return join(header, body)

    return make


@pytest.fixture
def with_metadata(valid: bytes) -> Callable[[Mapping[str, Any]], bytes]:
    """Make a file of the good one with other metadata strings; None removes one."""

    def make(changes: Mapping[str, Any]) -> bytes:
        header, body = split(valid)
        metadata = header["__metadata__"] | changes
        header["__metadata__"] = {k: v for k, v in metadata.items() if v is not None}
        return join(header, body)

    return make


@pytest.fixture
def with_weights(model: HierarchicalVAE, valid: bytes) -> Callable[[Mapping[str, Any]], bytes]:
    """Make a well-formed file of the good one with other tensors; None removes one."""

    def make(changes: Mapping[str, Any]) -> bytes:
        tensors = {k: v for k, v in (model.state_dict() | changes).items() if v is not None}
        return container.write(tensors, split(valid)[0]["__metadata__"])

    return make
