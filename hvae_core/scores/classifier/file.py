"""A classifier as one safetensors file, written and read through the gate of checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from hvae_core.checkpoint import container, gate
from hvae_core.checkpoint.contents import (
    CLASSIFIER_MARK,
    FORMAT,
    History,
    Kind,
    plain_history,
    read_contents,
)
from hvae_core.checkpoint.encoded import canonical
from hvae_core.checkpoint.file import write_whole
from hvae_core.checkpoint.said import about, clean_name, read_bytes, shown_name
from hvae_core.common.errors import CheckpointError
from hvae_core.config import ModelCard, to_json
from hvae_core.scores.classifier.config import ClassifierConfig, ClassifierTraining
from hvae_core.scores.classifier.network import Classifier

KIND = Kind(
    mark=CLASSIFIER_MARK,
    config=ClassifierConfig,
    train=ClassifierTraining,
    foreign={
        FORMAT: "is a hierarchical VAE, not a classifier; "
        "open it as a model, or give the file of a classifier"
    },
)


@dataclass(frozen=True, eq=False)
class ClassifierFile:
    """A classifier, frozen and on the CPU, with what its file says of it."""

    name: str
    digest: str
    config: ClassifierConfig
    card: ModelCard
    history: History = field(repr=False)
    train: ClassifierTraining | None
    size: int
    model: Classifier = field(repr=False)


def load_classifier(source: str | Path | bytes, *, name: str | None = None) -> ClassifierFile:
    """Read a classifier through the gate; ``name`` is shown for it, else the file's own.

    Raises ``CheckpointError`` in one sentence for anything that is wrong with the file.
    """
    shown = shown_name(source, name)
    with about(shown):
        return _decode(read_bytes(source), shown)


def is_classifier(source: str | Path) -> bool:
    """Return whether a file says that it is a classifier; what is wrong with it, loading says."""
    try:
        return container.read_header(read_bytes(source)).metadata.get("format") == KIND.mark
    except CheckpointError:
        return False


def save_classifier(
    path: str | Path,
    model: Classifier,
    *,
    card: ModelCard,
    history: Mapping[str, Sequence[Any]],
    train: ClassifierTraining,
) -> ClassifierFile:
    """Write a classifier, its weights in 16 bits, and return it as it will be read.

    The class Gaussians stay in 32 bits: distances are small differences of them.
    """
    path = Path(path)
    name = clean_name(path.stem)
    with about(name):
        metadata = {
            "format": KIND.mark,
            "config": to_json(model.config),
            "card": canonical(card),
            "train": canonical(train),
            "history": json.dumps(plain_history(history), sort_keys=True),
        }
        weights = {key: value.detach().half() for key, value in model.named_parameters()}
        tensors = weights | {key: value.detach() for key, value in model.named_buffers()}
        data = container.write(tensors, metadata)
        written = _decode(data, name)  # what cannot be read again is not written
        write_whole(path, data)
    return written


def rounded(model: Classifier) -> Classifier:
    """The same classifier with its weights as a file keeps them, in place."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half().float())
    return model


def _decode(data: bytes, name: str) -> ClassifierFile:
    header = container.read_header(data)
    contents = read_contents(header.metadata, KIND)
    model = gate.empty(lambda: Classifier(contents.config))
    gate.check_shapes(model, header)
    return ClassifierFile(
        name=name,
        digest=hashlib.sha256(data).hexdigest(),
        config=contents.config,
        card=contents.card,
        history=contents.history,
        train=contents.train,
        size=len(data),
        model=gate.fill(model, data, header),
    )
