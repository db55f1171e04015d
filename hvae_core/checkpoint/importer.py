"""The interface of an importer, and the importers by project."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, final

from torch import Tensor

from hvae_core.checkpoint.container import one_line
from hvae_core.checkpoint.source import Source
from hvae_core.common.errors import CheckpointError, ConfigError
from hvae_core.config import ModelConfig, from_json

C = TypeVar("C", bound=ModelConfig)
Given = Mapping[str, Any]
"""What a user says that the files do not: hyper-parameters by the project's own names.

The name of a set of them stands under ``set``.
"""


@final
@dataclass(frozen=True)
class Converted:
    """A foreign checkpoint as a model here: its configuration, and weights by the model's names."""

    config: ModelConfig
    weights: Mapping[str, Tensor] = field(repr=False)
    """Every tensor of the model's ``state_dict``, in float32."""
    title: str
    """What the checkpoint is called, as "VDVAE, cifar10"."""
    data: str = ""
    """What it was trained on, where the files say."""
    epochs: int = 0
    note: str = ""
    """What a reader must know beside the project and the file, which are named anyway."""


@final
@dataclass(frozen=True)
class Importer:
    """How the files of one project are recognised and converted."""

    project: str
    """As people know it: "openai/vdvae"."""
    files: str
    """What to bring, as the end of "bring ...": a file, or a folder with which files in it."""
    recognises: Callable[[Source], bool]
    """Whether these are files of the project, by names and outlines: no tensor is loaded."""
    convert: Callable[[Source, Given], Converted]
    """Raises ``CheckpointError``, a predicate without the file's name and full stop."""


IMPORTERS: dict[str, Importer] = {}
"""Every importer by its project."""


def register(importer: Importer) -> Importer:
    """Make a project known: from now on its files are converted."""
    if IMPORTERS.setdefault(importer.project, importer) is not importer:
        raise ValueError(f"there is an importer of {importer.project!r} already")
    return importer


def built(kind: type[C], fields: Mapping[str, Any]) -> C:
    """The configuration of these fields; ``CheckpointError`` names what is out of bounds."""
    try:
        return from_json(kind, json.dumps(dict(fields)))
    except (ConfigError, TypeError, ValueError) as exc:
        reason = one_line(
            str(exc).removeprefix("The configuration is not valid at ").rstrip("."), 200
        )
        raise CheckpointError(
            f"has hyper-parameters that no model here can have ({reason})"
        ) from exc
